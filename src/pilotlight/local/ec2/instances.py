"""EC2 instances as processes: an instance runs its user data, on an address of its own, with its role's credentials.

EC2 User Guide, "Run commands when you launch an EC2 instance with user data input". moto keeps the records; this file
starts, stops, freezes and ends what they stand for.
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.ec2.responses.general import General
from moto.ec2.responses.launch_templates import LaunchTemplates

from pilotlight.local.ec2 import block_devices
from pilotlight.local.ec2.capacity import Capacity
from pilotlight.local.ec2.metadata import Metadata
from pilotlight.local.ec2.volumes import Volumes
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override, override_properties

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TAGGED = ("instance", "volume")
CONSOLE_BYTES_MAX = 64 * 1024
"""GetConsoleOutput gives the last 64 KB (EC2 API Reference)."""


class Instances(Behaviour):
    """Every running instance is one process group."""

    name = "instances"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._lock = threading.RLock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._endpoints: dict[str, str] = {}
        self._stills: dict[str, int] = {}
        _describe_truly()
        self._wrap()
        cloud.behaviour(Volumes).standing_still = self.still

    # -- life --------------------------------------------------------------------------------------------------

    def launched(self, instance: Any, region: str) -> None:
        """A new instance: its address, its metadata, its process."""
        instance.local_address = self.cloud.address(region)
        instance.local_region = region
        self._endpoints[instance.id] = self.cloud.behaviour(Metadata).open(instance, region, instance.local_address)
        self._run(instance)

    def _run(self, instance: Any) -> None:
        """Start its user data; an instance without any is a machine with nothing on it."""
        script = instance.plain_user_data
        if not script.startswith("#!"):
            return
        folder = self.folder(instance.id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "user-data").write_text(script)
        with (folder / "console.log").open("ab") as console:
            process = self.cloud.spawn(
                ["bash", folder / "user-data"],
                self._environment(instance),
                instance.local_region,
                cwd=folder,
                stdout=console,
            )
        with self._lock:
            self._processes[instance.id] = process

    def _environment(self, instance: Any) -> dict[str, str]:
        """What an instance finds on itself; credentials are not here, they come from its metadata."""
        devices = {
            f"DEVICE_{device.rsplit('/', 1)[-1].upper()}": str(self.cloud.behaviour(Volumes).folder(mapping.volume_id))
            for device, mapping in instance.get_block_device_mapping
            if not block_devices.is_root(instance, device)
        }
        region = instance.local_region
        return devices | {
            "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",  # noqa: PTH120 - a text, not a path
            "HOME": str(self.folder(instance.id)),
            "LANG": "C.UTF-8",
            "PRIVATE_IP": instance.local_address,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.cloud.router_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._endpoints[instance.id],
            "http_proxy": self.cloud.front_door_url,
            "no_proxy": "127.0.0.0/8,127.0.0.1,localhost," + instance.local_address,
        }

    def ended(self, instance_id: str, for_good: bool) -> None:
        """Stop its process; a terminated instance loses its metadata too."""
        with self._lock:
            process = self._processes.pop(instance_id, None)
        if process is not None:
            self.cloud.processes.kill(process)
        if for_good:
            self._endpoints.pop(instance_id, None)
            self.cloud.behaviour(Metadata).close(instance_id)

    def attached(self, instance: Any) -> None:
        """A volume came or went: the user data begins anew, with the devices that there are now."""
        if hasattr(instance, "local_address") and instance.state == "running" and instance.id in self._endpoints:
            self.ended(instance.id, for_good=False)
            self._run(instance)

    @contextlib.contextmanager
    def still(self, instance_id: str) -> Iterator[None]:
        """While this lasts the instance's processes stand still, so that its volumes are of one instant."""
        with self._lock:
            process = self._processes.get(instance_id)
            if process is None or process.poll() is not None:
                process = None
            elif self._stills.setdefault(instance_id, 0) == 0:
                self.cloud.processes.pause([process])
            self._stills[instance_id] = self._stills.get(instance_id, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._stills[instance_id] -= 1
                if process is not None and self._stills[instance_id] == 0:
                    self.cloud.processes.resume([process])

    def folder(self, instance_id: str) -> Path:
        """Where an instance runs, and where its console is."""
        return self.cloud.directory / "instances" / instance_id

    def console(self, instance_id: str) -> str:
        """The end of what it printed, in base64."""
        log = self.folder(instance_id) / "console.log"
        printed = log.read_bytes()[-CONSOLE_BYTES_MAX:] if log.exists() else b""
        return base64.b64encode(printed).decode()

    # -- moto's operations -------------------------------------------------------------------------------------

    def _wrap(self) -> None:
        run, terminate = original(EC2Backend, "run_instances"), original(Instance, "terminate")
        start, stop = original(Instance, "start"), original(Instance, "stop")
        reboot = original(Instance, "reboot")
        attach, detach = original(EC2Backend, "attach_volume"), original(EC2Backend, "detach_volume")
        ours = self

        def run_instances(backend: Any, image_id: Any, count: Any, user_data: Any, groups: Any, **kwargs: Any) -> Any:
            data = _from_template(backend, kwargs)
            mapping = data is not None and not kwargs.get("block_device_mappings")
            if mapping:
                kwargs["block_device_mappings"] = []
            zone = str(kwargs.get("placement") or f"{backend.region_name}a")
            ours.cloud.behaviour(Capacity).require(backend.region_name, str(kwargs.get("instance_type")), zone)
            volume_tags = (kwargs.get("tags") or {}).get("volume", {})
            reservation = run(backend, image_id, count, user_data, groups, **kwargs)
            for instance in reservation.instances:
                if data is not None and mapping:
                    block_devices.make(backend, instance, data, volume_tags)
                ours.launched(instance, backend.region_name)
            return reservation

        def terminated(instance: Any, *args: Any, **kwargs: Any) -> Any:
            ours.ended(instance.id, for_good=True)
            return terminate(instance, *args, **kwargs)

        def stopped(instance: Any, *args: Any, **kwargs: Any) -> Any:
            ours.ended(instance.id, for_good=False)
            return stop(instance, *args, **kwargs)

        def started(instance: Any, *args: Any, **kwargs: Any) -> Any:
            answer = start(instance, *args, **kwargs)
            ours._run(instance)
            return answer

        def rebooted(instance: Any, *args: Any, **kwargs: Any) -> Any:
            answer = reboot(instance, *args, **kwargs)
            ours.attached(instance)
            return answer

        def attach_volume(backend: Any, volume_id: str, instance_id: str, *args: Any, **kwargs: Any) -> Any:
            answer = attach(backend, volume_id, instance_id, *args, **kwargs)
            ours.attached(backend.get_instance(instance_id))
            return answer

        def detach_volume(backend: Any, volume_id: str, instance_id: str, *args: Any, **kwargs: Any) -> Any:
            owner = instance_id or backend.get_volume(volume_id).attachment.instance.id
            answer = detach(backend, volume_id, owner, *args, **kwargs)
            ours.attached(backend.get_instance(owner))
            return answer

        def get_console_output(response: Any) -> Any:
            from moto.core.responses import ActionResult

            instance = response._get_param("InstanceId")
            return ActionResult({"InstanceId": instance, "Output": ours.console(instance)})

        create_version = original(LaunchTemplates, "create_launch_template_version")

        def create_launch_template_version(response: Any) -> Any:
            _fill_from_source(response)
            return create_version(response)

        override(LaunchTemplates, create_launch_template_version=create_launch_template_version)
        override(EC2Backend, run_instances=run_instances, attach_volume=attach_volume, detach_volume=detach_volume)
        override(Instance, terminate=terminated, stop=stopped, start=started, reboot=rebooted)
        override(General, get_console_output=get_console_output)


def _fill_from_source(response: Any) -> None:
    """A new version begins as its SourceVersion, with what is given put over it (EC2 API Reference)."""
    source = response._get_param("SourceVersion")
    given = response._get_param("LaunchTemplateData", {})
    if not source:
        return
    name, id_ = response._get_param("LaunchTemplateName"), response._get_param("LaunchTemplateId")
    backend = response.ec2_backend
    template = backend.get_launch_template_by_name(name) if name else backend.get_launch_template(id_)
    merged = {**template.get_version(source).data, **given}
    asked = response._get_param

    def get_param(key: str, default: Any = None) -> Any:
        return merged if key == "LaunchTemplateData" else asked(key, default)

    response._get_param = get_param


def _from_template(backend: Any, kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The data of the template that is launched from; what moto leaves out of it: profile, metadata options, tags."""
    if not kwargs.get("launch_template"):
        return None
    data = backend._get_template_from_args(kwargs["launch_template"]).data
    profile = data.get("IamInstanceProfile") or {}
    if profile and not kwargs.get("iam_instance_profile"):
        kwargs["iam_instance_profile"] = profile.get("Arn") or profile.get("Name")
    if data.get("MetadataOptions") and not kwargs.get("metadata_options"):
        kwargs["metadata_options"] = data["MetadataOptions"]
    given = kwargs.get("tags") or {}
    kwargs["tags"] = given | {kind: block_devices.tags(data, kind) | given.get(kind, {}) for kind in TAGGED}
    return dict(data)


def _describe_truly() -> None:
    """Instances answer with the address they really have, and their user data and profile in plain form."""

    def address(instance: Any) -> str:
        return str(getattr(instance, "local_address", "") or instance.nics[0].private_ip_address)

    def plain_user_data(instance: Any) -> str:
        given = instance.user_data
        if not given:
            return ""
        text = given if isinstance(given, str) else str(given)
        try:
            return base64.b64decode(text, validate=True).decode()
        except ValueError:
            return text

    def profile_name(instance: Any) -> str:
        given = instance.iam_instance_profile
        if isinstance(given, dict):
            given = given.get("name") or given.get("Name") or given.get("Arn") or ""
        name = getattr(given, "name", given) or ""
        return str(name).rsplit("/", 1)[-1]

    override_properties(Instance, private_ip=address, private_ip_address=address)
    override_properties(Instance, plain_user_data=plain_user_data, profile_name=profile_name)
