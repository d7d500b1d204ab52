"""Dagster: when things run, in which order, and what is known about each run.

`defs/<system>/` says what exists, `lib/` how it is built. No rule lives here: SQL decides, `ratehouse` moves,
and this package calls them.
"""
