"""The acts of the runbooks, one small class each: it asks, it acts, and what it asked for is the proof.

Takes: a Work (one step and all that a run stands on). Makes: an Answer when asked; a change when it acts. May touch:
AWS through the work's door, which is fenced. Start reading at: action.py; register.py says which name is which class.
"""
