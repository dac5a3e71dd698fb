"""One cut over all assets, in an order that makes it consistent: what refers is looked at before what it refers to.

First the rows that name checkpoints; then the datasets, whose watermark says how new a checkpoint may be; then the
checkpoints; then the rest. An asset that cannot be looked at is a part that is not proven, with the reason; the others
are looked at all the same. Only a standby region that does not answer ends the whole cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pilotlight.runtime.checkpoints.verify import Found, TooManyFiles
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.aurora import observe as database
from pilotlight.runtime.kinds.aurora import references
from pilotlight.runtime.kinds.aurora.references import Rows
from pilotlight.runtime.kinds.autoscaling import launching
from pilotlight.runtime.kinds.autoscaling import observe as compute
from pilotlight.runtime.kinds.buckets import observe as datasets
from pilotlight.runtime.kinds.buckets.listing import Bucket, current
from pilotlight.runtime.kinds.buckets.manifests import Manifest
from pilotlight.runtime.kinds.buckets.rule import seen as rule_seen
from pilotlight.runtime.kinds.checkpoints import dangling
from pilotlight.runtime.kinds.checkpoints import observe as checkpoints
from pilotlight.runtime.kinds.checkpoints.dangling import Look
from pilotlight.runtime.kinds.checkpoints.shelf import Shelf, choose, shelf
from pilotlight.runtime.kinds.volumes import observe as volumes
from pilotlight.runtime.kinds.volumes.observe import Seen
from pilotlight.runtime.points.earlier import Earlier
from pilotlight.runtime.records.inventory import Compute, Database, Datasets, Inventory, Volumes
from pilotlight.runtime.records.point import Part

CHECKPOINTS = "checkpoints"


@dataclass
class Observation:
    """One look at everything; `rows` by database, read before."""

    context: RecoveryContext
    primary_answers: bool
    earlier: Earlier
    rows: dict[str, Rows] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)

    def parts(self) -> tuple[Part, ...]:
        """A part for every asset of the inventory, in its order."""
        inventory, found = self.context.inventory, dict[str, Part]()
        for asset in inventory.datasets:
            if asset.kind != CHECKPOINTS:
                found[asset.name] = self._dataset(asset)
        for asset in inventory.datasets:
            if asset.kind == CHECKPOINTS:
                found[asset.name] = _looked(asset, partial(self._checkpoints, asset, found))
        for group in inventory.volumes:
            found[group.name] = _looked(group, partial(self._volumes, group))
        for one in inventory.databases:
            found[one.name] = _looked(one, partial(self._database, one))
        for fleet in inventory.computes:
            found[fleet.name] = _comes_up(inventory, fleet, _looked(fleet, partial(self._compute, fleet)), found)
        return tuple(found[asset.name] for asset in inventory.assets)

    def _dataset(self, asset: Datasets) -> Part:
        if not self.primary_answers:
            return datasets.observe_alone(asset, self.earlier.part(asset.name))
        client, inventory, clock = self.context.client, self.context.inventory, self.context.clock
        manifest = Manifest(asset.name)
        try:
            rule = rule_seen(self.context, asset)
            part = _looked(asset, lambda: datasets.observe(client, inventory, asset, clock, manifest.add, rule))
            self.manifests[asset.name] = manifest
            told = {"remarks": [manifest.unlisted]} if manifest.unlisted else {}
            reference = part.reference | {"manifest": manifest.key}
            return replace(part, reference=reference, evidence=part.evidence | told)
        except RegionUnreachable as problem:
            self._primary_only(problem)
            return datasets.observe_alone(asset, self.earlier.part(asset.name))

    def _checkpoints(self, asset: Datasets, found: dict[str, Part]) -> Part:
        """Older than the watermark of every dataset that the checkpoints use."""
        used = [found[name].true_at for name in asset.uses if name in found and found[name].true_at]
        before = min((parse_stamp(moment) for moment in used), default=None)
        ledger, inventory = self.context.ledger, self.context.inventory
        known = ledger.known_complete(asset.name)
        there = self._primary_shelf(asset)
        here = shelf(self.context.client, inventory.standby, asset.standby_bucket, asset, known, there)
        choice = choose(here, asset, ledger.vetoes(asset.name), before)
        self.looks[asset.name] = Look(asset, here, there, choice)
        taken = here.at(choice.taken.path) if choice.taken else None
        listed = self._listed(asset, taken) if taken else {}
        steps = [
            each for each in (here.newest_begun_step, there.newest_begun_step if there else None) if each is not None
        ]
        part = checkpoints.observe(asset, choice, max(steps, default=None))
        return replace(part, reference=part.reference | listed, evidence=part.evidence | self._replicated(asset))

    def _replicated(self, asset: Datasets) -> dict[str, Any]:
        """Whether everything of the bucket arrives in time; a torn checkpoint is often the first that tells."""
        if not self.primary_answers:
            return {}
        before = self.context.clock.now() - datasets.patience_seconds(self.context.inventory, asset)
        source, copy = datasets.buckets(self.context.inventory, asset)
        try:
            rule = rule_seen(self.context, asset)
            found = datasets.compare(self.context.client, source, copy, before, rule_since=rule.since)
        except CallRefused as refusal:
            return {"not_compared": refusal.message}
        except RegionUnreachable as problem:
            self._primary_only(problem)
            return {}
        return datasets.counts(found, rule)

    def _listed(self, asset: Datasets, taken: Found) -> dict[str, str]:
        """The versions that this checkpoint consists of, to be compared with later; what lies below it and is another
        checkpoint is not among them."""
        manifest = Manifest(asset.name)
        own = {asset.prefix + file.key for file in taken.candidate.files}
        where = Bucket(self.context.inventory.standby, asset.standby_bucket, asset.prefix + taken.candidate.prefix)
        for item in current(self.context.client, where):
            if not item.deleted and item.key in own:
                manifest.add(item)
        self.manifests[asset.name] = manifest
        return {"manifest": manifest.key}

    def _primary_shelf(self, asset: Datasets) -> Shelf | None:
        """Names only: nothing of it is read. None where the primary does not answer or may not be listed."""
        if not self.primary_answers:
            return None
        try:
            return shelf(self.context.client, self.context.inventory.primary, asset.primary_bucket, asset)
        except CallRefused:
            return None
        except RegionUnreachable as problem:
            self._primary_only(problem)
            return None

    def _volumes(self, asset: Volumes) -> Part:
        try:
            seen = volumes.look(self.context, asset, self.primary_answers)
        except RegionUnreachable as problem:
            self._primary_only(problem)
            seen = volumes.look(self.context, asset, False)
        self.seen[asset.name] = seen
        return volumes.part(self.context.inventory, asset, seen, self.context.clock.now())

    def _database(self, asset: Database) -> Part:
        rows = self.rows.get(asset.name)
        part = database.observe(self.context.client, self.context.inventory, asset, self.context.clock, rows)
        if not asset.table:
            return part
        if rows is None:
            return database.observe_alone(asset, part, self.earlier.settled(asset.name))
        if rows.reason:
            return replace(part, proven=False, true_at="", missing=(*part.missing, rows.reason))
        used = {name: look for name, look in self.looks.items() if name in asset.uses}
        return replace(part, evidence=part.evidence | {"rows": dangling.evidence(rows, dangling.judge(rows, used))})

    def _compute(self, asset: Compute) -> Part:
        client, inventory = self.context.client, self.context.inventory
        seen = self._software(asset) if self.primary_answers else None
        if seen is None:
            seen = compute.remembered(inventory, asset, self.earlier.such(asset.name, compute.was_seen))
        return compute.observe(client, inventory, asset, self.context.clock, seen)

    def _software(self, asset: Compute) -> compute.Seen | None:
        try:
            return compute.look(self.context.client, self.context.inventory, asset)
        except RegionUnreachable as problem:
            self._primary_only(problem)
            return None

    def _primary_only(self, problem: RegionUnreachable) -> None:
        """The primary falls silent in the middle of a cut: the rest of it is made without; the standby may not."""
        if problem.facts["region"] != self.context.inventory.primary:
            raise problem
        self.primary_answers = False

    def learn(self) -> None:
        """Keep what was found complete, so that the next cut need not read it again; and how often is saved."""
        for name, look in self.looks.items():
            usual = checkpoints.cadence(each.candidate for each in look.primary.found) if look.primary else None
            if usual:
                self.context.ledger.sightings.keep_cadence(name, *usual)
            if look.standby.learned != look.standby.known:
                self.context.ledger.know_complete(name, look.standby.learned)
        for name, seen in self.seen.items():
            for roster in volumes.to_prove(seen):
                self.context.ledger.keep_roster(name, roster)


def _comes_up(inventory: Inventory, fleet: Compute, part: Part, found: Mapping[str, Part]) -> Part:
    """A group is proven only where every instance of it would get its volumes: no failover could use the point, and it
    is not called complete (pure)."""
    groups = [found[name] for name in fleet.volumes if name in found]
    if not all(each.proven for each in groups):
        return part
    problems = launching.layout(inventory, fleet, {each.asset: each.reference for each in groups}).problems
    return replace(part, proven=False, missing=(*part.missing, *problems), outdated=()) if problems else part


def read_rows(context: RecoveryContext, primary_answers: bool) -> dict[str, Rows]:
    """The rows of every database that names checkpoints, before anything else is looked at; none where it is silent."""
    if not primary_answers:
        return {}
    wanted = [each for each in context.inventory.databases if each.table]
    try:
        return {each.name: references.read(context.client, context.inventory, each, context.clock) for each in wanted}
    except RegionUnreachable:
        return {}


def _looked(asset: Datasets | Volumes | Database | Compute, look: Callable[[], Part]) -> Part:
    try:
        return look()
    except CallRefused as refusal:
        reason = refusal.message
    except TooManyFiles as problem:
        reason = f"{problem} below its prefix; narrow the prefix in the declaration"
    return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(reason,))
