"""A kind of asset is two folders and three lines: a toy is added to a copy of the package that way and taken from its
declaration to the loss of a region, home again and down. CONTRIBUTING.md, "A new asset kind", tells it in words."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pilotlight
from pilotlight.local.handle import LocalCloud
from workloads.person import PRIMARY, STANDBY, Person, complete, home, lost_and_regained

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
SOURCE = Path(pilotlight.__file__).parent
NOTE, COPY = "/acme/motd", "/pilotlight/noted/motd/recovered"
LINES = {
    "runtime/kinds/registry.py": (
        ("from pilotlight.runtime.kinds.volumes.kind", "from pilotlight.runtime.kinds.note.kind import NoteKind\n"),
        ("    AutoScalingGroup(),", "    NoteKind(),\n"),
    ),
    "kinds/registry.py": (('    "compute": "autoscaling",', '    "note": "note",\n'),),
}
"""Registry -> what is written before, or after, which of its lines."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package with one more kind; where it lies."""
    root = tmp_path / "source"
    made = root / "pilotlight"
    shutil.copytree(SOURCE, made, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HERE / "note/runtime", made / "runtime/kinds/note")
    shutil.copytree(HERE / "note/before", made / "kinds/note")
    for file, lines in LINES.items():
        text = (made / file).read_text()
        for at, line in lines:
            assert text.count(at) == 1, f"{file} has no line {at}"
            text = text.replace(at, line + at)
        (made / file).write_text(text)
    return root


@pytest.fixture
def person(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody who types the commands of that package; the cloud is everybody's."""
    with LocalCloud.start(directory=tmp_path / "cloud") as cloud:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]))
        yield Person(cloud, HERE / "workload.yaml")


def value(cloud: LocalCloud, region: str, name: str) -> str:
    return str(cloud.client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"])


def part(point: dict[str, Any]) -> dict[str, Any]:
    (found,) = point["parts"]
    return dict(found)


def test_nothing_else_of_the_package_is_edited(package: Path) -> None:
    made = package / "pilotlight"
    files = [
        path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]
    changed = [str(each) for each in files if not filecmp.cmp(SOURCE / each, made / each, shallow=False)]
    assert sorted(changed) == sorted(LINES)


def test_a_toy_kind_goes_all_the_way_by_two_folders_and_two_registries(person: Person) -> None:
    cloud = person.cloud
    ssm = {region: cloud.client("ssm", region) for region in (PRIMARY, STANDBY)}
    ssm[PRIMARY].put_parameter(Name=NOTE, Value="all is well", Type="String")
    assert "copied every 60 s" in person.types("plan"), "declared, and promised"

    person.types("up", "--yes")
    point = person.awaits_point(complete)
    assert part(point)["kind"] == "note" and value(cloud, STANDBY, COPY) == "all is well"
    assert json.loads(person.types("points", "verify", "newest", "--json"))["holds"]

    lost_and_regained(person)
    ssm[STANDBY].put_parameter(Name=COPY, Value="we have moved", Type="String", Overwrite=True)
    home(person)
    assert value(cloud, PRIMARY, NOTE) == "we have moved", "what the standby wrote came home"

    ssm[STANDBY].put_parameter(Name=COPY, Value="forged", Type="String", Overwrite=True)
    assert person.tries("points", "verify", point["id"]).returncode, "a changed copy does not hold"

    ssm[PRIMARY].delete_parameter(Name=NOTE)
    refused = person.tries("destroy", "--yes")
    assert refused.returncode and "motd" in refused.stderr, "the copy is the only one"
    ssm[PRIMARY].put_parameter(Name=NOTE, Value="all is well", Type="String")
    person.types("destroy", "--yes")
