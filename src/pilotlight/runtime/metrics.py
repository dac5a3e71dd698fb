"""The workload's metrics, in the standby region, where the alarms are."""

from __future__ import annotations

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.naming import DIMENSION_WORKLOAD, METRIC_NAMESPACE


def put_metric(context: RecoveryContext, name: str, value: float) -> None:
    """One datum."""
    put_metrics(context, {name: value})


def put_metrics(context: RecoveryContext, values: dict[str, float]) -> None:
    """One datum of each metric, in one call."""
    dimensions = [{"Name": DIMENSION_WORKLOAD, "Value": context.inventory.workload}]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": "Count"}
        for name, value in values.items()
    ]
    region = context.inventory.standby
    context.client.call("cloudwatch", "put_metric_data", region, Namespace=METRIC_NAMESPACE, MetricData=data)
