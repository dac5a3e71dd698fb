"""Writes the corpus of checkpoints anew with the newest versions of the frameworks, and says what changed.

    python scripts/write_checkpoints.py [--keep] [LAYOUT ...]

Every family of frameworks gets an environment of its own below build/corpus: some gigabytes, a quarter of an hour the
first time. What is kept lies in tests/fixtures/corpus; `--keep` replaces it by what was written. Values are random,
from fixed seeds; times and ids make every run differ a little, so names and sizes are compared. Damage is done by the
tests (tests/checkpoints/test_corpus.py), to every file of every layout.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAKERS = ROOT / "scripts" / "corpus"
BUILD = ROOT / "build" / "corpus"
WRITTEN = BUILD / "written"
KEPT = ROOT / "tests" / "fixtures" / "corpus"
BYTES_MAX = 8_000_000
VERSIONS = ".versions.json"
SIZE_SHARE = 0.2
"""A file whose size changed by more is named: ids and times move it by less."""

ID = re.compile(r"[0-9a-f]{32}")
"""Names of TensorStore's data files: new ones at every run."""


@dataclass(frozen=True)
class Family:
    """Makers that share an environment. `before`: what has to be there for `packages` to be built."""

    scripts: tuple[str, ...]
    packages: tuple[str, ...]
    before: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    """Scripts that ask the frameworks' own loaders of damaged copies of what is kept."""


FAMILIES = {
    "pytorch": Family(
        ("pytorch.py", "deepspeeds.py", "megatron_core.py"),
        ("deepspeed", "megatron-core"),
        ("torch", "numpy", "transformers", "accelerate", "peft", "lightning", "setuptools", "wheel", "ninja"),
        ("--no-build-isolation",),
        ("loaders.py",),
    ),
    "jax": Family(("jax_orbax.py",), ("orbax-checkpoint", "flax", "jax")),
}


def main() -> int:
    """Exit code 1 where a layout could not be written, or what is kept would be too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="replace what is kept by what was written")
    parser.add_argument("layouts", nargs="*")
    options = parser.parse_args()
    WRITTEN.mkdir(parents=True, exist_ok=True)
    failed = [name for name, family in FAMILIES.items() if not _write(name, family, options.layouts)]
    layouts = options.layouts or sorted(path.name for path in WRITTEN.iterdir() if path.is_dir())
    for layout in layouts:
        for line in _changes(WRITTEN / layout, KEPT / layout):
            print(f"{layout}: {line}")
    if options.keep:
        _keep(layouts)
    return 1 if failed or _bytes(KEPT) > BYTES_MAX else 0


def _write(name: str, family: Family, layouts: list[str]) -> bool:
    """Whether every layout of the family that was asked for is there."""
    python = BUILD / name / "bin" / "python"
    if not python.exists():
        venv.create(BUILD / name, with_pip=True)
    for packages, options in ((family.before, ()), (family.packages, family.options)):
        if packages:
            install = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", *options, *packages]
            subprocess.run(install, check=True)
    codes = []
    for script in family.scripts:
        known = subprocess.run([python, MAKERS / script, "--list"], check=True, capture_output=True, text=True)
        wanted = [each for each in known.stdout.split() if not layouts or each in layouts]
        if wanted:
            done = subprocess.run([python, MAKERS / script, "--into", ".", *wanted], cwd=WRITTEN, check=False)
            codes.append(done.returncode)
    return not any(codes)


def _changes(written: Path, kept: Path) -> Iterator[str]:
    """In words; nothing where there is no difference that matters."""
    if not kept.exists():
        yield "new"
        return
    if not written.exists():
        yield "was not written"
        return
    new, old = _sizes(written), _sizes(kept)
    yield from (f"{name} is not written any more" for name in sorted(old.keys() - new.keys()))
    yield from (f"{name} is new" for name in sorted(new.keys() - old.keys()))
    for name in sorted(new.keys() & old.keys()):
        if abs(new[name] - old[name]) > SIZE_SHARE * old[name]:
            yield f"{name} has {new[name]} bytes, {old[name]} before"


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes by name; of files that are called by an id, of all in a folder together."""
    found = Counter[str]()
    for path in folder.rglob("*"):
        if path.is_file():
            found[ID.sub("*", str(path.relative_to(folder)))] += path.stat().st_size
    return found


def _bytes(folder: Path) -> int:
    return sum(_sizes(folder).values())


def _keep(layouts: list[str]) -> None:
    for layout in layouts:
        if (WRITTEN / layout).exists():
            shutil.rmtree(KEPT / layout, ignore_errors=True)
            shutil.copytree(WRITTEN / layout, KEPT / layout)
            shutil.copy(WRITTEN / (layout + VERSIONS), KEPT / (layout + VERSIONS))
    for name, family in FAMILIES.items():
        for script in family.judges:
            subprocess.run([BUILD / name / "bin" / "python", MAKERS / script, KEPT], check=True)
    rows = [_row(path) for path in sorted(KEPT.glob(f"*{VERSIONS}"))]
    (KEPT / "README.md").write_text("\n".join((*HEAD, *rows, "")))


HEAD = (
    "# What the frameworks write",
    "",
    "`make corpus` writes it anew and says what changed; `make corpus KEEP=1` replaces it. Values are random, nothing",
    "here is anybody's model. The tests damage copies: every file of every layout gone, cut, emptied, of another step.",
    "",
    "| layout | how | written with |",
    "|---|---|---|",
)


def _row(path: Path) -> str:
    told = json.loads(path.read_text())
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    return f"| `{path.name.removesuffix(VERSIONS)}` | {' '.join(told['how'].split())} | {versions} |"


if __name__ == "__main__":
    sys.exit(main())
