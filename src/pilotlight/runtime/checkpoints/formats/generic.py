"""Generic: any files at all, made a checkpoint by a manifest of names, sizes and checksums.

`pilotlight-manifest.json`: {"schema": "pilotlight/checkpoint-manifest/1", "step": 1200 or null, "files": [{"name",
"bytes", "sha256"}]}. `pilotlight checkpoints manifest FOLDER` writes it, or whoever saves, as the last act. Names
and sizes are compared with the listing; the checksums are for `--deep`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilotlight.runtime.checkpoints.encodings.json_text import parse
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File, Problem, Reader, Unreadable

MANIFEST = "pilotlight-manifest.json"
SCHEMA = "pilotlight/checkpoint-manifest/1"
MANIFEST_BYTES_MAX = 256 * 1024 * 1024
CHUNK_BYTES = 8 * 1024 * 1024

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Listed:
    """One file as the manifest has it."""

    name: str
    bytes: int
    sha256: str


class Generic:
    """Files listed in a manifest of ours."""

    name = "generic"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        return (folder for folder in folders if folder.named(MANIFEST))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        try:
            return tuple(_compare(candidate, _files(_manifest(candidate, reader))))
        except (Damaged, Unreadable) as damage:
            return (Problem(MANIFEST, str(damage)),)

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep."""
        step = _manifest(candidate, reader).get("step")
        return step if type(step) is int else None

    def sums(self, candidate: Candidate, reader: Reader) -> Mapping[str, str]:
        """See KnowsSums."""
        return {each.name: each.sha256 for each in _files(_manifest(candidate, reader))}


def write_manifest(folder: Path, step: int | None = None) -> int:
    """Make a folder a checkpoint: hash what lies in it, write the manifest last, by a rename; how many files it names.
    OSError where a file cannot be read."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).as_posix() != MANIFEST
    )
    files = [asdict(_listed(folder, path)) for path in paths]
    written = folder / f".{MANIFEST}.tmp"
    written.write_text(json.dumps({"schema": SCHEMA, "step": step, "files": files}, indent=1))
    written.replace(folder / MANIFEST)
    return len(files)


def _listed(folder: Path, path: Path) -> Listed:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return Listed(path.relative_to(folder).as_posix(), size, digest.hexdigest())


def _manifest(candidate: Candidate, reader: Reader) -> dict[str, Any]:
    file = candidate.required(MANIFEST)
    if file.size > MANIFEST_BYTES_MAX:
        raise Damaged(f"{file.size} bytes are too many for a manifest")
    parsed = parse(reader.read_range(file, 0, file.size))
    if not isinstance(parsed, dict) or parsed.get("schema") != SCHEMA:
        raise Damaged(f"is not a {SCHEMA}")
    return parsed


def _files(manifest: dict[str, Any]) -> list[Listed]:
    """What it names; Damaged when the manifest is not what it must be."""
    try:
        found = [Listed(each["name"], each["bytes"], each["sha256"]) for each in manifest["files"]]
    except (KeyError, TypeError) as problem:
        raise Damaged("its files are not described as they must be") from problem
    for each in found:
        if not isinstance(each.name, str) or type(each.bytes) is not int or each.bytes < 0:
            raise Damaged(f"does not describe {each.name!r} as it must be")
        if not isinstance(each.sha256, str) or not _SHA256.fullmatch(each.sha256):
            raise Damaged(f"has no SHA-256 of {each.name}")
    if not found:
        raise Damaged("names no file")
    if len({each.name for each in found}) != len(found):
        raise Damaged("names a file twice")
    return found


def _compare(candidate: Candidate, wanted: list[Listed]) -> Iterator[Problem]:
    present: dict[str, File] = {candidate.name(file): file for file in candidate.files}
    for each in sorted(wanted, key=lambda each: each.name):
        if ".." in each.name.split("/") or each.name.startswith("/"):
            yield Problem(each.name, "is outside of the checkpoint's folder")
        elif each.name not in present:
            yield Problem(each.name, "missing")
        elif present[each.name].size != each.bytes:
            yield Problem(each.name, f"has {present[each.name].size} bytes, the manifest says {each.bytes}")
    for name in sorted(present.keys() - {each.name for each in wanted} - {MANIFEST}):
        yield Problem(name, "foreign: the manifest does not name it")
