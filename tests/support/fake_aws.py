"""An AWS small enough to read: two regions in dictionaries, behind the AWS client protocol, on a clock that tests move.

Acts take their time (promotion, instances, copies), a region can be cut off, every call is recorded. What recovery
does not call is not here, so a new call shows as an AttributeError.
"""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from model.leases import ACTING
from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.client import is_reading, refused
from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.runtime.kinds.autoscaling.software import digests
from pilotlight.runtime.kinds.buckets import notifications
from pilotlight.runtime.records.inventory import Compute, Database, Datasets, Inventory, Keep, Traffic, Volumes
from pilotlight.runtime.recovery import Recovery
from support.fake_dynamodb import Tables
from support.fake_machines import LAUNCHED, Machines
from support.fake_names import ACCOUNT, NAMES, PRIMARY, STANDBY
from support.fake_s3 import Buckets
from support.fake_sqs import Queue
from support.inventories import listed

CORPUS, MODELS = f"inference-corpus-{ACCOUNT}", f"inference-models-{ACCOUNT}"
CORPUS_COPY, MODELS_COPY = NAMES.standby_bucket("corpus"), NAMES.standby_bucket("checkpoints")
PROMOTION_SECONDS = 20.0


def inventory(**changes: Any) -> Inventory:
    """One of everything."""
    cluster = f"arn:aws:rds:{PRIMARY}:{ACCOUNT}:cluster:inference-registry"
    standby_cluster = NAMES.standby_cluster("registry")
    database = Database(
        name="registry",
        primary_cluster="inference-registry",
        standby_cluster=standby_cluster,
        global_cluster=NAMES.global_cluster("registry"),
        engine="aurora-postgresql",
        engine_version="16.6",
        database="registry",
        primary_arn=cluster,
        standby_arn=f"arn:aws:rds:{STANDBY}:{ACCOUNT}:cluster:{standby_cluster}",
        table="models",
        column="uri",
        secret=f"arn:aws:secretsmanager:{PRIMARY}:{ACCOUNT}:secret:login",
        uses=("checkpoints",),
    )
    fleet = Compute(
        name="fleet",
        primary_group="inference-fleet",
        standby_group=NAMES.group("fleet"),
        standby_launch_template=NAMES.launch_template("fleet"),
        image="ami-1",
        instance_types=("g5.xlarge", "g4dn.xlarge"),
        count=1,
        user_data="",
        port=8080,
        instance_profile_policy="{}",
        volumes=("index",),
        template=digests(LAUNCHED),
        uses=("checkpoints", "registry"),
    )
    lists: dict[str, Any] = {
        "datasets": (
            Datasets("corpus", "dataset", CORPUS, CORPUS_COPY),
            Datasets("checkpoints", "checkpoints", MODELS, MODELS_COPY, "checkpoints/", uses=("corpus",)),
        ),
        "volumes": (Volumes("index", "backup", "index", {"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"}, {}),),
        "databases": (database,),
        "computes": (fleet,),
    }
    lists = {name: changes.pop(name, assets) for name, assets in lists.items()}
    whole: dict[str, Any] = {
        "workload": "inference",
        "account": ACCOUNT,
        "primary": PRIMARY,
        "standby": STANDBY,
        "rpo_seconds": 60.0,
        "rto_seconds": 120.0,
        "trigger": "automatic",
        "every_seconds": 60.0,
        "keep": Keep(),
        "assets": listed(**lists),
        "traffic": Traffic("example.internal", "Z1", "models.example.internal", "/healthz", 80, "lb.east", "ZLB"),
    }
    return Inventory(**(whole | changes))


@cache
def _database() -> Database:
    return inventory().databases[0]


class FakeAws(Machines):
    """An AwsClient."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        regions = {CORPUS: PRIMARY, MODELS: PRIMARY, CORPUS_COPY: STANDBY, MODELS_COPY: STANDBY}
        self.s3 = Buckets(clock, regions | {NAMES.vault_bucket: STANDBY})
        self.s3.rules = {CORPUS: CORPUS_COPY, MODELS: MODELS_COPY, CORPUS_COPY: CORPUS, MODELS_COPY: MODELS}
        for asset in inventory().datasets:
            self.s3.notifications[asset.primary_bucket] = notifications.with_ours({}, NAMES, asset)
        self.dynamodb = Tables(STANDBY)
        self.sqs = Queue(clock)
        self.dark: set[str] = set()
        self.made: list[tuple[str, str, str]] = []
        self.without_lease: list[str] = []
        """What was asked for while nobody held a lease of the workload."""
        self.writer, self.moving_until, self.promotions, self.switches = PRIMARY, 0.0, 0, 0
        self.promotion_seconds = PROMOTION_SECONDS
        self.parameters: dict[tuple[str, str], str] = {}
        self.metrics: dict[str, list[float]] = {}
        self.invoked: list[dict[str, Any]] = []
        self.denied: set[str] = set()
        self.silent: set[tuple[str, str]] = set()
        self.alarms: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        self.subscribed: dict[tuple[str, str], str] = {}
        self.database_status = "available"
        self.backups_lag_seconds: float | None = 300.0
        """How old what a cluster can be restored to is; None: it cannot be."""
        self.rows: list[str] = []

    # -- the client ----------------------------------------------------------------------------------------------

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self._note(service, operation, region)
        self.s3.cut = self.dark
        if region in self.dark or (region, service) in self.silent:
            raise RegionUnreachable(region=region, service=service, operation=operation)
        if self.denied and f"{service}:{operation}" in self.denied:
            words = f"AccessDenied: not authorized to perform {service}:{operation}"
            raise refused(service, operation, region, "AccessDenied", words)
        if service == "dynamodb":
            if operation == "describe_table" and region != STANDBY:
                code = "ResourceNotFoundException"
                raise refused(service, operation, region, code, "Requested resource not found")
            return getattr(self.dynamodb, operation)(**parameters)
        if service == "sqs":
            return getattr(self.sqs, operation)(**parameters)
        if service == "s3":
            assert self.s3.regions[parameters["Bucket"]] == region, f"{operation} of {parameters} was sent to {region}"
            return getattr(self.s3, operation)(**parameters)
        return getattr(self, f"{service.replace('-', '_')}_{operation}")(region, **parameters)

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return paging.pages(self.call, service, operation, region, parameters)

    def _note(self, service: str, operation: str, region: str) -> None:
        self.made.append((service, operation, region))
        if is_reading(operation) or service not in ACTING:
            return
        with self.dynamodb.lock:
            leases = [item for (_, kind, _), item in self.dynamodb.items.items() if kind == "lease"]
        if not any(float(each["expires_at"]["N"]) > self.clock.now() for each in leases):
            self.without_lease.append(f"{service}:{operation} in {region}")

    def acts(self) -> list[tuple[str, str, str]]:
        """Everything that was asked for and could change something, the journal apart."""
        return [each for each in self.made if not is_reading(each[1]) and each[0] != "dynamodb"]

    def fetch(self, url: str, seconds: float) -> Fetched:
        """The outside view: the record follows the metric, balancers answer for their own region."""
        moved = self.metrics.get("StandbyActive", [0.0])[-1] >= 1
        region = STANDBY if (moved if "models.example.internal" in url else "west" in url) else PRIMARY
        if region in self.dark:
            return Fetched(0, reason="timed out")
        group = next(group for (place, _), group in self.groups.items() if place == region)
        ready = any(self.clock.now() >= at + self.health_seconds for _, at in group.instances)
        return Fetched(200, f'{{"region": "{region}"}}'.encode()) if ready else Fetched(503)

    # -- identity, parameters, metrics, functions --------------------------------------------------------------

    def sts_get_caller_identity(self, region: str) -> dict[str, Any]:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/me"}

    def ssm_get_parameter(self, region: str, Name: str) -> dict[str, Any]:
        if (region, Name) not in self.parameters:
            raise refused("ssm", "get_parameter", region, "ParameterNotFound", "there is none")
        return {"Parameter": {"Value": self.parameters[region, Name]}}

    def ssm_put_parameter(self, region: str, Name: str, Value: str, Type: str, Overwrite: bool) -> dict[str, Any]:
        self.parameters[region, Name] = Value
        return {}

    def ssm_delete_parameter(self, region: str, Name: str) -> dict[str, Any]:
        if self.parameters.pop((region, Name), None) is None:
            raise refused("ssm", "delete_parameter", region, "ParameterNotFound", "there is none")
        return {}

    def cloudwatch_put_metric_data(self, region: str, Namespace: str, MetricData: list[Any]) -> dict[str, Any]:
        assert region == STANDBY and Namespace == "Pilotlight"
        for datum in MetricData:
            self.metrics.setdefault(datum["MetricName"], []).append(datum["Value"])
        return {}

    def cloudwatch_get_metric_statistics(self, region: str, **parameters: Any) -> dict[str, Any]:
        return {"Datapoints": []}

    def cloudwatch_describe_alarms(self, region: str, AlarmNames: list[str]) -> dict[str, Any]:
        assert region == STANDBY
        found = {name.removeprefix("pilotlight-inference-"): name for name in AlarmNames}
        at = datetime.fromtimestamp(self.clock.now(), tz=UTC)
        states = {purpose: self.alarms.get(purpose, "OK") for purpose in found}
        alarms = [
            {"AlarmName": found[each], "StateValue": state, "StateUpdatedTimestamp": at, "StateReason": "as set"}
            for each, state in states.items()
            if state
        ]
        return {"MetricAlarms": alarms}

    def sns_publish(self, region: str, TopicArn: str, Subject: str, Message: str) -> dict[str, Any]:
        assert (region, TopicArn) == (STANDBY, NAMES.people_topic_arn) and len(Subject) <= 100 and Subject.isascii()
        self.told.append((Subject, Message))
        return {"MessageId": "1"}

    def sns_list_subscriptions_by_topic(self, region: str, TopicArn: str, **rest: Any) -> dict[str, Any]:
        assert (region, TopicArn) == (STANDBY, NAMES.people_topic_arn)
        return {
            "Subscriptions": [
                {"Protocol": protocol, "Endpoint": endpoint, "SubscriptionArn": arn}
                for (protocol, endpoint), arn in self.subscribed.items()
            ]
        }

    def route53_list_resource_record_sets(self, region: str, **parameters: Any) -> dict[str, Any]:
        return {"ResourceRecordSets": [], "IsTruncated": False}

    def lambda_invoke(self, region: str, **parameters: Any) -> dict[str, Any]:
        self.invoked.append(parameters)
        return {}

    # -- databases ---------------------------------------------------------------------------------------------

    def rds_describe_global_clusters(self, region: str, GlobalClusterIdentifier: str) -> dict[str, Any]:
        database = _database()
        moving = self.clock.now() < self.moving_until
        members = [
            {"DBClusterArn": arn, "IsWriter": self.writer == place and not moving}
            for place, arn in ((PRIMARY, database.primary_arn), (STANDBY, database.standby_arn))
        ]
        status = "failing-over" if moving else "available"
        return {"GlobalClusters": [{"Status": status, "GlobalClusterMembers": members}]}

    def rds_describe_db_clusters(self, region: str, DBClusterIdentifier: str) -> dict[str, Any]:
        database = _database()
        arn = database.standby_arn if region == STANDBY else database.primary_arn
        found = {"Status": self.database_status, "DBClusterArn": arn, "Endpoint": "db", "DBClusterMembers": [{}]}
        if self.backups_lag_seconds is not None:
            found |= {"LatestRestorableTime": datetime.fromtimestamp(self.clock.now() - self.backups_lag_seconds, UTC)}
        return {"DBClusters": [found]}

    def rds_data_execute_statement(self, region: str, sql: str, parameters: list[Any], **where: str) -> dict[str, Any]:
        assert region == PRIMARY and '"models"' in sql and where["secretArn"], "only the writer answers"
        before = parameters[0]["value"]["stringValue"] if parameters else None
        page = [uri for uri in sorted(set(self.rows), reverse=True) if before is None or uri < before]
        return {"records": [[{"stringValue": uri}] for uri in page[: int(sql.rsplit(" ", 1)[1])]]}

    def rds_failover_global_cluster(self, region: str, AllowDataLoss: bool, **which: str) -> dict[str, Any]:
        if not AllowDataLoss and PRIMARY in self.dark:  # it is a switchover then, which needs both
            why = "The global cluster's primary is not available."
            raise refused("rds", "failover_global_cluster", region, "InvalidGlobalClusterStateFault", why)
        self._move(region, "failover_global_cluster")
        self.promotions += 1
        self.writer = STANDBY
        return {}

    def rds_switchover_global_cluster(self, region: str, **which: str) -> dict[str, Any]:
        self._move(region, "switchover_global_cluster")
        self.switches += 1
        self.writer = PRIMARY
        return {}

    def _move(self, region: str, operation: str) -> None:
        if self.clock.now() < self.moving_until:
            raise refused("rds", operation, region, "InvalidGlobalClusterStateFault", "it is failing over")
        self.moving_until = self.clock.now() + self.promotion_seconds


def checkpoint(step: int, shards: int = 2) -> dict[str, bytes]:
    """A whole sharded safetensors checkpoint: name -> bytes."""
    files, mapping = {}, {}
    for number in range(1, shards + 1):
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        data = hashlib.sha256(f"{step} {number}".encode()).digest()
        header = json.dumps({f"w{number}": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}).encode()
        files[name] = struct.pack("<Q", len(header)) + header + data
        mapping[f"w{number}"] = name
    index = {"metadata": {"total_size": 32 * shards}, "weight_map": mapping}
    return {"model.safetensors.index.json": json.dumps(index).encode()} | files


def save(
    aws: FakeAws, step: int, files: int | None = None, bucket: str = MODELS, more: dict[str, bytes] | None = None
) -> None:
    """Upload a checkpoint, or its first files only; `more` lies in its folder too."""
    for name, body in list((checkpoint(step) | (more or {})).items())[:files]:
        aws.s3.write(bucket, f"checkpoints/step-{step:06d}/{name}", body)


def older(count: int = 30) -> FakeAws:
    """A bucket that was filled before there was a rule."""
    aws = FakeAws(FakeClock())
    for number in range(count):
        aws.s3.write(CORPUS, f"old/{number:04d}", f"{number}".encode(), replicate=False)
    aws.clock.sleep(600)
    return aws


def uri(step: int, bucket: str = MODELS) -> str:
    """What a registered row says of a checkpoint."""
    return f"s3://{bucket}/checkpoints/step-{step:06d}/"


def recovery_of(aws: FakeAws, holder: str = "test") -> Recovery:
    """The recovery of the workload on this AWS, as one process has it."""
    return Recovery(RecoveryContext(aws, inventory(), aws.clock, aws.fetch), holder)
