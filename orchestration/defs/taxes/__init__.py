"""Taxes: what the tax providers are told of issued documents."""
