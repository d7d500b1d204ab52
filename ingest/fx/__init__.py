"""Exchange rates into the stream `fx_rates`."""
