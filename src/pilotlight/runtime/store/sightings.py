"""What was seen last, and when: the probe's look, the scheduled run's heartbeat, each bucket's replication rule.

Items of the journal table, so that `status` and alarms can tell the age of what is known while the primary region is
dark. `probe/last`, `protect/beat`, `rule/<asset>`, `cadence/<asset>`, `comparison/<asset>`,
`awaited#<asset>/<key>`; every write is whole by itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.store.table import Table

HEALTHY = "healthy"
LOST = "lost"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Look:
    """The probe's newest look at the active region: healthy, lost or unknown; since when; what was seen, in words.

    `at` is when it began: whatever happened later, it may not have seen.
    `home` is whether the primary region answers, where it is not the active one: healthy, lost or unknown.
    """

    verdict: str
    since: str
    at: str
    region: str
    told: tuple[str, ...] = ()
    home: str = ""


@dataclass(frozen=True)
class Heartbeat:
    """The scheduled run's newest sign of life, and what went wrong in it beside the recovery point."""

    at: str
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cadence:
    """How often checkpoints were usually saved in the primary region, and the newest one, as of `at`."""

    usual_seconds: float
    newest_at: str
    at: str


class Sightings:
    """What was seen of one workload."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock

    def look(self) -> Look | None:
        """The newest look of the probe; None before the first."""
        item = self._table.get("probe", "last")
        if item is None:
            return None
        words = {name: str(item.get(name, "")) for name in ("verdict", "since", "at", "region", "home")}
        return Look(**words, told=tuple(json.loads(item.get("told", "[]"))))

    def keep_look(self, verdict: str, region: str, told: tuple[str, ...], home: str, begun: str) -> Look:
        """Keep it; `since` moves only with the verdict or the region."""
        before = self.look()
        same = before is not None and (before.verdict, before.region) == (verdict, region)
        found = Look(verdict, before.since if before and same else begun, begun, region, told, home)
        self._table.put("probe", "last", asdict(found) | {"told": json.dumps(told)})
        return found

    def heartbeat(self) -> Heartbeat | None:
        """The newest scheduled run that began; None before the first."""
        item = self._table.get("protect", "beat")
        return Heartbeat(str(item["at"]), tuple(json.loads(item.get("troubles", "[]")))) if item else None

    def keep_heartbeat(self, troubles: tuple[str, ...] = ()) -> None:
        """A scheduled run lives."""
        self._table.put("protect", "beat", {"at": stamp(self._clock.now()), "troubles": json.dumps(troubles)})

    def rule_since(self, asset: str) -> str:
        """Since when the bucket's replication rule is known to be in place; empty where it never was seen."""
        item = self._table.get("rule", asset)
        return str(item["since"]) if item else ""

    def keep_rule(self, asset: str, since: str) -> None:
        """It is in place since then; empty: it is not."""
        if since:
            self._table.put("rule", asset, {"since": since})
        else:
            self._table.delete("rule", asset)

    def comparison(self, asset: str) -> str:
        """What is kept of a bucket's full comparisons; empty where nothing is (kinds/buckets/comparisons.py)."""
        item = self._table.get("comparison", asset)
        return str(item["state"]) if item else ""

    def keep_comparison(self, asset: str, state: str) -> None:
        """Keep this instead; empty: nothing."""
        if state:
            self._table.put("comparison", asset, {"state": state})
        else:
            self._table.delete("comparison", asset)

    def awaited(self, asset: str) -> dict[str, str]:
        """Key -> what S3 has told of its replication, of those that were not seen to have arrived since."""
        return {str(item["sk"]): str(item["what"]) for item in self._table.query(f"awaited#{asset}")}

    def keep_awaited(self, asset: str, key: str, what: str) -> None:
        """S3 has told this of a key (an object's key is no longer than a sort key may be: 1,024 bytes)."""
        self._table.put(f"awaited#{asset}", key, {"what": what, "at": stamp(self._clock.now())})

    def forget_awaited(self, asset: str, key: str) -> None:
        """Its state was seen to be there."""
        self._table.delete(f"awaited#{asset}", key)

    def cadence(self, asset: str) -> Cadence | None:
        """Of checkpoints; None where too few were seen to know one."""
        item = self._table.get("cadence", asset)
        if item is None:
            return None
        return Cadence(float(item["usual_seconds"]), str(item["newest_at"]), str(item["at"]))

    def keep_cadence(self, asset: str, usual_seconds: float, newest_at: str) -> None:
        """As the primary region's checkpoints tell it now."""
        now = stamp(self._clock.now())
        self._table.put("cadence", asset, {"usual_seconds": str(usual_seconds), "newest_at": newest_at, "at": now})
