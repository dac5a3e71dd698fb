"""A file of the manifest's name that is somebody else's proves nothing."""

from __future__ import annotations

import json
from pathlib import Path

from pilotlight.runtime.checkpoints.formats.generic import MANIFEST, write_manifest
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import find, verify


def test_a_manifest_of_another_schema_makes_nothing_complete(tmp_path: Path) -> None:
    (tmp_path / "step-1").mkdir()
    (tmp_path / "step-1" / "weights.bin").write_bytes(b"1")
    write_manifest(tmp_path / "step-1", 1)
    reader = FolderReader(tmp_path)
    (found,) = find(reader, "generic")
    assert verify(found, reader).complete
    path = tmp_path / "step-1" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": "somebody/else/1"}))
    (found,) = find(reader, "generic")
    verdict = verify(found, reader)
    assert not verdict.complete and "is not a pilotlight" in verdict.problems[0].what
