"""The embedded cloud as one process: `python -m pilotlight.local.serve --directory D --regions A,B --pace 30 --seed 7`.

It writes D/cloud.json when it serves, and ends - with everything it started - on SIGTERM, SIGINT, the control API's
shutdown, or when the process named by --parent-pid is gone. Its own environment is cleared of the person's AWS
settings and proxies first, so nothing in here can reach an account.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from pilotlight.local.handle import STATE, forget_settings
from pilotlight.runtime.errors import PilotlightError

PARENT_LOOK_SECONDS = 0.25
"""How soon it is noticed that the parent is gone."""

END_SECONDS_MAX = 15.0
"""An end that takes longer is forced: the process exits, and the reaper kills what is left."""

MOTO_SETTINGS = {
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}
"""Read by moto when it is imported; AWS's managed policies can be attached, images of Amazon's can be found."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; the exit code is that of the error catalogue."""
    options = _options(arguments)
    _clear_environment()
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: end.set())
    try:
        stop = _open(options, end)
    except PilotlightError as problem:
        print(problem.message, file=sys.stderr)
        return problem.code
    if options.parent_pid:
        threading.Thread(target=_follow, args=(options.parent_pid, end), daemon=True).start()
    end.wait()
    _force_end_later()
    stop()
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pilotlight.local.serve", description="Serve the embedded cloud.")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--regions", default="us-east-1,us-west-2")
    parser.add_argument("--pace", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="port of the router; 0 takes a free one")
    parser.add_argument("--parent-pid", type=int, default=0, help="end when this process is gone")
    parser.add_argument("--remove-directory", action="store_true", help="remove the folder at the end")
    return parser.parse_args(arguments)


def _clear_environment() -> None:
    forget_settings()
    os.environ.update(MOTO_SETTINGS)


def _open(options: argparse.Namespace, end: threading.Event) -> Callable[[], None]:
    """Build the cloud, serve, write its state; returns how to end it. moto is imported here, after its settings."""
    from pilotlight.local.behaviours import all_behaviours
    from pilotlight.local.kernel.cloud import Cloud
    from pilotlight.local.station import Station

    options.directory.mkdir(parents=True, exist_ok=True)
    remove = options.directory if options.remove_directory else None
    cloud = Cloud(options.directory, tuple(options.regions.split(",")), options.pace, options.seed)
    cloud.processes.adopt_orphans()
    if remove:
        cloud.processes.remove_at_death(remove)
    station = Station(cloud, shutdown=end.set, port=options.port)
    try:
        station.open(all_behaviours())
    except BaseException:
        station.close()
        raise
    _write_state(options.directory / STATE, station.control.status())
    return lambda: _end(station.close, options.directory / STATE, remove)


def _end(close: Callable[[], None], state: Path, folder: Path | None) -> None:
    close()
    state.unlink(missing_ok=True)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _write_state(path: Path, state: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(state, indent=2), encoding="utf-8")
    unfinished.chmod(0o600)
    unfinished.rename(path)


def _follow(parent: int, end: threading.Event) -> None:
    """End when the parent is gone; a number that was given to another process since counts as gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(parent)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(PARENT_LOOK_SECONDS)
    end.set()


def _force_end_later() -> None:
    timer = threading.Timer(END_SECONDS_MAX, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
