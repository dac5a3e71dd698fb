"""S3: the bucket, and each of its settings as a resource of its own, as pulumi-aws v7 has them."""

from __future__ import annotations

import json
from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import absent, capital, seen, tag_list, tag_map, unlike, wire, with_tags
from pilotlight.engine.values import asset_bytes
from pilotlight.runtime.arns import PARTITION

LOCATION_DEFAULT = "us-east-1"
"""S3 API, CreateBucket: this region alone must not be named."""


def delete_versions(s3: Any, bucket: str, key: str = "") -> None:
    """Delete every version and delete marker of one object, or of all."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if key in ("", each["Key"]):
                s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


class Bucket(ResourceType):
    """aws.s3.Bucket."""

    type = "aws:s3/bucket:Bucket"
    replace_on = frozenset({"bucket", "objectLockEnabled"})
    name_key = "bucket"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        s3, name = place.client("s3"), inputs["bucket"]
        request: Properties = {"Bucket": name}
        if place.region != LOCATION_DEFAULT:
            request["CreateBucketConfiguration"] = {"LocationConstraint": place.region}
        if inputs.get("objectLockEnabled"):
            request["ObjectLockEnabledForBucket"] = True
        s3.create_bucket(**request)
        return name, self.update(place, name, {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("s3").head_bucket(Bucket=id_))
        return None if found is None else self._outputs(place, id_, inputs) | unlike(inputs, self._there(place, id_))

    def _there(self, place: Place, name: str) -> Properties:
        tags = absent(lambda: place.client("s3").get_bucket_tagging(Bucket=name)["TagSet"])
        return {"tags": tag_map(tags)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        s3 = place.client("s3")
        if new.get("tags"):
            s3.put_bucket_tagging(Bucket=id_, Tagging={"TagSet": tag_list(new["tags"])})
        elif old.get("tags"):
            s3.delete_bucket_tagging(Bucket=id_)
        return self._outputs(place, id_, new)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        s3 = place.client("s3")
        if outputs.get("forceDestroy"):
            absent(lambda: delete_versions(s3, id_))
        absent(lambda: s3.delete_bucket(Bucket=id_))

    def _outputs(self, place: Place, name: str, inputs: Properties) -> Properties:
        return {
            **inputs,
            **with_tags(inputs),
            "id": name,
            "bucket": name,
            "arn": f"arn:{PARTITION}:s3:::{name}",
            "region": place.region,
            "bucketDomainName": f"{name}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{name}.s3.{place.region}.amazonaws.com",
        }


class _Setting(ResourceType):
    """A setting of one bucket: put, asked, taken away; its id is the bucket's name."""

    replace_on = frozenset({"bucket"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        self.put(place.client("s3"), inputs)
        return inputs["bucket"], self._outputs(place, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: self.ask(place.client("s3"), id_))
        return None if found is None else self._outputs(place, {"bucket": id_} | inputs) | self.differs(inputs, found)

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        self.put(place.client("s3"), new)
        return self._outputs(place, new)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: self.take_away(place.client("s3"), id_))

    def _outputs(self, place: Place, inputs: Properties) -> Properties:
        return {**inputs, "id": inputs["bucket"], "region": place.region}

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        """What S3 has otherwise than the inputs say."""
        raise NotImplementedError(self.type)

    def put(self, s3: Any, inputs: Properties) -> None:
        raise NotImplementedError(self.type)

    def ask(self, s3: Any, bucket: str) -> Any:
        raise NotImplementedError(self.type)

    def take_away(self, s3: Any, bucket: str) -> Any:
        raise NotImplementedError(self.type)


class BucketVersioning(_Setting):
    """aws.s3.BucketVersioning; taken away means suspended, as S3 has it."""

    type = "aws:s3/bucketVersioning:BucketVersioning"

    def put(self, s3: Any, inputs: Properties) -> None:
        status = inputs["versioningConfiguration"]["status"]
        s3.put_bucket_versioning(Bucket=inputs["bucket"], VersioningConfiguration={"Status": status})

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_bucket_versioning(Bucket=bucket).get("Status")

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        wanted = inputs.get("versioningConfiguration") or {"status": answer}
        return {} if wanted["status"] == answer else {"versioningConfiguration": wanted | {"status": answer}}

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(_Setting):
    """aws.s3.BucketServerSideEncryptionConfiguration."""

    type = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"

    def put(self, s3: Any, inputs: Properties) -> None:
        rules = []
        for rule in inputs["rules"]:
            default = rule.get("applyServerSideEncryptionByDefault", {})
            wanted = {"SSEAlgorithm": default.get("sseAlgorithm", "AES256")}
            if default.get("kmsMasterKeyId"):
                wanted["KMSMasterKeyID"] = default["kmsMasterKeyId"]
            made: Properties = {"ApplyServerSideEncryptionByDefault": wanted}
            if rule.get("bucketKeyEnabled") is not None:
                made["BucketKeyEnabled"] = rule["bucketKeyEnabled"]
            if rule.get("blockedEncryptionTypes"):
                made["BlockedEncryptionTypes"] = {"EncryptionType": rule["blockedEncryptionTypes"]}
            rules.append(made)
        s3.put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_bucket_encryption(Bucket=bucket)

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        names = {"SSEAlgorithm": "sseAlgorithm", "KMSMasterKeyID": "kmsMasterKeyId"}
        rules = wire(answer["ServerSideEncryptionConfiguration"]["Rules"], names)
        for rule in rules:
            if "blockedEncryptionTypes" in rule:
                rule["blockedEncryptionTypes"] = rule["blockedEncryptionTypes"]["encryptionType"]
        return unlike(inputs, {"rules": rules})

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.delete_bucket_encryption(Bucket=bucket)


class BucketPublicAccessBlock(_Setting):
    """aws.s3.BucketPublicAccessBlock."""

    type = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

    def put(self, s3: Any, inputs: Properties) -> None:
        block = capital({key: bool(inputs.get(key)) for key in self.switches})
        s3.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=block)

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_public_access_block(Bucket=bucket)

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        names = {key: key[:1].upper() + key[1:] for key in self.switches}
        return seen(inputs, answer["PublicAccessBlockConfiguration"], names)

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.delete_public_access_block(Bucket=bucket)


class BucketPolicy(_Setting):
    """aws.s3.BucketPolicy."""

    type = "aws:s3/bucketPolicy:BucketPolicy"

    def put(self, s3: Any, inputs: Properties) -> None:
        policy = inputs["policy"]
        s3.put_bucket_policy(Bucket=inputs["bucket"], Policy=policy if isinstance(policy, str) else json.dumps(policy))

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_bucket_policy(Bucket=bucket)

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        return unlike(inputs, {"policy": answer["Policy"]})

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.delete_bucket_policy(Bucket=bucket)


class BucketOwnershipControls(_Setting):
    """aws.s3.BucketOwnershipControls."""

    type = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"

    def put(self, s3: Any, inputs: Properties) -> None:
        rules = [{"ObjectOwnership": inputs["rule"]["objectOwnership"]}]
        s3.put_bucket_ownership_controls(Bucket=inputs["bucket"], OwnershipControls={"Rules": rules})

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_bucket_ownership_controls(Bucket=bucket)

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        return unlike(inputs, {"rule": wire(answer["OwnershipControls"]["Rules"][0])})

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.delete_bucket_ownership_controls(Bucket=bucket)


class BucketReplicationConfig(_Setting):
    """aws.s3.BucketReplicationConfig."""

    type = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"

    def put(self, s3: Any, inputs: Properties) -> None:
        rules = [self._rule(rule) for rule in inputs["rules"]]
        wanted = {"Role": inputs["role"], "Rules": rules}
        s3.put_bucket_replication(Bucket=inputs["bucket"], ReplicationConfiguration=wanted)

    def _rule(self, rule: Properties) -> Properties:
        made: Properties = capital(rule)
        made["ID"] = made.pop("Id", None) or "rule"
        made["Filter"] = made.get("Filter") or {"Prefix": ""}
        replica_key = made["Destination"].get("EncryptionConfiguration", {}).pop("ReplicaKmsKeyId", None)
        if replica_key:
            made["Destination"]["EncryptionConfiguration"] = {"ReplicaKmsKeyID": replica_key}
        return made

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_bucket_replication(Bucket=bucket)

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        found = answer["ReplicationConfiguration"]
        names = {"ID": "id", "ReplicaKmsKeyID": "replicaKmsKeyId"}
        return unlike(inputs, {"role": found["Role"], "rules": wire(found["Rules"], names)})

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.delete_bucket_replication(Bucket=bucket)


class BucketLifecycleConfiguration(_Setting):
    """aws.s3.BucketLifecycleConfiguration."""

    type = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"

    def put(self, s3: Any, inputs: Properties) -> None:
        rules = [self._rule(rule) for rule in inputs["rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules})

    def _rule(self, rule: Properties) -> Properties:
        made: Properties = capital(rule)
        made["ID"] = made.pop("Id")
        made["Filter"] = made.get("Filter") or {"Prefix": ""}
        return made

    def ask(self, s3: Any, bucket: str) -> Any:
        return s3.get_bucket_lifecycle_configuration(Bucket=bucket)

    def differs(self, inputs: Properties, answer: Any) -> Properties:
        return unlike(inputs, {"rules": wire(answer["Rules"], {"ID": "id"})})

    def take_away(self, s3: Any, bucket: str) -> Any:
        return s3.delete_bucket_lifecycle(Bucket=bucket)


class BucketObject(ResourceType):
    """aws.s3.BucketObjectv2."""

    type = "aws:s3/bucketObjectv2:BucketObjectv2"
    replace_on = frozenset({"bucket", "key"})
    name_key = "key"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        return inputs["key"], self.update(place, inputs["key"], {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("s3").head_object(Bucket=inputs["bucket"], Key=id_))
        if found is None:
            return None
        there = {"contentType": found.get("ContentType"), "metadata": found.get("Metadata")}
        if "content" in inputs:
            body = place.client("s3").get_object(Bucket=inputs["bucket"], Key=id_)["Body"].read()
            there["content"] = body.decode(errors="replace")
        return self._outputs(id_, inputs, found) | unlike(inputs, there)

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        body = asset_bytes(new["source"]) if new.get("source") else str(new.get("content", "")).encode()
        request: Properties = {"Bucket": new["bucket"], "Key": id_, "Body": body, "Metadata": new.get("metadata") or {}}
        if new.get("contentType"):
            request["ContentType"] = new["contentType"]
        return self._outputs(id_, new, place.client("s3").put_object(**request))

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        """Where the bucket keeps versions all of them go, as with pulumi-aws."""
        s3, bucket = place.client("s3"), outputs["bucket"]
        if outputs.get("versionId"):
            absent(lambda: delete_versions(s3, bucket, id_))
        else:
            absent(lambda: s3.delete_object(Bucket=bucket, Key=id_))

    def _outputs(self, key: str, inputs: Properties, answer: Properties) -> Properties:
        return {
            **inputs,
            **with_tags(inputs),
            "id": key,
            "key": key,
            "etag": answer["ETag"].strip('"'),
            "versionId": answer.get("VersionId", ""),
            "arn": f"arn:{PARTITION}:s3:::{inputs['bucket']}/{key}",
        }
