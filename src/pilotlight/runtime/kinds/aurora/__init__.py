"""Aurora clusters of a global database: how far behind, promoted, switched over, and followed again."""
