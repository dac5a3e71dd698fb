"""The survey: what the declaration names is looked up in the primary region and becomes the Inventory.

Reads only, through the AWS client. Whatever is missing or not as it must be is collected, and told at once as
SurveyProblems; a survey with a problem gives no inventory, so nothing is ever half protected. Names of what will be
built come from `naming`, never from AWS. Volumes are read by survey_volumes.py, compute groups and what they stand on
by survey_fleet.py.
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.checkpoints.format import LOAD, RESUME
from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import STACKS, Names
from pilotlight.runtime.records import inventory as paper
from pilotlight.stacks.policies import PARTITION
from pilotlight.survey import buckets as survey_buckets
from pilotlight.survey import claims
from pilotlight.survey import clusters as survey_clusters
from pilotlight.survey import fleet as survey_fleet
from pilotlight.survey import keys as survey_keys
from pilotlight.survey import names as survey_names
from pilotlight.survey import settings as survey_settings
from pilotlight.survey import standby as survey_standby
from pilotlight.survey import volumes as survey_volumes
from pilotlight.survey.findings import Findings
from pilotlight.survey.translate import Dictionary, Endpoint
from pilotlight.workload.model import Checkpoints, Compute, Database, Dataset, Workload

LOCATION_DEFAULT = "us-east-1"
"""S3 API, GetBucketLocation: buckets there have no location constraint."""
ENGINE = "aurora-postgresql"
NAMED_MAX = 5
"""Keys that a problem names, where a prefix may mean any of them; a sentence of more is not read."""


def survey(
    client: AwsClient,
    workload: Workload,
    account: str,
    clock: Clock,
    kept: paper.Inventory | None = None,
    vault: AwsClient | None = None,
) -> paper.Inventory:
    """The inventory of this workload, read in its primary region; SurveyProblems names everything that is amiss.

    `kept`: what the last `up` made, which is not looked for again; `vault`: the client of the account of the copies.
    """
    names = workload.names(account)
    findings = Findings(client, names.primary)
    datasets = _datasets(findings, workload, names)
    volumes = survey_volumes.volumes(findings, workload, names)
    databases, endpoints = _databases(findings, workload, names, kept)
    words = _dictionary(names, datasets, databases, endpoints)
    fleets = [
        survey_fleet.fleet(findings, name, asset, names, words, volumes)
        for name, asset in workload.assets.items()
        if isinstance(asset, Compute)
    ]
    computes = [each.compute for each in fleets if each]
    survey_volumes.check_counts(findings, volumes, computes)
    traffic = survey_fleet.traffic(findings, workload.traffic, fleets, names)
    zones = survey_standby.zones(findings, names, computes, kept)
    survey_standby.check_databases(findings, names, databases)
    survey_keys.check(findings, names)
    originals = {each.name: each.primary_arn for each in databases}
    survey_names.check(findings, workload, names, originals, kept, vault if workload.vault else client)
    findings.settle()
    return paper.Inventory(
        workload=workload.workload,
        account=account,
        primary=names.primary,
        standby=names.standby,
        rpo_seconds=workload.objectives.rpo_seconds,
        rto_seconds=workload.objectives.rto_seconds,
        trigger=workload.trigger,
        every_seconds=workload.points.every_seconds,
        keep=paper.Keep(workload.points.keep.hourly, workload.points.keep.daily, workload.points.keep.weekly),
        lock=_lock(workload),
        vault=paper.VaultAccount(workload.vault.account, workload.vault.role) if workload.vault else None,
        assets=(*datasets, *volumes, *databases, *computes),
        traffic=traffic,
        notify=paper.Notify(workload.notify.email, workload.notify.https) if workload.notify else paper.Notify(),
        taken_at=stamp(clock.now()),
        zones=zones,
        remarks=tuple(findings.remarks),
    )


def _lock(workload: Workload) -> paper.Lock | None:
    lock = workload.points.lock
    return paper.Lock(lock.mode, lock.lock_seconds) if lock else None


def _dictionary(
    names: Names, datasets: list[paper.Datasets], databases: list[paper.Database], endpoints: list[Endpoint]
) -> Dictionary:
    return Dictionary(
        primary=names.primary,
        standby=names.standby,
        buckets={each.primary_bucket: each.standby_bucket for each in datasets},
        endpoints=tuple(endpoints),
        clusters={each.primary_cluster: each.standby_cluster for each in databases},
    )


# -- datasets and checkpoints ----------------------------------------------------------------------------------


def _datasets(findings: Findings, workload: Workload, names: Names) -> list[paper.Datasets]:
    found: list[paper.Datasets] = []
    owners: dict[str, str] = {}
    for name, asset in workload.assets.items():
        if not isinstance(asset, Dataset | Checkpoints):
            continue
        if asset.bucket in owners:
            findings.add(name, f"bucket {asset.bucket} is {owners[asset.bucket]}'s; S3 has one set of rules a bucket")
        owners.setdefault(asset.bucket, name)
        if _check_bucket(findings, names, name, asset.bucket):
            _check_folder(findings, name, asset)
        found.append(_dataset(workload, names, name, asset))
    return found


def _dataset(workload: Workload, names: Names, name: str, asset: Dataset | Checkpoints) -> paper.Datasets:
    return paper.Datasets(
        name=name,
        kind=asset.kind,
        primary_bucket=asset.bucket,
        standby_bucket=names.standby_bucket(name),
        prefix=paper.as_folder(asset.prefix),
        format=asset.format if isinstance(asset, Checkpoints) else "auto",
        rpo_seconds=asset.rpo_seconds or workload.objectives.rpo_seconds,
        uses=tuple(asset.uses),
        health=_health(asset) if isinstance(asset, Checkpoints) else None,
        training=_training(asset) if isinstance(asset, Checkpoints) else None,
        needs=_needs(workload, asset) if isinstance(asset, Checkpoints) else RESUME,
    )


def _needs(workload: Workload, asset: Checkpoints) -> str:
    """As declared; else what serves behind a front door loads, and what trains goes on."""
    return asset.needs or (LOAD if workload.traffic and not asset.training else RESUME)


def _health(asset: Checkpoints) -> paper.Health | None:
    return paper.Health(asset.health.file, asset.health.key, asset.health.at_most) if asset.health else None


def _training(asset: Checkpoints) -> paper.Training | None:
    return paper.Training(asset.training.gpus, asset.training.steps_per_hour) if asset.training else None


def _check_bucket(findings: Findings, names: Names, name: str, bucket: str) -> bool:
    """Whether the bucket is there, in the primary region; what is amiss with it becomes a problem."""
    answer = findings.ask(name, f"bucket {bucket}", "s3", "get_bucket_location", Bucket=bucket)
    if answer is None:
        return False
    region = answer.get("LocationConstraint") or LOCATION_DEFAULT
    if region != findings.region:
        findings.add(name, f"bucket {bucket} is in {region}, not in {findings.region}; declare one that is there")
        return False
    problem = claims.bucket_problem(names, name, bucket, claims.replication(findings, name, bucket))
    if problem:
        findings.add(name, problem)
    _check_lock(findings, name, bucket)
    survey_buckets.check(findings, names, name, bucket)
    return True


def _check_folder(findings: Findings, name: str, asset: Dataset | Checkpoints) -> None:
    """A prefix without its slash is a folder that has objects, or the word for something else that is there."""
    if asset.prefix == paper.as_folder(asset.prefix) or _beginning(findings, name, asset.bucket, asset.prefix + "/"):
        return
    others = _beginning(findings, name, asset.bucket, asset.prefix)
    if others:
        findings.add(
            name,
            f"prefix {asset.prefix} is a folder, and bucket {asset.bucket} has nothing in {asset.prefix}/, but has "
            f"{', '.join(others)}; write {asset.prefix}/ for the folder that is yet to come, or name what is meant, "
            f"for example {others[0]}",
        )


def _beginning(findings: Findings, name: str, bucket: str, text: str) -> list[str]:
    """The first few keys and folders that begin with this text."""
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": text, "Delimiter": "/", "MaxKeys": NAMED_MAX}
    answer = findings.ask(name, f"the keys of bucket {bucket}", "s3", "list_objects_v2", **asked) or {}
    folders = [str(each["Prefix"]) for each in answer.get("CommonPrefixes", [])]
    return folders + [str(each["Key"]) for each in answer.get("Contents", [])]


def _check_lock(findings: Findings, name: str, bucket: str) -> None:
    """S3 User Guide, "Using Object Lock with S3 Replication": the destination needs Object Lock, too; ours has none,
    and replication would fail each object."""
    what = f"the Object Lock configuration of bucket {bucket}"
    try:
        found = findings.client.call("s3", "get_object_lock_configuration", findings.region, Bucket=bucket)
    except CallRefused as refusal:
        if not says_absent(refusal):
            findings.add(name, f"{what} cannot be read ({refusal.facts['reason']})")
        return
    if found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled":
        findings.add(
            name,
            f"bucket {bucket} has Object Lock, so its copies must have it too, which is not built: S3 would fail each "
            "object; keep its data in a bucket without Object Lock, or take the asset out of the declaration",
        )


# -- databases -------------------------------------------------------------------------------------------------


def _databases(
    findings: Findings, workload: Workload, names: Names, kept: paper.Inventory | None
) -> tuple[list[paper.Database], list[Endpoint]]:
    deployed = {each.primary_arn for each in kept.databases} if kept and "primary" in (kept.stacks or STACKS) else set()
    databases: list[paper.Database] = []
    endpoints: list[Endpoint] = []
    for name, asset in workload.assets.items():
        cluster = _cluster(findings, name, asset.cluster) if isinstance(asset, Database) else None
        if cluster is not None and isinstance(asset, Database):
            claims.check_cluster(findings, names, name, cluster)
            ours, is_deployed = _standby_arn(names, name), cluster["DBClusterArn"] in deployed
            for problem in survey_clusters.problems(cluster, ours, is_deployed):
                findings.add(name, problem)
            secret = _login(findings, name, asset, cluster)
            databases.append(_database(workload, names, name, asset, cluster, secret))
            endpoints.append(
                Endpoint(name, cluster["Endpoint"], cluster.get("ReaderEndpoint", ""), int(cluster["Port"]))
            )
    return databases, endpoints


def _cluster(findings: Findings, name: str, cluster: str) -> dict[str, Any] | None:
    answer = findings.ask(name, f"cluster {cluster}", "rds", "describe_db_clusters", DBClusterIdentifier=cluster)
    if not answer or not answer["DBClusters"]:
        return None
    found: dict[str, Any] = answer["DBClusters"][0]
    if found["Engine"] != ENGINE:
        findings.add(name, f"cluster {cluster} runs {found['Engine']}; only {ENGINE} can be protected")
    if not found.get("StorageEncrypted"):
        findings.add(name, f"cluster {cluster} is not encrypted; restore it into an encrypted one first")
    findings.met_key(name, f"cluster {cluster}", found.get("KmsKeyId"))
    return found


def _standby_arn(names: Names, name: str) -> str:
    return f"arn:{PARTITION}:rds:{names.standby}:{names.account}:cluster:{names.standby_cluster(name)}"


def _login(findings: Findings, name: str, asset: Database, cluster: dict[str, Any]) -> str:
    """ARN of the login that reads the rows; a declaration that asks for rows is refused where they cannot be read."""
    if asset.references is None:
        return ""
    if not cluster.get("HttpEndpointEnabled"):
        findings.add(
            name,
            f"rows of cluster {asset.cluster} are to be read, but its RDS Data API is off; enable it "
            "(EnableHttpEndpoint), or take `references` away",
        )
    managed = cluster.get("MasterUserSecret", {}).get("SecretArn", "")
    wanted = asset.references.secret or managed
    if not wanted:
        findings.add(name, f"cluster {asset.cluster} has no login that RDS manages; name one as references.secret")
        return ""
    answer = findings.ask(name, f"secret {wanted}", "secretsmanager", "describe_secret", SecretId=wanted)
    return str(answer["ARN"]) if answer else ""


def _database(
    workload: Workload, names: Names, name: str, asset: Database, cluster: dict[str, Any], secret: str
) -> paper.Database:
    counterpart = names.standby_cluster(name)
    references = asset.references
    return paper.Database(
        name=name,
        primary_cluster=asset.cluster,
        standby_cluster=counterpart,
        global_cluster=names.global_cluster(name),
        engine=cluster["Engine"],
        engine_version=cluster["EngineVersion"],
        database=cluster.get("DatabaseName", ""),
        primary_arn=cluster["DBClusterArn"],
        standby_arn=_standby_arn(names, name),
        table=references.table if references else "",
        column=references.column if references else "",
        secret=secret,
        left_out=survey_settings.lost_of_cluster(cluster),
        rpo_seconds=asset.rpo_seconds or workload.objectives.rpo_seconds,
        uses=tuple(asset.uses),
    )
