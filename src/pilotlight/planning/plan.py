"""The Plan: by asset the mechanism, what it is forecast to reach against what is asked, and what to know (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pilotlight.kinds.registry import aspect
from pilotlight.planning import watching
from pilotlight.planning.forecast import DETECTION_SECONDS, HEALTH_CHECK_SECONDS, Forecast, KindForecast
from pilotlight.runtime.aws.pacing import Bound
from pilotlight.workload.model import Workload


def forecasters() -> dict[str, KindForecast]:
    """Kind -> what it promises (kinds/<kind>/forecast.py)."""
    return aspect("forecast")


@dataclass(frozen=True)
class AssetPlan:
    """One asset: what protects it and how well. Seconds; `wanted_rpo_seconds` is its objective."""

    name: str
    kind: str
    mechanism: str
    wanted_rpo_seconds: float
    forecast_rpo_seconds: float
    forecast_rto_seconds: float
    because: str


@dataclass(frozen=True)
class Plan:
    """What the declaration will be given. `forecast_rto_seconds` is the whole way, from dark to clients moved."""

    SCHEMA: ClassVar[str] = "pilotlight/plan/1"

    workload: str
    primary: str
    standby: str
    wanted_rto_seconds: float
    forecast_rto_seconds: float
    assets: tuple[AssetPlan, ...]
    warnings: tuple[str, ...]
    watched: tuple[str, ...] = ()
    """What the probe will look at, from the standby region."""
    told: tuple[str, ...] = ()
    """Addresses and endpoints that are told what needs a person."""
    left_out: tuple[str, ...] | None = None
    """Settings of the primary that the standby will lack, each with what to do; None where nobody has looked."""
    lower_bound: Bound | None = None
    """The least time that EC2's token buckets let a failover take; None where nobody has looked, or it asks nothing of
    EC2."""
    schema: str = "pilotlight/plan/1"


def plan(workload: Workload, left_out: tuple[str, ...] | None = None, lower_bound: Bound | None = None) -> Plan:
    """Choose and forecast. `left_out` and `lower_bound`: by what a survey found, if there was one."""
    forecasts = {name: forecasters()[asset.kind].forecast(workload, asset) for name, asset in workload.assets.items()}
    assets = tuple(_asset(workload, name, forecast) for name, forecast in forecasts.items())
    rto = _rto(workload, forecasts)
    return Plan(
        workload=workload.workload,
        primary=workload.regions.primary,
        standby=workload.regions.standby,
        wanted_rto_seconds=workload.objectives.rto_seconds,
        forecast_rto_seconds=rto,
        assets=assets,
        warnings=tuple(_warnings(workload, assets, forecasts, rto)),
        watched=watching.watched(workload),
        told=watching.told(workload),
        left_out=left_out,
        lower_bound=lower_bound,
    )


def _asset(workload: Workload, name: str, forecast: Forecast) -> AssetPlan:
    asset = workload.assets[name]
    wanted = asset.rpo_seconds if asset.rpo_seconds is not None else workload.objectives.rpo_seconds
    return AssetPlan(
        name=name,
        kind=asset.kind,
        mechanism=forecast.mechanism,
        wanted_rpo_seconds=wanted,
        forecast_rpo_seconds=forecast.rpo_seconds,
        forecast_rto_seconds=forecast.rto_seconds,
        because=forecast.because,
    )


def _rto(workload: Workload, forecasts: dict[str, Forecast]) -> float:
    """Detection, then what does not wait for each other side by side, instances after the database, then clients."""
    slowest: dict[str, float] = {}
    for name, asset in workload.assets.items():
        slowest[asset.kind] = max(forecasts[name].rto_seconds, slowest.get(asset.kind, 0.0))
    return DETECTION_SECONDS + sum(slowest.values()) + HEALTH_CHECK_SECONDS


def _warnings(
    workload: Workload, assets: tuple[AssetPlan, ...], forecasts: dict[str, Forecast], rto: float
) -> list[str]:
    found = [_forecast_warning(each) for each in assets if each.forecast_rpo_seconds > each.wanted_rpo_seconds]
    found += [
        _promise_warning(each, forecasts[each.name].promised_rpo_seconds or 0.0)
        for each in assets
        if (forecasts[each.name].promised_rpo_seconds or 0.0) > each.wanted_rpo_seconds
    ]
    if rto > workload.objectives.rto_seconds:
        wanted = workload.objectives.rto_seconds
        found.append(
            f"RTO is forecast at {rto:g} s, {wanted:g} s is asked: {DETECTION_SECONDS:g} s pass before the alarm acts"
        )
    if workload.notify is None:
        asked = (
            "a failover waits for a word that nobody is asked for"
            if workload.trigger == "approval"
            else "nobody is told"
        )
        found.append(f"there is no `notify`: {asked}; name e-mail addresses or HTTPS endpoints")
    if workload.vault is not None:
        found.append(
            f"the vault is in account {workload.vault.account}: no rule replicates back from there, so a failback "
            "takes as long as copying what the standby region wrote"
        )
    kinds = {asset.kind for asset in workload.assets.values()}
    found += [each.WARNING for kind, each in forecasters().items() if kind in kinds and each.WARNING]
    return found


def _forecast_warning(asset: AssetPlan) -> str:
    return (
        f"{asset.name}: RPO is forecast at {asset.forecast_rpo_seconds:g} s, {asset.wanted_rpo_seconds:g} s is asked: "
        f"{asset.because}"
    )


def _promise_warning(asset: AssetPlan, promised: float) -> str:
    return (
        f"{asset.name}: typically {asset.forecast_rpo_seconds:g} s, but AWS promises {promised:g} s only, "
        f"and {asset.wanted_rpo_seconds:g} s is asked"
    )
