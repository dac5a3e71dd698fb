"""The embedded cloud: AWS APIs for several regions on loopback, that a region can be lost from.

Takes: requests of any AWS client, and faults from whoever holds the handle.
Makes: AWS's answers, real bytes, real processes, and a record of every call.
May touch: moto, boto3, loopback sockets, child processes, its own folder; never the rooms that recover a workload.
Start reading at: handle.py from outside; cloud.py, then gateway.py, from inside; behaviours.py lists what moto lacks.
"""
