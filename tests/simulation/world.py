"""One small workload in the embedded cloud, driven by one seed: who writes what, when it arrives, when the region ends.

Buckets, replication, database and rows are the embedded cloud's own; a seed gets buckets, a table and a vault of its
own, so many seeds share one cloud. Replication stands still while a scheduled run looks and goes on between its looks,
so that what the scheduled run saw is what the oracle sees.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.s3.replication import Replication
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import PilotlightError
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Database, Datasets, Inventory, Keep
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from support.data_cloud import EAST, PASSWORD, WEST, client, cluster, connect
from support.inventories import changed

ACCOUNT = "123456789012"
GLOBAL = "registry"
ROLE = "simulated-replication"
RPO_SECONDS = 30.0
SHARDS_MAX = 4
KILL_CALLS = (60, 360)
"""Which of recovery's calls the region ends at: a scheduled run makes some twenty of them."""
PAUSES_SECONDS = (0.0, 0.05, 0.3, 1.1)
"""S3 tells whole seconds: some seeds must pass from one to the next, some must not."""
LISTING = ("list_object_versions", "list_objects_v2")
DELAYS_SECONDS = (0.0, 0.02, 0.2, 0.8)
"""Of replication."""


@dataclass
class RealClock:
    """The machine's time; while a scheduled run waits, replication goes on, and after the wait it stands still
    again."""

    cloud: Cloud
    wait_seconds: float
    flows = True

    def now(self) -> float:
        import time

        return time.time()

    def sleep(self, seconds: float) -> None:
        replication = self.cloud.behaviour(Replication)
        replication.go_on()
        self.cloud.stopping.wait(self.wait_seconds)
        replication.hold()


class Ending(Wrapper):
    """The primary region ends at the nth call that recovery makes, before it is carried out; what the standby's
    buckets list is seen as well."""

    def __init__(self, inner: AwsClient, cloud: Cloud, at: int) -> None:
        super().__init__(inner)
        self._cloud, self.at, self.calls = cloud, at, 0
        self.seen: Callable[[], None] = lambda: None

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self.at:
            self._cloud.darken(EAST)
        answer = super().call(service, operation, region, **parameters)
        if region == WEST and operation in LISTING:
            self.seen()
        return answer


@dataclass
class Saved:
    """A checkpoint as the trainer meant it: key -> bytes; `whole` once its last file was written."""

    step: int
    files: dict[str, bytes]
    written: int = 0

    @property
    def whole(self) -> bool:
        return self.written == len(self.files)


@dataclass
class World:
    """Everything of one seed."""

    cloud: Cloud
    seed: int
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.names = Names(f"sim{self.seed}", ACCOUNT, EAST, WEST)
        self.corpus, self.models = f"sim{self.seed}-corpus", f"sim{self.seed}-models"
        self.prefix = self.rng.choice(["", "runs/a/"])
        self.shards = random.Random(f"{self.seed}/shards").choice([1, 1, 2, SHARDS_MAX])
        """Of every checkpoint: one of another shape than its neighbours is taken only where there is no other."""
        self.table = f"models_{self.seed}"
        self.saved: list[Saved] = []
        self.rows: list[tuple[float, str]] = []
        """(when it was committed, URI)."""
        self.inventory = self._inventory()
        self.clock = RealClock(self.cloud, self.rng.choice([0.02, 0.1]))
        self.client = Ending(BotoClient(), self.cloud, self.rng.randrange(*KILL_CALLS))
        self.client.seen = self.look
        self.recovery = Recovery(RecoveryContext(self.client, self.inventory, self.clock), f"seed {self.seed}")
        self._build()

    def _inventory(self) -> Inventory:
        east, west = (
            cluster(self.cloud, region, f"{GLOBAL}-{side}") for region, side in ((EAST, "east"), (WEST, "west"))
        )
        registry = Database(
            name="registry",
            primary_cluster=east["DBClusterIdentifier"],
            standby_cluster=west["DBClusterIdentifier"],
            global_cluster=GLOBAL,
            engine="aurora-postgresql",
            engine_version=east["EngineVersion"],
            database="app",
            primary_arn=east["DBClusterArn"],
            standby_arn=west["DBClusterArn"],
            table=self.table,
            column="uri",
            secret=secret(self.cloud),
            uses=("models",),
        )
        return changed(self._of_buckets(), databases=(registry,))

    def _of_buckets(self) -> Inventory:
        return Inventory(
            workload=self.names.workload,
            account=ACCOUNT,
            primary=EAST,
            standby=WEST,
            rpo_seconds=RPO_SECONDS,
            rto_seconds=120.0,
            trigger="automatic",
            every_seconds=60.0,
            keep=Keep(),
            assets=(
                Datasets("corpus", "dataset", self.corpus, f"{self.corpus}-copy"),
                Datasets("models", "checkpoints", self.models, f"{self.models}-copy", self.prefix, uses=("corpus",)),
            ),
        )

    def _build(self) -> None:
        s3_east, s3_west = client(self.cloud, "s3", EAST), client(self.cloud, "s3", WEST)
        west = {"LocationConstraint": WEST}
        s3_west.create_bucket(Bucket=self.names.vault_bucket, CreateBucketConfiguration=west)
        for bucket in (self.corpus, self.models):
            s3_east.create_bucket(Bucket=bucket)
            s3_west.create_bucket(Bucket=f"{bucket}-copy", CreateBucketConfiguration=west)
            for s3, name in ((s3_east, bucket), (s3_west, f"{bucket}-copy")):
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            s3_east.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=_rules(f"{bucket}-copy"))
        keys = (("pk", "HASH"), ("sk", "RANGE"))
        client(self.cloud, "dynamodb", WEST).create_table(
            TableName=self.names.journal_table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        if self.inventory.databases:
            with self.database() as connection:
                connection.execute(f"CREATE TABLE {self.table} (uri text)")
        self.recovery.initialise()

    def database(self) -> psycopg.Connection[Any]:
        return connect(cluster(self.cloud, EAST, f"{GLOBAL}-east"))

    # -- what the workload does --------------------------------------------------------------------------------

    def act(self) -> None:
        """One act of the workload, or a moment of nothing."""
        acts = (self.write, self.write, self.delete, self.save, self.go_on_saving, self.go_on_saving, self.register)
        if self.cloud.is_dark(EAST) or self.rng.random() < 0.2:
            self.cloud.stopping.wait(self.rng.choice(PAUSES_SECONDS))
        else:
            self.rng.choice(acts)()
        if self.rng.random() < 0.3:
            self.cloud.behaviour(Replication).set_delay(self.rng.choice(DELAYS_SECONDS))

    def write(self) -> None:
        body = self.rng.randbytes(self.rng.randrange(1, 200))
        client(self.cloud, "s3", EAST).put_object(Bucket=self.corpus, Key=f"shard-{self.rng.randrange(12)}", Body=body)

    def delete(self) -> None:
        client(self.cloud, "s3", EAST).delete_object(Bucket=self.corpus, Key=f"shard-{self.rng.randrange(12)}")

    def save(self) -> None:
        """Begin a checkpoint; its files follow in any order, with other acts in between."""
        step = 10 * (len(self.saved) + 1)
        files = list(checkpoint(step, self.rng, self.shards).items())
        self.rng.shuffle(files)
        self.saved.append(Saved(step, {f"{self.prefix}step-{step:06d}/{name}": body for name, body in files}))
        self.go_on_saving()

    def go_on_saving(self) -> None:
        """One more file, or all of them, of the newest checkpoint; some are never finished."""
        if not self.saved or self.saved[-1].whole:
            return
        one = self.saved[-1]
        for _ in range(self.rng.choice([1, 1, SHARDS_MAX + 1])):
            if not one.whole:
                key = list(one.files)[one.written]
                client(self.cloud, "s3", EAST).put_object(Bucket=self.models, Key=key, Body=one.files[key])
                one.written += 1

    def register(self) -> None:
        """A careful trainer registers what is whole; a careless one what it has only begun."""
        wanted = [one for one in self.saved if one.whole or self.rng.random() < 0.1]
        if wanted:
            uri = f"s3://{self.models}/{self.prefix}step-{self.rng.choice(wanted[-2:]).step:06d}/"
            with self.database() as connection:
                connection.execute(f"INSERT INTO {self.table} VALUES (%s)", (uri,))
            self.rows.append((self.clock.now(), uri))

    def fire(self) -> RecoveryPoint | None:
        """One scheduled run of `protect`; a primary that ends in the middle of it is its business."""
        replication = self.cloud.behaviour(Replication)
        replication.hold()
        self.look()
        try:
            return self.recovery.protect()
        except PilotlightError as problem:
            assert self.cloud.is_dark(EAST), f"a scheduled run failed without a reason: {problem}"
            return None
        finally:
            replication.go_on()

    def look(self) -> None:
        """What the oracle judges by: both regions when the standby's buckets were last listed. What a scheduled run
        waits for afterwards (a dark primary, asked again) lets replication go on unseen."""
        self.sight = Sight(self)


class Sight:
    """What lies in both regions at one moment, told by the backend itself: (bucket, key) -> versions, oldest first."""

    def __init__(self, world: World) -> None:
        backend = world.cloud.backend("s3", "aws")
        with world.cloud.lock("s3"):
            self.versions = {
                name: {key: _plain(backend.buckets[name].keys.getlist(key)) for key in backend.buckets[name].keys}
                for asset in world.inventory.datasets
                for name in (asset.primary_bucket, asset.standby_bucket)
            }


@dataclass(frozen=True)
class Version:
    id: str
    second: int
    """When it was written, in the whole seconds that S3 tells."""
    body: bytes | None
    """None for a delete marker."""


def _plain(versions: list[Any]) -> list[Version]:
    found = []
    for each in versions:
        is_marker = type(each).__name__ == "FakeDeleteMarker"
        found.append(
            Version(str(each.version_id), int(each.last_modified.timestamp()), None if is_marker else bytes(each.value))
        )
    return found


def checkpoint(step: int, rng: random.Random, shards: int) -> dict[str, bytes]:
    """A sharded safetensors checkpoint; shards of equal size, so that only what is inside tells them apart."""
    files, mapping = {}, {}
    for number in range(1, shards + 1):
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        tensor = {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}
        header = json.dumps({"__metadata__": {"step": f"{step:06d}"}, f"w{number}": tensor}).encode()
        files[name] = struct.pack("<Q", len(header)) + header + rng.randbytes(32)
        mapping[f"w{number}"] = name
    return files | {"model.safetensors.index.json": json.dumps({"weight_map": mapping}).encode()}


def _rules(target: str) -> dict[str, Any]:
    rule = {
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{target}"},
    }
    return {"Role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}", "Rules": [rule]}


def make_role(cloud: Cloud) -> None:
    """The replication role that all seeds share."""
    trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}
    iam = client(cloud, "iam", EAST)
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=document)


def secret(cloud: Cloud) -> str:
    """ARN of the login that all seeds share; made once."""
    manager = client(cloud, "secretsmanager", EAST)
    listed = manager.list_secrets()["SecretList"]
    if listed:
        return str(listed[0]["ARN"])
    login = json.dumps({"username": "owner", "password": PASSWORD})
    return str(manager.create_secret(Name="login", SecretString=login)["ARN"])
