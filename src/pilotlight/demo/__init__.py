"""The rehearsal: the loss of a region, whole, on this machine, and the way back; nobody types anything while it runs.

Takes: a declaration, an example program, a seed. Makes: the Report record. May touch: every room below it, the embedded
cloud and AWS APIs. Start reading at: rehearsal.py, whose `rehearse` is the table of contents.
"""
