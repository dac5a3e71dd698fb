"""AMI copies that take time, need the region they come from and are tagged as asked; and their end, with the snapshots.

EC2 User Guide, "Copy an Amazon EC2 AMI": the copy is pending until its snapshots are copied, then available. EC2 API
Reference, CopyImage (`TagSpecifications` of image and snapshots) and DeregisterImage (`DeleteAssociatedSnapshots`).
"""

from __future__ import annotations

import threading
import time
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterValueError
from moto.ec2.models import EC2Backend
from moto.ec2.responses.amis import AmisResponse

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

COPY_SECONDS = 12.0
"""What the smallest copy takes at least, in AWS's time."""
TICK_SECONDS = 0.1
ON_EBS = "ebs"
"""RootDeviceType (EC2 API, Image): the other one is `instance-store`."""


def _create_on_ebs(backend: Any, *args: Any, **kwargs: Any) -> Any:
    """Of an instance whose root is a volume, as all are here; moto tells a root device type that is none."""
    image = original(EC2Backend, "create_image")(backend, *args, **kwargs)
    image.root_device_type = ON_EBS
    return image


def _copy_tagged(response: Any) -> Any:
    """moto copies and drops what is to be tagged."""
    answer = original(AmisResponse, "copy_image")(response)
    image = response.ec2_backend.amis[answer.result["ImageId"]]
    of_kind = {"image": image, "snapshot": image.ebs_snapshot}
    for each in response._get_param("TagSpecifications", []):
        of_kind[each["ResourceType"]].add_tags({tag["Key"]: tag["Value"] for tag in each["Tags"]})
    return answer


def _deregister_with_snapshots(response: Any) -> Any:
    """moto leaves the snapshots; AWS too, unless it is asked for them."""
    image = response.ec2_backend.amis.get(response._get_param("ImageId"))
    answer = original(AmisResponse, "deregister_image")(response)
    if image is None or not response._get_bool_param("DeleteAssociatedSnapshots"):
        return answer
    deleted = response.ec2_backend.delete_snapshot(image.ebs_snapshot.id)
    return ActionResult(
        {"Return": True, "DeleteSnapshotResults": [{"SnapshotId": deleted.id, "ReturnCode": "success"}]}
    )


class Images(Behaviour):
    """Lets image copies take their time."""

    name = "images"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._lock = threading.Lock()
        self._pending: list[tuple[Any, tuple[str, ...], list[float]]] = []
        copy = original(EC2Backend, "copy_image")
        ours = self

        def copy_image(backend: Any, source_image_id: str, source_region: str, *args: Any, **kwargs: Any) -> Any:
            if ours.cloud.is_dark(source_region):
                raise InvalidParameterValueError(f"{source_region} (it cannot be reached)")
            image = copy(backend, source_image_id, source_region, *args, **kwargs)
            image.state, image.root_device_type = "pending", ON_EBS
            with ours._lock:
                ours._pending.append((image, (backend.region_name, source_region), [0.0, time.monotonic()]))
            return image

        override(EC2Backend, copy_image=copy_image, create_image=_create_on_ebs)
        override(AmisResponse, copy_image=_copy_tagged, deregister_image=_deregister_with_snapshots)

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self._advance, "image copies")

    def _advance(self) -> None:
        """Time passes for a copy only while both regions are there."""
        now, due = time.monotonic(), self.cloud.real_seconds(COPY_SECONDS)
        with self._lock:
            for image, regions, clock in self._pending:
                if not any(self.cloud.is_dark(region) for region in regions):
                    clock[0] += now - clock[1]
                clock[1] = now
                if clock[0] >= due:
                    image.state = "available"
            self._pending = [each for each in self._pending if each[0].state == "pending"]
