"""What the front door took: events that a collector left behind, and whether processors still tell what happens."""
