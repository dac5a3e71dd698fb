"""What every behaviour of the embedded cloud shares: the regions, the pace of time, child processes, identities.

A Behaviour is one thing AWS does that moto does not; it gets one Cloud and is told when calls succeed and when a
region goes dark or light. Behaviours know moto and this file, never the rooms above `local/`.
"""
