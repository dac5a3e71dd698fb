"""Lambda entry points: each parses its event, makes one call, and answers.

Takes: an event, the environment. Makes: a small JSON answer. May touch: what the call may. Start reading at: any file.
"""
