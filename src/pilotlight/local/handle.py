"""The embedded cloud from outside: start it, attach to one that runs, make faults, read its record, stop it.

What the commands, the rehearsal and tests hold. The cloud is another process in a folder of its own; the folder is
the cloud's, is refused if something else is in it, and goes when the cloud is stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import psutil

from pilotlight.local.wire.calls import Call, decode_calls
from pilotlight.runtime.errors import BadOption, CloudAlreadyRunning, CloudDidNotStart, CloudNotRunning, PortInUse

LOOPBACK = "127.0.0.1"
STATE = "cloud.json"
LOG = "serve.log"
START_SECONDS_MAX = 60.0
"""It takes two seconds; a busy machine may take many times that."""

STOP_SECONDS_MAX = 20.0
"""After this the server is killed with all its children."""

LOOK_SECONDS = 0.02
CONTROL_SECONDS_MAX = 60.0
"""Longest answer of the control API; the call record of a long run is the largest."""

SCHEMA = "pilotlight/local/1"
TEXTS = ("router_url", "front_door_url", "account", "access_key", "secret_key")
OWN = frozenset(
    {STATE, "cloud.new", LOG, "cloud.log", "calls.jsonl", "instances", "lambda", "mail", "postgres", "snapshots"}
    | {"state", "volumes"}
)
"""What a cloud puts into its folder; a folder with anything else is somebody's, and is not cleared."""


def forget_settings() -> None:
    """From here on this process knows nothing of the person's account nor of a proxy: none of it may leak into a
    rehearsal, nor stop one by being wrong (AWS SDKs and Tools Reference Guide, "Environment variables")."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update({"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull})


class LocalCloud:
    """A running embedded cloud."""

    def __init__(self, directory: Path, state: dict[str, Any], process: subprocess.Popen[bytes] | None) -> None:
        self.directory = directory
        self._state = state
        self._process = process
        self._clients: dict[tuple[str, str], Any] = {}
        self._session: Any = None
        self._lock = threading.Lock()
        self._web = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def start(
        cls,
        directory: Path | None = None,
        regions: tuple[str, ...] = ("us-east-1", "us-west-2"),
        pace: float = 30.0,
        seed: int = 0,
        port: int = 0,
        follow_parent: bool = True,
    ) -> Self:
        """Start one and wait until it serves; with `follow_parent` it ends when this process does.

        Raises CloudAlreadyRunning, PortInUse, BadOption (a folder of something else) or CloudDidNotStart.
        """
        folder = Path(tempfile.mkdtemp(prefix="pilotlight-cloud-")) if directory is None else directory
        folder = folder.absolute()
        _check_free(folder)
        _check_port(port)
        _make(folder)
        command = [sys.executable, "-m", "pilotlight.local.serve", "--directory", str(folder), "--remove-directory"]
        command += ["--regions", ",".join(regions), "--pace", str(pace), "--seed", str(seed), "--port", str(port)]
        command += ["--parent-pid", str(os.getpid())] if follow_parent else []
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment()
            )
        return cls(folder, _wait_until_serving(folder, process), process)

    @classmethod
    def attach(cls, directory: Path) -> Self:
        """The cloud that runs from a folder; raises CloudNotRunning."""
        state = _read_state(directory)
        if state is None or not _is_server(int(state["pid"])):
            raise CloudNotRunning(where=directory)
        return cls(directory.absolute(), state, None)

    # -- how to reach it -------------------------------------------------------------------------------------

    @property
    def router_url(self) -> str:
        return str(self._state["router_url"])

    @property
    def front_door_url(self) -> str:
        return str(self._state["front_door_url"])

    @property
    def endpoints(self) -> dict[str, str]:
        return dict(self._state["endpoints"])

    @property
    def account(self) -> str:
        return str(self._state["account"])

    def environment(self) -> dict[str, str]:
        """The standard variables that point any AWS client here, as root, in the first region."""
        first = next(iter(self.endpoints))
        return {
            "AWS_ACCESS_KEY_ID": str(self._state["access_key"]),
            "AWS_SECRET_ACCESS_KEY": str(self._state["secret_key"]),
            "AWS_REGION": first,
            "AWS_DEFAULT_REGION": first,
            "AWS_ENDPOINT_URL": self.router_url,
        }

    def enter(self) -> None:
        """From here on this process's AWS is this cloud, whatever the person's own settings and files say."""
        forget_settings()
        os.environ.update(self.environment())

    def client(self, service: str, region: str) -> Any:
        """A boto3 client as root; made once per service and region."""
        import boto3
        from botocore.config import Config

        with self._lock:
            self._session = self._session or boto3.session.Session()
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self.router_url,
                    aws_access_key_id=self._state["access_key"],
                    aws_secret_access_key=self._state["secret_key"],
                    config=Config(proxies={}),
                )
            return self._clients[service, region]

    # -- faults and the record -------------------------------------------------------------------------------

    def dark(self, region: str) -> None:
        """Lose a region: no answers, its processes frozen, its schedules still."""
        self._post("dark", region=region)

    def light(self, region: str) -> None:
        """Bring it back as it was."""
        self._post("light", region=region)

    def slow(self, region: str, seconds: float) -> None:
        """Every request takes this much longer; 0 ends it."""
        self._post("slow", region=region, seconds=seconds)

    def throttle(self, region: str, service: str, per_second: float) -> None:
        """Allow this many calls a second; 0 ends it."""
        self._post("throttle", region=region, service=service, per_second=per_second)

    def partial(self, region: str, service: str, dead: bool = True) -> None:
        """One service of the region fails every call."""
        self._post("partial", region=region, service=service, dead=dead)

    def deliveries(self, region: str, dropped: float = 0.0, doubled: float = 0.0, delay_seconds: float = 0.0) -> None:
        """Lose and double these shares of the events that the region's buckets send, and let each be up to so many real
        seconds late, in no order; nothing given ends it."""
        self._post("deliveries", region=region, dropped=dropped, doubled=doubled, delay_seconds=delay_seconds)

    def hold_schedules(self, held: bool = True) -> None:
        """Let no schedule fire, where it is about deploying alone: at thirty times the pace functions always run."""
        self._post("hold-schedules", held=held)

    def calls(
        self,
        since: float | None = None,
        principal: str | None = None,
        region: str | None = None,
        service: str | None = None,
    ) -> list[Call]:
        """The call record, in the order in which calls ended; a principal is matched by any part of its ARN."""
        asked = {"since": since, "principal": principal, "region": region, "service": service}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return decode_calls(self._control(f"calls?{query}"))

    def uses(self, principal: str) -> list[tuple[str, str, str]]:
        """Region, IAM action and resource of every permission that this principal needed and had."""
        found = self._control(f"uses?{urlencode({'principal': principal})}")
        return [(region, action, resource) for region, action, resource in found]

    def mail(self) -> list[dict[str, Any]]:
        """Every e-mail that SNS delivered: to, subject, at, text; the oldest first."""
        found: list[dict[str, Any]] = self._control("mail")
        return found

    def confirm(self) -> None:
        """Confirm every pending subscription, as who reads the mail would."""
        self._post("confirm")

    def status(self) -> dict[str, Any]:
        """Addresses, pace, and the faults in force."""
        return dict(self._control("status"))

    # -- the end ---------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End it with everything it started, and remove its folder; stopping one that is gone is no error."""
        pid = int(self._state["pid"])
        if _is_server(pid):
            with contextlib.suppress(CloudNotRunning):
                self._post("shutdown")
            _wait_or_kill(pid)
        if self._process is not None:
            self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _post(self, act: str, **given: Any) -> None:
        self._control(act, json.dumps(given).encode())

    def _control(self, path: str, body: bytes | None = None) -> Any:
        url = f"{self.router_url}/_cloud/{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with self._web.open(request, timeout=CONTROL_SECONDS_MAX) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            reason = json.load(problem).get("error", "")
            raise BadOption(option=path, value="", reason=reason, expected="what `status` lists") from None
        except OSError:
            raise CloudNotRunning(where=self.router_url) from None


def _environment() -> dict[str, str]:
    """The server finds this package wherever the caller found it."""
    source = str(Path(__file__).parents[2])
    others = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != source]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, *others])}


def _check_free(folder: Path) -> None:
    """Refuse the folder of a cloud that runs and of anything that is no cloud; clear what a dead cloud left."""
    state = _read_state(folder)
    if state is not None and _is_server(int(state["pid"])):
        raise CloudAlreadyRunning(directory=folder, pid=state["pid"])
    left = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if left and state is None and not left <= OWN:
        raise BadOption(
            option="--directory", value=folder, reason="holds something else", expected="an empty or a new folder"
        )
    if left:
        shutil.rmtree(folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOG).touch()
    except OSError as problem:
        reason = f"cannot be written ({problem.strerror})"
        raise BadOption(
            option="--directory", value=folder, reason=reason, expected="a folder that can be made"
        ) from None


def _check_port(port: int) -> None:
    if port == 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise PortInUse(port=port, address=LOOPBACK) from None


def _wait_until_serving(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS_MAX
    try:
        while process.poll() is None and time.monotonic() < deadline:
            state = _read_state(folder)
            if state is not None:
                return state
            time.sleep(LOOK_SECONDS)
    except BaseException:
        _wait_or_kill(process.pid, seconds=0.0)
        raise
    _wait_or_kill(process.pid, seconds=0.0)
    raise CloudDidNotStart(reason=_last_line(folder / LOG), log=folder / LOG)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"


def _read_state(folder: Path) -> dict[str, Any] | None:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return state if _is_state(state) else None


def _is_state(state: Any) -> bool:
    """Whether a cloud wrote this: a file of the same name that is torn, or somebody else's, says nothing of a cloud."""
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        return False
    if not all(isinstance(state.get(name), str) for name in TEXTS):
        return False
    pid, endpoints = state.get("pid"), state.get("endpoints")
    return type(pid) is int and pid > 0 and isinstance(endpoints, dict) and bool(endpoints)


def _is_server(pid: int) -> bool:
    """Whether this process is a cloud's server, not another one that got its number."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "pilotlight.local.serve" in process.cmdline()
    except psutil.Error:
        return False


def _wait_or_kill(pid: int, seconds: float = STOP_SECONDS_MAX) -> None:
    """Wait for the server to end; then kill it with every descendant."""
    try:
        server = psutil.Process(pid)
        descendants = server.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not server.is_running() or server.status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(LOOK_SECONDS)
    for each in [server, *descendants]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
