"""The harness of `make mutants`: a change that is none, or a test that sees nothing, must not pass for safety."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from mutations import is_sound, mutants, placed  # noqa: E402

MODULE = "def may_go(held: int, newest: int) -> bool:\n    return held >= newest\n"
SAID = """files = ["src/gate.py"]
tests = ["tests/test_gate.py"]
preload = ["_hypothesis_pytestplugin", "xdist.plugin"]
"""
SEES = "from gate import may_go\n\n\ndef test_gate():\n    assert may_go(2, 2) and not may_go(1, 2) and may_go(3, 2)\n"
BLIND = "from gate import may_go\n\n\ndef test_gate():\n    may_go(2, 2)\n"


def changes(source: str) -> set[tuple[str, str]]:
    """(operator, the changed text) of every mutant that is one."""
    return {(each.operator, each.of(source)) for each in mutants("a.py", source) if is_sound(each, source)}


@pytest.mark.parametrize(
    ("operator", "source", "changed"),
    [
        ("comparison", "x = a < b\n", "x = (a <= b)\n"),
        ("comparison", "x = a < b\n", "x = (a >= b)\n"),
        ("comparison", "x = a not in b\n", "x = (a in b)\n"),
        ("connective", "x = a and b\n", "x = (a or b)\n"),
        ("part of a condition", "x = a and b and c\n", "x = (a and c)\n"),
        ("not", "x = not a\n", "x = (a)\n"),
        ("flag", "x = f(True)\n", "x = f(False)\n"),
        ("number", "def f():\n    return a[1]\n", "def f():\n    return a[2]\n"),
        ("number", "def f():\n    return a[1]\n", "def f():\n    return a[(0)]\n"),
        ("slice", "x = a[1:]\n", "x = a[:]\n"),
        ("slice", "x = a[:n]\n", "x = a[:]\n"),
        ("return", "def f() -> bool:\n    return a\n", "def f() -> bool:\n    return True\n"),
        ("return", "def f() -> list[int]:\n    return a\n", "def f() -> list[int]:\n    return []\n"),
        ("return", "def f() -> int | None:\n    return a\n", "def f() -> int | None:\n    return None\n"),
        ("statement", "f()\n", "pass\n"),
        ("statement", "self.a = 1\n", "pass\n"),
        ("statement", "raise E('gone')\n", "pass\n"),
        ("condition", "if a:\n    f()\n", "if True:\n    f()\n"),
        ("condition", "if a:\n    f()\n", "if False:\n    f()\n"),
        ("condition", "x = [a for a in b if a]\n", "x = [a for a in b if True]\n"),
        ("except", "try:\n    f()\nexcept E:\n    g()\n    h()\n", "try:\n    f()\nexcept E:\n    pass\n"),
        ("except", "try:\n    f()\nexcept E:\n    g()\n", "try:\n    f()\nexcept E:\n    raise\n"),
        ("function", "x = all(a)\n", "x = any(a)\n"),
        ("arithmetic", "x = a + b\n", "x = (a - b)\n"),
    ],
)
def test_a_change_that_is_announced_is_the_one_that_is_made(operator: str, source: str, changed: str) -> None:
    assert (operator, changed) in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""Never true or false."""\n',
        "LIMIT_SECONDS = 30.0\n",
        "def f(a: int | None):\n    pass\n",
        "def __repr__(self) -> str:\n    return self.a\n",
        "x = f'{a if b else c} and not {d[1]}'\n",
    ],
)
def test_what_is_no_behaviour_is_not_counted_as_caught(source: str) -> None:
    assert not changes(source)


def test_text_beyond_ascii_moves_no_change_to_another_place() -> None:
    source = "x = 'ü – ü'; y = a < b\n"
    assert ("comparison", "x = 'ü – ü'; y = (a <= b)\n") in changes(source)


def test_a_fixed_change_whose_place_is_gone_or_not_alone_is_refused() -> None:
    for source in ("x = 1\n", "a < b\na < b\n"):
        with pytest.raises(ValueError, match="not once"):
            placed("a.py", source, "a < b", "a > b")


def test_every_fixed_change_of_ours_has_its_place() -> None:
    """Else `make mutants` ends before it begins, and nobody runs it every day."""
    root = SCRIPTS.parent
    fixed = tomllib.loads((root / "tests/mutants/mutants.toml").read_text())["fixed"]
    assert len(fixed) > 10
    for each in fixed:
        placed(each["file"], (root / each["file"]).read_text(), each["original"], each["replacement"], each["name"])


def test_every_reason_of_ours_is_of_a_change_that_can_be_made() -> None:
    """One that stayed behind when its code went would excuse the next change that is called the same."""
    root = SCRIPTS.parent
    listed = tomllib.loads((root / "tests/mutants/equivalent.toml").read_text())["mutant"]
    names = ("file", "function", "statement", "original", "replacement")
    made = {each.key for file in {each["file"] for each in listed} for each in mutants(file, (root / file).read_text())}
    assert [each for each in listed if tuple(each[name] for name in names) not in made] == []


def project(root: Path, test: str, module: str = MODULE, equivalent: str = "") -> Path:
    """A project of one file and one test file."""
    for name, text in {
        "src/gate.py": module,
        "tests/test_gate.py": test,
        "tests/mutants/mutants.toml": SAID,
        "tests/mutants/equivalent.toml": equivalent,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def command(root: Path) -> list[str]:
    return [sys.executable, str(SCRIPTS / "mutants.py"), "--root", str(root), "--mutants", "5"]


def run(root: Path) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run(command(root), capture_output=True, text=True, timeout=100, check=False)
    assert (root / "build/mutants.json").exists(), ended.stderr
    return ended.returncode, json.loads((root / "build/mutants.json").read_text())


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(root)): each.read_bytes()
        for each in sorted(root.rglob("*"))
        if each.is_file() and "build" not in each.parts and "__pycache__" not in each.parts
    }


def test_a_test_that_asserts_nothing_is_told_by_its_survivors(tmp_path: Path) -> None:
    code, said = run(project(tmp_path, BLIND))
    assert (code, said["caught"]) == (1, 0)
    assert said["tried"] == len(said["survivors"]) > 0
    assert not any(each["reason"] for each in said["survivors"])


def test_a_test_that_looks_catches_every_change(tmp_path: Path) -> None:
    code, said = run(project(tmp_path, SEES))
    assert (code, said["caught"], said["share"]) == (0, said["tried"], 1.0)


def test_a_reason_holds_for_its_own_change_alone(tmp_path: Path) -> None:
    root = project(tmp_path, BLIND)
    survivor = run(root)[1]["survivors"][0]
    names = ("file", "function", "statement", "original", "replacement")
    lines = [f"{name} = {json.dumps(survivor[name])}" for name in names]
    entry = "\n".join(["[[mutant]]", *lines, 'reason = "nobody asks"'])
    said = run(project(tmp_path, BLIND, equivalent=entry))[1]
    assert said["equivalent"] == 1
    assert [each["reason"] for each in said["survivors"]].count("") == said["tried"] - 1


def test_a_test_that_fails_by_itself_catches_nothing_and_is_named(tmp_path: Path) -> None:
    code, said = run(project(tmp_path, BLIND + "    assert False\n"))
    assert (code, said["caught"]) == (1, 0)
    assert "test_gate" in said["failing"][0]


SLOW_ONCE = """import time
from pathlib import Path

from gate import may_go


def test_gate():
    slow = Path("build/slow")
    if (may_go(True), may_go(False)) != (True, False) and not slow.exists():
        slow.touch()
        time.sleep(60)
"""


def test_a_test_that_was_slow_on_a_busy_machine_has_caught_nothing_by_that(tmp_path: Path) -> None:
    code, said = run(project(tmp_path, SLOW_ONCE, "def may_go(held: bool) -> bool:\n    return held\n"))
    assert (tmp_path / "build/slow").exists()
    assert (code, said["caught"], said["timeouts"], said["tried"]) == (1, 0, 0, len(said["survivors"]))


def test_a_harness_that_is_killed_leaves_the_tree_and_no_process_behind(tmp_path: Path) -> None:
    slow = (
        "import os, time\n" + SEES + "    open(os.environ['SEEN'], 'a').write(f'{os.getpid()}\\n')\n    time.sleep(1)\n"
    )
    root, seen = project(tmp_path, slow), tmp_path / "build/seen"
    seen.parent.mkdir()
    before = tree(root)
    harness = subprocess.Popen(command(root), env=os.environ | {"SEEN": str(seen)}, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (seen.exists() and seen.read_text().endswith("\n")) and time.monotonic() < until:
        time.sleep(0.05)
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    assert tree(root) == before
    begun = [int(each) for each in seen.read_text().split()]
    until = time.monotonic() + 20
    while any(_lives(each) for each in begun) and time.monotonic() < until:
        time.sleep(0.1)
    assert begun
    assert not any(_lives(each) for each in begun)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
