"""RDS: Aurora clusters and global databases on real PostgreSQL servers, their snapshots, the Data API."""
