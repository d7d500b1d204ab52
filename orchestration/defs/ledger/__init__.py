"""The ledger: the issue step."""
