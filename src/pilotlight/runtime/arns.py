"""What AWS calls things by, and which of its services live in one region whatever region is asked for."""

from __future__ import annotations

PARTITION = "aws"
"""Of commercial regions, the only ones that are supported (AWS General Reference, "Amazon Resource Names")."""

GLOBAL_REGION = "us-east-1"
GLOBAL_SERVICES: dict[str, str] = {
    "iam": GLOBAL_REGION,
    "route53": GLOBAL_REGION,
    "organizations": GLOBAL_REGION,
    "cloudfront": GLOBAL_REGION,
    "shield": GLOBAL_REGION,
    "support": GLOBAL_REGION,
    "globalaccelerator": "us-west-2",
}
"""Service -> the region that its control plane is in: with that region gone nothing of it can be changed (AWS Fault
Isolation Boundaries, "Global services")."""
