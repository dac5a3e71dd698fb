"""From a plan to what is built: surveys the primary region, runs the stacks' programs, keeps their state.

Takes: a Workload. Makes: an Inventory. May touch: the Pulumi SDK, AWS through the AWS client and `cloud.session`.
Start reading at: operations.py; then engine.py for the embedded engine, survey.py for where an Inventory comes from.
"""
