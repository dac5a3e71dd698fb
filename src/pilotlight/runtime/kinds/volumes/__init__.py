"""Volumes: selected by a tag, snapshotted by instance, copied, and put back where they belong."""
