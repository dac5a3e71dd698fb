"""Buckets that are looked into: the kind checkpoints."""
