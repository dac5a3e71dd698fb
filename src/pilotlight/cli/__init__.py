"""The commands, one file per verb. stdout is data, stderr is talk, `--json` is a promise, exit codes are documented.

Takes: what a person typed. Makes: one call into a room, and its record printed. May touch: every room.
Start reading at: main.py.
"""
