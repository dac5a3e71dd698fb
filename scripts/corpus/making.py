"""What every maker of the corpus needs: its folders, two processes side by side, its versions.

Runs in an environment of the frameworks' own; nothing of the project is imported.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SEED = 7
RANK = "CORPUS_RANK"
RANKS = 2
SECONDS_MAX = 300
Maker = Callable[[Path], None]


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def elsewhere(folder: Path) -> Iterator[Path]:
    """A temporary folder whose contents end in `folder`: for what keeps the path it was written to."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)
        shutil.copytree(place, folder, dirs_exist_ok=True)


def side_by_side(script: str, layout: str, into: Path) -> None:
    """Two processes of one job, as torchrun starts them; the failure of one is the failure of both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {"WORLD_SIZE": str(RANKS), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, script, "--into", str(into), "--rank", layout],
            env=os.environ | job | {"RANK": str(rank), "LOCAL_RANK": str(rank), RANK: str(rank)},
        )
        for rank in range(RANKS)
    ]
    try:
        codes = [each.wait(SECONDS_MAX) for each in started]
    finally:
        for each in started:
            each.kill()
    if any(codes):
        raise RuntimeError(f"the processes ended with {codes}")


def run(script: str, makers: dict[str, Maker], several: dict[str, Maker], packages: tuple[str, ...]) -> int:
    """Write the layouts that are named, or all; `several` are written by two processes. 1 if one could not be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=Path, default=Path())
    parser.add_argument("--list", action="store_true", help="names of the layouts, and nothing else")
    parser.add_argument("--rank", action="store_true", help="be one of the processes of a layout")
    parser.add_argument("layouts", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join((*makers, *several)))
        return 0
    if options.rank:
        several[options.layouts[0]](options.into / options.layouts[0])
        return 0
    failed = 0
    for layout in options.layouts or [*makers, *several]:
        folder = fresh(options.into / layout)
        try:
            if layout in several:
                side_by_side(script, layout, options.into)
            else:
                makers[layout](folder)
        except Exception:  # one framework that cannot be used here keeps no other from being written
            failed += 1
            shutil.rmtree(folder)
            print(f"{layout} was not written:", file=sys.stderr)
            traceback.print_exc()
        else:
            how = (makers | several)[layout].__doc__
            told = {"how": how, "versions": _versions(packages)}
            (options.into / f"{layout}.versions.json").write_text(json.dumps(told, indent=1) + "\n")
            print(f"{layout}: {sum(1 for each in folder.rglob('*') if each.is_file())} files")
    return 1 if failed else 0


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
