"""Lambda, CloudWatch alarms and log groups, SNS, EventBridge Scheduler: what reacts."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import (
    absent,
    capital,
    pick,
    removed,
    seen,
    tag_list,
    tag_map,
    unlike,
    wire,
    with_tags,
)
from pilotlight.engine.resources.tagging import retag
from pilotlight.engine.resources.waiting import until
from pilotlight.engine.values import archive_bytes
from pilotlight.runtime.arns import PARTITION

WAIT_SECONDS = 120.0


class Function(ResourceType):
    """aws.lambda_.Function, from an archive."""

    type = "aws:lambda/function:Function"
    replace_on = frozenset({"name", "packageType"})
    name_key = "name"
    settings = {
        "role": "Role", "handler": "Handler", "runtime": "Runtime", "timeout": "Timeout", "memorySize": "MemorySize",
        "description": "Description", "kmsKeyArn": "KMSKeyArn",
    }  # fmt: skip

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        function, name = place.client("lambda"), inputs["name"]
        function.create_function(
            FunctionName=name,
            Code={"ZipFile": archive_bytes(inputs["code"])},
            Tags=inputs.get("tags") or {},
            **self._settings(inputs),
            **({"Architectures": inputs["architectures"]} if inputs.get("architectures") else {}),
        )
        self._wait(place, name)
        return name, self._outputs(place, inputs)

    def _settings(self, inputs: Properties) -> Properties:
        found = pick(inputs, self.settings)
        for key, name in (("environment", "Environment"), ("tracingConfig", "TracingConfig"),
                          ("loggingConfig", "LoggingConfig")):  # fmt: skip
            if inputs.get(key):
                found[name] = {"Variables": inputs[key]["variables"]} if key == "environment" else capital(inputs[key])
        return found

    def _wait(self, place: Place, name: str) -> None:
        function = place.client("lambda")

        def ready() -> bool:
            found = function.get_function(FunctionName=name)["Configuration"]
            active = found.get("State", "Active") == "Active"
            return bool(active and found.get("LastUpdateStatus", "Successful") == "Successful")

        until(f"function {name} is active", ready, WAIT_SECONDS)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("lambda").get_function(FunctionName=id_))
        if found is None:
            return None
        there = self._there(inputs, found["Configuration"]) | {"tags": tag_map(found.get("Tags"))}
        return self._outputs(place, {"name": id_} | inputs) | unlike(inputs, there)

    def _there(self, inputs: Properties, found: Properties) -> Properties:
        """The code is known by its hash alone: other bytes are an archive of another hash."""
        there = {key: found.get(name) for key, name in self.settings.items()}
        there["architectures"] = found.get("Architectures")
        there["environment"] = {"variables": found.get("Environment", {}).get("Variables", {})}
        for key, name in (("tracingConfig", "TracingConfig"), ("loggingConfig", "LoggingConfig")):
            there[key] = wire(found.get(name))
        if "code" in inputs:
            there["code"] = self._code(inputs["code"], base64.b64decode(found["CodeSha256"]).hex())
        return there

    def _code(self, wanted: Properties, sha256: str) -> Properties:
        """The archive, with the hash of what runs; Pulumi's own engine hashes an archive in its own way, so bytes that
        are there to be read are looked at too."""
        if sha256 == wanted.get("hash"):
            return wanted
        there = "path" not in wanted or Path(wanted["path"]).exists()
        same = there and hashlib.sha256(archive_bytes(wanted)).hexdigest() == sha256
        return wanted if same else wanted | {"hash": sha256}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        function = place.client("lambda")
        if any(old.get(key) != new.get(key) for key in ("code", "architectures")):
            machine = {"Architectures": new["architectures"]} if new.get("architectures") else {}
            function.update_function_code(FunctionName=id_, ZipFile=archive_bytes(new["code"]), **machine)
            self._wait(place, id_)
        if self._settings(old) != self._settings(new):
            function.update_function_configuration(FunctionName=id_, **self._settings(new))
            self._wait(place, id_)
        found = self._outputs(place, new)
        retag(place, "lambda", found["arn"], old, new)
        return found

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("lambda").delete_function(FunctionName=id_))

    def _outputs(self, place: Place, inputs: Properties) -> Properties:
        found = place.client("lambda").get_function(FunctionName=inputs["name"])["Configuration"]
        arn = found["FunctionArn"]
        invoke = f"arn:{PARTITION}:apigateway:{place.region}:lambda:path/2015-03-31/functions/{arn}/invocations"
        known = {"id": inputs["name"], "arn": arn, "invokeArn": invoke, "sourceCodeHash": found.get("CodeSha256")}
        return {**inputs, **with_tags(inputs), **known, "region": place.region}


class Permission(ResourceType):
    """aws.lambda_.Permission."""

    type = "aws:lambda/permission:Permission"
    replace_on = frozenset({"action", "function", "principal", "sourceArn", "sourceAccount", "statementId"})
    name_key = "statementId"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        names = {"action": "Action", "function": "FunctionName", "principal": "Principal", "sourceArn": "SourceArn",
                 "sourceAccount": "SourceAccount", "statementId": "StatementId"}  # fmt: skip
        place.client("lambda").add_permission(**pick(inputs, names))
        return inputs["statementId"], {**inputs, "id": inputs["statementId"]}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        function = place.client("lambda")
        found = absent(lambda: function.get_policy(FunctionName=inputs["function"])["Policy"])
        statements = json.loads(found)["Statement"] if found else []
        statement = next((each for each in statements if each.get("Sid") == id_), None)
        return {**inputs, "id": id_, **unlike(inputs, self._there(statement))} if statement else None

    def _there(self, statement: Properties) -> Properties:
        """What the statement lets in."""
        who = statement.get("Principal", {})
        conditions = {key: value for each in statement.get("Condition", {}).values() for key, value in each.items()}
        return {
            "action": statement.get("Action"),
            "principal": (who.get("Service") or who.get("AWS")) if isinstance(who, dict) else who,
            "sourceArn": conditions.get("AWS:SourceArn"),
            "sourceAccount": conditions.get("AWS:SourceAccount"),
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        return {**new, "id": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        function = place.client("lambda")
        absent(lambda: function.remove_permission(FunctionName=outputs["function"], StatementId=id_))


class LogGroup(ResourceType):
    """aws.cloudwatch.LogGroup."""

    type = "aws:cloudwatch/logGroup:LogGroup"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        logs, name = place.client("logs"), inputs["name"]
        request = {"tags": inputs["tags"]} if inputs.get("tags") else {}
        if inputs.get("kmsKeyId"):
            request["kmsKeyId"] = inputs["kmsKeyId"]
        logs.create_log_group(logGroupName=name, **request)
        return name, self.update(place, name, {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        pages = place.client("logs").describe_log_groups(logGroupNamePrefix=id_)["logGroups"]
        found = next((each for each in pages if each["logGroupName"] == id_), None)
        if found is None:
            return None
        arn = found["arn"].removesuffix(":*")
        known = {"id": id_, "name": id_, "arn": arn, "region": place.region}
        there = {key: found.get(key) for key in ("retentionInDays", "kmsKeyId")}
        there["tags"] = tag_map(place.client("logs").list_tags_for_resource(resourceArn=arn)["tags"])
        return {**inputs, **with_tags(inputs), **unlike(inputs, there), **known}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        if new.get("retentionInDays"):
            days = int(new["retentionInDays"])
            place.client("logs").put_retention_policy(logGroupName=id_, retentionInDays=days)
        elif old.get("retentionInDays"):
            place.client("logs").delete_retention_policy(logGroupName=id_)
        if old and new.get("kmsKeyId") and old.get("kmsKeyId") != new["kmsKeyId"]:
            place.client("logs").associate_kms_key(logGroupName=id_, kmsKeyId=new["kmsKeyId"])
        if found := self.read(place, id_, new):
            retag(place, "logs", str(found["arn"]), old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("logs").delete_log_group(logGroupName=id_))


class MetricAlarm(ResourceType):
    """aws.cloudwatch.MetricAlarm; putting it again changes it."""

    type = "aws:cloudwatch/metricAlarm:MetricAlarm"
    replace_on = frozenset({"name"})
    name_key = "name"
    names = {"alarmDescription": "AlarmDescription", "comparisonOperator": "ComparisonOperator",
             "evaluationPeriods": "EvaluationPeriods", "datapointsToAlarm": "DatapointsToAlarm",
             "metricName": "MetricName", "namespace": "Namespace", "period": "Period", "statistic": "Statistic",
             "threshold": "Threshold", "treatMissingData": "TreatMissingData", "alarmActions": "AlarmActions",
             "okActions": "OKActions", "insufficientDataActions": "InsufficientDataActions",
             "actionsEnabled": "ActionsEnabled"}  # fmt: skip

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        return inputs["name"], self.update(place, inputs["name"], {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = place.client("cloudwatch").describe_alarms(AlarmNames=[id_])["MetricAlarms"]
        if not found:
            return None
        arn = found[0]["AlarmArn"]
        known = {"id": id_, "name": id_, "arn": arn, "region": place.region}
        there = {key: found[0].get(name) for key, name in self.names.items()}
        there["dimensions"] = {each["Name"]: each["Value"] for each in found[0].get("Dimensions", [])}
        there["tags"] = tag_map(place.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"])
        return {**inputs, **with_tags(inputs), **unlike(inputs, there), **known}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        dimensions = [{"Name": key, "Value": value} for key, value in sorted((new.get("dimensions") or {}).items())]
        place.client("cloudwatch").put_metric_alarm(
            AlarmName=id_, Dimensions=dimensions, Tags=tag_list(new.get("tags")), **pick(new, self.names)
        )
        found = self.read(place, id_, new)
        if found and old:
            retag(place, "cloudwatch", str(found["arn"]), old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("cloudwatch").delete_alarms(AlarmNames=[id_]))


class Topic(ResourceType):
    """aws.sns.Topic."""

    type = "aws:sns/topic:Topic"
    replace_on = frozenset({"name", "fifoTopic"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        attributes = {"KmsMasterKeyId": inputs["kmsMasterKeyId"]} if inputs.get("kmsMasterKeyId") else {}
        arn = place.client("sns").create_topic(
            Name=inputs["name"], Attributes=attributes, Tags=tag_list(inputs.get("tags"))
        )["TopicArn"]
        return arn, self._outputs(place, arn, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("sns").get_topic_attributes(TopicArn=id_))
        if found is None:
            return None
        there = {
            "kmsMasterKeyId": found["Attributes"].get("KmsMasterKeyId"),
            "tags": tag_map(place.client("sns").list_tags_for_resource(ResourceArn=id_)["Tags"]),
        }
        return self._outputs(place, id_, inputs) | unlike(inputs, there)

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        sns = place.client("sns")
        if old.get("kmsMasterKeyId") != new.get("kmsMasterKeyId"):
            key = new.get("kmsMasterKeyId") or ""
            sns.set_topic_attributes(TopicArn=id_, AttributeName="KmsMasterKeyId", AttributeValue=key)
        gone = removed(old.get("tags"), new.get("tags"))
        if gone:
            sns.untag_resource(ResourceArn=id_, TagKeys=gone)
        if new.get("tags"):
            sns.tag_resource(ResourceArn=id_, Tags=tag_list(new["tags"]))
        return self._outputs(place, id_, new)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("sns").delete_topic(TopicArn=id_))

    def _outputs(self, place: Place, arn: str, inputs: Properties) -> Properties:
        name = arn.rsplit(":", 1)[-1]
        return {**inputs, **with_tags(inputs), "id": arn, "arn": arn, "name": name, "region": place.region}


class TopicPolicy(ResourceType):
    """aws.sns.TopicPolicy."""

    type = "aws:sns/topicPolicy:TopicPolicy"
    replace_on = frozenset({"arn"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        return inputs["arn"], self.update(place, inputs["arn"], {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("sns").get_topic_attributes(TopicArn=id_)["Attributes"])
        if not found or not found.get("Policy"):
            return None
        return {**inputs, "id": id_, **unlike(inputs, {"policy": found["Policy"]})}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        place.client("sns").set_topic_attributes(TopicArn=id_, AttributeName="Policy", AttributeValue=new["policy"])
        return {**new, "id": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        """A topic always has a policy: the one that SNS gives a new topic comes back."""
        sns, arn = place.client("sns"), outputs["arn"]
        policy = json.dumps(default_policy(arn))
        absent(lambda: sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy))


def default_policy(arn: str) -> Properties:
    """The policy of a topic that was given none: its owner may do everything (SNS Developer Guide, "Example cases")."""
    acts = ("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
            "ListSubscriptionsByTopic", "Publish")  # fmt: skip
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{each}" for each in acts],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": arn.split(":")[4]}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


class TopicSubscription(ResourceType):
    """aws.sns.TopicSubscription."""

    type = "aws:sns/topicSubscription:TopicSubscription"
    replace_on = frozenset({"topic", "protocol", "endpoint"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        arn = place.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return arn, {**inputs, "id": arn, "arn": arn}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("sns").get_subscription_attributes(SubscriptionArn=id_))
        return None if found is None else {**inputs, "id": id_, "arn": id_}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        return {**new, "id": id_, "arn": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("sns").unsubscribe(SubscriptionArn=id_))


class Schedule(ResourceType):
    """aws.scheduler.Schedule."""

    type = "aws:scheduler/schedule:Schedule"
    replace_on = frozenset({"name", "groupName"})
    name_key = "name"
    names = {"name": "Name", "scheduleExpression": "ScheduleExpression", "state": "State",
             "description": "Description", "groupName": "GroupName", "kmsKeyArn": "KmsKeyArn",
             "scheduleExpressionTimezone": "ScheduleExpressionTimezone"}  # fmt: skip

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        place.client("scheduler").create_schedule(**self._request(inputs))
        id_ = f"{inputs.get('groupName') or 'default'}/{inputs['name']}"
        return id_, self.read(place, id_, inputs) or inputs

    def _request(self, inputs: Properties) -> Properties:
        target: Any = capital(inputs["target"])
        return {
            **pick(inputs, self.names),
            "FlexibleTimeWindow": capital(inputs["flexibleTimeWindow"]),
            "Target": target,
        }

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        group, _, name = id_.partition("/")
        found = absent(lambda: place.client("scheduler").get_schedule(GroupName=group, Name=name))
        if found is None:
            return None
        known = {"id": id_, "name": name, "groupName": group, "arn": found["Arn"], "region": place.region}
        windows = {key: wire(found.get(key[:1].upper() + key[1:])) for key in ("flexibleTimeWindow", "target")}
        return {**inputs, **seen(inputs, found, self.names), **unlike(inputs, windows), **known}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        place.client("scheduler").update_schedule(**self._request(new))
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        group, _, name = id_.partition("/")
        absent(lambda: place.client("scheduler").delete_schedule(GroupName=group, Name=name))
