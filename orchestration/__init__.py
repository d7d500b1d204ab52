"""Dagster: what runs when. The only package (with the command line) that may import all others."""
