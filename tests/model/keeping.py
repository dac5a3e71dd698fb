"""The protocol of recovery points: scheduled runs list and let go, a run chooses, a reader registers nothing.

Each scheduled run takes the lease after the one before it, which may be at work still, or stand still for ever; one
failover, which is killed and resumed; and one who reads a point without saying so, as `points verify` and a drill do,
for no longer than an invocation lives. Point n stands on the copies n. Of time there is one thing: what was let go
grows old.

Not in it: refusals by a person, and copies that several points share (points/prune.py keeps the newest set that is
complete, whoever names it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

IDLE, TAKEN, WRITTEN, READ, LET_GO, LOOKED, ENDED = range(7)
"""A scheduled run: with the lease, with a record, with its point listed and the list read, having let go of what it
does not keep, having read the choices; then it deletes, and ends."""
NOTHING, PICKED, REGISTERED, USES, OVER = range(5)
"""The run: having picked a point from the list, having registered it, going by it, ended."""
NEW, SHOWN, FRESH, OLD, FORGOTTEN = range(5)
"""A point: made and not listed, listed, let go just now, let go for GRACE_SECONDS, forgotten."""
FREE = -1
KEPT = 1
"""How many points the retention keeps: the newest."""


class Weak(NamedTuple):
    """What a weakened protocol goes without."""

    lists_without_lease: bool = False
    chooses_unregistered: bool = False
    looks_before_it_registers: bool = False
    reads_choices_first: bool = False
    no_grace: bool = False


class Scheduled(NamedTuple):
    """What one has read: `stay` are the points that it keeps, `spared` those that runs go by, `over` what nobody needs;
    `aim` is what it acts on, having passed its fence."""

    at: int = IDLE
    point: int = FREE
    stay: int = 0
    spared: int = 0
    over: int = 0
    aim: int = FREE


class World(NamedTuple):
    """What is in the table and in the standby region, and where everybody is."""

    points: tuple[int, ...] = (SHOWN, SHOWN)
    copies: int = 0b11
    epoch: int = 0
    scheduled: tuple[Scheduled, ...] = ()
    run: int = NOTHING
    picked: int = FREE
    choice: int = FREE
    reader: int = FREE
    read: bool = False


def first(scheduled: int) -> World:
    """Two points are listed, and so many scheduled runs come."""
    return World(scheduled=(Scheduled(),) * scheduled)


Rule = tuple[str, Callable[[World, Weak], Iterator[World]]]


def _points(world: World, *states: int) -> list[int]:
    return [number for number, state in enumerate(world.points) if state in states]


def _set(world: World, number: int, state: int) -> World:
    points = list(world.points)
    points[number] = state
    return world._replace(points=tuple(points))


def _with(world: World, i: int, one: Scheduled) -> World:
    return world._replace(scheduled=(*world.scheduled[:i], one, *world.scheduled[i + 1 :]))


def _bits(numbers: list[int]) -> int:
    return sum(1 << number for number in numbers)


def _chosen(world: World) -> int:
    return 0 if world.choice == FREE or world.run == OVER else 1 << world.choice


# -- scheduled runs: the one in place n takes epoch n + 1 --------------------------------------------------------------


def _at(world: World, *places: int) -> Iterator[tuple[int, Scheduled]]:
    return ((i, one) for i, one in enumerate(world.scheduled) if one.at in places)


def _holds(world: World, i: int) -> bool:
    return world.epoch == i + 1


def _takes(world: World, weak: Weak) -> Iterator[World]:
    """The lease that is free, or that has run out; whoever had it may be at work still."""
    if world.epoch < len(world.scheduled):
        yield _with(world, world.epoch, Scheduled(TAKEN))._replace(epoch=world.epoch + 1)


def _writes(world: World, weak: Weak) -> Iterator[World]:
    for i, one in _at(world, TAKEN):
        number = len(world.points)
        made = world._replace(points=(*world.points, NEW), copies=world.copies | 1 << number)
        yield _with(made, i, one._replace(at=WRITTEN, point=number))


def _lists(world: World, weak: Weak) -> Iterator[World]:
    """On condition of the lease; then it reads the list."""
    for i, one in _at(world, WRITTEN):
        if not _holds(world, i) and not weak.lists_without_lease:
            yield _with(world, i, Scheduled(ENDED))
            continue
        listed = _set(world, one.point, SHOWN)
        stay = _bits(_points(listed, SHOWN)[-KEPT:])
        spared = _chosen(world) if weak.reads_choices_first else 0
        yield _with(listed, i, one._replace(at=READ, stay=stay, spared=spared))


def _passes(world: World, weak: Weak) -> Iterator[World]:
    """A fence, before letting go of a point or deleting copies; who lost the lease ends."""
    for i, one in _at(world, READ, LOOKED):
        if one.aim != FREE:
            continue
        more = _unkept(world, one) if one.at == READ else _deletable(world, one)
        if not more:
            ended = _with(_forgets(world, one), i, Scheduled(ENDED))
            yield _with(world, i, one._replace(at=LET_GO)) if one.at == READ else ended
        elif _holds(world, i):
            yield _with(world, i, one._replace(aim=more[0]))
        else:
            yield _with(world, i, Scheduled(ENDED))


def _acts(world: World, weak: Weak) -> Iterator[World]:
    """At once or late: what passed its fence takes effect when it will."""
    for i, one in _at(world, READ, LOOKED):
        if one.aim != FREE:
            done = _let_go(world, one.aim) if one.at == READ else _gone(world, one.aim)
            yield _with(done, i, one._replace(aim=FREE))


def _reads_choices(world: World, weak: Weak) -> Iterator[World]:
    for i, one in _at(world, LET_GO):
        spared = one.spared if weak.reads_choices_first else _chosen(world)
        gone = (FRESH, OLD) if weak.no_grace else (OLD,)
        over = _bits(_points(world, *gone)) & ~spared
        yield _with(world, i, one._replace(at=LOOKED, spared=0, over=over))


def _unkept(world: World, one: Scheduled) -> list[int]:
    return [number for number in _points(world, SHOWN) if not one.stay >> number & 1 and number <= one.point]


def _deletable(world: World, one: Scheduled) -> list[int]:
    """Copies older than the newest that nothing needs which it has read of."""
    needed = one.stay | _bits(_points(world, FRESH, OLD)) & ~one.over
    there = [number for number in range(len(world.points)) if world.copies >> number & 1]
    return [number for number in there[:-1] if not needed >> number & 1]


def _let_go(world: World, number: int) -> World:
    return _set(world, number, FRESH) if world.points[number] == SHOWN else world


def _gone(world: World, number: int) -> World:
    return world._replace(copies=world.copies & ~(1 << number))


def _forgets(world: World, one: Scheduled) -> World:
    for number in _points(world, FRESH, OLD):
        if one.over >> number & 1:
            world = _set(world, number, FORGOTTEN)
    return world


def _ages(world: World, weak: Weak) -> Iterator[World]:
    """Who read of a point while it was listed has ended before it is old, or has registered it (GRACE_SECONDS)."""
    for number in _points(world, FRESH):
        if world.reader != number:
            yield _set(world, number, OLD)


# -- the run, and who only reads ------------------------------------------------------------------------------------


def _picks(world: World, weak: Weak) -> Iterator[World]:
    """The newest that is listed, or the one before it where that has lost copies."""
    if world.run == NOTHING:
        for number in _points(world, SHOWN)[-2:]:
            yield world._replace(run=PICKED, picked=number)


def _registers(world: World, weak: Weak) -> Iterator[World]:
    if world.run == PICKED:
        yield world._replace(run=REGISTERED, choice=FREE if weak.chooses_unregistered else world.picked)


def _looks(world: World, weak: Weak) -> Iterator[World]:
    """Whether it is listed still: else it is let go of, and the next one is picked."""
    if world.run == REGISTERED:
        listed = weak.looks_before_it_registers or world.points[world.picked] == SHOWN
        yield world._replace(run=USES) if listed else world._replace(run=NOTHING, choice=FREE, picked=FREE)


def _ends(world: World, weak: Weak) -> Iterator[World]:
    if world.run == USES:
        yield world._replace(run=OVER, picked=FREE)


def _is_killed(world: World, weak: Weak) -> Iterator[World]:
    """What was picked is forgotten with the process; with what is registered a resumed one goes on."""
    if world.run == PICKED or (world.run == REGISTERED and world.choice == FREE):
        yield world._replace(run=NOTHING, picked=FREE)


def _is_read(world: World, weak: Weak) -> Iterator[World]:
    if world.reader == FREE and not world.read:
        for number in _points(world, SHOWN):
            yield world._replace(reader=number, read=True)
    elif world.reader != FREE:
        yield world._replace(reader=FREE)


TABLE: tuple[Rule, ...] = (
    ("protect takes the lease", _takes),
    ("protect writes its point", _writes),
    ("protect lists it", _lists),
    ("protect passes its fence, or ends", _passes),
    ("protect acts", _acts),
    ("protect reads the choices", _reads_choices),
    ("what was let go grows old", _ages),
    ("the run picks", _picks),
    ("the run registers its choice", _registers),
    ("the run looks whether it is listed", _looks),
    ("the run ends", _ends),
    ("the run is killed and begins anew", _is_killed),
    ("somebody reads, or has read", _is_read),
)


# -- what must hold --------------------------------------------------------------------------------------------------


def _there(world: World, number: int) -> bool:
    return number == FREE or bool(world.copies >> number & 1)


def listed_is_there(world: World) -> bool:
    """A listed point has its copies, from its first moment on the list."""
    return all(_there(world, number) for number in _points(world, SHOWN))


def used_is_there(world: World) -> bool:
    """What a run goes by stays until it has ended, also while nobody is at it."""
    return world.run != USES or _there(world, world.picked)


def read_is_there(world: World) -> bool:
    """Who read of a point a moment ago can read it to its end."""
    return _there(world, world.reader)


def something_is_listed(world: World) -> bool:
    """Letting go never leaves nothing to recover from."""
    return bool(_points(world, SHOWN))


ALWAYS: tuple[Callable[[World], bool], ...] = (listed_is_there, used_is_there, read_is_there, something_is_listed)
