"""Buckets: listed, replicated, read again, fenced, filled from the other side, and synced home."""
