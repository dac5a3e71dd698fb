"""The verbs by name, and what the command says of itself: answered before the parser is imported.

Who types `pilotlight --help` on the day waits for nothing: the parser and its colours take ten times as long to import
as this takes to print.
"""

from __future__ import annotations

import shutil
import textwrap
from typing import NamedTuple

from pilotlight import __version__

HELP = "Disaster recovery as code for AI workloads on AWS."


class Verb(NamedTuple):
    """Where a verb is - a function, or a Typer app with verbs of its own - and the first sentence of its help, which
    `pilotlight --help` prints without importing it."""

    place: str
    help: str


VERBS = {
    "local": Verb("local:app", "The embedded cloud: AWS APIs for several regions on this machine."),
    "demo": Verb(
        "demo:demo",
        "Lose a region and come home again: deploy, protect, backfill, serve, go dark, recover, measure, fail back.",
    ),
    "plan": Verb(
        "plan:plan",
        "Mechanism, forecast and warnings by asset; with --target also the settings that are not carried over.",
    ),
    "state": Verb("state:app", "The state of the stacks: init, restore."),
    "iam": Verb("iam:iam", "Print exactly what each may do: `--json` gives policy documents as IAM takes them."),
    "preview": Verb(
        "preview:preview",
        "Survey the primary region and tell what would be created, updated, replaced and deleted; changes nothing.",
    ),
    "up": Verb("up:up", "Survey the primary region and deploy the stacks vault, primary and standby."),
    "refresh": Verb(
        "refresh:refresh",
        "Look at every resource and take what was found over into the state; changes nothing in AWS.",
    ),
    "drift": Verb(
        "refresh:drift",
        "Look at every resource and name what is not as the state says, with exit code 7; changes nothing.",
    ),
    "destroy": Verb(
        "destroy:destroy",
        "Delete the stacks standby and primary, once every original was seen to be in the primary region.",
    ),
    "outputs": Verb(
        "outputs:outputs",
        "Print what the stacks export: bucket names by asset, and what other programs refer to; reads the state alone.",
    ),
    "export-pulumi": Verb(
        "export_pulumi:export_pulumi",
        "Survey the primary region and write a plain Pulumi project with the names of `up`: moving changes nothing.",
    ),
    "backfill": Verb(
        "backfill:backfill",
        "Objects from before the rules, and failed ones; a bucket counts as protected once this has proven it.",
    ),
    "compare": Verb(
        "compare:compare", "Compare what is current in both buckets of an asset, and say how strongly; changes nothing."
    ),
    "points": Verb("points:app", "Recovery points: list, show, verify, refuse."),
    "checkpoints": Verb("checkpoints:app", "Checkpoints: verify any, and write the manifest of a generic one."),
    "restore": Verb(
        "restore:restore",
        "Restore one asset to a moment or a recovery point, in place or beside; the plan is made first.",
    ),
    "status": Verb("status:status", "Where the workload stands, and how old that knowledge is."),
    "failover": Verb(
        "failover:failover",
        "Fail over now, or go on with a failover that was left: steps that were proven are not repeated.",
    ),
    "failback": Verb(
        "failback:failback",
        "Fail back now, or go on with a failback that was left: steps that were proven are not repeated.",
    ),
}
"""In the order of a person's first days with it."""
OPTIONS = {
    "--version": "Print the version.",
    "--install-completion": "Install completion for the current shell.",
    "--show-completion": "Show completion for the current shell, to copy or change it.",
    "--help": "Print this; `pilotlight VERB --help` tells of one verb.",
}
WIDTH_MAX = 100


def first_answer(arguments: list[str]) -> str | None:
    """What is said to somebody who names no verb yet; None where one is named, or anything else."""
    if arguments == ["--version"]:
        return __version__
    return _help() if arguments in ([], ["--help"]) else None


def _help() -> str:
    width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
    verbs = {name: verb.help for name, verb in VERBS.items()}
    return "\n".join(
        [
            "Usage: pilotlight [OPTIONS] VERB [ARGUMENTS]",
            "",
            HELP,
            "",
            "Verbs:",
            *_table(verbs, width),
            "",
            "Options:",
            *_table(OPTIONS, width),
        ]
    )


def _table(entries: dict[str, str], width: int) -> list[str]:
    """Names on the left, what they are for beside them."""
    left = max(map(len, entries)) + 4
    lines = list[str]()
    for name, told in entries.items():
        first = f"  {name}".ljust(left)
        lines += textwrap.wrap(told, max(left + 20, width), initial_indent=first, subsequent_indent=" " * left)
    return lines
