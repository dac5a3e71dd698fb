"""Runs: runbooks carried out step by step under a lease, with a journal of what was intended and what was proven.

Takes: the context, a runbook. Makes: Journals. May touch: AWS through a client that is fenced by the lease. Start
reading at: runbooks.py, then run.py and engine.py; register.py says which name is which action.
"""
