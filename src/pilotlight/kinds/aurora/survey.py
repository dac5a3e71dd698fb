"""The survey of a database: its cluster, the login that reads its rows, and what the standby offers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pilotlight.kinds.aurora import cluster_settings
from pilotlight.kinds.aurora.declare import Database
from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import STACKS, Names
from pilotlight.runtime.records import inventory as record
from pilotlight.stacks.database import INSTANCE_CLASS
from pilotlight.stacks.settings_of_cluster import CLUSTER
from pilotlight.survey import claims
from pilotlight.survey.findings import Findings, unread
from pilotlight.survey.kind import KindSurvey, Look
from pilotlight.survey.left_out import lost
from pilotlight.survey.named import CLUSTER as CLUSTERS
from pilotlight.survey.named import GLOBAL, INSTANCE, SUBNETS, Named
from pilotlight.survey.translate import Endpoint

ENGINE = "aurora-postgresql"
IN_CLUSTER = "cluster"


class AuroraSurvey(KindSurvey):
    """Of databases."""

    def survey(self, look: Look, name: str, asset: Any) -> record.Database | None:
        """The cluster, nobody else's, and fit for a global database."""
        findings = look.findings
        cluster = _cluster(findings, name, asset.cluster)
        if cluster is None:
            return None
        claims.check_cluster(findings, look.names, name, cluster)
        ours, is_deployed = _standby_arn(look.names, name), cluster["DBClusterArn"] in _deployed(look.kept)
        for problem in cluster_settings.problems(cluster, ours, is_deployed):
            findings.add(name, problem)
        secret = _login(findings, name, asset, cluster)
        look.endpoints.append(
            Endpoint(name, cluster["Endpoint"], cluster.get("ReaderEndpoint", ""), int(cluster["Port"]))
        )
        look.clusters[asset.cluster] = look.names.standby_cluster(name)
        look.originals[name] = cluster["DBClusterArn"]
        return _database(look, name, asset, cluster, secret)

    def check(self, look: Look) -> None:
        """What the standby region offers."""
        _check_offers(look.findings, look.names, look.of(record.Database))

    def names(self, names: Names, asset: str, original: str) -> Iterator[Named]:
        """The global database around the original, and the secondary."""
        cluster = names.standby_cluster(asset)
        yield Named("primary", asset, GLOBAL, names.global_cluster(asset), names.primary, ours=_around(original))
        yield Named("standby", asset, CLUSTERS, cluster, names.standby)
        yield Named("standby", asset, INSTANCE, f"{cluster}-1", names.standby)
        yield Named("standby", asset, SUBNETS, names.subnet_group(asset), names.standby)


def _around(cluster: str) -> Callable[[dict[str, Any]], bool]:
    """A global database is ours with the original in it; we give it no tags."""
    return lambda found: cluster in [each["DBClusterArn"] for each in found.get("GlobalClusterMembers", [])]


def _deployed(kept: record.Inventory | None) -> set[str]:
    """Clusters that have a global database of ours already."""
    return {each.primary_arn for each in kept.databases} if kept and "primary" in (kept.stacks or STACKS) else set()


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


def _database(look: Look, name: str, asset: Database, cluster: dict[str, Any], secret: str) -> record.Database:
    names, references = look.names, asset.references
    return record.Database(
        name=name,
        primary_cluster=asset.cluster,
        standby_cluster=names.standby_cluster(name),
        global_cluster=names.global_cluster(name),
        engine=cluster["Engine"],
        engine_version=cluster["EngineVersion"],
        database=cluster.get("DatabaseName", ""),
        primary_arn=cluster["DBClusterArn"],
        standby_arn=_standby_arn(names, name),
        table=references.table if references else "",
        column=references.column if references else "",
        secret=secret,
        left_out=tuple(lost(IN_CLUSTER, CLUSTER, cluster)),
        rpo_seconds=look.rpo_seconds(asset),
        uses=tuple(asset.uses),
    )


def _check_offers(findings: Findings, names: Names, databases: list[record.Database]) -> None:
    """The secondary's instance class is offered there for exactly the primary's engine and version, and for global
    databases."""
    for each in databases:
        asked = {"Engine": each.engine, "EngineVersion": each.engine_version, "DBInstanceClass": INSTANCE_CLASS}
        what = f"{each.engine} {each.engine_version} on {INSTANCE_CLASS}"
        try:
            options = [
                one
                for page in findings.client.pages(
                    "rds", "describe_orderable_db_instance_options", names.standby, **asked
                )
                for one in page["OrderableDBInstanceOptions"]
            ]
        except CallRefused as refusal:
            findings.add(each.name, unread(f"whether {what} is offered", refusal), names.standby)
            continue
        if not any(one.get("SupportsGlobalDatabases", True) for one in options):
            lacks = "for global databases " if options else ""
            findings.add(
                each.name,
                f"{what} is not offered {lacks}in {names.standby}; bring the cluster to a version that is, or choose "
                "another standby region",
                names.standby,
            )


KIND = AuroraSurvey()
