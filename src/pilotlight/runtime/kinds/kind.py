"""What the recovery runtime knows of one kind of asset: everything that differs from kind to kind, in one class.

Points, runs and what is watched walk the registry (registry.py) and ask each kind in turn; a kind never knows who asks.
What a kind does not say is answered here with "nothing". The other half of a kind, before the disaster, has the same
name below pilotlight/kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar, Generic, Protocol

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, NotRestorable, RegionUnreachable
from pilotlight.runtime.kinds.action import Action, StepContext
from pilotlight.runtime.kinds.command import Command
from pilotlight.runtime.kinds.restore import PlanFile, Planned, Restored, Tell, Wanted
from pilotlight.runtime.records.inventory import AnyAsset, Asset, Inventory
from pilotlight.runtime.records.point import Loss, Part, RecoveryPoint
from pilotlight.runtime.records.runs import Step, Where
from pilotlight.runtime.store.ledger import Protection

PROTECTED = "PROTECTED"
UNPROTECTED = "UNPROTECTED"
NOT_NAMED = "no recovery point names it yet"

Progress = Callable[[str, int], None]
"""(asset, objects looked at)."""


def silent(asset: str, objects: int) -> None:
    """The progress of whoever does not want to know."""


@dataclass(frozen=True)
class Question:
    """A reading call by which a service of a region is asked whether it is there."""

    service: str
    """As a person calls it."""
    client: str
    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PartVerified:
    """One part read again: `problems` and `undecided` empty means that it holds."""

    asset: str
    kind: str
    problems: tuple[str, ...] = ()
    looked_at: int = 0
    """Objects, files, snapshots."""
    bytes_read: int = 0
    remarks: tuple[str, ...] = ()
    """What could not be looked at, or not as deeply as was asked."""
    undecided: tuple[str, ...] = ()
    """What could not be read, so that it is not known to hold."""
    compared: dict[str, int] = field(default_factory=dict)
    """By which checksum of S3 every byte of how many objects agreed: {"ChecksumCRC64NVME": 7}."""

    @property
    def holds(self) -> bool:
        return not self.problems and not self.undecided


@dataclass(frozen=True)
class Judged:
    """How an asset stands by the evidence: PROTECTED or UNPROTECTED, as it was seen `at`, unchanged `since`."""

    state: str
    why: str
    at: str = ""
    since: str = ""
    by: str = ""
    """How strong the evidence is, where there are degrees of it."""
    lasts: float = 0.0
    """Seconds that this evidence counts, where that is longer than what every scheduled run looks at."""


@dataclass(frozen=True)
class Usable:
    """What one asset of a point comes to at this moment: why a run could not use it, and the evidence of a choice."""

    problems: tuple[str, ...] = ()
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key of the choice's evidence -> what is said there of the asset, by its name."""


class EarlierParts(Protocol):
    """The parts of earlier points: what counts while the primary region is silent."""

    def part(self, asset: str) -> Part | None:
        """The newest part of this asset that was proven."""
        ...

    def settled(self, asset: str) -> Part | None:
        """The same, with nothing in it that refers to what had not arrived."""
        ...

    def such(self, asset: str, fits: Callable[[Part], bool]) -> Part | None:
        """The newest part of this asset that fits, proven or not."""
        ...


class ObjectList(Protocol):
    """What a part consists of, to be read again later; kept under its key beside the point."""

    @property
    def key(self) -> str:
        """Where it is kept; empty where there is none."""
        ...

    def body(self) -> IO[bytes]:
        """Its bytes."""
        ...


@dataclass
class Observation:
    """One look at all assets at one moment, kind by kind in the registry's order: what refers to others finds them in
    `parts` and `seen` already."""

    context: RecoveryContext
    primary_answers: bool
    earlier: EarlierParts
    asked_first: Mapping[str, Any] = field(default_factory=dict)
    """Asset -> what was read of it before anything else was looked at."""
    parts: dict[str, Part] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    """Asset -> what its kind saw, as its own class: for what it keeps afterwards, and for kinds that use it."""
    lists: dict[str, ObjectList] = field(default_factory=dict)

    def primary_only(self, problem: RegionUnreachable) -> None:
        """The primary falls silent in the middle of a look: the rest of it is done without; the standby may not."""
        if problem.facts["region"] != self.context.inventory.primary:
            raise problem
        self.primary_answers = False


@contextmanager
def remarked(what: str, remarks: list[str]) -> Iterator[None]:
    """What AWS refuses for one asset or kind is a remark, and the others go on."""
    try:
        yield
    except (CallRefused, RegionUnreachable) as problem:
        remarks.append(f"{what}: {problem.message}")


def loss(part: Part, moment: str) -> Loss:
    """What ends with the primary at this moment (pure)."""
    return Loss(round(max(0.0, parse_stamp(moment) - parse_stamp(part.as_of)), 3))


def missing(part: Part) -> str:
    """The first reason why a part is not proven (pure)."""
    return part.missing[0] if part.missing else "not proven in the standby region"


class AssetKind(ABC, Generic[AnyAsset]):
    """One kind. `assets` are always those of this kind alone, in the inventory's order; regions come from the context.

    Errors are those of the AWS client (CallRefused, Throttled, RegionUnreachable) unless a method says otherwise.
    """

    name: ClassVar[str]
    """As a declaration says it."""
    holds_state: ClassVar[bool] = True
    """Whether anything can be lost of it."""
    replicated: ClassVar[bool] = False
    """Whether both sides are compared, so that what is overdue is counted."""
    timed_by: ClassVar[frozenset[str]] = frozenset()
    """Kinds that it uses whose data must be newer than it: it refers to what was there when it was written."""
    restores_alone: ClassVar[bool] = False
    """Whether a restore in place holds the lease of runs: it changes what a run changes."""
    actions: ClassVar[Mapping[str, Action]] = {}
    """Name of a step's action -> the one instance; actions hold no state."""

    # -- keeping -----------------------------------------------------------------------------------------------

    def keep_up(self, context: RecoveryContext, assets: tuple[AnyAsset, ...]) -> tuple[str, ...]:
        """Begin what later points need; remarks about what could not be. The primary answers."""
        return ()

    def keep_up_alone(self, context: RecoveryContext, assets: tuple[AnyAsset, ...]) -> tuple[str, ...]:
        """Begin what later points of one region need, while the standby serves; remarks about what could not be."""
        return ()

    def observe_alone(self, context: RecoveryContext, asset: AnyAsset) -> Part:
        """The asset's part of a point of one region: what the standby itself keeps of what is written there."""
        if not self.holds_state:
            return Part(asset.name, asset.kind, asset.mechanism, True, "")
        why = f"nothing keeps it while {context.inventory.standby} serves"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(why,))

    def in_turns(self, context: RecoveryContext, assets: tuple[AnyAsset, ...]) -> Iterator[tuple[str, ...]]:
        """What a region makes only so many of at once: each turn begins what there is room for, and says what waits.
        There are turns for as long as something waits or is under way. The primary answers."""
        return iter(())

    def failed(self, context: RecoveryContext, assets: tuple[AnyAsset, ...]) -> int:
        """How many objects AWS has told that their replication failed, and that have not arrived since. The primary
        answers."""
        return 0

    def ask_first(self, context: RecoveryContext, assets: tuple[AnyAsset, ...]) -> Mapping[str, Any]:
        """What has to be read before anything else is looked at, by asset. The primary answers."""
        return {}

    @abstractmethod
    def observe(self, look: Observation, asset: AnyAsset) -> Part:
        """The asset's part of a point: what is proven in the standby region at this moment. What AWS refuses becomes a
        part that is not proven; where the primary falls silent meanwhile, it is asked again without."""

    def learn(self, context: RecoveryContext, asset: AnyAsset, seen: Any) -> None:
        """Keep what was seen, so that the next look need not find it out again."""

    def judge(self, context: RecoveryContext, asset: AnyAsset, part: Part) -> None:
        """After a point was made: keep how the asset stands, where that is told by more than the point."""

    def prune(
        self, context: RecoveryContext, assets: tuple[AnyAsset, ...], needed: Collection[str], primary_answers: bool
    ) -> None:
        """Let go of copies that no kept point stands on; `needed` are the names that those points do."""

    # -- a point, judged ---------------------------------------------------------------------------------------

    def unhealthy(self, part: Part) -> Iterator[str]:
        """Sentences: what is there, whole, and must not be used (pure)."""
        return iter(())

    def loose_ends(self, part: Part) -> Iterator[str]:
        """Sentences: what a proven part refers to and is not there (pure)."""
        return iter(())

    def overdue(self, part: Part) -> int | None:
        """How many objects did not arrive in time; None where nothing was compared (pure)."""
        return None

    def loss(self, asset: AnyAsset, part: Part, moment: str) -> Loss | None:
        """What would be lost if the primary ended at this moment; the part is proven (pure)."""
        return loss(part, moment) if self.holds_state else None

    def gpus(self, asset: AnyAsset) -> int | None:
        """How many GPUs have worked in vain for what is lost of it; None where that is not declared (pure)."""
        return None

    @abstractmethod
    def verify(
        self, context: RecoveryContext, asset: AnyAsset, part: Part, deep: bool, progress: Progress
    ) -> PartVerified:
        """Read a proven part again, in the standby region; `deep` reads every byte that can be."""

    # -- a run -------------------------------------------------------------------------------------------------

    def usable(self, work: StepContext, asset: AnyAsset, point: RecoveryPoint) -> Usable:
        """Whether a run could use what the point names of it, looked at now."""
        return Usable()

    def choose(self, work: StepContext, asset: AnyAsset, point: RecoveryPoint) -> dict[str, Any]:
        """Evidence of the choice that needs the fence to stand: what is newest now; StepFailed where there is none."""
        return {}

    def steps(self, phase: str, inventory: Inventory, asset: AnyAsset, where: Where) -> list[Step]:
        """Its steps in a phase; `where` is PRIMARY or STANDBY, the region that the phase is about: that is fenced, made
        ready, put to rest, or protected (pure)."""
        return []

    def ec2_calls(self, inventory: Inventory, asset: AnyAsset, action: str) -> Mapping[str, int]:
        """Operation -> how often a step of this action calls it about the asset at the least, one by one (pure)."""
        return {}

    def by_hand(self, work: StepContext, phase: str, asset: AnyAsset) -> Iterator[Command]:
        """The same on the way home as commands, for when the journal is lost: of RESTORE and START."""
        return iter(())

    def fence_left(self, work: StepContext) -> list[str]:
        """A sentence for what a fence of the step's asset has left on a region that serves."""
        return []

    def costs_of_failback(self, inventory: Inventory, asset: AnyAsset) -> Iterator[str]:
        """Sentences: what does not come home (pure)."""
        return iter(())

    # -- restoring ---------------------------------------------------------------------------------------------

    def plan_restore(self, context: RecoveryContext, asset: AnyAsset, wanted: Wanted) -> Planned:
        """What has to be done so that the asset is what it was: reads alone. NotRestorable where it cannot be."""
        instead = "Restore what it uses: datasets, checkpoints, volumes, databases"
        reason = f"{self.name} holds nothing that could be restored"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)

    def restore(self, context: RecoveryContext, asset: AnyAsset, plan: PlanFile, tell: Tell) -> Restored:
        """Do what a plan of this kind says and nothing else; or go on with it."""
        raise NotImplementedError(f"{self.name} makes no plans")

    # -- watching ----------------------------------------------------------------------------------------------

    def questions(self, inventory: Inventory, assets: tuple[AnyAsset, ...], region: str) -> list[Question]:
        """Calls by which the services of a region that it stands on are asked (pure)."""
        return []

    def watched(self, inventory: Inventory, assets: tuple[AnyAsset, ...], region: str) -> Iterator[str]:
        """What `amiss` looks at, in words (pure)."""
        return iter(())

    def amiss(self, context: RecoveryContext, assets: tuple[AnyAsset, ...], region: str) -> list[str]:
        """What is wrong with it in a region whose services answer, in words."""
        return []

    def standing(
        self,
        inventory: Inventory,
        asset: AnyAsset,
        part: Part | None,
        point: RecoveryPoint | None,
        protection: Protection | None,
    ) -> Judged:
        """How it stands by the newest point, and by what was kept by `judge` (pure)."""
        if point is None or part is None:
            return Judged(UNPROTECTED, NOT_NAMED)
        at = point.created_at
        if not part.proven:
            return Judged(UNPROTECTED, missing(part), at)
        if not self.holds_state or not part.as_of:
            return Judged(PROTECTED, "", at)
        wanted, held = asset.rpo_seconds or inventory.rpo_seconds, parse_stamp(at) - parse_stamp(part.as_of)
        if held > wanted:
            return Judged(UNPROTECTED, f"what is kept was {held:.0f} s old at {at}, {wanted:g} s are asked", at)
        return Judged(PROTECTED, "", at)


def named(assets: Iterable[Asset], kind: str) -> tuple[Any, ...]:
    """Those of one kind, in their order (pure)."""
    return tuple(each for each in assets if each.kind == kind)
