"""Buckets that S3 replicates: the kind dataset."""
