"""Two buckets and a role between them: what tests of replication begin with."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.s3.replication import Replication
from support.data_cloud import EAST, WEST, client, eventually

VERSION = "2012-10-17"
NUMBERS = itertools.count(1)
EVERYTHING = ["s3:GetObjectVersion*", "s3:Replicate*", "s3:GetReplicationConfiguration", "s3:ListBucket", "kms:*"]


@contextmanager
def held(cloud: Cloud) -> Iterator[None]:
    """Replication stands still while the block lasts."""
    cloud.behaviour(Replication).hold()
    try:
        yield
    finally:
        cloud.behaviour(Replication).go_on()


class Pair:
    """A versioned bucket in each region, and a role that may replicate from one to the other."""

    def __init__(self, cloud: Cloud) -> None:
        number = next(NUMBERS)
        self.cloud = cloud
        self.source, self.target = f"source-{number}", f"target-{number}"
        self.role_name = f"replication-{number}"
        self.east, self.west = client(cloud, "s3", EAST), client(cloud, "s3", WEST)
        self.east.create_bucket(Bucket=self.source)
        self.west.create_bucket(Bucket=self.target, CreateBucketConfiguration={"LocationConstraint": WEST})
        for s3, bucket in ((self.east, self.source), (self.west, self.target)):
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
        iam = client(cloud, "iam", EAST)
        made = iam.create_role(
            RoleName=self.role_name, AssumeRolePolicyDocument=json.dumps({"Version": VERSION, "Statement": [trust]})
        )
        self.role = made["Role"]["Arn"]
        self.allow(*EVERYTHING)

    def allow(self, *actions: str) -> None:
        """Let the role do these things and no others."""
        policy = json.dumps(
            {"Version": VERSION, "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        )
        client(self.cloud, "iam", EAST).put_role_policy(RoleName=self.role_name, PolicyName="p", PolicyDocument=policy)

    def configuration(self, **given: Any) -> dict[str, Any]:
        destination = {"Bucket": f"arn:aws:s3:::{self.target}"} | given.pop("Destination", {})
        rule = {
            "ID": "forward",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": destination,
        }
        return {"Role": self.role, "Rules": [rule | given]}

    def replicate(self, **given: Any) -> None:
        """Put the rule."""
        self.east.put_bucket_replication(Bucket=self.source, ReplicationConfiguration=self.configuration(**given))

    def replicate_back(self, **given: Any) -> None:
        """Put a rule from the target to the source."""
        back = self.configuration(ID="back", Destination={"Bucket": f"arn:aws:s3:::{self.source}"}, **given)
        self.west.put_bucket_replication(Bucket=self.target, ReplicationConfiguration=back)

    def put(self, key: str, body: bytes = b"bytes", **given: Any) -> str:
        return str(self.east.put_object(Bucket=self.source, Key=key, Body=body, **given)["VersionId"])

    def status(self, key: str) -> str | None:
        told: str | None = self.east.head_object(Bucket=self.source, Key=key).get("ReplicationStatus")
        return told

    def is_completed(self, key: str) -> bool:
        return bool(eventually(lambda: self.status(key) == "COMPLETED", 5))

    def is_failed(self, key: str) -> bool:
        return bool(eventually(lambda: self.status(key) == "FAILED", 5))

    def replica(self, key: str) -> dict[str, Any] | None:
        try:
            return dict(self.west.get_object(Bucket=self.target, Key=key))
        except ClientError:
            return None

    def versions(self, s3: Any, bucket: str, key: str) -> list[tuple[str, str]]:
        told = s3.list_object_versions(Bucket=bucket, Prefix=key)
        kinds = (("Versions", "version"), ("DeleteMarkers", "marker"))
        return sorted((kind, each["VersionId"]) for name, kind in kinds for each in told.get(name, []))
