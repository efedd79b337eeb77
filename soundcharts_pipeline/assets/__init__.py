"""Thin glue: what each asset is, and which sync function fills it."""
