"""S3: what moto lacks of it, replication first."""
