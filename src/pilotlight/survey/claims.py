"""What another Pilotlight workload protects already, and how that is known: its name is what a person is told.

A bucket by the id of its replication rule, a cluster by the global database around it, a group by the tag of its
counterpart in the standby region, a DNS name by the set identifier of its failover records. S3 keeps one replication
configuration with one role a bucket (S3 User Guide, "Replication configuration file elements"), and pulumi-aws writes
it whole, so a bucket is one workload's; docs/adr/0015-one-bucket-one-workload.md. What two workloads may share
(volumes, a hosted zone) is not asked for here.
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.naming import PREFIX, RULE_BEFORE, TAG_PROTECTS, TAG_WORKLOAD, Names, rule_owner
from pilotlight.survey.findings import Findings
from pilotlight.survey.zone_records import records_of

SIDES = ("-primary", "-standby")
"""How the set identifiers of a failover pair end (stacks/traffic.py)."""
TAGS_UNREADABLE = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
"""Who may not read the tags of another workload's copy is told its name as far as other names tell it."""

Properties = dict[str, Any]


# -- buckets ---------------------------------------------------------------------------------------------------


def replication(findings: Findings, asset: str, bucket: str) -> Properties:
    """The replication configuration of a bucket; empty where it has none, and where it cannot be read, which is a
    problem of this asset."""
    try:
        answer = findings.client.call("s3", "get_bucket_replication", findings.region, Bucket=bucket)
    except CallRefused as refusal:
        if not says_absent(refusal):
            findings.add(asset, f"the replication rules of bucket {bucket} cannot be read ({refusal.facts['reason']})")
        return {}
    found: Properties = answer["ReplicationConfiguration"]
    return found


def bucket_problem(names: Names, asset: str, bucket: str, configuration: Properties) -> str:
    """Why the rules that a bucket has are not ours to change, or nothing (pure)."""
    foreign = [each for each in configuration.get("Rules", []) if not _is_ours(names, asset, configuration, each)]
    if not foreign:
        return ""
    owners = [owner for each in foreign if (owner := _owner(configuration, each))]
    if owners:
        return _claimed(names, bucket, owners[0], foreign[0])
    ids = ", ".join(str(each.get("ID", "")) for each in foreign)
    return f"bucket {bucket} has replication rules of its own ({ids}); take them away"


def _claimed(names: Names, bucket: str, owner: tuple[str, str], rule: Properties) -> str:
    workload, asset = owner
    whose = f"asset {asset}" if workload == names.workload else f"asset {asset} of workload {workload}"
    return (
        f"bucket {bucket} is protected already as {whose} (rule {rule.get('ID', '')} to {destination(rule)}); a bucket "
        "has one replication configuration with one role, so one asset of one workload: keep it in one declaration "
        f"alone, and take it from the other with `pilotlight up` or `pilotlight destroy` there"
    )


def _is_ours(names: Names, asset: str, configuration: Properties, rule: Properties) -> bool:
    """By our id, wherever it points by now (`up` points it back); by an earlier edition's with role and destination."""
    if rule.get("ID") == names.rule(asset):
        return True
    role = str(configuration.get("Role", "")).rpartition("/")[2]
    ours = role == names.role(f"replication-{asset}") and destination(rule) == names.standby_bucket(asset)
    return rule.get("ID") == RULE_BEFORE and ours


def _owner(configuration: Properties, rule: Properties) -> tuple[str, str] | None:
    """(workload, asset) of the Pilotlight workload that a rule is of; None for somebody else's."""
    named = rule_owner(str(rule.get("ID", "")))
    if named or rule.get("ID") != RULE_BEFORE:
        return named
    return _owner_before(str(configuration.get("Role", "")).rpartition("/")[2], destination(rule))


def _owner_before(role: str, target: str) -> tuple[str, str] | None:
    """Role pilotlight-<workload>-replication-<asset> and destination pilotlight-<workload>-<asset>-... of an earlier
    edition, whose rule ids told nobody."""
    parts = role.removeprefix(f"{PREFIX}-").split("-replication-")
    splits = [("-replication-".join(parts[:at]), "-replication-".join(parts[at:])) for at in range(1, len(parts))]
    return next((each for each in splits if target.startswith(f"{PREFIX}-{each[0]}-{each[1]}-")), None)


def destination(rule: Properties) -> str:
    """The bucket that a rule replicates to (pure)."""
    return str(rule.get("Destination", {}).get("Bucket", "")).rpartition(":")[2]


# -- clusters, groups, DNS names -------------------------------------------------------------------------------


def check_cluster(findings: Findings, names: Names, asset: str, cluster: Properties) -> None:
    """A cluster in the global database of another workload, or of anybody else, cannot be put into ours."""
    what = "global databases"
    for one in findings.all(asset, what, "GlobalClusters", "rds", "describe_global_clusters"):
        found = str(one["GlobalClusterIdentifier"])
        members = [each["DBClusterArn"] for each in one.get("GlobalClusterMembers", [])]
        if cluster["DBClusterArn"] not in members or found == names.global_cluster(asset):
            continue
        if not found.startswith(f"{PREFIX}-"):
            findings.add(asset, _in_a_global(cluster, found, members))
        else:
            whose = _workload_of_cluster(findings, names.standby, f"{found}-standby") or f"of global database {found}"
            findings.add(asset, _taken(f"cluster {cluster['DBClusterIdentifier']}", whose, f"global database {found}"))


def _in_a_global(cluster: Properties, found: str, members: list[str]) -> str:
    """A cluster is in one global database at most (RDS API, CreateGlobalCluster); whose it is decides about it."""
    regions = ", ".join(sorted(arn.split(":")[3] for arn in members))
    return (
        f"cluster {cluster['DBClusterIdentifier']} is in global database {found} already ({regions}), and a cluster "
        "is in one at most; a global database of somebody else's is not taken over: take the cluster out of it "
        "(aws rds remove-from-global-cluster), or take this asset out of the declaration"
    )


def _workload_of_cluster(findings: Findings, region: str, copy: str) -> str:
    try:
        found = findings.client.call("rds", "describe_db_clusters", region, DBClusterIdentifier=copy)["DBClusters"]
    except CallRefused as refusal:
        if aws_code(refusal) in TAGS_UNREADABLE or says_absent(refusal):
            return ""
        raise
    except RegionUnreachable:
        return ""
    return _tag(found[0].get("TagList", []), TAG_WORKLOAD) if found else ""


def check_group(findings: Findings, names: Names, asset: str, group: str) -> None:
    """A group whose counterpart another workload keeps in the same standby region would be started twice."""
    for copy in _counterparts(findings, names, asset, group):
        owner = _tag(copy.get("Tags", []), TAG_WORKLOAD)
        if owner not in ("", names.workload):
            what = f"group {copy.get('AutoScalingGroupName', '')} in {names.standby}"
            findings.add(asset, _taken(f"Auto Scaling group {group}", owner, what))


def _counterparts(findings: Findings, names: Names, asset: str, group: str) -> list[Properties]:
    """The groups of the standby region that are kept for this one of the primary's."""
    wanted = [{"Name": f"tag:{TAG_PROTECTS}", "Values": [group]}]
    service, operation = "autoscaling", "describe_auto_scaling_groups"
    try:
        pages = list(findings.client.pages(service, operation, names.standby, Filters=wanted))
    except CallRefused as refusal:
        reason = refusal.facts["reason"]
        findings.add(
            asset, f"whether another workload protects group {group} cannot be read in {names.standby} ({reason})"
        )
        return []
    found = [each for page in pages for each in page.get("AutoScalingGroups", [])]
    return [each for each in found if _tag(each.get("Tags", []), TAG_PROTECTS) == group]


def check_record(findings: Findings, names: Names, asset: str, zone_id: str, record: str) -> list[Properties]:
    """The records of a name. One whose failover pair is another workload's: Route 53 refuses a second pair of it."""
    try:
        named = records_of(findings.client, zone_id, record)
    except CallRefused as refusal:
        findings.add(asset, f"the records of zone {zone_id} cannot be read ({refusal.facts['reason']})")
        return []
    owners = {owner for each in named if (owner := _owner_of_record(str(each.get("SetIdentifier", ""))))}
    for owner in sorted(owners - {names.workload}):
        findings.add(asset, _taken(f"record {record}", owner, f"its failover records in zone {zone_id}"))
    return [each for each in named if not _owner_of_record(str(each.get("SetIdentifier", "")))]


def _owner_of_record(identifier: str) -> str:
    """pl-<workload>-primary -> workload; empty for somebody else's (pure)."""
    side = next((each for each in SIDES if identifier.endswith(each)), "")
    return identifier.removesuffix(side).removeprefix("pl-") if side and identifier.startswith("pl-") else ""


def _taken(what: str, workload: str, known_by: str) -> str:
    whose = workload if workload.startswith("of ") else f"of workload {workload}"
    return (
        f"{what} is protected already as a part {whose} (known by {known_by}); two workloads would start it twice: "
        "keep it in one declaration, and take it from the other with `pilotlight up` or `pilotlight destroy` there"
    )


def _tag(tags: list[Properties], key: str) -> str:
    return next((str(each.get("Value", "")) for each in tags if each.get("Key") == key), "")
