"""The embedded Pulumi engine: runs a program against a monitor of our own, compares, acts, keeps the state.

embedded.py is where to begin reading, then monitor.py and steps.py; resources/ are the classes that call AWS.
"""
