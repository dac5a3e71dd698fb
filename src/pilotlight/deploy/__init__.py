"""What deploys: the three stacks through either engine, where their state lies, and taking them down again.

Takes: a Workload. May touch: the Pulumi SDK, AWS through the AWS client and `session`. operations.py is where to begin
reading; the embedded engine is pilotlight/engine, where an Inventory comes from is pilotlight/survey.
"""
