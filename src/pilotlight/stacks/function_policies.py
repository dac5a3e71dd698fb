"""What the three functions may do: probe, protect and recover, each in one IAM document and nothing more.

Recover acts in the standby region alone: of the primary region it may name only the member that a promotion leaves
behind (FailoverGlobalCluster is authorized on the whole global cluster), of IAM only the role that instances of its
groups get, of Route 53 nothing. It writes launch templates of its own, told by a tag, and never the stack's; whoever
points a group at a template is asked for ec2:RunInstances and iam:PassRole (Auto Scaling User Guide, "Control Amazon
EC2 launch template usage in Auto Scaling groups"), which it may do through a launch template of this account alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from pilotlight.runtime.kinds.autoscaling.launching import spread
from pilotlight.runtime.naming import (
    METRIC_NAMESPACE,
    PAPER_MANIFESTS,
    PAPER_POINTS,
    TAG_TEMPLATE,
    TAG_WORKLOAD,
    TEMPLATE_OF_RUN,
    Names,
)
from pilotlight.runtime.readiness.looking import asked_cluster
from pilotlight.runtime.records.inventory import Compute, Database, Inventory
from pilotlight.stacks.policies import (
    PARTITION,
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

READ_OBJECTS = ["s3:GetObject"]
LIST_OBJECTS = ["s3:ListBucket"]


def probe(inventory: Inventory) -> Document:
    """Reads the inventory and the journal, looks at both regions, keeps and publishes what it saw."""
    names = inventory.names
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["probe"]}}
    return document(
        _logs(names, "probe"),
        allow("ReadJournal", ["dynamodb:GetItem", "dynamodb:Query"], [table_arn(names)]),
        allow("KeepLook", ["dynamodb:PutItem"], [table_arn(names)], own),
        allow("ReadPapers", ["s3:GetObject"], [objects_arn(names.vault_bucket, "papers/")]),
        use_copies_key(names, ["kms:Decrypt"]),
        *_look(inventory),
        *_replace_missing(inventory),
        _metrics(),
    )


def _look(inventory: Inventory) -> list[Statement]:
    """One reading call to each service of either region (readiness/looking.py); of EC2 and Auto Scaling, whose Describe
    calls take no resource, and of what is the workload's own or nobody's."""
    names = inventory.names
    tables = [
        f"arn:{PARTITION}:dynamodb:{region}:{names.account}:table/{names.journal_table}" for region in _both(names)
    ]
    nobodys = [
        f"arn:{PARTITION}:rds:{region}:{names.account}:cluster:{asked_cluster(names)}" for region in _both(names)
    ]
    clusters = [arn for each in inventory.databases for arn in (each.primary_arn, each.standby_arn)] or nobodys
    actions = ["ec2:DescribeAvailabilityZones"]
    actions += ["autoscaling:DescribeAutoScalingGroups"] if inventory.computes else []
    statements = [
        allow("LookAtRegions", actions, ["*"]),
        allow("LookAtDatabases", ["rds:DescribeDBClusters"], clusters),
        allow("LookAtTables", ["dynamodb:DescribeTable"], tables),
    ]
    first = next(iter(inventory.datasets), None)
    buckets = [bucket_arn(first.primary_bucket), bucket_arn(first.standby_bucket)] if first else []
    return statements + ([allow("LookAtBuckets", ["s3:ListBucket"], buckets)] if buckets else [])


def _both(names: Names) -> tuple[str, str]:
    return names.primary, names.standby


def protect(inventory: Inventory) -> Document:
    """Observes both regions and writes recovery points; `copies` adds what volumes and images need."""
    names = inventory.names
    return document(
        _logs(names, "protect"),
        _journal(names, ["dynamodb:DeleteItem"]),
        *_papers(names),
        allow("PrunePoints", ["s3:DeleteObject"], _objects(names, PAPER_POINTS, PAPER_MANIFESTS)),
        *_lock_points(inventory),
        *_read_buckets(inventory, both=True),
        *_observe_databases(inventory, both=True),
        *_read_rows(inventory),
        allow("MeasureLag", ["cloudwatch:GetMetricStatistics"], ["*"]),
        *_observe_compute(inventory),
        *_fence_returned(inventory),
        use_copies_key(names, ["kms:Decrypt", "kms:GenerateDataKey"]),
        _metrics(),
    )


def copies(inventory: Inventory) -> Document:
    """Snapshots in the primary region, copies of them and of images in the standby; deletes only what carries the
    workload's tag."""
    snapshots = _copy_snapshots(inventory) if inventory.volumes else []
    images = _copy_images(inventory) if inventory.computes else []
    return document(*snapshots, *images, *_snapshot_keys(inventory.names))


def _copy_images(inventory: Inventory) -> list[Statement]:
    """Of an image and the snapshots behind it (EC2 User Guide, "Copy an Amazon EC2 AMI")."""
    names = inventory.names
    ours = {"StringEquals": {f"aws:ResourceTag/{TAG_WORKLOAD}": names.workload}}
    made = {"StringEquals": {"ec2:CreateAction": "CopyImage"}}
    sources, copied = ([_shared(region, kind) for kind in ("image", "snapshot")] for region in _both(names))
    return [
        allow("CopyImages", ["ec2:CopyImage"], [*sources, *copied]),
        allow("TagImages", ["ec2:CreateTags"], copied, made),
        allow("PruneImages", ["ec2:DeregisterImage", "ec2:DeleteSnapshot"], copied, ours),
    ]


def _copy_snapshots(inventory: Inventory) -> list[Statement]:
    names = inventory.names
    primary, standby = _shared(names.primary, "snapshot"), _shared(names.standby, "snapshot")
    sources = [f"arn:{PARTITION}:ec2:{names.primary}:{names.account}:{kind}/*" for kind in ("instance", "volume")]
    ours = {"StringEquals": {f"aws:ResourceTag/{TAG_WORKLOAD}": names.workload}}
    describe = ["ec2:DescribeVolumes", "ec2:DescribeInstances", "ec2:DescribeSnapshots"]
    return [
        allow("DescribeVolumes", describe, ["*"]),
        allow("CreateSnapshots", ["ec2:CreateSnapshot", "ec2:CreateSnapshots"], [*sources, primary]),
        allow("CopySnapshots", ["ec2:CopySnapshot"], [primary, standby]),
        allow("TagSnapshots", ["ec2:CreateTags"], [primary, standby]),
        allow("PruneSnapshots", ["ec2:DeleteSnapshot"], [primary, standby], ours),
    ]


def recover(inventory: Inventory) -> Document:
    """A failover run: every act of it, in the standby region."""
    names = inventory.names
    own = f"arn:{PARTITION}:lambda:{names.standby}:{names.account}:function:{names.function('recover')}"
    return document(
        _logs(names, "recover"),
        _journal(names, []),
        *_papers(names),
        *_read_buckets(inventory, both=False),
        *_observe_databases(inventory, both=False),
        *_promote_databases(inventory),
        *_start_compute(inventory),
        use_copies_key(names, ["kms:Decrypt", "kms:GenerateDataKey"]),
        allow("GoOn", ["lambda:InvokeFunction"], [own]),
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


def _papers(names: Names) -> tuple[Statement, Statement]:
    records = objects_arn(names.vault_bucket, "papers/")
    return (
        allow("KeepPapers", ["s3:GetObject", "s3:PutObject"], [records]),
        allow("ListPapers", ["s3:ListBucket"], [bucket_arn(names.vault_bucket)]),
    )


def _objects(names: Names, *prefixes: str) -> list[str]:
    return [objects_arn(names.vault_bucket, prefix) for prefix in prefixes]


def _lock_points(inventory: Inventory) -> list[Statement]:
    """Writing a locked paper needs the right to set its retention (S3 User Guide, "Configuring Object Lock")."""
    if inventory.lock is None:
        return []
    records = _objects(inventory.names, PAPER_POINTS, PAPER_MANIFESTS)
    return [allow("LockPoints", ["s3:PutObjectRetention"], records)]


def _read_buckets(inventory: Inventory, both: bool) -> list[Statement]:
    if not inventory.datasets:
        return []
    places = [(each.standby_bucket, each.prefix) for each in inventory.datasets]
    places += [(each.primary_bucket, each.prefix) for each in inventory.datasets if both]
    listing = [*LIST_OBJECTS, "s3:ListBucketVersions"] if both else LIST_OBJECTS
    statements = [
        allow("ListReplicas", listing, _unique([bucket_arn(bucket) for bucket, _ in places])),
        allow("ReadReplicas", READ_OBJECTS, _unique([objects_arn(*place) for place in places])),
    ]
    return statements + ([_read_rules(inventory), _decrypt_sources(inventory.names)] if both else [])


def _read_rules(inventory: Inventory) -> Statement:
    """Whether the replication rules are in place: what is not taken up by one is missing."""
    sources = _unique([bucket_arn(each.primary_bucket) for each in inventory.datasets])
    return allow("ReadRules", ["s3:GetReplicationConfiguration"], sources)


def _decrypt_sources(names: Names) -> Statement:
    """Objects of the primary may be encrypted with keys of the user's: decrypting through S3 only."""
    keys = f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"
    through = {"StringEquals": {"kms:ViaService": f"s3.{names.primary}.amazonaws.com"}}
    return allow("DecryptSources", ["kms:Decrypt"], [keys], through)


def _observe_databases(inventory: Inventory, both: bool) -> list[Statement]:
    if not inventory.databases:
        return []
    globals_ = [_global_arn(inventory, each) for each in inventory.databases]
    clusters = [each.standby_arn for each in inventory.databases]
    clusters += [each.primary_arn for each in inventory.databases if both]
    return [
        allow("DescribeGlobal", ["rds:DescribeGlobalClusters"], globals_),
        allow("DescribeClusters", ["rds:DescribeDBClusters"], clusters),
    ]


def _read_rows(inventory: Inventory) -> list[Statement]:
    """The rows that name checkpoints (Aurora User Guide, "Authorizing access to the Amazon RDS Data API")."""
    named = [each for each in inventory.databases if each.table]
    if not named:
        return []
    names = inventory.names
    keys = f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{names.primary}.amazonaws.com"}}
    return [
        allow("ReadRows", ["rds-data:ExecuteStatement"], [each.primary_arn for each in named]),
        allow("LogIn", ["secretsmanager:GetSecretValue"], _unique([each.secret for each in named])),
        allow("DecryptLogin", ["kms:Decrypt"], [keys], through),
    ]


def _promote_databases(inventory: Inventory) -> list[Statement]:
    if not inventory.databases:
        return []
    involved = [_global_arn(inventory, each) for each in inventory.databases]
    involved += [arn for each in inventory.databases for arn in (each.primary_arn, each.standby_arn)]
    return [allow("Promote", ["rds:FailoverGlobalCluster"], involved)]


def _global_arn(inventory: Inventory, database: Database) -> str:
    """A global cluster's ARN has no region (Service Authorization Reference, "Amazon RDS")."""
    return f"arn:{PARTITION}:rds::{inventory.account}:global-cluster:{database.global_cluster}"


def _observe_compute(inventory: Inventory) -> list[Statement]:
    """Whether image, template and group wait in the standby region."""
    return [allow("DescribeStandby", OBSERVE_COMPUTE, ["*"])] if inventory.computes else []


def _fence_returned(inventory: Inventory) -> list[Statement]:
    """The lost region answers again while the standby serves: its groups go to zero, its buckets take no writes."""
    names = inventory.names
    statements = []
    if inventory.computes:
        groups = [
            f"arn:{PARTITION}:autoscaling:{names.primary}:{names.account}:autoScalingGroup:*:"
            f"autoScalingGroupName/{each.primary_group}"
            for each in inventory.computes
        ]
        statements.append(
            allow("StopReturned", ["autoscaling:UpdateAutoScalingGroup", "autoscaling:SuspendProcesses"], groups)
        )
    if inventory.datasets:
        buckets = _unique([bucket_arn(each.primary_bucket) for each in inventory.datasets])
        statements.append(allow("CloseReturned", ["s3:GetBucketPolicy", "s3:PutBucketPolicy"], buckets))
    return statements


def _start_compute(inventory: Inventory) -> list[Statement]:
    if not inventory.computes:
        return []
    names = inventory.names
    own = f"{names.standby}:{names.account}"
    groups = _standby_groups(inventory, inventory.computes)
    parameters = f"arn:{PARTITION}:ssm:{own}:parameter{names.parameter('*')}"
    return [
        allow("DescribeCompute", DESCRIBE_COMPUTE, ["*"]),
        allow("Scale", ["autoscaling:UpdateAutoScalingGroup"], groups),
        allow("TellRecovered", ["ssm:PutParameter", "ssm:GetParameter"], [parameters]),
        *_launch_from_point(inventory),
        *_hold_groups(inventory),
    ]


def _launch_from_point(inventory: Inventory) -> list[Statement]:
    """The run's own template, and pointing a group at it."""
    names = inventory.names
    templates = [_own_ec2(names, "launch-template")]
    runs = {f"aws:ResourceTag/{TAG_TEMPLATE}": TEMPLATE_OF_RUN, f"aws:ResourceTag/{TAG_WORKLOAD}": names.workload}
    new = {key.replace("Resource", "Request"): value for key, value in runs.items()}
    made = {"StringEquals": {"ec2:CreateAction": "CreateLaunchTemplate"}}
    return [
        allow("MakeTemplate", ["ec2:CreateLaunchTemplate"], templates, {"StringEquals": new}),
        allow("TagTemplate", ["ec2:CreateTags"], templates, made),
        allow("PrepareTemplate", ["ec2:CreateLaunchTemplateVersion"], templates, {"StringEquals": runs}),
        *_name_template(inventory, inventory.computes),
    ]


def _name_template(inventory: Inventory, computes: Iterable[Compute]) -> list[Statement]:
    """What Auto Scaling asks of whoever names a template: that they could launch from it themselves."""
    names = inventory.names
    through = {"ArnLike": {"ec2:LaunchTemplate": _own_ec2(names, "launch-template")}}
    tagging = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    launched = [_own_ec2(names, kind) for kind in ("instance", "network-interface", "volume")]
    used = [_own_ec2(names, kind) for kind in ("launch-template", "security-group", "subnet")]
    shared = [_shared(names.standby, kind) for kind in ("image", "snapshot")]
    roles = [f"arn:{PARTITION}:iam::{names.account}:role/{names.role(f'instance-{each.name}')}" for each in computes]
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    return [
        allow("NameTemplate", ["ec2:RunInstances"], [*launched, *used, *shared], through),
        allow("TagLaunched", ["ec2:CreateTags"], launched, tagging),
        allow("PassInstanceRole", ["iam:PassRole"], roles, to_ec2),
    ]


def _hold_groups(inventory: Inventory) -> list[Statement]:
    """Keeping a group from launching an instance with another one's volumes."""
    held = [each for each in inventory.computes if spread(inventory, each)]
    if not held:
        return []
    hold = ["autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses"]
    return [allow("HoldGroups", hold, _standby_groups(inventory, held))]


def _replace_missing(inventory: Inventory) -> list[Statement]:
    """What the probe needs to replace an instance by one with the same volumes (kinds/autoscaling/replacements.py)."""
    held = [each for each in inventory.computes if spread(inventory, each)]
    if not held:
        return []
    return [
        allow("ReplaceMissing", ["autoscaling:UpdateAutoScalingGroup"], _standby_groups(inventory, held)),
        *_name_template(inventory, held),
        *_hold_groups(inventory),
    ]


def _standby_groups(inventory: Inventory, computes: Iterable[Compute]) -> list[str]:
    own = f"{inventory.standby}:{inventory.account}"
    return [
        f"arn:{PARTITION}:autoscaling:{own}:autoScalingGroup:*:autoScalingGroupName/{each.standby_group}"
        for each in computes
    ]


def _own_ec2(names: Names, kind: str) -> str:
    return f"arn:{PARTITION}:ec2:{names.standby}:{names.account}:{kind}/*"


OBSERVE_COMPUTE = ["ec2:DescribeImages", "ec2:DescribeLaunchTemplateVersions", "autoscaling:DescribeAutoScalingGroups"]

DESCRIBE_COMPUTE = [
    "ec2:DescribeImages",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeSnapshots",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetHealth",
]


def _shared(region: str, kind: str) -> str:
    """The ARN of a snapshot or an image has no account (Service Authorization Reference, "Amazon EC2")."""
    return f"arn:{PARTITION}:ec2:{region}::{kind}/*"


def _snapshot_keys(names: Names) -> tuple[Statement, Statement, Statement, Statement]:
    """Read with the volumes' keys, write with ours (EBS User Guide, "Requirements for EBS encryption")."""
    read = ["kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom"]
    write = ["kms:DescribeKey", "kms:Decrypt", "kms:ReEncryptTo", "kms:GenerateDataKeyWithoutPlaintext"]
    sources = f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"
    services = [f"ec2.{region}.amazonaws.com" for region in (names.primary, names.standby)]
    through = {"StringEquals": {"kms:ViaService": services}}
    granted = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    grant = use_key(names, names.standby, ["kms:CreateGrant"], "GrantStandbyKey")
    return (
        allow("ReadVolumeKeys", read, [sources], through),
        allow("GrantVolumeKeys", ["kms:CreateGrant"], [sources], through | granted),
        use_key(names, names.standby, write, "EncryptCopies"),
        grant | {"Condition": grant["Condition"] | granted},
    )


def _unique(items: list[str]) -> list[str]:
    return list(dict.fromkeys(items))
