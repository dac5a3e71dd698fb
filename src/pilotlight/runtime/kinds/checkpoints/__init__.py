"""Checkpoints: buckets that are looked into, and the rows that refer to them."""
