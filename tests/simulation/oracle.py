"""The oracle: sees both regions whole, and says for itself whether a point is true and consistent along `uses`.

It shares no code with what it judges: it knows what the trainer meant, when each row was committed, what lies where.
"""

from __future__ import annotations

from math import floor

from world import Saved, Sight, Version, World

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.point import RecoveryPoint


def lies(world: World, point: RecoveryPoint, sight: Sight) -> list[str]:
    """What the parts of a point claim and is not so; `sight` is the moment of its last look."""
    return [*_watermark(world, point, sight), *_whole(world, point, sight)]


def inconsistencies(world: World, point: RecoveryPoint, sight: Sight) -> list[str]:
    """Why the parts do not fit together: data newer than the watermark, rows newer than the checkpoint."""
    return [*_data(point), *_rows(world, point, sight)]


def _watermark(world: World, point: RecoveryPoint, sight: Sight) -> list[str]:
    """Every version of an earlier second than the watermark is in the standby bucket, by version id and bytes."""
    watermark = parse_stamp(_as_of(point, "corpus"))
    copies = sight.versions[f"{world.corpus}-copy"]
    wrong = []
    for key, versions in sight.versions[world.corpus].items():
        newest = [each for each in versions if each.second < watermark][-1:]
        for version in newest:
            if version not in copies.get(key, []) and not _superseded(version, versions, copies.get(key, [])):
                wrong.append(f"{key} of second {version.second} is missing; the watermark is {watermark}")
    return wrong


def _superseded(version: Version, source: list[Version], copies: list[Version]) -> bool:
    """A newer version than this one has arrived, so what counts is there; or it is a marker over what is deleted there
    already."""
    newer = source[source.index(version) + 1 :]
    return any(each in copies for each in newer) or (version.body is None and _body(copies) is None)


def _whole(world: World, point: RecoveryPoint, sight: Sight) -> list[str]:
    step = _step(point)
    return [] if step in complete_steps(world, sight) else [f"step {step} is not whole in the standby bucket"]


def complete_steps(world: World, sight: Sight) -> set[int]:
    """Steps of which every file that the trainer meant lies in the standby bucket, with its bytes."""
    copies = sight.versions[f"{world.models}-copy"]
    return {
        one.step for one in world.saved if all(_body(copies.get(key, [])) == body for key, body in one.files.items())
    }


def _body(versions: list[Version]) -> bytes | None:
    return versions[-1].body if versions else None


def _data(point: RecoveryPoint) -> list[str]:
    written, watermark = parse_stamp(_as_of(point, "models")), parse_stamp(_as_of(point, "corpus"))
    return [] if floor(written) < watermark else [f"the checkpoint of {written} may need data after {watermark}"]


def _rows(world: World, point: RecoveryPoint, sight: Sight) -> list[str]:
    """Rows that were committed before they were read name nothing torn and nothing newer than the checkpoint; those
    that came after the database's moment count too, for they may have been replicated when the database is promoted."""
    until = parse_stamp(_rows_read_at(point))
    named = {_step_of(uri) for at, uri in world.rows if at < until}
    whole, taken = complete_steps(world, sight), _step(point)
    return [f"a row names step {step}" for step in sorted(named) if step not in whole or step > taken]


def best(world: World, sight: Sight, watermark: float) -> int | None:
    """The newest step that is whole in the standby bucket and older than the watermark of the data it may need."""
    return max((one.step for one in world.saved if _fits(world, one, sight, watermark)), default=None)


def _fits(world: World, one: Saved, sight: Sight, watermark: float) -> bool:
    copies = sight.versions[f"{world.models}-copy"]
    newest = max((copies[key][-1].second for key in one.files if copies.get(key)), default=0)
    return one.step in complete_steps(world, sight) and newest < watermark


def _as_of(point: RecoveryPoint, asset: str) -> str:
    part = point.part(asset)
    assert part is not None and part.as_of, f"{asset} of {point.id} is not proven"
    return part.as_of


def _rows_read_at(point: RecoveryPoint) -> str:
    part = point.part("registry")
    assert part is not None and _as_of(point, "registry") <= part.evidence["rows"]["read_at"]
    return str(part.evidence["rows"]["read_at"])


def _step(point: RecoveryPoint) -> int:
    part = point.part("models")
    assert part is not None
    return int(encode(part.reference)["step"])


def _step_of(uri: str) -> int:
    return int(uri.rstrip("/").rsplit("-", 1)[1])


def all_proven(point: RecoveryPoint) -> bool:
    """Whether every part was found at all."""
    return all(part.proven for part in point.parts)
