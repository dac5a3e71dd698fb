"""AMI copies that take time, and need the region they come from.

EC2 User Guide, "Copy an Amazon EC2 AMI": the copy is pending until its snapshots are copied, then available.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from moto.ec2.exceptions import InvalidParameterValueError
from moto.ec2.models import EC2Backend

from pilotlight.local.cloud import Behaviour, Cloud
from pilotlight.local.grafts import graft, original

COPY_SECONDS = 12.0
"""What the smallest copy takes at least, in AWS's time."""
TICK_SECONDS = 0.1


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
            image.state = "pending"
            with ours._lock:
                ours._pending.append((image, (backend.region_name, source_region), [0.0, time.monotonic()]))
            return image

        graft(EC2Backend, copy_image=copy_image)

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
