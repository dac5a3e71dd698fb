"""How runbooks and journals are printed by the verbs that run them."""

from __future__ import annotations

from pilotlight.cli.talk import print_json, say
from pilotlight.records.runs import Journal, Runbook
from pilotlight.recovery.desk import Recovery


def show_runbook(book: Runbook, json: bool) -> None:
    """Steps in order, each with what it waits for."""
    if json:
        print_json(book)
        return
    for step in book.steps:
        print(f"{step.name}" + (f"  after {', '.join(step.needs)}" if step.needs else ""))


def show_journal(journal: Journal | None, desk: Recovery, json: bool) -> None:
    """What a run did; who serves, where there was nothing to do."""
    if json:
        print_json(journal)
    elif journal is None:
        active = desk.active()
        say(f"{active.region} serves since {active.since}; nothing was done")
    else:
        for entry in journal.entries:
            print(f"{entry.at}  {entry.state:<9} {entry.step}")
        print(f"{journal.run}: {journal.state}")
