"""EC2's machines: instances, volumes, images, launch templates, and Auto Scaling groups."""

from __future__ import annotations

from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.network import _Ec2
from pilotlight.engine.resources.shape import absent, alike, capital, pick, tag_list, tagged, wire
from pilotlight.engine.resources.waiting import until
from pilotlight.runtime.arns import PARTITION

ENDED = ("shutting-down", "terminated")
WAIT_SECONDS = 300.0
"""For instances, volumes and image copies; longer than any of them takes in a rehearsal."""


class Instance(_Ec2):
    """aws.ec2.Instance."""

    type = "aws:ec2/instance:Instance"
    replace_on = frozenset({"ami", "subnetId", "availabilityZone", "keyName", "userData", "userDataBase64"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        names = {"ami": "ImageId", "instanceType": "InstanceType", "subnetId": "SubnetId",
                 "vpcSecurityGroupIds": "SecurityGroupIds", "userData": "UserData", "keyName": "KeyName"}  # fmt: skip
        request = pick(inputs, names) | {"TagSpecifications": tagged("instance", inputs.get("tags"))}
        if inputs.get("iamInstanceProfile"):
            request["IamInstanceProfile"] = {"Name": inputs["iamInstanceProfile"]}
        if inputs.get("metadataOptions"):
            request["MetadataOptions"] = capital(inputs["metadataOptions"])
        made = ec2.run_instances(MinCount=1, MaxCount=1, **request)["Instances"][0]
        id_ = str(made["InstanceId"])
        until(f"instance {id_} runs", lambda: self._state(ec2, id_) == "running", WAIT_SECONDS)
        return id_

    def _state(self, ec2: Any, id_: str) -> str:
        return str(self.find(ec2, id_)["State"]["Name"])

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"][0]

    def known(self, place: Place, found: Any) -> Properties:
        return {
            "arn": f"arn:{PARTITION}:ec2:{place.region}::instance/{found['InstanceId']}",
            "privateIp": found.get("PrivateIpAddress"),
            "availabilityZone": found["Placement"]["AvailabilityZone"],
            "instanceState": found["State"]["Name"],
        }

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = super().read(place, id_, inputs)
        return None if found is None or found["instanceState"] in ENDED else found

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        ec2.terminate_instances(InstanceIds=[id_])
        until(f"instance {id_} is terminated", lambda: self._state(ec2, id_) == "terminated", WAIT_SECONDS)


class Volume(_Ec2):
    """aws.ebs.Volume."""

    type = "aws:ebs/volume:Volume"
    replace_on = frozenset({"availabilityZone", "encrypted", "kmsKeyId", "snapshotId"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        names = {"availabilityZone": "AvailabilityZone", "size": "Size", "type": "VolumeType", "encrypted": "Encrypted",
                 "kmsKeyId": "KmsKeyId", "snapshotId": "SnapshotId", "iops": "Iops"}  # fmt: skip
        tags = tagged("volume", inputs.get("tags"))
        id_ = str(ec2.create_volume(**pick(inputs, names), TagSpecifications=tags)["VolumeId"])
        until(f"volume {id_} is available", lambda: self.find(ec2, id_)["State"] == "available", WAIT_SECONDS)
        return id_

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        if old and (old.get("size"), old.get("type")) != (new.get("size"), new.get("type")):
            ec2.modify_volume(VolumeId=id_, **pick(new, {"size": "Size", "type": "VolumeType"}))

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_volumes(VolumeIds=[id_])["Volumes"][0]

    def known(self, place: Place, found: Any) -> Properties:
        return {"arn": f"arn:{PARTITION}:ec2:{place.region}::volume/{found['VolumeId']}", "size": found["Size"]}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_volume(VolumeId=id_)


class VolumeAttachment(ResourceType):
    """aws.ec2.VolumeAttachment."""

    type = "aws:ec2/volumeAttachment:VolumeAttachment"
    replace_on = frozenset({"deviceName", "instanceId", "volumeId"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        place.client("ec2").attach_volume(
            Device=inputs["deviceName"], InstanceId=inputs["instanceId"], VolumeId=inputs["volumeId"]
        )
        id_ = f"vai-{inputs['volumeId'].removeprefix('vol-')}"
        return id_, {**inputs, "id": id_}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        ec2, volume = place.client("ec2"), inputs["volumeId"]
        found = absent(lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"])
        there = any(each["InstanceId"] == inputs["instanceId"] for each in found or [])
        return {**inputs, "id": id_} if there else None

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        return {**new, "id": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        ec2, volume = place.client("ec2"), outputs["volumeId"]
        if self.read(place, id_, outputs) is not None:
            absent(lambda: ec2.detach_volume(VolumeId=volume, InstanceId=outputs["instanceId"]))


class AmiCopy(_Ec2):
    """aws.ec2.AmiCopy; waits until the copy can be used."""

    type = "aws:ec2/amiCopy:AmiCopy"
    replace_on = frozenset({"name", "sourceAmiId", "sourceAmiRegion", "encrypted", "kmsKeyId"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        names = {"name": "Name", "sourceAmiId": "SourceImageId", "sourceAmiRegion": "SourceRegion",
                 "encrypted": "Encrypted", "kmsKeyId": "KmsKeyId", "description": "Description"}  # fmt: skip
        id_ = str(ec2.copy_image(**pick(inputs, names))["ImageId"])
        if inputs.get("tags"):
            ec2.create_tags(Resources=[id_], Tags=tag_list(inputs["tags"]))
        until(f"image {id_} is available", lambda: self.find(ec2, id_)["State"] == "available", WAIT_SECONDS)
        return id_

    def find(self, ec2: Any, id_: str) -> Any:
        found = ec2.describe_images(ImageIds=[id_])["Images"]
        return found[0] if found else None

    def known(self, place: Place, found: Any) -> Properties:
        return {
            "arn": f"arn:{PARTITION}:ec2:{place.region}::image/{found['ImageId']}",
            "architecture": found["Architecture"],
        }

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        return {"name": found.get("Name"), "description": found.get("Description")}

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        if old and old.get("description") != new.get("description"):
            ec2.modify_image_attribute(ImageId=id_, Description={"Value": new.get("description") or ""})

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        snapshots = [
            each["Ebs"]["SnapshotId"]
            for each in (self.find(ec2, id_) or {}).get("BlockDeviceMappings", [])
            if each.get("Ebs", {}).get("SnapshotId")
        ]
        ec2.deregister_image(ImageId=id_)
        for snapshot in snapshots:
            absent(lambda one=snapshot: ec2.delete_snapshot(SnapshotId=one))  # type: ignore[misc]


DESCRIBED = {"description": "VersionDescription"}


class LaunchTemplate(_Ec2):
    """aws.ec2.LaunchTemplate; every change is a new version."""

    type = "aws:ec2/launchTemplate:LaunchTemplate"
    replace_on = frozenset({"name"})
    name_key = "name"

    def make(self, ec2: Any, inputs: Properties) -> str:
        tags = tagged("launch-template", inputs.get("tags"))
        made = ec2.create_launch_template(
            LaunchTemplateName=inputs["name"],
            LaunchTemplateData=self._data(inputs),
            TagSpecifications=tags,
            **pick(inputs, DESCRIBED),
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        if old and (self._data(old), old.get("description")) != (self._data(new), new.get("description")):
            described = pick(new, DESCRIBED)
            ec2.create_launch_template_version(LaunchTemplateId=id_, LaunchTemplateData=self._data(new), **described)

    def _data(self, inputs: Properties) -> Properties:
        data = pick(inputs, {wire: LAUNCH_DATA[wire] for wire in PLAIN})
        data |= {LAUNCH_DATA[wire]: capital(inputs[wire]) for wire in NESTED if inputs.get(wire)}
        if inputs.get("ebsOptimized"):
            data["EbsOptimized"] = inputs["ebsOptimized"] == "true"
        if inputs.get("blockDeviceMappings"):
            data["BlockDeviceMappings"] = [self._device(each) for each in inputs["blockDeviceMappings"]]
        if inputs.get("tagSpecifications"):
            data["TagSpecifications"] = [
                {"ResourceType": each["resourceType"], "Tags": tag_list(each.get("tags"))}
                for each in inputs["tagSpecifications"]
            ]
        return data

    def _device(self, mapping: Properties) -> Properties:
        """Pulumi's provider has these two switches as texts."""
        made: Properties = capital(mapping)
        for switch in ("Encrypted", "DeleteOnTermination"):
            if isinstance(made.get("Ebs", {}).get(switch), str):
                made["Ebs"][switch] = made["Ebs"][switch] == "true"
        return made

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        """The template and its newest version, whoever wrote that: the provider reads it at every refresh
        (terraform-provider-aws, internal/service/ec2/ec2_launch_template.go, resourceLaunchTemplateRead)."""
        found = super().read(place, id_, inputs)
        if found is None:
            return None
        answer = place.client("ec2").describe_launch_template_versions(LaunchTemplateId=id_, Versions=["$Latest"])
        version = answer["LaunchTemplateVersions"][0]
        data = self._seen(inputs, version["LaunchTemplateData"])
        return {**found, **data, "description": version.get("VersionDescription") or inputs.get("description")}

    def _seen(self, inputs: Properties, data: Properties) -> Properties:
        """What the version has otherwise than the inputs say, in the wire's form."""
        wanted, there = self._data(inputs), data
        return {
            wire: _wire(wire, there.get(aws), wanted.get(aws))
            for wire, aws in LAUNCH_DATA.items()
            if _comparable(there.get(aws)) != _comparable(wanted.get(aws))
        }

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_launch_templates(LaunchTemplateIds=[id_])["LaunchTemplates"][0]

    def known(self, place: Place, found: Any) -> Properties:
        id_ = found["LaunchTemplateId"]
        return {
            "arn": f"arn:{PARTITION}:ec2:{place.region}::launch-template/{id_}",
            "name": found["LaunchTemplateName"],
            "latestVersion": found["LatestVersionNumber"],
            "defaultVersion": found["DefaultVersionNumber"],
        }

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_launch_template(LaunchTemplateId=id_)


LAUNCH_DATA = {
    "imageId": "ImageId",
    "instanceType": "InstanceType",
    "userData": "UserData",
    "keyName": "KeyName",
    "vpcSecurityGroupIds": "SecurityGroupIds",
    "iamInstanceProfile": "IamInstanceProfile",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
    "ebsOptimized": "EbsOptimized",
    "metadataOptions": "MetadataOptions",
    "monitoring": "Monitoring",
    "cpuOptions": "CpuOptions",
    "creditSpecification": "CreditSpecification",
    "maintenanceOptions": "MaintenanceOptions",
    "placement": "Placement",
    "blockDeviceMappings": "BlockDeviceMappings",
    "tagSpecifications": "TagSpecifications",
}
"""Pulumi's property -> the member of a version's data."""
PLAIN = ("imageId", "instanceType", "userData", "keyName", "vpcSecurityGroupIds", "instanceInitiatedShutdownBehavior")
NESTED = (
    "iamInstanceProfile",
    "metadataOptions",
    "monitoring",
    "cpuOptions",
    "creditSpecification",
    "maintenanceOptions",
    "placement",
)
"""Properties that have the members of AWS, in the wire's letters."""
ANSWERED = frozenset({"State"})
"""Members of what AWS answers that nobody sets."""


def _wire(name: str, found: Any, wanted: Any) -> Any:
    """A member of a version's data as the provider tells it: switches of volumes are texts, tags are a map."""
    if found is None:
        return type(wanted)()
    told = wire(found)
    if name == "ebsOptimized":
        return str(told).lower()
    for each in told if name == "blockDeviceMappings" else ():
        each["ebs"] = {key: str(one).lower() if isinstance(one, bool) else one for key, one in each["ebs"].items()}
    for each in told if name == "tagSpecifications" else ():
        each["tags"] = {tag["key"]: tag["value"] for tag in each["tags"]}
    return told


def _comparable(value: Any) -> Any:
    """Lists of things with a name or type are sets to AWS; what is empty is not there."""
    if isinstance(value, dict):
        kept = {key: _comparable(each) for key, each in value.items() if key not in ANSWERED}
        return {key: each for key, each in kept.items() if each not in (None, {}, [], "")}
    if isinstance(value, list):
        return sorted((_comparable(each) for each in value), key=str)
    return value or None if not isinstance(value, bool | int) else value


class Group(ResourceType):
    """aws.autoscaling.Group."""

    type = "aws:autoscaling/group:Group"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        scaling = place.client("autoscaling")
        tags = [
            {**each, "ResourceId": inputs["name"], "ResourceType": "auto-scaling-group"} for each in self._tags(inputs)
        ]
        request = self._request(inputs)
        if inputs.get("targetGroupArns"):
            request["TargetGroupARNs"] = inputs["targetGroupArns"]
        scaling.create_auto_scaling_group(AutoScalingGroupName=inputs["name"], Tags=tags, **request)
        return inputs["name"], self.read(place, inputs["name"], inputs) or inputs

    def _tags(self, inputs: Properties) -> list[Properties]:
        return [
            {"Key": each["key"], "Value": each["value"], "PropagateAtLaunch": each["propagateAtLaunch"]}
            for each in inputs.get("tags") or []
        ]

    def _retag(self, scaling: Any, id_: str, old: Properties, new: Properties) -> None:
        """Tags of a group carry whether its instances get them too."""
        before, after = self._tags(old), self._tags(new)
        place = {"ResourceId": id_, "ResourceType": "auto-scaling-group"}
        kept = {each["Key"] for each in after}
        gone = [{**place, "Key": each["Key"]} for each in before if each["Key"] not in kept]
        added = [{**place, **each} for each in after if each not in before]
        if gone:
            scaling.delete_tags(Tags=gone)
        if added:
            scaling.create_or_update_tags(Tags=added)

    def _request(self, inputs: Properties) -> Properties:
        request = pick(inputs, GROUP_DATA)
        if inputs.get("vpcZoneIdentifiers"):
            request["VPCZoneIdentifier"] = ",".join(inputs["vpcZoneIdentifiers"])
        if inputs.get("launchTemplate"):
            request["LaunchTemplate"] = _template(inputs["launchTemplate"], "id", "name")
        if inputs.get("mixedInstancesPolicy"):
            request["MixedInstancesPolicy"] = self._mixed(inputs["mixedInstancesPolicy"])
        return request

    def _mixed(self, policy: Properties) -> Properties:
        asked = policy["launchTemplate"]
        specification = asked["launchTemplateSpecification"]
        template = {
            "LaunchTemplateSpecification": _template(specification, "launchTemplateId", "launchTemplateName"),
            "Overrides": [capital(each) for each in asked.get("overrides") or []],
        }
        made: Properties = {"LaunchTemplate": template}
        if policy.get("instancesDistribution"):
            made["InstancesDistribution"] = capital(policy["instancesDistribution"])
        return made

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        scaling = place.client("autoscaling")
        found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[id_])["AutoScalingGroups"]
        if not found:
            return None
        return {
            **inputs,
            "id": id_,
            "name": id_,
            "arn": found[0]["AutoScalingGroupARN"],
            "region": place.region,
            "desiredCapacity": found[0]["DesiredCapacity"],
            "minSize": found[0]["MinSize"],
            "maxSize": found[0]["MaxSize"],
            **self._seen(inputs, found[0]),
        }

    def _seen(self, inputs: Properties, found: Properties) -> Properties:
        """What the group has otherwise than the inputs say (terraform-provider-aws,
        internal/service/autoscaling/group.go, resourceGroupRead); what the program left out is not looked at."""
        policy = found.get("MixedInstancesPolicy")
        told = {
            "mixedInstancesPolicy": wire(policy) if policy else None,
            "launchTemplate": _named(found.get("LaunchTemplate") or {}),
            "vpcZoneIdentifiers": [each for each in (found.get("VPCZoneIdentifier") or "").split(",") if each],
            "targetGroupArns": found.get("TargetGroupARNs") or [],
            **{wire: found.get(aws) for wire, aws in GROUP_DATA.items() if wire not in SIZES},
            "tags": [wire({key: each[key] for key in ("Key", "Value", "PropagateAtLaunch")}) for each in found["Tags"]],
        }
        return {
            key: _put_over(inputs[key], value)
            for key, value in told.items()
            if inputs.get(key) is not None and not _same(key, value, inputs[key])
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        scaling = place.client("autoscaling")
        scaling.update_auto_scaling_group(AutoScalingGroupName=id_, **self._request(new))
        self._retag(scaling, id_, old, new)
        before, after = set(old.get("targetGroupArns") or []), set(new.get("targetGroupArns") or [])
        if after - before:
            scaling.attach_load_balancer_target_groups(AutoScalingGroupName=id_, TargetGroupARNs=sorted(after - before))
        if before - after:
            scaling.detach_load_balancer_target_groups(AutoScalingGroupName=id_, TargetGroupARNs=sorted(before - after))
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        scaling = place.client("autoscaling")
        if self.read(place, id_, {}) is not None:
            scaling.delete_auto_scaling_group(AutoScalingGroupName=id_, ForceDelete=True)
            until(f"group {id_} is gone", lambda: self.read(place, id_, {}) is None, WAIT_SECONDS)


GROUP_DATA = {
    "minSize": "MinSize",
    "maxSize": "MaxSize",
    "desiredCapacity": "DesiredCapacity",
    "healthCheckType": "HealthCheckType",
    "healthCheckGracePeriod": "HealthCheckGracePeriod",
    "defaultCooldown": "DefaultCooldown",
    "defaultInstanceWarmup": "DefaultInstanceWarmup",
    "terminationPolicies": "TerminationPolicies",
}
"""Pulumi's property -> the parameter of a group; the answer calls it the same."""
SIZES = ("minSize", "maxSize", "desiredCapacity")


def _named(template: Properties) -> Properties:
    return pick(template, {"LaunchTemplateId": "id", "LaunchTemplateName": "name", "Version": "version"})


def _says(found: Any, wanted: Any) -> bool:
    """Whether what AWS tells is what was asked for, where something was: it tells its own defaults besides."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_says(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found or []) == len(wanted) and all(_says(*each) for each in zip(found, wanted, strict=True))
    return wanted is None or str(found) == str(wanted)


def _put_over(wanted: Any, found: Any) -> Any:
    """What the program said, with AWS's values in their places: what it left to AWS is no difference."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {key: _put_over(value, found.get(key)) for key, value in wanted.items()}
    return wanted if _says(found, wanted) else found


SETS = frozenset({"vpcZoneIdentifiers", "targetGroupArns", "tags"})
"""Properties that are sets to AWS; types of a policy have an order."""


def _same(key: str, found: Any, wanted: Any) -> bool:
    return alike(wanted, found) and alike(found, wanted) if key in SETS else _says(found, wanted)


def _template(specification: Properties, id_key: str, name_key: str) -> Properties:
    names = {id_key: "LaunchTemplateId", name_key: "LaunchTemplateName", "version": "Version"}
    found = pick(specification, names)
    if "LaunchTemplateId" in found:
        found.pop("LaunchTemplateName", None)
    return found
