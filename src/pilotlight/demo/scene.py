"""Everything the chapters of the rehearsal hand on to one another: who was started, what was seen, and when.

One Scene per rehearsal, filled from top to bottom; a chapter only reads what chapters before it wrote.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pilotlight.demo.profile import Profile
from pilotlight.demo.stage import Stage
from pilotlight.demo.traffic import Client, Program
from pilotlight.demo.traffic_facts import TrafficFacts, facts_of
from pilotlight.demo.witness import Witness
from pilotlight.deploy import archive
from pilotlight.deploy.current import current_inventory
from pilotlight.deploy.operations import Operations
from pilotlight.engine.embedded import Engine
from pilotlight.engine.results import Deployment
from pilotlight.report.record import Answer, AssetFigures, Check, CheckpointFigures, Moment
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.fetch import fetch_through
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.kinds.kind import named
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.recovery import Recovery, open_recovery
from pilotlight.workload.model import Workload


@dataclass(frozen=True)
class Options:
    """What the person asked for."""

    example: Path
    seed: int = 0
    keep: bool = False
    break_what: str | None = None
    profile: Profile | None = None


@dataclass
class Scene:
    """The state of one rehearsal."""

    options: Options
    stage: Stage
    workload: Workload
    talk: Callable[[str], None]
    inventory: Inventory | None = None
    opened: Recovery | None = None
    front_door: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    writer: Program | None = None
    trainer: Program | None = None
    standby_writer: Program | None = None
    standby_trainer: Program | None = None
    client: Client | None = None
    disaster_at: float = 0.0
    detected_at: float = 0.0
    recovered_at: float = 0.0
    torn: tuple[int, int] = (0, 0)
    checkpoint: CheckpointFigures | None = None
    assets: list[AssetFigures] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    moments: list[tuple[float, str, str]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    # -- names -------------------------------------------------------------------------------------------------

    @property
    def primary(self) -> str:
        return self.workload.regions.primary

    @property
    def standby(self) -> str:
        return self.workload.regions.standby

    @property
    def built(self) -> Inventory:
        """What `up` built; there from that chapter on."""
        assert self.inventory is not None
        return self.inventory

    @property
    def names(self) -> Names:
        return self.built.names

    @cached_property
    def facts(self) -> TrafficFacts:
        """What the example's traffic writes."""
        return facts_of(self.options.example)

    @property
    def recovery(self) -> Recovery:
        """The recovery, as an operator has it; there from `up` on."""
        assert self.opened is not None
        return self.opened

    def bucket(self, kind: str, region: str) -> str:
        """The bucket of the first asset of a kind, in this region."""
        asset = named(self.built.assets, kind)[0]
        return str(asset.primary_bucket if region == self.primary else asset.standby_bucket)

    def cluster(self, region: str) -> str:
        """The database's cluster in this region."""
        database = self.built.databases[0]
        return database.primary_cluster if region == self.primary else database.standby_cluster

    def arrived(self, step: int) -> dict[str, int]:
        """The files of a checkpoint that are in the standby bucket: key -> size."""
        prefix = f"{self.facts.checkpoint_folder}{step:06d}/"
        return self.witnesses[self.standby].keys(self.bucket("checkpoints", self.standby), prefix)

    # -- acts --------------------------------------------------------------------------------------------------

    def up(self) -> Deployment:
        """`pilotlight up`."""
        client, folder = BotoClient(), self.stage.folder / "state"  # as `--directory` of every verb has it
        inventory = current_inventory(self.workload, self.stage.account, client, self.stage.clock)
        engine = Engine(folder / self.workload.workload, inventory.names.project, rng=self.stage.rng)
        return Operations(inventory, engine, say=self.talk).up(client, archive.build(folder))

    def open_recovery(self, deployment: Deployment) -> None:
        """What was built can be kept and brought back from here on."""
        self.inventory = deployment.inventory
        self.opened = open_recovery(
            deployment.inventory, "operator", self.stage.clock, fetch_through(self.stage.front_door)
        )
        self.opened.initialise()

    # -- telling -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def phase(self, name: str, title: str) -> Iterator[None]:
        """Tell what begins, and keep how long it took."""
        self.talk(title)
        if self.options.profile:
            self.options.profile.enter(name)
        started = self.now()
        try:
            yield
        finally:
            self.phases[name] = round(self.now() - started, 3)

    def now(self) -> float:
        return self.stage.clock.now()

    def mark(self, lane: str, what: str, at: float | None = None) -> None:
        """Put an event on the timeline."""
        self.moments.append((self.now() if at is None else at, lane, what))

    def timeline(self) -> tuple[Moment, ...]:
        """The events in their order, counted from the disaster."""
        return tuple(
            Moment(stamp(at), round(at - self.disaster_at, 3), lane, what) for at, lane, what in sorted(self.moments)
        )

    @property
    def of_primary(self) -> list[Program]:
        """The writer and the trainer that run in the primary region."""
        return [program for program in (self.writer, self.trainer) if program is not None]

    def saved(self) -> dict[int, str]:
        """Step -> sha256 of the weights of every checkpoint that a trainer began. One of which all files arrived is as
        good as a registered one; one that is torn has other weights, or none."""
        trainers = [trainer for trainer in (self.trainer, self.standby_trainer) if trainer is not None]
        return {each["step"]: each["sha256"] for trainer in trainers for each in trainer.events("started")}
