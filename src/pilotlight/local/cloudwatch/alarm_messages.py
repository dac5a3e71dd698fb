"""What an alarm says when it changes: the message to a topic, the event to a function, the reason as data.

Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms", chapters "Notifying users on alarm changes"
and "Invoke a Lambda function from an alarm".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pilotlight.local.cloudwatch.alarm_judgement import Judgement

REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
}


def region_name(region: str) -> str:
    """The name by which messages call a region; its code where it is not one of those known here."""
    return REGION_NAMES.get(region, region)


def reason_data(alarm: Any, judgement: Judgement) -> str:
    """The machine-readable reason, as DescribeAlarms returns it."""
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": aws_time(datetime.now(UTC)),
            "statistic": alarm.statistic,
            "period": int(alarm.period),
            "threshold": float(alarm.threshold),
            "evaluatedState": judgement.state,
        }
    )


def aws_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def notification(alarm: Any, account: str, old_state: str) -> dict[str, Any]:
    """The standard message of an alarm to a topic."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": aws_time(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": aws_time(alarm.state_updated_timestamp),
        "Region": region_name(alarm.region_name),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": old_state,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": (alarm.statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": each.value, "name": each.name} for each in alarm.dimensions],
            "Period": int(alarm.period),
            "EvaluationPeriods": int(alarm.evaluation_periods),
            "DatapointsToAlarm": int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": float(alarm.threshold),
            "TreatMissingData": alarm.treat_missing_data or "missing",
            "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
        },
    }


def lambda_event(alarm: Any, account: str, old_state: str) -> dict[str, Any]:
    """What a function gets that an alarm invokes directly."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": account,
        "time": aws_time(alarm.state_updated_timestamp),
        "region": alarm.region_name,
        "alarmData": {
            "alarmName": alarm.name,
            "state": {
                "value": alarm.state_value,
                "reason": alarm.state_reason,
                "reasonData": alarm.state_reason_data,
                "timestamp": aws_time(alarm.state_updated_timestamp),
            },
            "previousState": {"value": old_state},
            "configuration": {"description": alarm.description},
        },
    }
