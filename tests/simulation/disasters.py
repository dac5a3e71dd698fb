"""One whole disaster, from its plan to rest: who acts is recovery's own code, as people, alarms and schedules start it.

Every call is a turn: the call takes a moment, in which whoever comes first goes on; then it takes effect, all at once.
What AWS answers is from that moment. Strongly consistent, and never stale here: S3 ("Amazon S3 data consistency model",
since 2020) and DynamoDB with ConsistentRead. EC2 ("Eventual consistency in the Amazon EC2 API"), Auto Scaling, Elastic
Load Balancing and RDS describe what was: `stale-read` answers as the last time that the same was asked.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import plans
from calls import Calls
from disaster_world import BUCKETS, FLEET, KEEP, DisasterAws, world
from judging import ENDS, Broken, Judge, Written
from plans import ALARM, FAILBACK, FAILOVER, PROTECT, Actor, Fault, Loss, Plan
from scheduling import Endless, Killed, Process, Scheduler, cooperative

from pilotlight.runtime.aws.client import is_reading
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import PilotlightError
from pilotlight.runtime.handlers import recover
from pilotlight.runtime.recovery import Recovery, wrapped
from pilotlight.runtime.store.lease import RUN
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, SWITCHING
from pilotlight.runtime.store.sightings import HEALTHY, LOST
from support.fake_aws import PRIMARY, STANDBY, inventory

TURNS_MAX = 60_000
"""Ten times what the longest disaster takes."""
ACTIVE_SECONDS = 2 * 3600.0
"""After this nobody begins anything; what goes on still has ENDS_SECONDS more."""
ENDS_SECONDS = 3 * 3600.0
UNREPLICATED_EVERY = 3
"""Of what is written in the standby region, which has no scheduled run to see to it: so many fail to be replicated."""
LAMBDA_SECONDS = 900.0
LAMBDA_AGAIN_SECONDS = (60.0, 120.0)
"""Lambda Developer Guide, "Asynchronous invocation": two more tries."""
PERSON_TRIES = 6
EVENTUAL = ("ec2", "autoscaling", "elbv2", "rds")
STALE_SECONDS = 30.0
"""No answer is older than this."""
SIDES = {plans.PRIMARY: PRIMARY, plans.STANDBY: STANDBY}


@dataclass
class Event:
    """A line of the story."""

    at: float
    who: str
    what: str


@dataclass
class Outcome:
    """What a disaster came to."""

    plan: Plan
    broken: list[Broken]
    checked: Counter[str]
    reached: Counter[str]
    met: Counter[str]
    calls: int
    story: list[Event]
    seconds: float
    """Virtual."""


@dataclass
class Disaster:
    """Everything of one."""

    plan: Plan
    aws: DisasterAws = field(init=False)
    story: list[Event] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    alive: int = 0
    """Jobs that have not ended."""

    def __post_init__(self) -> None:
        self.aws = world(self.plan.start)
        self.began = self.aws.clock.now()
        self.scheduler = Scheduler(self.began, TURNS_MAX)
        self.aws.clock = self.aws.s3.clock = World(self.scheduler)  # type: ignore[assignment]
        self.judge = Judge(self.aws, self.began)
        self.inventory = replace(inventory(), keep=KEEP, trigger="approval" if self.plan.manual else "automatic")
        self.faults: dict[str, list[Fault]] = {}
        self.paces: dict[str, random.Random] = {}
        self.memory: dict[tuple[str, str, str, str], tuple[float, dict[str, Any]]] = {}
        self.remembers = any(each.kind == plans.STALE_READ for each in self.plan.faults)
        self.lost: set[tuple[str, str, str, str]] = set()
        self.resting = False

    # -- what is told ------------------------------------------------------------------------------------------

    def tell(self, who: str, what: str) -> None:
        """One more line."""
        self.story.append(Event(round(self.scheduler.now - self.began, 2), who, what))

    def meets(self, process: Process, fault: Fault, where: str) -> None:
        """A fault met a call."""
        length = f" for {fault.seconds} s" if fault.seconds else ""
        self.met[fault.kind] += 1
        self.tell(process.name, f"{fault.kind}{length} at call {self.numbers[fault.actor]}, {where}")

    # -- calls take effect -------------------------------------------------------------------------------------

    def effect(self, who: Process, service: str, operation: str, region: str, given: dict[str, Any]) -> dict[str, Any]:
        """At this moment, all at once."""
        if is_reading(operation):
            answer = self.aws.call(service, operation, region, **given)
            if service in EVENTUAL and self.remembers:
                self.memory[service, operation, region, str(given)] = (self.scheduler.now, answer)
            return answer
        was = self.judge.before(service, operation, region, given)
        self._again(who, service, operation, region, given)
        takes = service == "dynamodb" and operation == "update_item" and given["Key"]["pk"]["S"] == "lease"
        takes = takes and given["Key"]["sk"]["S"] == RUN
        holder = self.judge.item("lease", RUN) if takes else {}
        answer = self.aws.call(service, operation, region, **given)
        self.judge.after(who, service, operation, region, given, was)
        if takes:
            self._taken(who, holder)
        if self.plan.copies_lost_when_chosen and operation == "transact_write_items" and _chooses(given):
            self.copies_lost()
        if service not in ("dynamodb", "cloudwatch"):
            self.tell(who.name, f"{service}:{operation} in {region}")
        if (service, operation) == ("lambda", "invoke"):
            self._go_on(given)
        return answer

    def _again(self, who: Process, service: str, operation: str, region: str, given: dict[str, Any]) -> None:
        """Whether an act whose answer was lost is done once more."""
        if service != "dynamodb" and self.lost:
            self.judge.reached["act done again"] += (service, operation, region, str(given)) in self.lost

    def _taken(self, who: Process, before: dict[str, Any]) -> None:
        now = self.judge.item("lease", RUN)
        if now.get("epoch") == before.get("epoch"):
            return
        self.tell(who.name, f"takes the lease, epoch {now['epoch']}")
        if before and float(before["expires_at"]) > 0 and before["holder"] != who.name:
            self.met[plans.LEASE_EXPIRED] += 1

    def remembered(self, service: str, operation: str, region: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """What the same question was answered a while ago; None where that is too long ago, or never was."""
        at, answer = self.memory.get((service, operation, region, str(given)), (-1e18, None))
        fresh = service in EVENTUAL and self.scheduler.now - at <= STALE_SECONDS
        return answer if fresh and region not in self.aws.dark else None

    # -- who acts ----------------------------------------------------------------------------------------------

    def recovery(self, process: Process, actor: str) -> Recovery:
        """The recovery of a process, in the wrappers of every run."""
        client = Calls(self, process, actor)
        return Recovery(
            RecoveryContext(wrapped(client, process, self.paces[actor]), self.inventory, process, self.aws.fetch),
            process.name,
        )

    def job(self, actor: Actor, act: Callable[[Recovery, Process], None], moment: float, lives: int = 6) -> None:
        """A process that is begun anew some time after it was killed, by another with another name."""
        self.faults.setdefault(actor.name, [each for each in self.plan.faults if each.actor == actor.name])
        self.paces.setdefault(actor.name, random.Random(f"{self.plan.pace}/{actor.name}"))
        self.alive += 1
        self._live(actor, act, moment, lives, 1)

    def _live(
        self, actor: Actor, act: Callable[[Recovery, Process], None], moment: float, lives: int, life: int
    ) -> None:
        name = actor.name if life == 1 else f"{actor.name}+{life}"
        process = Process(name, self.scheduler, actor.skew)
        self.scheduler.processes.append(process)

        def run() -> None:
            try:
                act(self.recovery(process, actor.name), process)
            except Killed:
                if life < lives and not self.scheduler.ending:
                    again = self.scheduler.now + 20 + 70 * self.paces[actor.name].random()
                    self.met["killed"] += 1
                    self._live(actor, act, again, lives, life + 1)
                    return
            except PilotlightError as problem:
                self.saw(process, problem)
            except Endless:
                raise
            except Exception as problem:
                last = traceback.extract_tb(problem.__traceback__)[-1]
                where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
                self.judge.check(ENDS, [f"{process.name}: {type(problem).__name__} {problem} ({where})"])
            self.alive -= 1

        self.scheduler.spawn(process, run, moment)

    def saw(self, process: Process, problem: PilotlightError) -> None:
        """Somebody was told an error."""
        name = type(problem).__name__
        self.judge.reached[name] += 1
        self.tell(process.name, f"{name}: {problem.message}"[:220])

    def begin(self, actor: Actor) -> None:
        """What the plan says of one."""
        does = {PROTECT: self._protects, FAILOVER: self._fails_over, FAILBACK: self._fails_back}
        moment = self.began + actor.at
        if actor.does == ALARM:
            call = recover.Call("active-unhealthy: the probe sees it lost", seen_at=moment - actor.late)
            self._invoke(actor, call, moment)
        else:
            self.job(actor, does[actor.does], moment)
        if actor.skew:
            self.met[plans.CLOCK_SKEW] += 1

    def _protects(self, recovery: Recovery, process: Process) -> None:
        deadline = process.now() + LAMBDA_SECONDS - 25
        point = recovery.protect(deadline)
        self.tell(process.name, f"protect: {f'{point.id} {point.status}' if point else 'no point'}")

    def _fails_over(self, recovery: Recovery, process: Process) -> None:
        self._person(recovery, process, lambda: recovery.failover())

    def _fails_back(self, recovery: Recovery, process: Process) -> None:
        self._person(recovery, process, lambda: recovery.failback())

    def _person(self, recovery: Recovery, process: Process, act: Callable[[], Any]) -> None:
        """Types the command again, as its hint says."""
        for _ in range(PERSON_TRIES):
            try:
                journal = act()
            except PilotlightError as problem:
                self.saw(process, problem)
                process.sleep(20)
                continue
            except KeyboardInterrupt:
                self.tell(process.name, "Ctrl-C")
                self.judge.reached["run interrupted by a person"] += 1
                return
            self._ended(process, journal)
            return

    def _ended(self, process: Process, journal: Any) -> None:
        told = f"{journal.kind} {journal.run} {journal.state}" if journal else "nothing to do"
        self.tell(process.name, told)
        if journal is None:
            self.judge.reached["nothing to do"] += 1
            return
        self._reached(journal)

    def _reached(self, journal: Any) -> None:
        """What the journal of a run says that this disaster came through."""
        reached = self.judge.reached
        lines = [each for each in journal.entries if each.step == "take-lease"]
        reached[f"{journal.kind} {journal.state}"] += 1
        reached["run resumed"] += len(lines) > 1
        for each in journal.entries:
            evidence = each.evidence
            reached["choice withdrawn"] += each.state == "withdrawn" and each.step == "choose-point"
            reached["older point taken"] += each.state == "proven" and "passed_over" in evidence
            reached["never served, nothing brought home"] += "never_served" in evidence
            reached["late acts named"] += each.step == "look-again" and "late_acts" in evidence
            reached["primary's newer version stayed"] += bool(evidence.get("kept"))
            reached["look-again acted"] += each.step == "look-again" and each.state == "intended"

    # -- Lambda ------------------------------------------------------------------------------------------------

    def _invoke(self, actor: Actor, call: recover.Call, moment: float) -> None:
        def act(recovery: Recovery, process: Process) -> None:
            if call.seen_at is not None and not call.goes_on:
                self.judge.seen_at[process.name] = call.seen_at
            self.scheduler.at(self.scheduler.now + LAMBDA_SECONDS, lambda: self._times_out(process))
            try:
                found = recover.answer(recovery, call, process.now() + LAMBDA_SECONDS - 30, "recover")
            except PilotlightError as problem:
                self.saw(process, problem)
                tries = self.numbers[f"{actor.name} fails"] = self.numbers[f"{actor.name} fails"] + 1
                if tries <= len(LAMBDA_AGAIN_SECONDS):
                    self._invoke(actor, call, self.scheduler.now + LAMBDA_AGAIN_SECONDS[tries - 1])
                return
            self._answered(actor, call, process, found)

        self.job(actor, act, moment, lives=3)

    def _times_out(self, process: Process) -> None:
        if process.tasks and not process.dead:
            self.judge.reached["Lambda timed out"] += 1
            process.kill()

    def _answered(self, actor: Actor, call: recover.Call, process: Process, found: dict[str, Any]) -> None:
        why = {id(recover.NOTHING): "over", id(recover.GOING_HOME): "going home", id(recover.WELL): "well"}
        told = why.get(id(found), found["state"])
        self.judge.reached[f"alarm: {told}"] += 1
        self.tell(process.name, f"answers {told}")
        if "run" in found:
            journal = self._ledger().journal(found["run"])
            if journal:
                self._reached(journal)
        if found["state"] == "waiting-for-approval" and not self.resting:
            word = Actor(f"{actor.name}-word", FAILOVER, 0.0)
            if word.name not in self.faults:
                self.job(word, self._approves, self.scheduler.now + 60)

    def _approves(self, recovery: Recovery, process: Process) -> None:
        """`pilotlight failover --approve`."""
        try:
            recovery.approve(process.name)
        except PilotlightError as problem:
            self.saw(process, problem)
            return
        self.judge.reached["request approved"] += 1
        self._fails_over(recovery, process)

    def _go_on(self, given: dict[str, Any]) -> None:
        """Lambda's own asynchronous invocation: a paused run, or a transient error."""
        call = recover.parse(recover.json.loads(given["Payload"]), "")
        if call is None:
            return
        self.judge.reached["function invoked itself"] += 1
        actor = Actor(f"goes-on-{self.numbers['goes on']}", ALARM, 0.0)
        self.numbers["goes on"] += 1
        self._invoke(actor, call, self.scheduler.now + 1)

    # -- what goes on beside -----------------------------------------------------------------------------------

    def _ledger(self) -> Any:
        plain = RecoveryContext(self.aws, self.inventory, self.aws.clock, self.aws.fetch)
        return plain.ledger

    def workload(self) -> None:
        """Writes where the record says that the region serves, if an instance runs there and the bucket takes it."""
        if not self.resting:
            self.scheduler.at(self.scheduler.now + 9, self.workload)
        record, now = self.judge.record(), self.scheduler.now
        region = record["region"]
        group = self.aws.groups[region, FLEET[region]]
        ready = any(now >= at for _, at in group.instances)
        if record["state"] != SERVING or region in self.aws.dark or not ready:
            return
        bucket = BUCKETS[region][0]
        if region == PRIMARY and self.aws.fenced(bucket):
            return
        count = len(self.judge.written)
        key = f"w/{count % 5 if count % 3 == 0 else count}"
        body = f"{count}".encode()
        self.aws.s3.write(bucket, key, body, replicate=region == PRIMARY or count % UNREPLICATED_EVERY != 0)
        self.judge.written.append(Written(key, body, region, now))

    def probe(self) -> None:
        """runtime/readiness/probe.py, as one moment: its look is kept, and its metric repeats what the record says."""
        if not self.resting:
            self.scheduler.at(self.scheduler.now + 60, self.probe)
        if STANDBY in self.aws.dark or (STANDBY, "dynamodb") in self.aws.silent:
            return
        record = self.judge.record()
        if record["state"] != SERVING:
            return
        region, group = record["region"], self.aws.groups[record["region"], FLEET[record["region"]]]
        well = region not in self.aws.dark and any(self.scheduler.now >= at for _, at in group.instances)
        self.aws.metrics.setdefault("StandbyActive", []).append(float(region == STANDBY))
        self._ledger().sightings.keep_look(HEALTHY if well else LOST, region, (), "", stamp(self.scheduler.now))

    def lose(self, loss: Loss, number: int) -> None:
        """A region goes dark and comes back, or one service of it."""
        region = SIDES[loss.side]
        what = f"{region} {loss.service}".strip()

        def begins() -> None:
            self.tell("AWS", f"{what} does not answer")
            if loss.service:
                self.aws.silent.add((region, loss.service))
                self.met[plans.SERVICE_SILENT] += 1
            else:
                self.dark[region] += 1
                self.aws.dark.add(region)
                self.met[plans.SECOND_LOSS] += number > 0

        def ends() -> None:
            if loss.service:
                self.aws.silent.discard((region, loss.service))
            else:
                self.dark[region] -= 1
                if not self.dark[region]:
                    self.aws.dark.discard(region)
            self.tell("AWS", f"{what} answers")

        self.scheduler.at(self.began + loss.at, begins)
        self.scheduler.at(self.began + loss.at + loss.seconds, ends)

    def copies_lost(self) -> None:
        """Somebody deletes what the newest point stands on, once."""
        if self.met[plans.COPIES_LOST]:
            return
        newest = max(self.judge.listed(), default="")
        lost = self.judge.copies_of(newest) & set(self.aws.snapshots[STANDBY])
        for each in sorted(lost):
            del self.aws.snapshots[STANDBY][each]
        self.judge.deleted |= lost
        self.met[plans.COPIES_LOST] += bool(lost)
        self.tell("somebody", f"deletes {sorted(lost)}, which {newest} stands on")

    # -- from the beginning to rest ----------------------------------------------------------------------------

    def play(self) -> Outcome:
        """All of it."""
        self.dark: Counter[str] = Counter()
        with cooperative(self.scheduler):
            try:
                self._active()
                self._rest()
            except Endless:
                self.judge.check(ENDS, [f"something goes on still after {self.scheduler.turns} turns"])
            finally:
                self.scheduler.end()
        self._count()
        seconds = self.scheduler.now - self.began
        judge = self.judge
        return Outcome(self.plan, judge.broken, judge.checked, judge.reached, self.met, self.calls, self.story, seconds)

    def _active(self) -> None:
        for number, loss in enumerate(self.plan.losses):
            self.lose(loss, number)
        for actor in self.plan.actors:
            self.begin(actor)
        if self.plan.copies_lost_at is not None:
            self.scheduler.at(self.began + self.plan.copies_lost_at, self.copies_lost)
        self.scheduler.at(self.began + 1, self.workload)
        self.scheduler.at(self.began + 2, self.probe)
        last = max((each.at + each.seconds for each in self.plan.losses), default=0.0)
        last = max([last, *(each.at for each in self.plan.actors)])
        self.scheduler.run(self.began + last)
        self.scheduler.run(self.began + ENDS_SECONDS, lambda: self.alive == 0)
        self.judge.check(ENDS, [] if self.alive == 0 else [f"{self.alive} processes go on still"])

    def _rest(self) -> None:
        """No more faults; a person brings home what is not, and the schedule protects it until that is complete."""
        self.resting = True
        self.aws.at_rest()
        self.tell("a person", "brings all to rest")
        self.scheduler.run(self.scheduler.now + 61)
        done: list[bool] = []
        self.job(
            Actor("rest", FAILBACK, 0.0),
            lambda recovery, process: done.append(self._calm(recovery, process)),
            self.scheduler.now,
        )
        self.scheduler.run(self.scheduler.now + ENDS_SECONDS, lambda: self.alive == 0)
        self.judge.check(ENDS, [] if done == [True] else ["it could not be brought to rest"])
        self.judge.points(self.met[plans.SECOND_LOSS] > 0)
        self.judge.runs()
        self.judge.rest()
        self.judge.objects()

    def _calm(self, recovery: Recovery, process: Process) -> bool:
        for _ in range(8):
            try:
                if self._one_more(recovery, process):
                    return True
            except PilotlightError as problem:
                self.saw(process, problem)
            process.sleep(40)
        return False

    def _one_more(self, recovery: Recovery, process: Process) -> bool:
        """What the record calls for; True when nothing does, and a point is complete."""
        active = recovery.active()
        away = active.region == STANDBY
        if active.state == FAILING_OVER:
            self._ended(process, recovery.failover())
        elif active.state == SWITCHING or recovery.under_way(FAILBACK) or (self.plan.home and away):
            recovery.protect()
            self._ended(process, recovery.failback())
        point = recovery.protect()
        self._mend(recovery)
        active = recovery.active()
        protected = active.region == STANDBY or (point is not None and point.status == "complete")
        return protected and active.state == SERVING

    def _mend(self, recovery: Recovery) -> None:
        """As the schedule tells people of what an older run left."""
        heartbeat = recovery.context.ledger.sightings.heartbeat()
        for told in heartbeat.troubles if heartbeat else ():
            self.tell("people are told", told[:200])
            self.judge.reached["people told of a fence left"] += 1
            for bucket in BUCKETS[PRIMARY]:
                if f"s3://{bucket} " in told or " did s3:put_bucket_policy" in told:
                    self.aws.s3.policies.pop(bucket, None)
            if " did rds:" in told:
                self.aws.writer = recovery.active().region
            if f"{FLEET[PRIMARY]} " in told or " did autoscaling:" in told:
                group = self.aws.groups[PRIMARY, FLEET[PRIMARY]]
                group.suspended, group.desired = [], 1
                self.aws._grow(group)

    def _count(self) -> None:
        """Faults that are not of one call."""
        does = Counter(each.does for each in self.plan.actors)
        runners = does[FAILOVER] + does[ALARM] + does[FAILBACK]
        self.met[plans.OVERLAPPING] += does[PROTECT] > 1
        self.met[plans.LATE_ALARM] += any(each.late for each in self.plan.actors)
        self.met[plans.DOUBLE_ALARM] += does[ALARM] > 1
        self.met[plans.TWO_RUNNERS] += runners > 1
        self.met[plans.AGAINST_EACH_OTHER] += bool(does[FAILBACK] and runners > does[FAILBACK])
        states = Counter(each.get("state") for each in self.judge.journals().values())
        self.judge.reached["run superseded"] += states["superseded"]
        self.judge.reached["late act noted"] += len(self.judge.items("late"))
        self.judge.reached["LeaseHeld"] += 0
        self.judge.reached["EpochStale"] += 0


def _chooses(given: dict[str, Any]) -> bool:
    """Whether a transaction says that a point is chosen."""
    lines = (each.get("Put", {}).get("Item", {}) for each in given["TransactItems"])
    return any(each.get("step") == {"S": "choose-point"} and each["state"] == {"S": "proven"} for each in lines)


class World:
    """AWS's own clock."""

    flows = False

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> float:
        """Seconds since 1970."""
        return self._scheduler.now

    def sleep(self, seconds: float) -> None:
        """Acts of AWS take no time of their own here."""


def play(plan: Plan) -> Outcome:
    """One disaster."""
    return Disaster(plan).play()
