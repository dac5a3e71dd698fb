"""One file a format of checkpoints: which files are one, and what proves it (docs/reference/checkpoints.md)."""
