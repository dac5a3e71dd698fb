"""Looking, asset by asset, and only that: each file makes the Part of one kind of asset for a recovery point.

Takes: the door, the inventory, one asset. Makes: a Part. May touch: nothing; every call here is a reading one. Start
reading at: cut.py, which puts the parts together in the order in which they must be looked at.
"""
