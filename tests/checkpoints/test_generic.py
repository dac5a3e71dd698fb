"""What a user loses when one of these fails: a checkpoint of their own format, under a manifest that says it is
whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from layouts import Kept

from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.formats import generic
from pilotlight.runtime.checkpoints.formats.generic import MANIFEST, SCHEMA, write_manifest
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import find, verify, verify_all

FILES = {"weights.bin": b"12345", "optimizer/state.bin": b"123"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "step-5"
    (made / "optimizer").mkdir(parents=True)
    for name, body in FILES.items():
        (made / name).write_bytes(body)
    write_manifest(made)
    return made


def listed(name: str) -> dict[str, object]:
    return {"name": name, "bytes": len(FILES["weights.bin"]), "sha256": "0" * 64}


def write(folder: Path, manifest: object) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest))


def only(folder: Path) -> Verdict:
    (verdict,) = verify_all(FolderReader(folder.parent))
    return verdict


def test_files_as_the_manifest_says_are_a_complete_checkpoint(folder: Path) -> None:
    verdict = only(folder)
    assert (verdict.format, verdict.step, verdict.complete) == ("generic", 5, True)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_or_short_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"1")
    assert [problem.file for problem in only(folder).problems] == [name]
    (folder / name).unlink()
    assert [(problem.file, problem.what) for problem in only(folder).problems] == [(name, "missing")]


def test_a_file_that_the_manifest_does_not_name_is_foreign(folder: Path) -> None:
    (folder / "optimizer" / "old.bin").write_bytes(b"")
    assert only(folder).problems[0].file == "optimizer/old.bin"


@pytest.mark.parametrize(
    "manifest",
    [
        {"schema": SCHEMA, "files": []},
        {"schema": "another/1", "files": [listed("weights.bin")]},
        {"schema": SCHEMA, "files": [{"name": "weights.bin"}]},
        {"schema": SCHEMA, "files": [{"name": "weights.bin", "bytes": 5, "sha256": "short"}]},
        {"schema": SCHEMA, "files": [listed("weights.bin"), listed("weights.bin")]},
        {"schema": SCHEMA, "files": 5},
        {"schema": SCHEMA, "files": [listed("../step-4/weights.bin")]},
        [],
        "text",
    ],
)
def test_a_manifest_that_says_nothing_useful_is_not_complete(folder: Path, manifest: object) -> None:
    write(folder, manifest)
    assert not only(folder).complete


def test_links_that_lead_out_of_the_folder_are_not_followed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "weights.bin"
    outside.write_bytes(FILES["weights.bin"])
    (folder / "weights.bin").unlink()
    (folder / "weights.bin").symlink_to(outside)
    assert only(folder).problems[0].file == "weights.bin"


def test_bytes_that_changed_behind_the_same_size_are_found_by_reading_all(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"54321")
    reader = FolderReader(folder.parent)
    (found,) = find(reader)
    assert verify(found, reader).complete
    (problem,) = verify_deeply(found, reader).problems
    assert problem.file == "weights.bin" and "SHA-256" in problem.what


def test_a_step_of_zero_that_the_manifest_tells_is_a_step(folder: Path) -> None:
    write_manifest(folder, step=0)
    assert only(folder).step == 0


def test_the_manifest_tells_the_step_where_the_name_does_not(folder: Path) -> None:
    renamed = folder.rename(folder.parent / "best")
    write_manifest(renamed, step=1200)
    assert only(renamed).step == 1200


def test_a_second_manifest_does_not_name_the_first(folder: Path) -> None:
    assert write_manifest(folder) == len(FILES)
    assert only(folder).complete


def in_memory(*listed: dict[str, object], step: object = None, **files: bytes) -> Verdict:
    """A folder of these files under a manifest that lists these."""
    text = json.dumps({"schema": SCHEMA, "step": step, "files": listed}).encode()
    (verdict,) = verify_all(Kept({f"best/{name}": body for name, body in (files | {MANIFEST: text}).items()}))
    return verdict


def entry(**changed: object) -> dict[str, object]:
    return {"name": "a", "bytes": 2, "sha256": "0" * 64} | changed


@pytest.mark.parametrize("name", ["/etc/passwd", "../step-4/a", "b/../../a", ".."])
def test_a_name_that_leads_out_of_the_folder_is_told_so(name: str) -> None:
    verdict = in_memory(entry(), entry(name=name), a=b"12")
    assert [(each.file, each.what) for each in verdict.problems] == [(name, "is outside of the checkpoint's folder")]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"bytes": -1}, "does not describe 'a' as it must be"),
        ({"bytes": True}, "does not describe 'a' as it must be"),
        ({"bytes": 2.0}, "does not describe 'a' as it must be"),
        ({"name": 5}, "does not describe 5 as it must be"),
        ({"sha256": None}, "has no SHA-256 of a"),
        ({"sha256": "0" * 65}, "has no SHA-256 of a"),
        ({"sha256": "A" * 64}, "has no SHA-256 of a"),
    ],
)
def test_a_file_that_the_manifest_does_not_describe_proves_nothing(changed: dict[str, object], what: str) -> None:
    verdict = in_memory(entry(**changed), a=b"12")
    assert [(each.file, each.what) for each in verdict.problems] == [(MANIFEST, what)]


def test_a_file_of_no_bytes_is_one() -> None:
    assert in_memory(entry(bytes=0), a=b"").complete


@pytest.mark.parametrize(("told", "step"), [(0, 0), (7, 7), (True, None), ("7", None), (None, None)])
def test_the_step_is_the_number_that_the_manifest_tells(told: object, step: int | None) -> None:
    assert in_memory(entry(), step=told, a=b"12").step == step


def test_a_manifest_as_large_as_may_be_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (folder / MANIFEST).stat().st_size
    monkeypatch.setattr(generic, "MANIFEST_BYTES_MAX", size)
    assert only(folder).complete
    monkeypatch.setattr(generic, "MANIFEST_BYTES_MAX", size - 1)
    assert [each.what for each in only(folder).problems] == [f"{size} bytes are too many for a manifest"]


def test_a_manifest_of_a_folder_below_is_a_file_like_any_other(folder: Path) -> None:
    (folder / "optimizer" / MANIFEST).write_text("{}")
    assert write_manifest(folder) == len(FILES) + 1
    assert only(folder).complete
    (folder / "optimizer" / MANIFEST).write_text("[]x")
    assert [each.file for each in only(folder).problems] == [f"optimizer/{MANIFEST}"]


def test_a_large_file_is_hashed_whole(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"12345" * 4_000_000)
    write_manifest(folder)
    reader = FolderReader(folder.parent)
    (found,) = find(reader)
    assert verify_deeply(found, reader).complete


@pytest.mark.parametrize("step", ["5", 5.0, True, None])
def test_a_manifest_whose_step_is_no_number_tells_none(folder: Path, step: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    write(folder, manifest | {"step": step})
    (found,) = find(FolderReader(folder.parent))
    assert isinstance(found.format, generic.Generic)
    assert found.format.step(found.candidate, FolderReader(folder.parent)) is None
