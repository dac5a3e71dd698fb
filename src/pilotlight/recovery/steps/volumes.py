"""Volumes come up through the launch template's block devices: one new version with the point's snapshots in it.

No CreateVolume and no AttachVolume, whose token buckets alone would cost minutes for a large fleet. The version
inherits everything else (EC2 API, CreateLaunchTemplateVersion: "the new version inherits the same launch parameters as
the source version, except for parameters that you specify"); the group follows `$Latest`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pilotlight.recovery.observe.compute import template
from pilotlight.recovery.snapshots import COMPLETED, sets_of
from pilotlight.recovery.steps.action import Absent, Answer, Proven, Wait, Work


class RestoreVolumes:
    """The newest template version of a compute group has the chosen snapshots behind its devices."""

    wait = Wait(60, 1, "one write; the version is there when the call returns")

    def ask(self, work: Work) -> Answer:
        """Compare the devices of the newest version with what was chosen."""
        wanted = chosen(work)
        version = template(work.door, work.region, work.compute().standby_launch_template)
        mapped = {each["DeviceName"]: each.get("Ebs", {}).get("SnapshotId", "") for each in _devices(version)}
        if any(mapped.get(device) != snapshot for device, snapshot in wanted.items()):
            return Absent(f"version {version['VersionNumber']} has {mapped or 'no devices'}")
        return Proven({"version": version["VersionNumber"], "snapshots": wanted})

    def act(self, work: Work) -> None:
        """A new version, after the snapshots were seen completed. The token makes a repetition the same version."""
        wanted = chosen(work)
        self._require_completed(work, sorted(wanted.values()))
        name = work.compute().standby_launch_template
        version = template(work.door, work.region, name)
        work.door.call(
            "ec2",
            "create_launch_template_version",
            work.region,
            LaunchTemplateName=name,
            SourceVersion=str(version["VersionNumber"]),
            VersionDescription=f"pilotlight {work.run}"[:255],
            ClientToken=hashlib.sha256(f"{work.run} {work.step.name}".encode()).hexdigest(),
            LaunchTemplateData={"BlockDeviceMappings": mappings(_devices(version), wanted)},
        )

    def _require_completed(self, work: Work, snapshots: list[str]) -> None:
        answer = work.door.call("ec2", "describe_snapshots", work.region, SnapshotIds=snapshots)
        states = {each["SnapshotId"]: each["State"] for each in answer["Snapshots"]}
        for snapshot in snapshots:
            if states.get(snapshot) != COMPLETED:
                raise work.failed(f"snapshot {snapshot} is {states.get(snapshot, 'not there')}")


def chosen(work: Work) -> dict[str, str]:
    """Device -> snapshot of every volume group that the compute group mounts."""
    found: dict[str, str] = {}
    volumes = work.evidence_of("choose-point")["volumes"]
    for group in work.compute().volumes:
        for each in sets_of(volumes.get(group, {})):
            found |= each["snapshots"]
    return found


def mappings(devices: list[dict[str, Any]], wanted: dict[str, str]) -> list[dict[str, Any]]:
    """The devices of a version with snapshots put behind them; devices it did not have are added (pure)."""
    found = {each["DeviceName"]: dict(each) for each in devices}
    for device, snapshot in wanted.items():
        before = found.get(device, {"DeviceName": device})
        ebs = {name: value for name, value in before.get("Ebs", {}).items() if name not in ("Encrypted", "KmsKeyId")}
        found[device] = before | {"Ebs": ebs | {"SnapshotId": snapshot}}
    return [found[device] for device in sorted(found)]


def _devices(version: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = version["LaunchTemplateData"].get("BlockDeviceMappings", [])
    return found
