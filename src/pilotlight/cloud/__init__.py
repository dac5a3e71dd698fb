"""The only door to AWS at run time, and the coats it wears.

Takes: service, operation, region, parameters. Makes: AWS's answers as plain dictionaries, or one of our errors.
May touch: boto3. Start reading at: door.py (the promises), then aws.py; coats.py adds pacing, retries and fences.
"""
