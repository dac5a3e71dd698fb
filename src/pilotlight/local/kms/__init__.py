"""KMS: keys by whatever name a caller gives."""
