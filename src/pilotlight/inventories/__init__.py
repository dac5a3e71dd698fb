"""Two buckets compared by what S3 Inventory wrote of them: for buckets that are too large to be listed.

Takes: the newest S3 Inventory of both sides of an asset. Makes: a `Compared`: what is proven, how strongly, as of when,
and what an inventory cannot prove. May touch: the AWS client, reading; DuckDB, Spark or Athena, each where it is asked
for. Start reading at: comparing.py; the SQL is in statements.py.

Nothing here goes into the recovery runtime: it is for a person's machine, or for a job.
"""
