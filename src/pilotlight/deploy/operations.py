"""A declaration's three stacks, deployed in their order: vault, primary, standby; taken down in the other.

The same acts whether Pulumi's own engine carries them out or the embedded one. Whoever interrupts is told what was
done, what is under way and what was not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pilotlight.deploy import bucket_events
from pilotlight.engine.results import Deployer, Deployment, Event, Result
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import (
    DeploymentInterrupted,
    PilotlightError,
    RegionUnreachable,
    StateMissing,
    VaultMoved,
)
from pilotlight.runtime.naming import STACKS
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.store.record_bucket import RecordBucket, kept_inventory
from pilotlight.stacks import program
from pilotlight.stacks.project import region
from pilotlight.survey import front_record

RECORDS = "aws:s3/bucket:Bucket::vault-papers"
"""How the URN of the records' bucket ends, whoever owns it."""

WRITING = ("up", "refresh", "destroy")
"""Acts that change a state."""


@dataclass
class Operations:
    """Acts on the stacks of one workload. `tell` hears each operation with the stack that it belongs to."""

    inventory: Inventory
    engine: Deployer
    tell: Callable[[str, Event], None] = lambda stack, event: None
    say: Callable[[str], None] = lambda text: None
    deployed: Collection[str] = ()
    """Stacks that are known to be deployed; what the state does not have of them is lost, and nothing is done."""
    records: RecordBucket | None = None
    """Where a copy of each state is kept: the vault."""
    _begun: list[str] = field(default_factory=list)
    """URNs of the stack in hand."""

    def up(self, client: AwsClient, archive: Path, stacks: Iterable[str] = STACKS) -> Deployment:
        """Deploy, then keep the Inventory in the vault; `archive` is what the Lambda functions run."""
        names, stacks = self.inventory.names, tuple(stacks)
        self.records = self.records or RecordBucket(client, names.standby, names.vault_bucket)
        self.check_state(stacks)
        self._check_vault()
        programs = _programs(self.inventory, archive)
        made = self._each(
            "up",
            stacks,
            lambda stack: self._update(client, stack, programs[stack]),
        )
        kept = kept_inventory(names, client)
        built = replace(self.inventory, stacks=_together(kept.stacks if kept else (), stacks))
        self.records.write_inventory(built)
        return replace(made, inventory=built)

    def _update(self, client: AwsClient, stack: str, program: Callable[[], None]) -> Result:
        """What the state has already needs no look at Route 53, whose control plane may be lost with the primary.
        Buckets tell of their replication once there is a queue for it; those that are given up, no more before it may
        go."""
        front = self.inventory.traffic
        if stack == "standby" and front and self.records and not self._holds(stack, front_record.RECORD):
            front_record.hand_over(client, self.inventory.names, front, self.records, self.say)
        if stack == "primary":
            kept = kept_inventory(self.inventory.names, client)
            self._unless_silent(lambda: bucket_events.leave(client, kept, self.inventory, self.say))
        made = self.engine.update(stack, program, region=self._region(stack), on_event=self._told(stack))
        if stack == "primary":
            self._unless_silent(lambda: bucket_events.ask(client, self.inventory, self.say))
        return made

    def _unless_silent(self, act: Callable[[], None]) -> None:
        """What is done about buckets of a region that may be lost: the rest of `up` goes by the state alone."""
        try:
            act()
        except RegionUnreachable as problem:
            self.say(f"  primary: {problem.message} The next `up` sees to the notifications of its buckets.")

    def _holds(self, stack: str, type_: str) -> bool:
        return any(each.type == type_ for each in self.engine.held(stack))

    def preview(self, archive: Path, stacks: Iterable[str] = STACKS) -> Deployment:
        """What `up` would do; changes nothing."""
        self.check_state(stacks := tuple(stacks))
        self._check_vault()
        programs = _programs(self.inventory, archive)
        return self._each(
            "preview",
            stacks,
            lambda stack: self.engine.preview(
                stack, programs[stack], region=self._region(stack), on_event=self._told(stack)
            ),
        )

    def refresh(self, keep: bool, stacks: Iterable[str] = STACKS) -> Deployment:
        """Look at every resource; with `keep` the states take over what was found, without it this is drift."""
        self.check_state(stacks := tuple(stacks))
        return self._each(
            "refresh" if keep else "drift",
            stacks,
            lambda stack: self.engine.refresh(stack, self._region(stack), self._told(stack), keep),
        )

    def destroy(self, stacks: Iterable[str]) -> Deployment:
        """Delete what is not protected, in the order given."""
        self.check_state(stacks := tuple(stacks))
        return self._each(
            "destroy", stacks, lambda stack: self.engine.destroy(stack, self._region(stack), self._told(stack))
        )

    def check_state(self, stacks: Iterable[str]) -> None:
        """StateMissing where a stack is known to be deployed and the state has nothing of it."""
        for stack in stacks:
            if stack in self.deployed and not self.engine.held(stack):
                names = self.inventory.names
                place = self.engine.location(stack)
                raise StateMissing(workload=names.workload, stack=stack, place=place, bucket=names.vault_bucket)

    @contextmanager
    def _copied(self, act: str, stack: str) -> Iterator[None]:
        """Leave a copy of the state in the vault, after a failure too; a vault that was destroyed takes none."""
        if act not in WRITING or self.records is None or (act, stack) == ("destroy", "vault"):
            yield
            return
        try:
            yield
        except BaseException:
            with suppress(PilotlightError):
                self.records.write_state(stack, self.engine.export(stack))
            raise
        self.records.write_state(stack, self.engine.export(stack))

    def _check_vault(self) -> None:
        """VaultMoved where the state has a vault whose records lie in another account's bucket."""
        names = self.inventory.names
        for each in self.engine.held("vault"):
            if each.urn.endswith(RECORDS) and each.id != names.vault_bucket:
                raise VaultMoved(workload=names.workload, bucket=each.id, wanted=names.vault_bucket)

    def _each(self, act: str, stacks: Iterable[str], do: Callable[[str], Result]) -> Deployment:
        wanted, results = tuple(stacks), list[Result]()
        for stack in wanted:
            with self._interruptible(act, stack, wanted), self._copied(act, stack):
                results.append(do(stack))
            self.say(f"  {stack}: {_counted(results[-1])}")
        return Deployment(self.inventory, tuple(results))

    @contextmanager
    def _interruptible(self, act: str, stack: str, wanted: tuple[str, ...]) -> Iterator[None]:
        self._begun = []
        try:
            yield
        except KeyboardInterrupt:
            left = wanted[wanted.index(stack) + 1 :]
            raise DeploymentInterrupted(
                act=act,
                stack=stack,
                begun=len(self._begun),
                pending=_named(self._pending(stack)),
                done=_named(wanted[: wanted.index(stack)]),
                left=_named(left),
            ) from None

    def _pending(self, stack: str) -> tuple[str, ...]:
        """Whoever interrupts is told even when the state cannot be read any more."""
        try:
            return tuple(urn.rpartition("::")[2] for urn in self.engine.pending(stack))
        except PilotlightError as problem:
            return (f"not known ({problem.message})",)

    def _told(self, stack: str) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            self._begun.append(event.urn)
            self.tell(stack, event)

        return tell

    def _region(self, stack: str) -> str:
        return region(self.inventory, stack)


def _programs(inventory: Inventory, archive: Path) -> Mapping[str, Callable[[], None]]:
    return {
        "vault": lambda: program.vault(inventory),
        "primary": lambda: program.primary(inventory),
        "standby": lambda: program.standby(inventory, archive),
    }


def _together(before: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    known = {*before, *now}
    return tuple(stack for stack in STACKS if stack in known)


def _named(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _counted(result: Result) -> str:
    return (
        ", ".join(f"{number} {operation}" for operation, number in sorted(result.counts.items()) if number) or "empty"
    )
