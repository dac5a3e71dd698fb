"""HOW WELL: the mechanism of each asset, what it promises, and what to know before relying on it (pure).

Takes: a Workload. Makes: a Plan. May touch: nothing. Start reading at: plan.py; mechanisms.py has the numbers.
"""
