"""Aurora clusters: the kind database."""
