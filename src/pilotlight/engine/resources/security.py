"""KMS, IAM, Secrets Manager, Systems Manager parameters: keys, roles, secrets."""

from __future__ import annotations

import json

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import absent, pick, removed, seen, tag_list, tag_map, unlike, with_tags
from pilotlight.engine.resources.tagging import retag
from pilotlight.runtime.aws.session import error_code


class Key(ResourceType):
    """aws.kms.Key."""

    type = "aws:kms/key:Key"
    replace_on = frozenset({"keyUsage", "customerMasterKeySpec", "multiRegion"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        kms = place.client("kms")
        request = pick(inputs, {"description": "Description", "policy": "Policy", "keyUsage": "KeyUsage"})
        tags = [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in tag_list(inputs.get("tags"))]
        made = kms.create_key(**request, **({"Tags": tags} if tags else {}))["KeyMetadata"]
        if inputs.get("enableKeyRotation"):
            kms.enable_key_rotation(KeyId=made["KeyId"])
        return made["KeyId"], self._outputs(place, inputs, made)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("kms").describe_key(KeyId=id_)["KeyMetadata"])
        if found is None or found["KeyState"] == "PendingDeletion":
            return None
        return self._outputs(place, inputs, found) | unlike(inputs, self._there(place, id_, found))

    def _there(self, place: Place, id_: str, found: Properties) -> Properties:
        kms = place.client("kms")
        return {
            "description": found.get("Description"),
            "policy": kms.get_key_policy(KeyId=id_, PolicyName="default")["Policy"],
            "enableKeyRotation": kms.get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"],
            "tags": tag_map(kms.list_resource_tags(KeyId=id_)["Tags"], "TagKey", "TagValue"),
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        kms = place.client("kms")
        gone = removed(old.get("tags"), new.get("tags"))
        if gone:
            kms.untag_resource(KeyId=id_, TagKeys=gone)
        tags = [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in tag_list(new.get("tags"))]
        if tags and old.get("tags") != new.get("tags"):
            kms.tag_resource(KeyId=id_, Tags=tags)
        if bool(new.get("enableKeyRotation")) != bool(old.get("enableKeyRotation")):
            rotate = kms.enable_key_rotation if new.get("enableKeyRotation") else kms.disable_key_rotation
            rotate(KeyId=id_)
        if new.get("description") != old.get("description"):
            kms.update_key_description(KeyId=id_, Description=new.get("description") or "")
        if new.get("policy") and new.get("policy") != old.get("policy"):
            kms.put_key_policy(KeyId=id_, PolicyName="default", Policy=new["policy"])
        return self._outputs(place, new, kms.describe_key(KeyId=id_)["KeyMetadata"])

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        days, kms = int(outputs.get("deletionWindowInDays") or 30), place.client("kms")
        try:
            absent(lambda: kms.schedule_key_deletion(KeyId=id_, PendingWindowInDays=days))
        except Exception as problem:
            if error_code(problem) != "KMSInvalidStateException":  # its deletion is scheduled already
                raise

    def _outputs(self, place: Place, inputs: Properties, found: Properties) -> Properties:
        known = {"id": found["KeyId"], "keyId": found["KeyId"], "arn": found["Arn"], "region": place.region}
        return {**inputs, **with_tags(inputs), **known}


class Alias(ResourceType):
    """aws.kms.Alias."""

    type = "aws:kms/alias:Alias"
    replace_on = frozenset({"name"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        place.client("kms").create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        found = self.read(place, inputs["name"], inputs)
        return inputs["name"], found or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        pages = place.client("kms").get_paginator("list_aliases").paginate()
        found = next((each for page in pages for each in page["Aliases"] if each["AliasName"] == id_), None)
        if found is None:
            return None
        key = str(found["AliasArn"]).replace(f":{id_}", f":key/{found.get('TargetKeyId', '')}")
        known = {"id": id_, "name": id_, "arn": found["AliasArn"], "targetKeyArn": key, "region": place.region}
        return {**inputs, **known, **seen(inputs, found, {"targetKeyId": "TargetKeyId"})}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        place.client("kms").update_alias(AliasName=id_, TargetKeyId=new["targetKeyId"])
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("kms").delete_alias(AliasName=id_))


class Role(ResourceType):
    """aws.iam.Role."""

    type = "aws:iam/role:Role"
    replace_on = frozenset({"name", "path"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        names = {"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument", "description": "Description",
                 "path": "Path", "maxSessionDuration": "MaxSessionDuration"}  # fmt: skip
        request = pick(inputs, names)
        made = place.client("iam").create_role(**request, Tags=tag_list(inputs.get("tags")))["Role"]
        return made["RoleName"], self._outputs(inputs, made)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("iam").get_role(RoleName=id_)["Role"])
        return None if found is None else self._outputs(inputs, found) | unlike(inputs, self._there(found))

    def _there(self, found: Properties) -> Properties:
        return {
            "assumeRolePolicy": json.dumps(found["AssumeRolePolicyDocument"]),
            "description": found.get("Description"),
            "maxSessionDuration": found.get("MaxSessionDuration"),
            "tags": tag_map(found.get("Tags")),
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        iam = place.client("iam")
        gone = removed(old.get("tags"), new.get("tags"))
        if gone:
            iam.untag_role(RoleName=id_, TagKeys=gone)
        if new.get("tags") and old.get("tags") != new["tags"]:
            iam.tag_role(RoleName=id_, Tags=tag_list(new["tags"]))
        if new["assumeRolePolicy"] != old.get("assumeRolePolicy"):
            iam.update_assume_role_policy(RoleName=id_, PolicyDocument=new["assumeRolePolicy"])
        settings = {"description": "Description", "maxSessionDuration": "MaxSessionDuration"}
        changed = {key: name for key, name in settings.items() if new.get(key) != old.get(key)}
        if changed:
            iam.update_role(RoleName=id_, **{"Description": ""} | pick(new, settings))
        return self._outputs(new, iam.get_role(RoleName=id_)["Role"])

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        iam = place.client("iam")
        for name in absent(lambda: iam.list_role_policies(RoleName=id_)["PolicyNames"]) or []:
            iam.delete_role_policy(RoleName=id_, PolicyName=name)
        absent(lambda: iam.delete_role(RoleName=id_))

    def _outputs(self, inputs: Properties, found: Properties) -> Properties:
        name = found["RoleName"]
        known = {"id": name, "name": name, "arn": found["Arn"], "uniqueId": found["RoleId"]}
        return {**inputs, **with_tags(inputs), **known}


class RolePolicy(ResourceType):
    """aws.iam.RolePolicy; its id is role:name."""

    type = "aws:iam/rolePolicy:RolePolicy"
    replace_on = frozenset({"name", "role"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        return f"{inputs['role']}:{inputs['name']}", self.update(place, "", {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        role, _, name = id_.partition(":")
        found = absent(lambda: place.client("iam").get_role_policy(RoleName=role, PolicyName=name))
        if found is None:
            return None
        known = {"id": id_, "role": role, "name": name}
        return {**inputs, **known, **unlike(inputs, {"policy": json.dumps(found["PolicyDocument"])})}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        policy = new["policy"] if isinstance(new["policy"], str) else json.dumps(new["policy"])
        place.client("iam").put_role_policy(
            RoleName=new["role"], PolicyName=new.get("name") or id_.partition(":")[2], PolicyDocument=policy
        )
        return {**new, "id": f"{new['role']}:{new['name']}"}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        role, _, name = id_.partition(":")
        absent(lambda: place.client("iam").delete_role_policy(RoleName=role, PolicyName=name))


class InstanceProfile(ResourceType):
    """aws.iam.InstanceProfile."""

    type = "aws:iam/instanceProfile:InstanceProfile"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        iam, name = place.client("iam"), inputs["name"]
        iam.create_instance_profile(InstanceProfileName=name, Tags=tag_list(inputs.get("tags")))
        if inputs.get("role"):
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=inputs["role"])
        return name, self.read(place, name, inputs) or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        iam = place.client("iam")
        found = absent(lambda: iam.get_instance_profile(InstanceProfileName=id_)["InstanceProfile"])
        if found is None:
            return None
        roles = [each["RoleName"] for each in found.get("Roles", [])]
        there = {"role": roles[0] if roles else "", "tags": tag_map(found.get("Tags"))}
        known = {"id": id_, "name": id_, "arn": found["Arn"]}
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        iam = place.client("iam")
        if old.get("role") != new.get("role"):
            if old.get("role"):
                iam.remove_role_from_instance_profile(InstanceProfileName=id_, RoleName=old["role"])
            if new.get("role"):
                iam.add_role_to_instance_profile(InstanceProfileName=id_, RoleName=new["role"])
        retag(place, "iam", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        iam = place.client("iam")
        if outputs.get("role"):
            role = outputs["role"]
            absent(lambda: iam.remove_role_from_instance_profile(InstanceProfileName=id_, RoleName=role))
        absent(lambda: iam.delete_instance_profile(InstanceProfileName=id_))


class Secret(ResourceType):
    """aws.secretsmanager.Secret, with replicas."""

    type = "aws:secretsmanager/secret:Secret"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        request = pick(inputs, {"name": "Name", "description": "Description", "kmsKeyId": "KmsKeyId"})
        replicas = [{"Region": each["region"]} for each in inputs.get("replicas") or []]
        if replicas:
            request["AddReplicaRegions"] = replicas
        if inputs.get("tags"):
            request["Tags"] = tag_list(inputs["tags"])
        made = place.client("secretsmanager").create_secret(**request)
        return made["ARN"], self._outputs(place, inputs, made["ARN"])

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("secretsmanager").describe_secret(SecretId=id_))
        if found is None or found.get("DeletedDate"):
            return None
        there = {
            "description": found.get("Description"),
            "kmsKeyId": found.get("KmsKeyId"),
            "replicas": [{"region": each["Region"]} for each in found.get("ReplicationStatus", [])],
            "tags": tag_map(found.get("Tags")),
        }
        return self._outputs(place, inputs, id_) | unlike(inputs, there)

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        secrets = place.client("secretsmanager")
        secrets.update_secret(
            SecretId=id_, **{"Description": new.get("description") or ""} | pick(new, {"kmsKeyId": "KmsKeyId"})
        )
        before = {each["region"] for each in old.get("replicas") or []}
        added = [each["region"] for each in new.get("replicas") or [] if each["region"] not in before]
        if added:
            regions = [{"Region": region} for region in added]
            secrets.replicate_secret_to_regions(SecretId=id_, AddReplicaRegions=regions)
        retag(place, "secretsmanager", id_, old, new)
        return self._outputs(place, new, id_)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        secrets = place.client("secretsmanager")
        regions = [each["region"] for each in outputs.get("replicas") or []]
        if regions:
            absent(lambda: secrets.remove_regions_from_replication(SecretId=id_, RemoveReplicaRegions=regions))
        absent(lambda: secrets.delete_secret(SecretId=id_, ForceDeleteWithoutRecovery=True))

    def _outputs(self, place: Place, inputs: Properties, arn: str) -> Properties:
        return {**inputs, **with_tags(inputs), "id": arn, "arn": arn, "region": place.region}


class SecretVersion(ResourceType):
    """aws.secretsmanager.SecretVersion; the value is secret whatever the program says."""

    type = "aws:secretsmanager/secretVersion:SecretVersion"
    replace_on = frozenset({"secretId"})
    secret_outputs = frozenset({"secretString", "secretBinary"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        outputs = self.update(place, "", {}, inputs)
        return str(outputs["id"]), outputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        arn, _, version = id_.partition("|")
        secrets = place.client("secretsmanager")
        found = absent(lambda: secrets.get_secret_value(SecretId=arn, VersionId=version))
        if found is None:
            return None
        known = {"id": id_, "arn": arn, "versionId": version, "secretString": found.get("SecretString")}
        return {**inputs, **known}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        secrets = place.client("secretsmanager")
        made = secrets.put_secret_value(SecretId=new["secretId"], SecretString=new["secretString"])
        known = {"id": f"{made['ARN']}|{made['VersionId']}", "arn": made["ARN"], "versionId": made["VersionId"]}
        return {**new, **known}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        """A version goes with its secret."""


class Parameter(ResourceType):
    """aws.ssm.Parameter."""

    type = "aws:ssm/parameter:Parameter"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        return inputs["name"], self.update(place, inputs["name"], {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("ssm").get_parameter(Name=id_, WithDecryption=True)["Parameter"])
        if found is None:
            return None
        names = {"type": "Type", "value": "Value"}
        known = {"id": id_, "arn": found["ARN"], "version": found["Version"]}
        return {**inputs, **with_tags(inputs), **known, **seen(inputs, found, names), **self._tags(place, id_, inputs)}

    def _tags(self, place: Place, id_: str, inputs: Properties) -> Properties:
        asked = {"ResourceType": "Parameter", "ResourceId": id_}
        return unlike(inputs, {"tags": tag_map(place.client("ssm").list_tags_for_resource(**asked)["TagList"])})

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        kind = {"Type": new.get("type") or "String"}
        request = pick(new, {"value": "Value", "description": "Description", "keyId": "KeyId", "tier": "Tier"})
        place.client("ssm").put_parameter(
            Name=id_, Overwrite=bool(old) or bool(new.get("overwrite")), **kind, **request
        )
        retag(place, "ssm", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("ssm").delete_parameter(Name=id_))
