"""What the declaration names, looked up in the primary region: Workload -> Inventory, or every problem at once.

Reads only, through the AWS client. survey.py is where to begin reading; findings.py keeps what is amiss.
"""
