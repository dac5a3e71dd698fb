"""The recovery runtime: all that is needed on the day, in one folder that imports nothing of Pilotlight outside itself.

Takes: the Inventory, and an AWS client. Makes: RecoveryPoints and Journals. May touch: the standard library, and boto3
in aws/. The Lambda archive is this folder. Start reading at: recovery.py (what commands, handlers and the rehearsal
call), then points/protect.py for points, and runs/runbooks.py and runs/engine.py for runs.

From below to above: errors, clock, naming; records; aws and checkpoints; store; context; kinds; points; runs;
readiness; recovery; handlers.
"""
