"""The survey of clusters: whether one can be put into a global database (Aurora User Guide, "Configuration requirements
of an Amazon Aurora global database" and "Limitations of Amazon Aurora Global Database")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PROVISIONED = "provisioned"
AVAILABLE = "available"


def problems(cluster: dict[str, Any], ours: str, is_deployed: bool) -> Iterable[str]:
    """Why it cannot (pure). `ours`: ARN of its secondary, in a first `up` that was left half done; one that is deployed
    may be busy."""
    name, mode = cluster.get("DBClusterIdentifier", ""), cluster.get("EngineMode", PROVISIONED)
    if mode != PROVISIONED:
        yield (
            f"cluster {name} is in engine mode {mode}, which global databases do not take; restore it into a "
            "provisioned one (Aurora Serverless v2 is one)"
        )
    if is_deployed:
        return
    status = cluster.get("Status", AVAILABLE)
    if status != AVAILABLE:
        yield f"cluster {name} is {status}; it can be put into a global database when it is {AVAILABLE}: wait for it"
    source = cluster.get("ReplicationSourceIdentifier")
    if source:
        yield f"cluster {name} is a replica of {source}; protect that, or promote this one first"
    replicas = [each for each in cluster.get("ReadReplicaIdentifiers", []) if each != ours]
    if replicas:
        yield f"cluster {name} has replicas of its own ({', '.join(replicas)}); take them away first"
