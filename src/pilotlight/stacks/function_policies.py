"""What the three functions may do: probe, protect and recover, each in one IAM document and nothing more.

Here stands what they need for any workload; what kinds of assets need stands in their folders (permissions.py). Recover
acts in the standby region alone: of the primary region it may name only the member that a promotion leaves behind, of
IAM only the role that instances of its groups get, of Route 53 nothing.
"""

from __future__ import annotations

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import METRIC_NAMESPACE, RECORD_MANIFESTS, RECORD_POINTS, Names
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.permissions import of_kinds
from pilotlight.stacks.policies import (
    Document,
    Statement,
    allow,
    bucket_arn,
    document,
    log_group,
    objects_arn,
    table_arn,
    use_copies_key,
    use_key,
)


def probe(inventory: Inventory) -> Document:
    """Reads the inventory and the journal, looks at both regions, keeps and publishes what it saw."""
    names = inventory.names
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["probe"]}}
    tables = [
        f"arn:{PARTITION}:dynamodb:{region}:{names.account}:table/{names.journal_table}"
        for region in (names.primary, names.standby)
    ]
    return document(
        _logs(names, "probe"),
        allow("ReadJournal", ["dynamodb:GetItem", "dynamodb:Query"], [table_arn(names)]),
        allow("KeepLook", ["dynamodb:PutItem"], [table_arn(names)], own),
        allow("ReadRecords", ["s3:GetObject"], [objects_arn(names.vault_bucket, "papers/")]),
        use_copies_key(names, ["kms:Decrypt"]),
        allow("LookAtRegions", ["ec2:DescribeAvailabilityZones"], ["*"]),
        allow("LookAtTables", ["dynamodb:DescribeTable"], tables),
        *of_kinds("probe", inventory),
        _metrics(),
    )


def protect(inventory: Inventory) -> Document:
    """Observes both regions and writes recovery points; `copies` adds what copies need."""
    names = inventory.names
    return document(
        _logs(names, "protect"),
        _journal(names, ["dynamodb:DeleteItem"]),
        *_records(names),
        allow("PrunePoints", ["s3:DeleteObject"], _objects(names, RECORD_POINTS, RECORD_MANIFESTS)),
        *_lock_points(inventory),
        *of_kinds("protect", inventory),
        use_copies_key(names, ["kms:Decrypt", "kms:GenerateDataKey"]),
        _go_on(names, "protect"),
        _metrics(),
    )


def copies(inventory: Inventory) -> Document:
    """Copies that are made by scheduled runs, in both regions."""
    return document(*of_kinds("copies", inventory))


def recover(inventory: Inventory) -> Document:
    """A failover run: every act of it, in the standby region."""
    names = inventory.names
    return document(
        _logs(names, "recover"),
        _journal(names, []),
        *_records(names),
        *of_kinds("recover", inventory),
        use_copies_key(names, ["kms:Decrypt", "kms:GenerateDataKey"]),
        _go_on(names, "recover"),
        *_tell(names),
        _metrics(),
    )


# -- statements ------------------------------------------------------------------------------------------------


def _tell(names: Names) -> tuple[Statement, Statement]:
    """Messages to people; their topic is encrypted with the workload's key (SNS Developer Guide, "Key management")."""
    return (
        allow("TellPeople", ["sns:Publish"], [names.people_topic_arn]),
        use_key(names, names.standby, ["kms:Decrypt", "kms:GenerateDataKey"], "UseTopicKey"),
    )


def _go_on(names: Names, purpose: str) -> Statement:
    """A function that Lambda's time limit ends asks for itself again."""
    own = f"arn:{PARTITION}:lambda:{names.standby}:{names.account}:function:{names.function(purpose)}"
    return allow("GoOn", ["lambda:InvokeFunction"], [own])


def _logs(names: Names, purpose: str) -> Statement:
    group = f"arn:{PARTITION}:logs:{names.standby}:{names.account}:log-group:{log_group(names, purpose)}:*"
    return allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group])


def _metrics() -> Statement:
    only = {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}}
    return allow("PutMetrics", ["cloudwatch:PutMetricData"], ["*"], only)


def _journal(names: Names, more: list[str]) -> Statement:
    changing = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"]
    actions = ["dynamodb:GetItem", *changing, "dynamodb:Query", *more]
    return allow("KeepJournal", actions, [table_arn(names)])


def _records(names: Names) -> tuple[Statement, Statement]:
    records = objects_arn(names.vault_bucket, "papers/")
    return (
        allow("KeepRecords", ["s3:GetObject", "s3:PutObject"], [records]),
        allow("ListRecords", ["s3:ListBucket"], [bucket_arn(names.vault_bucket)]),
    )


def _objects(names: Names, *prefixes: str) -> list[str]:
    return [objects_arn(names.vault_bucket, prefix) for prefix in prefixes]


def _lock_points(inventory: Inventory) -> list[Statement]:
    """Writing a locked record needs the right to set its retention (S3 User Guide, "Configuring Object Lock")."""
    if inventory.lock is None:
        return []
    records = _objects(inventory.names, RECORD_POINTS, RECORD_MANIFESTS)
    return [allow("LockPoints", ["s3:PutObjectRetention"], records)]
