"""What a newcomer types from a page: each command must exist, with these options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from pilotlight.cli.app import app
from pilotlight.cli.reference import error_classes

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/guide/*.md", "examples/ci/*.yml", "CONTRIBUTING.md")
COMMANDS_MIN = 30
LINE = re.compile(r"^(?:    |\s*- run: )(?:\.venv/bin/)?(pilotlight [^|>#]*)", re.MULTILINE)
INSIDE = re.compile(r"`(pilotlight [a-z][^`]*)`")
STANDS_FOR = ("...", "|", "DIR", "VERB")


def commands() -> Iterator[tuple[str, str]]:
    """Page and command, of whole lines and of what stands in the text."""
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text()
            for found in (*LINE.findall(text), *INSIDE.findall(text)):
                if not any(mark in found for mark in STANDS_FOR):
                    yield str(path.relative_to(ROOT)), " ".join(found.split())


FILLED = {"runbook": "failover", "act": "up", "place": "runs/", "point": "newest", "workload": "inference"}


def hints() -> Iterator[tuple[str, str]]:
    """Error and command, of every hint and message that names one."""
    for kind in error_classes():
        for text in (kind.hint, kind.__doc__ or ""):
            for found in INSIDE.findall(" ".join(text.split())):
                yield kind.__name__, re.sub(r"{(\w+)}", lambda match: FILLED.get(match[1], "x"), found)


@pytest.mark.parametrize(("page", "command"), sorted({*commands(), *hints()}))
def test_a_command_of_a_page_is_one_of_ours(page: str, command: str) -> None:
    group: click.Command = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    context = click.Context(group, info_name="pilotlight")
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        known = group.get_command(context, words[0])
        assert known is not None, f"{page}: there is no {words[0]}"
        group, words = known, words[1:]
        context = click.Context(group, parent=context, info_name=group.name)
    if isinstance(group, click.Group):
        assert not words, f"{page}: {command}"
        return
    group.make_parser(context).parse_args(list(words))


def test_the_commands_are_found_at_all() -> None:
    assert len(set(commands())) >= COMMANDS_MIN


def test_the_workflow_is_yaml_and_keeps_no_key() -> None:
    text = (ROOT / "examples/ci/pilotlight.yml").read_text()
    assert "pip install pilotlight" not in text, "no package index has it"
    assert "--dry-run" not in text, "a check that cannot fail is none"
    found = yaml.safe_load(text)
    assert found["permissions"] == {"contents": "read", "id-token": "write"}
    assert set(found["jobs"]) == {"preview", "deploy", "drill"}
    assert "secrets." not in text
