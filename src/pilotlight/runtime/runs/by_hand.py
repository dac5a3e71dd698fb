"""What a person does where the standby region is lost in the middle of a way home, and the journal with it: the rest of
it as commands, kept in the primary region before the data is handed over there.

From the hand-over until the commit the data is home and the journal is not: no run can go on without it. The commands
need nothing of Pilotlight's, no journal and no standby region; each may be repeated. They lie in SSM parameters of the
primary region, in parts, because a parameter holds 4 KB (Systems Manager API Reference, "PutParameter").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pilotlight.runtime.aws import parameters
from pilotlight.runtime.aws.absence import remove
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.kinds.command import Command
from pilotlight.runtime.naming import Names

PART_LENGTH = 3_900
"""Characters of one parameter, below its 4,096 with room for the number of parts before them."""


@dataclass(frozen=True)
class Left:
    """What was left to do of a run when its data was handed over."""

    run: str
    epoch: int
    primary: str
    standby: str
    commands: tuple[Command, ...]


def write(client: AwsClient, names: Names, left: Left) -> None:
    """Keep it in the primary region. The first part, which says how many there are, is taken away first and comes last:
    killed in between nothing is kept, and not a mixture of two."""
    forget(client, names)
    for part, text in reversed(list(enumerate(parts(left), start=1))):
        parameters.write(client, names.primary, names.by_hand(part), text)


def read(client: AwsClient, names: Names) -> Left | None:
    """What is kept; None where nothing is."""
    first = parameters.read(client, names.primary, names.by_hand(1))
    if not first:
        return None
    count, _, text = first.partition(" ")
    text += "".join(parameters.read(client, names.primary, names.by_hand(part)) for part in range(2, int(count) + 1))
    kept = json.loads(text)
    commands = tuple(Command(**each) for each in kept.pop("commands"))
    return Left(**kept, commands=commands)


def forget(client: AwsClient, names: Names) -> None:
    """Nothing is left to do by hand; the first part, without which the others are nothing, goes first."""
    first = parameters.read(client, names.primary, names.by_hand(1))
    for part in range(1, int(first.partition(" ")[0]) + 1) if first else ():
        remove(client, "ssm", "delete_parameter", names.primary, Name=names.by_hand(part))


def parts(left: Left) -> list[str]:
    """As texts of parameters; the first begins with their number (pure)."""
    text = json.dumps(asdict(left), sort_keys=True)
    cut = [text[start : start + PART_LENGTH] for start in range(0, len(text), PART_LENGTH)]
    return [f"{len(cut)} {cut[0]}", *cut[1:]]


def lines(left: Left) -> Iterator[str]:
    """What a person reads (pure)."""
    yield (
        f"{left.standby} does not answer, and the journal is there: no run can go on. Run {left.run} had brought all "
        f"data home to {left.primary} before; these commands are left of it, in this order. Each may be repeated."
    )
    for number, command in enumerate(left.commands, start=1):
        yield f"  {number}. {command.what}:"
        yield f"     {command.words}"
    yield (
        f"After that {left.primary} serves without a copy in another region. When {left.standby} answers again, "
        "`pilotlight failback` finds all of it done and ends the run; after it the health check of the record, where "
        "one was disabled, is enabled by `aws route53 update-health-check --no-disabled --health-check-id ...`."
    )
