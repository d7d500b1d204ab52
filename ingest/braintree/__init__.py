"""Braintree → the lake: what it tells of money (`raw/braintree_objects`), and that as facts.

`webhooks` takes signed notices, `pull` reads what is new, `facts` says what an object means, `landing` writes both: the parts
that Stripe has too. Payment instruments are not kept, nor is anything of a card but its brand. Keys come from the environment
alone.
"""
