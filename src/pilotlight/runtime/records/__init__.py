"""Records that must outlive a region: inventory, recovery point, runbook and journal, and their JSON form.

Takes: nothing. Makes: frozen, versioned, printable values. May touch: the standard library only.
Start reading at: inventory.py, then point.py and runs.py; codec.py is how they are written down.
"""
