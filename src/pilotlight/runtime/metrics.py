"""The workload's metrics, in the standby region, where the alarms are."""

from __future__ import annotations

from pilotlight.runtime.context import Site
from pilotlight.runtime.naming import DIMENSION_WORKLOAD, METRIC_NAMESPACE


def put_metric(site: Site, name: str, value: float) -> None:
    """One datum."""
    put_metrics(site, {name: value})


def put_metrics(site: Site, values: dict[str, float]) -> None:
    """One datum of each metric, in one call."""
    dimensions = [{"Name": DIMENSION_WORKLOAD, "Value": site.inventory.workload}]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": "Count"}
        for name, value in values.items()
    ]
    region = site.inventory.standby
    site.door.call("cloudwatch", "put_metric_data", region, Namespace=METRIC_NAMESPACE, MetricData=data)
