"""The warm environments of each function: kept, reused one event at a time, replaced when the function changes.

Source: AWS Lambda Developer Guide, "Understanding Lambda function scaling" and "Configuring reserved concurrency".
The archive is extracted once per distinct content; boto3 and its dependencies are linked into a folder of their own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.lambda_.environment import LIBRARIES, Environment, FunctionSpec
from pilotlight.local.lambda_.errors import TooManyRequests

ENVIRONMENTS_PER_FUNCTION_MAX = 10
"""Unreserved concurrency of one function; AWS gives an account 1000, one small machine carries fewer processes."""
IDLE_SECONDS_MAX = 600.0
"""AWS seconds an unused environment is kept warm."""
IDLE_REAL_SECONDS_MIN = 20.0
"""However fast the pace, a warm environment lives at least this long."""


@dataclass
class Warm:
    """What is known about one function's environments."""

    idle: list[Environment] = field(default_factory=list)
    busy: int = 0


class Pool:
    """All environments of all functions."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._warm: dict[str, Warm] = {}
        self._lock = threading.Lock()
        self._extracting = threading.Lock()
        self._folder = cloud.directory / "lambda"

    @contextmanager
    def environment(self, spec: FunctionSpec, archive: bytes, reserved: int | None) -> Iterator[Environment]:
        """An environment of exactly this function for one event; TooManyRequests at the concurrency limit."""
        warm = self._enter(spec, reserved)
        chosen: Environment | None = None
        try:
            chosen = self._reuse(warm, spec) or self._create(spec, archive)
            yield chosen
        finally:
            with self._lock:
                warm.busy -= 1
                if chosen is not None and chosen.alive and not chosen.expired:
                    warm.idle.append(chosen)
                    chosen = None
            if chosen is not None:
                chosen.end()

    def end_idle(self) -> None:
        """End environments nobody used for a while; called by a timer."""
        limit = max(self._cloud.real_seconds(IDLE_SECONDS_MAX), IDLE_REAL_SECONDS_MIN)
        oldest = time.monotonic() - limit
        with self._lock:
            old = [each for warm in self._warm.values() for each in warm.idle if each.idle_since < oldest]
            for warm in self._warm.values():
                warm.idle = [each for each in warm.idle if each not in old]
        for each in old:
            each.end()

    def end_all(self) -> None:
        """End every idle environment; busy ones end with their process."""
        with self._lock:
            idle = [each for warm in self._warm.values() for each in warm.idle]
            self._warm.clear()
        for each in idle:
            each.end()

    def _enter(self, spec: FunctionSpec, reserved: int | None) -> Warm:
        limit = ENVIRONMENTS_PER_FUNCTION_MAX if reserved is None else reserved
        with self._lock:
            warm = self._warm.setdefault(spec.arn, Warm())
            if warm.busy >= limit:
                raise TooManyRequests(reserved=reserved is not None)
            warm.busy += 1
            return warm

    def _reuse(self, warm: Warm, spec: FunctionSpec) -> Environment | None:
        with self._lock:
            fitting = [each for each in warm.idle if each.spec == spec and each.alive and not each.expired]
            chosen = fitting[-1] if fitting else None
            outdated = [each for each in warm.idle if each not in fitting]
            warm.idle = [each for each in fitting if each is not chosen]
        for each in outdated:
            each.end()
        return chosen

    def _create(self, spec: FunctionSpec, archive: bytes) -> Environment:
        with self._extracting:
            code, libraries = self._extracted(archive), self._libraries()
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return Environment(self._cloud, spec, code, libraries, logs)

    def _extracted(self, archive: bytes) -> Path:
        """The folder of this archive's content, extracted aside and then renamed, so it is whole or absent."""
        folder = self._folder / "code" / hashlib.sha256(archive).hexdigest()[:32]
        if folder.exists():
            return folder
        aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}")
        with zipfile.ZipFile(io.BytesIO(archive)) as content:
            content.extractall(aside)
        aside.rename(folder)
        return folder

    def _libraries(self) -> Path:
        """The folder a function sees beside its archive: boto3 and its dependencies, and nothing else installed."""
        folder = self._folder / "runtime"
        if folder.exists():
            return folder
        aside = folder.with_name(f"runtime.{uuid.uuid4().hex[:8]}")
        aside.mkdir(parents=True)
        for name in LIBRARIES:
            _link(name, aside)
        with suppress(OSError):
            aside.rename(folder)
        return folder


def _link(name: str, folder: Path) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed; Lambda functions need it", name=name)
    origin = Path(spec.origin)
    source = origin.parent if spec.submodule_search_locations else origin
    try:
        (folder / source.name).symlink_to(source)
    except OSError:
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / source.name)
