"""What can be taken away before the disaster, to see that the rehearsal notices and names it.

Each breakage is one thing that goes wrong in real accounts without anybody noticing until the day.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.kinds.kind import named
from pilotlight.runtime.naming import ACTIVE_UNHEALTHY
from pilotlight.runtime.records.inventory import Inventory

FAILOVER_ACTION = "rds:FailoverGlobalCluster"


def permission(cloud: LocalCloud, inventory: Inventory) -> None:
    """The failover role loses one IAM action."""
    iam = cloud.client("iam", inventory.primary)
    role = inventory.names.role("recover")
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(_without(document)))


def _without(document: dict[str, Any]) -> dict[str, Any]:
    statements = []
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        left = [action for action in actions if action != FAILOVER_ACTION]
        if left:
            statements.append(statement | {"Action": left})
    return document | {"Statement": statements}


def code(cloud: LocalCloud, inventory: Inventory) -> None:
    """The Lambda function that recovers loses its code."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("nothing.txt", "nothing")
    cloud.client("lambda", inventory.standby).update_function_code(
        FunctionName=inventory.names.function("recover"), ZipFile=archive.getvalue()
    )


def replication(cloud: LocalCloud, inventory: Inventory) -> None:
    """The checkpoints' bucket loses its replication rule."""
    bucket = named(inventory.assets, "checkpoints")[0].primary_bucket
    cloud.client("s3", inventory.primary).delete_bucket_replication(Bucket=bucket)


def alarm(cloud: LocalCloud, inventory: Inventory) -> None:
    """The alarm loses its action."""
    watch = cloud.client("cloudwatch", inventory.standby)
    name = inventory.names.alarm(ACTIVE_UNHEALTHY)
    found = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    kept = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods",
            "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData")  # fmt: skip
    watch.put_metric_alarm(**{key: found[key] for key in kept if key in found}, AlarmActions=[])


BREAKAGES: dict[str, Callable[[LocalCloud, Inventory], None]] = {
    "permission": permission,
    "code": code,
    "replication": replication,
    "alarm": alarm,
}
