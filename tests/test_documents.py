"""What a newcomer types from a page: each command must exist, with these options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
import yaml

from pilotlight.cli.app import VERBS, assembled
from pilotlight.cli.reference import error_classes

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/guide/*.md", "examples/ci/*.yml", "CONTRIBUTING.md")
COMMANDS_MIN = 30
LINE = re.compile(r"^(?:    |\s*- run: )(?:\.venv/bin/)?(pilotlight [^|>#\n]*)", re.MULTILINE)
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
    group: Any = whole()
    words = shlex.split(command)[1:]
    while is_group(group) and words and not words[0].startswith("-"):
        assert words[0] in group.commands, f"{page}: there is no {words[0]}"
        group, words = group.commands[words[0]], words[1:]
    if is_group(group):
        assert not words or words == ["--help"] or words == ["--version"], f"{page}: {command}"
        return
    group.make_parser(click.Context(group, info_name=group.name)).parse_args(list(words))


@cache
def whole() -> Any:
    """The command with all its verbs."""
    return typer.main.get_command(assembled(*VERBS))


def is_group(command: Any) -> bool:
    """typer has a click of its own, whose groups are none of click's."""
    return hasattr(command, "commands")


def test_a_command_that_is_none_of_ours_is_found() -> None:
    """This page of checks once took every command for one that has no other commands, and let all through."""
    for command in ("pilotlight protect", "pilotlight points forget x", "pilotlight up --nonsense"):
        with pytest.raises(Exception, match=r"there is no|no such option|No such option"):
            test_a_command_of_a_page_is_one_of_ours("here", command)


VERB = re.compile(r"`pilotlight ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
ROOMS = ("src/**/*.py", "docs/**/*.md", "ARCHITECTURE.md")


def verbs() -> set[tuple[str, str, str]]:
    """File, verb and the word after it, wherever the code or a page names a command, inside a longer sentence too."""
    paths = (path for pattern in ROOMS for path in ROOT.glob(pattern))
    return {(str(path.relative_to(ROOT)), *found) for path in paths for found in VERB.findall(path.read_text())}


def test_no_sentence_of_ours_names_a_verb_that_is_none() -> None:
    """On the day somebody types it."""
    group: Any = whole()
    for file, verb, word in sorted(verbs()):
        known = group.commands.get(verb)
        assert known is not None, f"{file}: there is no `pilotlight {verb}`"
        if is_group(known) and word:
            assert word in known.commands, f"{file}: there is no `pilotlight {verb} {word}`"


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
