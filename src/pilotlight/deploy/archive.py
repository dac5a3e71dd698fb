"""The Lambda archive: the recovery runtime and nothing else, the same bytes for the same code."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pilotlight
from pilotlight.engine.values import ZIP_MOMENT

RUNTIME = "runtime"
NAME = "pilotlight-runtime.zip"
MODE = 0o644 << 16
"""Plain files, readable by all, as Lambda wants them (Lambda Developer Guide, "Working with .zip file archives")."""


def build(folder: Path) -> Path:
    """Write the archive into this folder; its path."""
    root = Path(pilotlight.__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / NAME
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(root):
            member = zipfile.ZipInfo(f"pilotlight/{file.relative_to(root).as_posix()}", ZIP_MOMENT)
            member.external_attr, member.compress_type = MODE, zipfile.ZIP_DEFLATED
            archive.writestr(member, file.read_bytes())
    return target


def _files(root: Path) -> list[Path]:
    return sorted([root / "__init__.py", *(root / RUNTIME).rglob("*.py")])
