"""How the command starts: what a verb does not need is not loaded for it."""

from __future__ import annotations

import inspect
import os
import pkgutil
import subprocess
import sys
from functools import cache

import pytest
import typer

import pilotlight
from pilotlight.cli import app
from pilotlight.cli.main import run

HEAVY = {"pulumi", "pulumi_aws", "moto", "psycopg", "duckdb", "pyspark"}
ROOMS = {f"pilotlight.{each.name}" for each in pkgutil.iter_modules(pilotlight.__path__) if each.ispkg} - {
    "pilotlight.cli"
}
OF_THE_DAY = {"failover", "failback", "status", "points"}
"""Verbs that somebody types in an outage."""
TOLD = "import sys; from pilotlight.cli.main import run; run({words!r}); print(*sys.modules, file=sys.stderr)"


@cache
def loaded(*words: str) -> set[str]:
    """Modules that are there once the command has answered."""
    told = [sys.executable, "-c", TOLD.format(words=list(words))]
    return set(subprocess.run(told, capture_output=True, text=True, check=True).stderr.split())


def completed(line: str, shell: str = "bash") -> str:
    """What a shell is told when somebody presses tab at the end of the line."""
    asked = {
        "_PILOTLIGHT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }
    done = subprocess.run(
        [sys.executable, "-m", "pilotlight"], env=os.environ | asked, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("verb", app.VERBS)
def test_a_verb_starts_without_what_only_deploying_or_the_embedded_cloud_needs(verb: str) -> None:
    """Whoever asks for the status in an outage does not wait for it."""
    assert HEAVY & loaded(verb, "--help") == set()


@pytest.mark.parametrize("verb", sorted(OF_THE_DAY))
def test_a_verb_of_the_day_loads_neither_engine_nor_formats_of_checkpoints(verb: str) -> None:
    rooms = {"pilotlight.engine", "pilotlight.deploy", "pilotlight.stacks", "pilotlight.survey", "pilotlight.demo"}
    assert rooms & loaded(verb, "--help") == set()
    assert not [each for each in loaded(verb, "--help") if each.startswith("pilotlight.runtime.checkpoints.formats")]


def test_the_help_loads_no_room_and_no_client() -> None:
    assert len(ROOMS) > 10 and "pilotlight.runtime" in ROOMS
    loads = loaded("--help") - {"pilotlight.runtime.errors"}
    assert (HEAVY | ROOMS - {"pilotlight.runtime"} | {"boto3", "botocore", "pydantic"}) & loads == set()


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",)])
def test_what_the_command_says_of_itself_needs_no_parser(words: tuple[str, ...]) -> None:
    assert {"typer", "click", "rich", "pilotlight.cli.app"} & loaded(*words) == set()


def test_the_help_names_every_verb_and_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told and verb.help.split()[0] in told for name, verb in app.VERBS.items())


@pytest.mark.parametrize("name", app.VERBS)
def test_the_help_says_of_a_verb_what_its_own_says(name: str) -> None:
    found = typer.main.get_command(app.assembled(name)).commands[name]  # type: ignore[attr-defined]
    first = " ".join((inspect.cleandoc(found.help) if found.help else "").split("\n\n")[0].split())
    assert first == app.VERBS[name].help


def test_tab_completes_verbs_their_options_and_verbs_below_them() -> None:
    assert completed("pilotlight fail").split() == ["failover", "failback"]
    assert "--dry-run" in completed("pilotlight failover --d").split()
    assert completed("pilotlight points v").split() == ["verify"]
    assert "failover" in completed("pilotlight failo", "zsh")
