"""What every behaviour of the embedded cloud shares: the regions, the pace of time, child processes, identities.

A Behaviour is one thing AWS does that moto does not; it gets one Cloud and is told when calls succeed and when a
region goes dark or light. Behaviours know moto and this file, never the rooms above `local/`.
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from moto.backends import get_backend

from pilotlight.local import overrides
from pilotlight.local.iam.access import Access
from pilotlight.local.kernel.addresses import Addresses
from pilotlight.local.kernel.faults import Faults
from pilotlight.local.kernel.processes import Processes, Stream
from pilotlight.local.wire.calls import Call, CallRecord
from pilotlight.runtime.clock import stamp

__all__ = ["ACCOUNT", "MEMBER", "ROOT_ACCESS_KEY", "ROOT_SECRET_KEY", "Behaviour", "Call", "Cloud"]

ACCOUNT = "123456789012"
MEMBER = "210987654321"
"""A second account, as AWS Organizations makes one: the first may assume OrganizationAccountAccessRole in it."""
ROOT_ACCESS_KEY = "AKIALOCALROOT0000000"
ROOT_SECRET_KEY = "local-root-secret"
SESSION_SECONDS = 3600
"""Lifetime of credentials that AWS services get for a role: one hour, the default of AssumeRole."""

LOCKED_SERVICES = ("s3", "dynamodb")
"""Carried out one call at a time, so that conditional writes and listings see one state, as AWS promises."""

THREAD_END_SECONDS = 5.0
"""How long a stopping cloud waits for one of its threads; they are daemons, so none can outlive the process."""

B = TypeVar("B", bound="Behaviour")


class Behaviour:
    """One thing AWS does that moto does not. Every method may be left out."""

    name: str = ""
    cloud: Cloud

    def install(self, cloud: Cloud) -> None:
        """Before serving: add or replace operations on moto's response and backend classes; keep the cloud."""
        self.cloud = cloud

    def start(self) -> None:
        """After the listeners are up: start threads through `cloud.every`."""

    def after(self, call: Call) -> None:
        """After every successful call, in the caller's thread before it gets its answer: hand work to a queue."""

    def darkened(self, region: str) -> None:
        """The region went dark: connections are already cut and its processes frozen."""

    def lightened(self, region: str) -> None:
        """The region is back: its processes run again and its endpoints answer."""

    def stop(self) -> None:
        """The cloud stops; its processes are killed after this."""


class Cloud:
    """The regions, their time, their processes and their identities."""

    def __init__(
        self,
        directory: Path,
        regions: tuple[str, ...] = ("us-east-1", "us-west-2"),
        pace: float = 30.0,
        seed: int = 0,
    ) -> None:
        self.directory = directory
        self.regions = regions
        self.pace = pace
        self.seed = seed
        self.account = ACCOUNT
        self.random = random.Random(seed)
        self.router_url = ""
        self.front_door_url = ""
        self.endpoints: dict[str, str] = {}
        self.faults = Faults()
        self.processes = Processes()
        self.calls = CallRecord(directory / "calls.jsonl")
        self.access = Access(ACCOUNT, ROOT_ACCESS_KEY, MEMBER)
        self.access.log = self.log
        self.behaviours: list[Behaviour] = []
        self.schedules_held = False
        self.stopping = threading.Event()
        self._addresses = Addresses(self.random)
        self._locks = {service: threading.RLock() for service in LOCKED_SERVICES}
        self._threads: list[threading.Thread] = []
        self._log_lock = threading.Lock()

    # -- regions and time ------------------------------------------------------------------------------------

    def is_dark(self, region: str) -> bool:
        """Whether the region is lost at this moment."""
        return self.faults.is_dark(region)

    def darken(self, region: str) -> None:
        """Lose a region: cut its connections, freeze its processes, tell every behaviour."""
        if self.faults.darken(region):
            self.processes.freeze(region)
            self._tell(lambda behaviour: behaviour.darkened(region))

    def lighten(self, region: str) -> None:
        """Bring a region back as it was."""
        if self.faults.lighten(region):
            self.processes.thaw(region)
            self._tell(lambda behaviour: behaviour.lightened(region))

    def real_seconds(self, aws_seconds: float) -> float:
        """How long something that takes AWS this long takes here."""
        return aws_seconds / self.pace

    def every(self, seconds_real: float, action: Callable[[], None], name: str) -> None:
        """Do it again and again until the cloud stops; what it raises is logged and it goes on."""

        def loop() -> None:
            while not self.stopping.wait(seconds_real):
                try:
                    action()
                except Exception:
                    self.log(f"{name}: {traceback.format_exc()}")

        thread = threading.Thread(target=loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    # -- processes and addresses -----------------------------------------------------------------------------

    def spawn(
        self,
        argv: Sequence[str | Path],
        env: Mapping[str, str],
        region: str,
        cwd: str | Path | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.STDOUT,
        user: str | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process of a region in its own session; frozen while the region is dark, killed at the end."""
        return self.processes.spawn(argv, env, region, cwd, stdin, stdout, stderr, user)

    def address(self, region: str) -> str:
        """A fresh 127.a.b.c address; no other cloud on this machine hands out the same."""
        return self._addresses.take()

    # -- identities ------------------------------------------------------------------------------------------

    def role_credentials(self, role_arn: str, session_name: str) -> dict[str, Any]:
        """Credentials of a role as a service gets them: AccessKeyId, SecretAccessKey, SessionToken, Expiration."""
        session = self.backend("sts", "global").assume_role(
            region_name=self.regions[0],
            role_session_name=session_name,
            role_arn=role_arn,
            policy=None,
            duration=SESSION_SECONDS,
            external_id=None,
        )
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "Expiration": session.expiration,
        }

    def service_environment(self, region: str, role_arn: str, session_name: str) -> dict[str, str]:
        """The variables that compute services give to a role's code, and how it reaches AWS and the network here."""
        credentials = self.role_credentials(role_arn, session_name)
        return {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.router_url,
            "http_proxy": self.front_door_url,
            "no_proxy": "127.0.0.1,localhost",
        }

    def allows(self, role_arn: str, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
        """Whether a role may do this, by the same rules that the endpoints enforce."""
        return self.access.role_allows(role_arn, action, resource, context)

    def client(self, service: str, region: str, credentials: Mapping[str, Any] | None = None) -> Any:
        """A client to the router, as root unless credentials are given (keys as of `role_credentials`)."""
        from pilotlight.runtime.aws.session import opened

        given = credentials or {"AccessKeyId": ROOT_ACCESS_KEY, "SecretAccessKey": ROOT_SECRET_KEY}
        return opened().create_client(
            service,
            region_name=region,
            endpoint_url=self.router_url,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
        )

    # -- moto and the other behaviours -----------------------------------------------------------------------

    def backend(self, service: str, region: str, account: str = ACCOUNT) -> Any:
        """moto's backend object of a service; those that moto keeps once per partition answer for any region."""
        backends = get_backend(cast(Any, service))[account]
        return backends[region if region in backends else "aws"]

    def lock(self, service: str) -> threading.RLock:
        """Held while moto carries out a call of s3 or dynamodb; hold it to read or change several things at once."""
        return self._locks[service]

    def behaviour(self, kind: type[B]) -> B:
        """The one instance of a behaviour."""
        return next(each for each in self.behaviours if isinstance(each, kind))

    def install(self, behaviours: Iterable[Behaviour]) -> None:
        """Give each behaviour the cloud, before anything is served."""
        self.behaviours = list(behaviours)
        for behaviour in self.behaviours:
            behaviour.install(self)

    def start(self) -> None:
        """Start each behaviour, once the listeners are up."""
        for behaviour in self.behaviours:
            behaviour.start()
        self.every(1.0, self.processes.reap_orphans, "reap orphans")

    def told(self, call: Call) -> None:
        """Tell every behaviour of a successful call."""
        self._tell(lambda behaviour: behaviour.after(call))

    def stop(self) -> None:
        """Stop behaviours in reverse order, then threads, then every process."""
        self.stopping.set()
        for behaviour in reversed(self.behaviours):
            self._guarded(behaviour.name, behaviour.stop)
        self.processes.close()
        deadline = time.monotonic() + THREAD_END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._addresses.close()
        self.calls.close()
        overrides.release()

    def log(self, text: str) -> None:
        """One line (or a traceback) into the cloud's own log."""
        with self._log_lock, (self.directory / "cloud.log").open("a", encoding="utf-8") as file:
            file.write(f"{stamp(time.time())} {text.rstrip()}\n")

    def _tell(self, act: Callable[[Behaviour], None]) -> None:
        for behaviour in self.behaviours:
            self._guarded(behaviour.name, lambda each=behaviour: act(each))  # type: ignore[misc]

    def _guarded(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            self.log(f"{name}: {traceback.format_exc()}")
