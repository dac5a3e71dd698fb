"""Recovery points: observed asset by asset, judged, listed, verified, and let go of.

Takes: the context. Makes: RecoveryPoints. May touch: AWS through the context's client. Start reading at: protect.py;
observation.py puts the parts together in the order in which they must be looked at.
"""
