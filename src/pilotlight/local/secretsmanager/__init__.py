"""Secrets Manager: its answers as it documents them."""
