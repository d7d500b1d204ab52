"""The front door: usage events and processors' notices over HTTP. It appends facts to the lake and does nothing else."""
