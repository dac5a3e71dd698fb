"""Keep and bring back: recovery points, and the runs that use them.

Takes: the Inventory, and the door. Makes: RecoveryPoints and Journals. May touch: AWS through the door; the standby
region alone when it fails over. Start reading at: desk.py (what commands, handlers and the rehearsal call), then
protect.py for points, and runbooks.py, engine.py and steps/ for runs.
"""
