"""Pilotlight: disaster recovery as code for AI workloads on AWS.

A declaration becomes a plan, the plan becomes stacks, the stacks keep recovery points, and a runbook brings the
workload up in the standby region. Start reading at ARCHITECTURE.md; the records are in `pilotlight.runtime.records`.
"""

__version__ = "0.1.0"
