"""The night: its job and schedule, and the backfill of nights."""
