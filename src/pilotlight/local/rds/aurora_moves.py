"""Failover, switchover, and the way back of a cluster that was the writer.

Source: Aurora User Guide, "Performing cross-Region failovers (unplanned)" and "Performing switchovers (planned)". In a
failover the old writer is fenced before anything else and never opened as one again: once its region is back, its old
state is kept as a snapshot, it is rewound to where the histories part (or copied anew), and it follows. In a switchover
the writer is closed and ended cleanly, which hands the target everything; only a target that has it all is promoted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from psycopg import OperationalError, sql

from pilotlight.local.rds.aurora_database import AVAILABLE, Database, Role
from pilotlight.local.rds.aurora_global import GlobalDatabase, Member, Move
from pilotlight.local.rds.postgres import ToolFailed
from pilotlight.local.rds.postgres_server import Server, ServerFailed

if TYPE_CHECKING:
    from pilotlight.local.rds.aurora import Aurora

STREAMING_SECONDS_MAX = 30.0
"""A target that does not follow by then is not waited for; the switchover is given up, nothing is lost."""

CATCH_UP_SECONDS_MAX = 10.0
"""A writer that ended cleanly has handed over everything; what is left is that the target replays it."""

LOOK_SECONDS = 0.02
AGAIN_SECONDS = 0.5


class Moves:
    """What happens to a global database in the background."""

    def __init__(self, aurora: Aurora) -> None:
        self._aurora = aurora
        self._cloud = aurora.cloud
        self._lock = threading.Lock()

    # -- failover --------------------------------------------------------------------------------------------

    def fail_over(self, one: GlobalDatabase, target: Member) -> None:
        """Promote the target with what it has; data that had not reached it is lost."""
        old = self._begin(one, target, "failing-over", is_data_loss_allowed=True)
        old.fence()
        for member in one.secondaries:
            member.database.follow(None)
        self._aurora.work("failover", lambda: self._finish_failover(one, target, old))

    def _finish_failover(self, one: GlobalDatabase, target: Member, old: Database) -> None:
        self._wait(lambda: not self._cloud.is_dark(target.database.region))
        self._end_if_reachable(old)
        target.database.running().promote()
        behind = [member for member in one.members if member is not target]
        for member in behind:
            member.is_synchronized = False
        self._crown(one, target.database)
        self._finish(one)
        for member in behind:
            self.rejoin_later(one, member)

    def _end_if_reachable(self, old: Database) -> None:
        if not self._cloud.is_dark(old.region):
            old.running().stop(clean=True)

    # -- switchover ------------------------------------------------------------------------------------------

    def switch_over(self, one: GlobalDatabase, target: Member) -> None:
        """Exchange the roles without losing anything."""
        old = self._begin(one, target, "switching-over", is_data_loss_allowed=False)
        self._aurora.work("switchover", lambda: self._finish_switchover(one, target, old))

    def _finish_switchover(self, one: GlobalDatabase, target: Member, old: Database) -> None:
        if not self._follows(old, target.database):
            return self._give_up(one, old)
        old.paused = True
        old.settle()
        old.running().stop(clean=True)
        if not self._has_everything(target.database, old.running()):
            return self._give_up(one, old)
        target.database.follow(None)
        target.database.running().promote()
        self._crown(one, target.database)
        for member in one.secondaries:
            member.database.follow(target.database)
        one.member(old.arn).is_synchronized = False
        self._be_led(one, one.member(old.arn), target.database)
        self._finish(one)
        return None

    def _be_led(self, one: GlobalDatabase, member: Member, writer: Database) -> None:
        """The old writer ended cleanly, so it can follow as it is; if it does not, it is made to."""
        try:
            self._start_as_reader(member.database)
            member.is_synchronized = self._follows(writer, member.database)
        except ServerFailed as problem:
            self._cloud.log(f"{member.database.arn} does not follow after the switchover: {problem}")
        if not member.is_synchronized:
            self.rejoin_later(one, member)

    def _has_everything(self, target: Database, old: Server) -> bool:
        """Whether the target has replayed the last thing that the old writer wrote: its shutdown checkpoint."""
        if self._cloud.is_dark(target.region):
            return False
        try:
            last = self._aurora.postgres.control(old, "Latest checkpoint location")
            ask = sql.SQL("SELECT pg_last_wal_replay_lsn() > {}::pg_lsn").format(sql.Literal(last))
            return self._wait(lambda: bool(target.running().query(ask)[0][0]), CATCH_UP_SECONDS_MAX)
        except (ToolFailed, OSError, IndexError, StopIteration) as problem:
            self._cloud.log(f"switchover: {problem}")
            return False

    def _give_up(self, one: GlobalDatabase, old: Database) -> None:
        """The old writer goes on; nothing was promoted, so nothing can fork."""
        self._cloud.log(f"switchover of {one.identifier} was given up: the target does not have everything")
        if not old.running().is_running:
            old.running().start()
        old.paused = False
        for member in one.members:
            member.database.settle()
            member.database.status = AVAILABLE
        self._finish(one)

    def _start_as_reader(self, old: Database) -> None:
        server = old.running()
        server.follow(old.line.port)
        server.start()
        old.role, old.paused = Role.READER, False
        old.settle()
        old.status = AVAILABLE

    # -- both ------------------------------------------------------------------------------------------------

    def _begin(self, one: GlobalDatabase, target: Member, status: str, *, is_data_loss_allowed: bool) -> Database:
        old = one.writer
        if old is None:
            raise RuntimeError(f"{one.identifier} has no writer")
        one.move, one.status = Move(old, target.database, is_data_loss_allowed), status
        old.status, target.database.status = "failing-over", "promoting"
        return old

    def _crown(self, one: GlobalDatabase, database: Database) -> None:
        """From here on this one takes writes."""
        database.role = Role.WRITER
        database.settle()
        one.writer, database.status = database, AVAILABLE

    def _finish(self, one: GlobalDatabase) -> None:
        one.move, one.status = None, AVAILABLE

    def detach(self, one: GlobalDatabase, member: Member) -> None:
        """A member leaves and stands for itself; a secondary is promoted."""
        database = member.database
        one.members.remove(member)
        database.cluster.global_cluster_identifier = None
        if database is one.writer:
            one.writer = None
            return
        database.status = "promoting"
        database.follow(None)
        self._aurora.work("promotion", lambda: self._promote_alone(database))

    def _promote_alone(self, database: Database) -> None:
        self._wait(lambda: not self._cloud.is_dark(database.region))
        database.running().promote()
        database.role = Role.WRITER
        database.settle()
        database.status = AVAILABLE

    # -- the way back ----------------------------------------------------------------------------------------

    def rejoin_later(self, one: GlobalDatabase, member: Member) -> None:
        """Make the member follow the writer as soon as both can be reached; once at a time."""
        with self._lock:
            if member.is_rejoining:
                return
            member.is_rejoining = True
        self._aurora.work("rejoin", lambda: self._rejoin(one, member))

    def _rejoin(self, one: GlobalDatabase, member: Member) -> None:
        was_writer = member.database.role is Role.FENCED
        try:
            while member in one.members and not self._cloud.stopping.is_set():
                if self._try_to_rejoin(one, member, keeps_old_state=was_writer):
                    return
                was_writer = False
                self._cloud.stopping.wait(AGAIN_SECONDS)
        finally:
            member.is_rejoining = False

    def _try_to_rejoin(self, one: GlobalDatabase, member: Member, *, keeps_old_state: bool) -> bool:
        database = member.database
        self._wait(lambda: member not in one.members or self._can_meet(one, database))
        writer = one.writer
        if member not in one.members or writer is None or writer is database:
            return True
        if database.server is not None:
            database.server.stop(clean=True)
        if keeps_old_state:
            self._aurora.keep_old_state(database)
        database.follow(writer)
        try:
            self._align(member)
        except (ToolFailed, ServerFailed) as problem:
            self._cloud.log(f"rejoin of {database.arn}: {problem}")
            return False
        self._start_as_reader(database)
        if not self._follows(writer, database):
            return False
        member.is_synchronized, member.lost_history, member.silent_rounds = True, False, 0
        return True

    def _can_meet(self, one: GlobalDatabase, database: Database) -> bool:
        writer = one.writer
        if writer is None or one.status != AVAILABLE or not writer.is_serving:
            return False
        return not self._cloud.is_dark(database.region) and not self._cloud.is_dark(writer.region)

    def _follows(self, writer: Database, database: Database) -> bool:
        return self._wait(lambda: self._is_followed(writer, database), STREAMING_SECONDS_MAX)

    def _is_followed(self, writer: Database, database: Database) -> bool:
        """Whether the writer's server streams to the other one's at this moment."""
        ask = sql.SQL("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = {}")
        try:
            return bool(writer.running().query(ask.format(sql.Literal(database.key))))
        except OperationalError:
            return False

    def _align(self, member: Member) -> None:
        """Rewind the stopped server to the writer's history; where that cannot be done, copy the writer anew."""
        postgres, database = self._aurora.postgres, member.database
        old = database.server
        if old is not None and not member.lost_history:
            try:
                with database.hurrying():
                    return postgres.rewind(old, database.line.port)
            except ToolFailed as problem:
                self._cloud.log(f"{database.arn} cannot be rewound and is copied anew: {problem}")
        database.server = self._aurora.copy_through_line(database)
        if old is not None:
            postgres.discard(old)
        return None

    def _wait(self, is_so: Callable[[], bool], seconds: float | None = None) -> bool:
        """Until it is so, the time is up, or the cloud stops (which raises, so that nothing is done after it)."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not is_so():
            if deadline is not None and time.monotonic() > deadline:
                return False
            if self._cloud.stopping.wait(LOOK_SECONDS):
                raise Stopping
        return True


class Stopping(Exception):
    """The cloud stops; whatever was under way ends here."""
