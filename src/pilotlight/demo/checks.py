"""What must hold for the rehearsal to have succeeded; each check names what it saw (pure)."""

from __future__ import annotations

from pilotlight.report.record import Answers, AssetFigures, CallFigures, Check, CheckpointFigures, ObjectiveFigures


def objectives(assets: tuple[AssetFigures, ...], rto_seconds: float, wanted: ObjectiveFigures) -> list[Check]:
    """RTO and every asset's RPO against the declaration."""
    checks = [
        Check(
            "RTO is within its objective",
            rto_seconds <= wanted.rto_seconds,
            f"{rto_seconds:.1f} s, objective {wanted.rto_seconds:g} s",
        )
    ]
    for asset in assets:
        seen = f"{asset.rpo_seconds:.2f} s, {asset.lost_items} lost, objective {asset.objective_seconds:g} s"
        held = asset.within and bool(asset.kept_items)
        checks.append(Check(f"RPO of {asset.name} is within its objective", held, seen))
    return checks


def checkpoint(figures: CheckpointFigures, torn: tuple[int, int]) -> list[Check]:
    """The torn checkpoint was really torn, and what serves is the newest complete one."""
    arrived, all_files = torn
    return [
        Check(
            f"step {figures.newest_started_step} was torn: some of its files had arrived, others not",
            0 < arrived < all_files,
            f"{arrived} of {all_files} files in the standby bucket",
        ),
        Check(
            "the recovered checkpoint is the newest that is complete in the standby region, never the torn one",
            figures.recovered_step == figures.newest_complete_step < figures.newest_started_step,
            f"recovered {figures.recovered_step}, complete {figures.newest_complete_step}, "
            f"begun {figures.newest_started_step}",
        ),
    ]


def independence(calls: CallFigures, region: str) -> list[Check]:
    """The failover asked nothing of the lost region or of what lives there."""
    return [
        Check(f"the failover made no call to {region}", calls.primary == 0, f"{calls.primary} calls"),
        Check(
            "the failover made no call to a global control plane",
            calls.global_control_plane == 0,
            f"{calls.global_control_plane} calls",
        ),
        Check("the failover's calls were recorded", calls.standby > 0, f"{calls.standby} calls in the standby region"),
    ]


def answers(said: Answers, primary: str, standby: str, saved: dict[int, str]) -> list[Check]:
    """The same URL answered from the right region each time, with weights that a trainer really saved."""
    wanted = (("before", said.before, primary), ("after the failover", said.after_failover, standby))
    checks = []
    for name, answer, region in (*wanted, ("after the failback", said.after_failback, primary)):
        held = answer.region == region and saved.get(answer.step) == answer.sha256
        checks.append(Check(f"the front door answers from {region} {name}, with saved weights", held, str(answer)))
    return checks


def unchanged(name: str, changes: int) -> Check:
    """Deploying again changes nothing."""
    return Check(f"deploying again {name} changes nothing", changes == 0, f"{changes} changes")


def refused(who: str, refusal: str) -> Check:
    """Somebody who must be refused was, and this is what was said."""
    return Check(f"{who} is refused", bool(refusal), refusal or "it was let through")
