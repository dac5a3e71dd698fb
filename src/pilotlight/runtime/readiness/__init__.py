"""What is evaluated continuously: is the primary well, what is protected and since when, and who is told.

Takes: the context. Makes: looks, standings, messages. May touch: AWS through the context's client. Start reading at:
probe.py and status.py.
"""
