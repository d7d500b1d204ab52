"""Stripe → the lake: every object verbatim (`raw/stripe_objects`), and what it tells of money as facts.

`webhooks` takes signed notices, `pull` reads what is new, `facts` says what an object means, `landing` writes both. Secrets
come from the caller and are in no row, message or log.
"""
