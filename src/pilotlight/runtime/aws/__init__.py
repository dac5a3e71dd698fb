"""The one way to AWS at run time: a protocol, boto3 behind it, and wrappers around it.

Takes: service, operation, region, parameters. Makes: AWS's answers as plain dictionaries, or one of our errors.
May touch: boto3. Start reading at: client.py (the promises), then boto.py; wrappers.py adds pacing, retries and fences.
"""
