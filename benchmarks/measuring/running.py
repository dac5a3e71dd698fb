"""Peers and servers of benchmarks: installed from the package registries into build/bench, started, measured, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring.results import QUICK

PLACE = Path("build/bench").resolve()
SERVERS = Path(__file__).parents[1] / "servers"
REGION = "us-east-1"
RCLONE = "github.com/rclone/rclone@latest"

SECONDS_MAX = 900.0
"""One that takes longer is ended, and its figures tell."""


class Missing(Exception):
    """A peer cannot be had here."""


def server(name: str) -> Path:
    """A synthetic server, built with Go."""
    built = PLACE / "servers" / name
    subprocess.run(["go", "build", "-o", built, "."], cwd=SERVERS / name, check=True)
    return built


def python_peer(package: str, command: str) -> Path:
    """A command of a Python package, in an environment of the peers' own."""
    bin = PLACE / "peers/bin"
    if not (bin / command).exists():
        if not (bin / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", bin.parent], check=True)
        _install([bin / "python", "-m", "pip", "install", "--quiet", package], {})
    return bin / command


def go_peer(module: str, command: str) -> Path:
    """A command that Go builds."""
    bin = PLACE / "go"
    if QUICK and not (bin / command).exists():
        raise Missing("it takes minutes to build, and a quick run says nothing of speed")
    if not (bin / command).exists():
        _install(["go", "install", module], {"GOBIN": str(bin)})
    return bin / command


def _install(command: list[Any], settings: dict[str, str]) -> None:
    done = subprocess.run(command, env=os.environ | settings, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Missing(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it could not be installed")


def settings(address: str) -> dict[str, str]:
    """What points ours, boto3, s5cmd and rclone (its remote `s:`) at a server."""
    url = f"http://{address}"
    aws = {
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
        "ENDPOINT_URL": url,
        "REGION": REGION,
        "DEFAULT_REGION": REGION,
    }
    rclone = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": url, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    return {f"AWS_{name}": value for name, value in aws.items()} | {
        f"RCLONE_CONFIG_S_{name}": value for name, value in rclone.items()
    }


@contextmanager
def serving(command: list[Any], ready: str = "ready") -> Iterator[None]:
    """A server, from when it says that it is ready."""
    process = subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while ready not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError(f"{command[0]} ended before it was ready")
        time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def measured(command: list[Any], settings: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Seconds, seconds of a core and peak MB of one process with all that it starts; and what it printed."""
    began, log = time.monotonic(), PLACE / "output.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(each) for each in command], env=os.environ | settings, stdout=output, stderr=output
        )
        ending = threading.Timer(SECONDS_MAX, process.kill)
        ending.start()
        _, _, used = os.wait4(process.pid, 0)
        ending.cancel()
    seconds = time.monotonic() - began
    core = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "core_seconds": core, "peak_mb": used.ru_maxrss / 1024}, log.read_text(errors="replace")
