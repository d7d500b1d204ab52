"""The journal of a month, written for accounting systems or posted to them.

`journal` reads entries, `parts` fits them to the limits of a system, `targets` says how each system writes them, `export` makes
files of them; `connection` speaks to the systems, `outbox` keeps what became of every entry, `push` puts these together.

Amounts are in the tenant's own currency, the only one in which every entry balances to the cent at the rates it was
booked at; the generic files have both currencies.
"""
