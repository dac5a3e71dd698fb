"""Generic: any files at all, made a checkpoint by a manifest of names and sizes that the saver writes himself.

`pilotlight-manifest.json`: {"schema": "pilotlight/checkpoint-manifest/1", "files": [{"name", "bytes", "sha256"}]}. The
manifest says what belongs to the checkpoint; every file is compared with the listing. Checksums are for deep checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pilotlight.checkpoints.format import Candidate, Damaged, File, Problem, Reader, Unreadable
from pilotlight.checkpoints.json_text import parse

MANIFEST = "pilotlight-manifest.json"
SCHEMA = "pilotlight/checkpoint-manifest/1"


class Generic:
    """Files listed in a manifest of ours."""

    name = "generic"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        return (folder for folder in folders if folder.named(MANIFEST))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        manifest = candidate.named(MANIFEST)
        if manifest is None:
            return (Problem(MANIFEST, "missing"),)
        try:
            wanted = _files(manifest, reader)
        except (Damaged, Unreadable) as damage:
            return (Problem(MANIFEST, str(damage)),)
        return tuple(_compare(candidate, wanted))


def _files(manifest: File, reader: Reader) -> dict[str, int]:
    """Name -> bytes of every file; Damaged when the manifest is not what it must be."""
    parsed: Any = parse(reader.read_range(manifest, 0, manifest.size))
    if not isinstance(parsed, dict) or parsed.get("schema") != SCHEMA:
        raise Damaged(f"is not a {SCHEMA}")
    try:
        found = {str(each["name"]): int(each["bytes"]) for each in parsed["files"]}
    except (KeyError, TypeError, ValueError) as problem:
        raise Damaged(f"its files are not described as they must be: {problem}") from problem
    if not found:
        raise Damaged("names no file")
    return found


def _compare(candidate: Candidate, wanted: dict[str, int]) -> Iterator[Problem]:
    present = {file.key.removeprefix(candidate.path): file.size for file in candidate.files}
    for name, size in sorted(wanted.items()):
        if ".." in name.split("/") or name.startswith("/"):
            yield Problem(name, "is outside of the checkpoint's folder")
        elif name not in present:
            yield Problem(name, "missing")
        elif present[name] != size:
            yield Problem(name, f"has {present[name]} bytes, the manifest says {size}")
    for name in sorted(present.keys() - wanted.keys() - {MANIFEST}):
        yield Problem(name, "foreign: the manifest does not name it")
