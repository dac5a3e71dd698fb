"""EBS with real bytes: a volume is a folder, a snapshot is a copy of it at one instant, a copy crosses regions.

EBS User Guide, "Create Amazon EBS snapshots" (multi-volume, crash-consistent: all volumes of an instance at one point
in time) and "Copy an Amazon EBS snapshot" (pending, then completed; re-encrypted with the key of the destination).
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_block_store import Snapshot

from pilotlight.local.ec2.block_devices import is_root
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override, override_properties

SNAPSHOT_SECONDS = 6.0
"""What the smallest snapshot takes at least, in AWS's time."""
COPY_SECONDS = 12.0
"""What the smallest copy takes at least, in AWS's time (EBS gives no promise for best effort copies)."""
BYTES_PER_SECOND = 500 * 1024 * 1024
"""The fixed rate of a time-based copy (EBS User Guide, "Time-based copies")."""
TICK_SECONDS = 0.1


class Volumes(Behaviour):
    """Keeps the bytes, and lets snapshots take their time."""

    name = "volumes"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._volumes, self._snapshots = cloud.directory / "volumes", cloud.directory / "snapshots"
        self._volumes.mkdir(parents=True, exist_ok=True)
        self._snapshots.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []
        self.standing_still: Callable[[str], AbstractContextManager[None]] = lambda instance_id: nullcontext()
        """Keeps the process of an instance still, for whoever runs instances to say."""
        self._wrap()

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self._advance, "snapshots")

    # -- bytes -------------------------------------------------------------------------------------------------

    def folder(self, volume_id: str) -> Path:
        """Where a volume's bytes are; made when somebody first looks."""
        folder = self._volumes / volume_id
        folder.mkdir(exist_ok=True)
        return folder

    def _made(self, volume: Any) -> None:
        """A new volume: what its snapshot holds, else empty."""
        source = self._snapshots / (volume.snapshot_id or "-")
        if source.is_dir():
            shutil.copytree(source, self.folder(volume.id), dirs_exist_ok=True)

    def _cut(self, snapshot: Any, volume_id: str) -> int:
        """Copy a volume as it is now into a snapshot; bytes copied."""
        target = self._snapshots / snapshot.id
        shutil.copytree(self.folder(volume_id), target, dirs_exist_ok=True)
        return _bytes(target)

    # -- time --------------------------------------------------------------------------------------------------

    def _begin(self, snapshot: Any, region: str, seconds: float, needs: tuple[str, ...]) -> None:
        snapshot.status, snapshot.percent = "pending", 0
        due = self.cloud.real_seconds(seconds)
        with self._lock:
            self._pending.append(_Pending(snapshot, due, (region, *needs)))

    def _advance(self) -> None:
        """Time passes for a snapshot only while all the regions it needs are there."""
        now = time.monotonic()
        with self._lock:
            for each in self._pending:
                if not any(self.cloud.is_dark(region) for region in each.needs):
                    each.passed += now - each.seen
                each.seen = now
                share = min(1.0, each.passed / each.due) if each.due else 1.0
                each.snapshot.percent = int(share * 100)
                if share >= 1.0:
                    each.snapshot.status = "completed"
            self._pending = [each for each in self._pending if each.snapshot.status == "pending"]

    # -- moto's operations -------------------------------------------------------------------------------------

    def _wrap(self) -> None:
        """Put ours around moto's backend: it knows the records, this file the bytes."""
        create_volume, delete_volume = original(EC2Backend, "create_volume"), original(EC2Backend, "delete_volume")
        create_snapshot = original(EC2Backend, "create_snapshot")
        delete_snapshot, copy_snapshot = original(EC2Backend, "delete_snapshot"), original(EC2Backend, "copy_snapshot")
        ours = self

        def made(backend: Any, *args: Any, **kwargs: Any) -> Any:
            wanted = kwargs.get("snapshot_id") or (args[2] if len(args) > 2 else None)
            _require_completed(backend, wanted)
            volume = create_volume(backend, *args, **kwargs)
            ours._made(volume)
            return volume

        def deleted(backend: Any, volume_id: str) -> Any:
            volume = delete_volume(backend, volume_id)
            shutil.rmtree(ours.folder(volume_id), ignore_errors=True)
            return volume

        def cut(backend: Any, volume_id: str, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("from_ami"):
                return create_snapshot(backend, volume_id, *args, **kwargs)
            with ours._still(backend, volume_id):
                snapshot = create_snapshot(backend, volume_id, *args, **kwargs)
                size = ours._cut(snapshot, volume_id)
            snapshot.kms_key_id = snapshot.volume.kms_key_id
            ours._begin(snapshot, backend.region_name, SNAPSHOT_SECONDS + size / BYTES_PER_SECOND, ())
            return snapshot

        def cut_all(backend: Any, instance_spec: dict[str, Any], description: str, tags: dict[str, str]) -> Any:
            return ours._cut_all(backend, instance_spec, description, tags)

        def dropped(backend: Any, snapshot_id: str) -> Any:
            snapshot = delete_snapshot(backend, snapshot_id)
            shutil.rmtree(ours._snapshots / snapshot_id, ignore_errors=True)
            return snapshot

        def copied(backend: Any, source_snapshot_id: str, source_region: str, *args: Any, **kwargs: Any) -> Any:
            ours._refuse_dark(source_region)
            _require_completed(ours.cloud.backend("ec2", source_region), source_snapshot_id)
            snapshot = copy_snapshot(backend, source_snapshot_id, source_region, *args, **kwargs)
            source = ours._snapshots / source_snapshot_id
            target = ours._snapshots / snapshot.id
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            if snapshot.kms_key_id:
                snapshot.encrypted = True
            seconds = COPY_SECONDS + _bytes(target) / BYTES_PER_SECOND
            ours._begin(snapshot, backend.region_name, seconds, (source_region,))
            return snapshot

        override_properties(Snapshot, state=lambda snapshot: snapshot.status)
        override_properties(Snapshot, progress=lambda snapshot: f"{getattr(snapshot, 'percent', 100)}%")
        override(EC2Backend, create_volume=made, delete_volume=deleted, create_snapshot=cut, create_snapshots=cut_all)
        override(EC2Backend, delete_snapshot=dropped, copy_snapshot=copied)

    def _cut_all(self, backend: Any, spec: dict[str, Any], description: str, tags: dict[str, str]) -> list[Any]:
        """All volumes of an instance while its process stands still: one instant."""
        instance = backend.get_instance(spec["InstanceId"])
        left_out = set(spec.get("ExcludeDataVolumeIds") or [])
        boot_too = str(spec.get("ExcludeBootVolume", False)).lower() != "true"
        volumes = [
            mapping.volume_id
            for device, mapping in instance.get_block_device_mapping
            if (boot_too or not is_root(instance, device)) and mapping.volume_id not in left_out
        ]
        with self._still(backend, volumes[0] if volumes else ""):
            snapshots = [backend.create_snapshot(volume, description=description) for volume in volumes]
        for snapshot in snapshots:
            snapshot.add_tags(tags)
        return snapshots

    def _still(self, backend: Any, volume_id: str) -> Any:
        """The process of the instance that has this volume, standing still."""
        volume = backend.volumes.get(volume_id)
        attached = volume.attachment.instance.id if volume is not None and volume.attachment else ""
        return self.standing_still(attached)

    def _refuse_dark(self, region: str) -> None:
        if self.cloud.is_dark(region):
            from moto.ec2.exceptions import InvalidParameterValueError

            raise InvalidParameterValueError(f"{region} (it cannot be reached)")


class _Pending:
    """A snapshot on its way: `passed` of `due` real seconds, counted while all `needs` are light."""

    def __init__(self, snapshot: Any, due: float, needs: tuple[str, ...]) -> None:
        self.snapshot, self.due, self.needs = snapshot, due, needs
        self.passed, self.seen = 0.0, time.monotonic()


def _require_completed(backend: Any, snapshot_id: str | None) -> None:
    """A snapshot that is not completed can be neither copied nor made a volume of (EBS User Guide)."""
    snapshot = backend.snapshots.get(snapshot_id) if snapshot_id else None
    if snapshot is not None and snapshot.status != "completed":
        raise EC2ClientError("IncorrectState", f"Snapshot is in invalid state - {snapshot.status}")


def _bytes(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
