"""Money that comes and money that is asked for: pulls, retries, charges, and the model that chooses when."""
