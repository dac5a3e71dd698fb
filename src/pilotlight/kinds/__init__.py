"""Every kind of asset before the disaster: one folder a kind, with the name that its other half has in runtime/kinds.

In each: declare.py (its part of a declaration), forecast.py (what is promised), survey.py (what is looked up of it),
stack.py (what is built for it), permissions.py (what the functions may do for it). registry.py lists them all, and is
where to begin reading.
"""
