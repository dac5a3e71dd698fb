"""What a run and a scheduled run remember: the journal table with lease and epoch, and the record bucket.

Takes: an AWS client of the standby region. Makes: typed items and records. May touch: DynamoDB, S3. Start reading at:
lease.py, then ledger.py.
"""
