"""A parameter of Systems Manager, copied to the standby region by scheduled runs, brought home by a failback."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pilotlight.runtime.aws import parameters
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.action import Absent, Action, Answer, Proven, StepContext, Wait
from pilotlight.runtime.kinds.kind import AssetKind, Observation, PartVerified, Progress, Question
from pilotlight.runtime.kinds.phases import FINAL_SYNC, RESTORE, STANDBY, about
from pilotlight.runtime.records.inventory import Asset, Inventory
from pilotlight.runtime.records.point import Part, Reference
from pilotlight.runtime.records.runs import Step, Where


@dataclass(frozen=True)
class Note(Asset):
    """One parameter; its copy has the name that all of ours have."""

    TAGS: ClassVar[tuple[str, ...]] = ("note",)

    parameter: str
    kind: str = field(default="note", kw_only=True)
    mechanism: str = field(default="copied", kw_only=True)


@dataclass(frozen=True)
class NoteReference(Reference):
    """What a point names of it: the copy, and the digest of its text."""

    TAGS: ClassVar[tuple[str, ...]] = ("note",)

    parameter: str
    digest: str
    kind: str = field(default="note", kw_only=True)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def copy_of(inventory: Inventory, asset: Note) -> str:
    return inventory.names.parameter(asset.name)


class NoteStands:
    """The copy is there, and says what the chosen point says."""

    wait = Wait(60, 1, "SSM answers reads at once")

    def ask(self, work: StepContext) -> Answer:
        asset = work.asset(Note)
        said = parameters.read(work.client, work.inventory.standby, copy_of(work.inventory, asset))
        return Proven({"digest": digest(said)}) if said else Absent("there is no copy of the note")

    def act(self, work: StepContext) -> None:
        raise work.failed("the copy of the note is gone; write it by hand")


class BringNoteHome:
    """The primary says what the standby says."""

    wait = Wait(60, 1, "one write")

    def ask(self, work: StepContext) -> Answer:
        asset, inventory = work.asset(Note), work.inventory
        there = parameters.read(work.client, inventory.standby, copy_of(inventory, asset))
        here = parameters.read(work.client, inventory.primary, asset.parameter)
        return Proven({"digest": digest(here)}) if here == there else Absent("the primary has an older note")

    def act(self, work: StepContext) -> None:
        asset, inventory = work.asset(Note), work.inventory
        there = parameters.read(work.client, inventory.standby, copy_of(inventory, asset))
        parameters.write(work.client, inventory.primary, asset.parameter, there)


class NoteKind(AssetKind[Note]):
    """The kind `note`."""

    name: ClassVar[str] = "note"
    actions: ClassVar[Mapping[str, Action]] = {"note-stands": NoteStands(), "bring-note-home": BringNoteHome()}

    def keep_up(self, context: RecoveryContext, assets: tuple[Note, ...]) -> tuple[str, ...]:
        for asset in assets:
            said = parameters.read(context.client, context.inventory.primary, asset.parameter)
            if said and said != parameters.read(context.client, context.inventory.standby, self._copy(context, asset)):
                parameters.write(context.client, context.inventory.standby, self._copy(context, asset), said)
        return ()

    def observe(self, look: Observation, asset: Note) -> Part:
        context, at = look.context, look.context.clock.now()
        there = parameters.read(context.client, context.inventory.standby, self._copy(context, asset))
        bare = Part(asset.name, asset.kind, asset.mechanism, False, "")
        if not look.primary_answers:
            return look.earlier.part(asset.name) or bare
        here = parameters.read(context.client, context.inventory.primary, asset.parameter)
        missing = ("the copy says something else",) if here != there else () if here else ("there is no note",)
        reference = NoteReference(self._copy(context, asset), digest(there))
        return Part(
            asset.name, asset.kind, asset.mechanism, not missing, stamp(at), reference, {"length": len(there)}, missing
        )

    def verify(self, context: RecoveryContext, asset: Note, part: Part, deep: bool, progress: Progress) -> PartVerified:
        there = parameters.read(context.client, context.inventory.standby, self._copy(context, asset))
        promised = part.reference.digest if isinstance(part.reference, NoteReference) else ""
        wrong = () if digest(there) == promised else ("the copy says something else by now",)
        return PartVerified(part.asset, part.kind, wrong, 1, len(there))

    def steps(self, phase: str, inventory: Inventory, asset: Note, where: Where) -> list[Step]:
        if phase == RESTORE and where == STANDBY:
            return [about("note-stands", asset.name, where)]
        return [about("bring-note-home", asset.name, where)] if phase == FINAL_SYNC else []

    def questions(self, inventory: Inventory, assets: tuple[Note, ...], region: str) -> list[Question]:
        names = (each.parameter if region == inventory.primary else copy_of(inventory, each) for each in assets)
        return [Question("Systems Manager", "ssm", "get_parameter", {"Name": name}) for name in names]

    def _copy(self, context: RecoveryContext, asset: Note) -> str:
        return copy_of(context.inventory, asset)
