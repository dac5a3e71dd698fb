"""Load balancers and Route 53: how clients get in."""

from __future__ import annotations

from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import absent, pick, tag_list, tag_map, unlike, with_tags
from pilotlight.engine.resources.tagging import retag, retag_in_route53
from pilotlight.engine.resources.waiting import until
from pilotlight.runtime.arns import PARTITION

WAIT_SECONDS = 600.0
ZONE_PREFIX = "/hostedzone/"


NO_ACCESS_LOGS = {"Key": "access_logs.s3.enabled", "Value": "false"}
"""What pulumi-aws sets of every new balancer whose logs go nowhere."""


class LoadBalancer(ResourceType):
    """aws.lb.LoadBalancer."""

    type = "aws:lb/loadBalancer:LoadBalancer"
    switches = {"enableDeletionProtection": "deletion_protection.enabled",
                "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled"}  # fmt: skip
    replace_on = frozenset({"name", "internal", "loadBalancerType"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        lb = place.client("elbv2")
        request = pick(inputs, {"name": "Name", "subnets": "Subnets", "securityGroups": "SecurityGroups"})
        if inputs.get("tags"):
            request["Tags"] = tag_list(inputs["tags"])
        made = lb.create_load_balancer(
            Type=inputs.get("loadBalancerType") or "application",
            Scheme="internal" if inputs.get("internal") else "internet-facing",
            **request,
        )["LoadBalancers"][0]
        arn = made["LoadBalancerArn"]
        until(f"{arn} is active", lambda: self._find(place, arn)["State"]["Code"] == "active", WAIT_SECONDS)
        self._attributes(lb, arn, {}, inputs, NO_ACCESS_LOGS)
        return arn, self.read(place, arn, inputs) or inputs

    def _attributes(self, lb: Any, arn: str, old: Properties, new: Properties, *also: Properties) -> None:
        changed = [
            {"Key": name, "Value": str(bool(new[key])).lower()}
            for key, name in self.switches.items()
            if new.get(key) is not None and new.get(key) != old.get(key)
        ]
        if also or changed:
            lb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[*also, *changed])

    def _find(self, place: Place, arn: str) -> Any:
        return place.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: self._find(place, id_))
        if found is None:
            return None
        return {
            **inputs,
            **with_tags(inputs),
            **unlike(inputs, self._there(place, id_, found)),
            "id": id_,
            "arn": id_,
            "arnSuffix": id_.split(":loadbalancer/", 1)[-1],
            "name": found["LoadBalancerName"],
            "dnsName": found["DNSName"],
            "zoneId": found["CanonicalHostedZoneId"],
            "vpcId": found["VpcId"],
            "region": place.region,
        }

    def _there(self, place: Place, id_: str, found: Properties) -> Properties:
        listed = place.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=id_)["Attributes"]
        attributes = {each["Key"]: each["Value"] for each in listed}
        return {
            "subnets": [each["SubnetId"] for each in found.get("AvailabilityZones", [])],
            "securityGroups": found.get("SecurityGroups"),
            "internal": found.get("Scheme") == "internal",
            "loadBalancerType": found.get("Type"),
            "tags": _tags(place, id_),
            **{key: attributes.get(name) == "true" for key, name in self.switches.items()},
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        lb = place.client("elbv2")
        if old.get("securityGroups") != new.get("securityGroups"):
            lb.set_security_groups(LoadBalancerArn=id_, SecurityGroups=new.get("securityGroups") or [])
        if old.get("subnets") != new.get("subnets"):
            lb.set_subnets(LoadBalancerArn=id_, Subnets=new["subnets"])
        self._attributes(lb, id_, old, new)
        retag(place, "elbv2", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("elbv2").delete_load_balancer(LoadBalancerArn=id_))


def _tags(place: Place, arn: str) -> dict[str, str]:
    """Tags of anything of Elastic Load Balancing."""
    return tag_map(place.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


HEALTH = {
    "path": "HealthCheckPath", "protocol": "HealthCheckProtocol", "port": "HealthCheckPort",
    "interval": "HealthCheckIntervalSeconds", "timeout": "HealthCheckTimeoutSeconds",
    "healthyThreshold": "HealthyThresholdCount", "unhealthyThreshold": "UnhealthyThresholdCount",
}  # fmt: skip


DELAY = "deregistration_delay.timeout_seconds"


class TargetGroup(ResourceType):
    """aws.lb.TargetGroup."""

    type = "aws:lb/targetGroup:TargetGroup"
    replace_on = frozenset({"name", "port", "protocol", "targetType", "vpcId"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        lb = place.client("elbv2")
        names = {"name": "Name", "port": "Port", "protocol": "Protocol", "targetType": "TargetType", "vpcId": "VpcId"}
        request = pick(inputs, names) | self._health(inputs)
        if inputs.get("tags"):
            request["Tags"] = tag_list(inputs["tags"])
        arn = lb.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"]
        self._delay(lb, arn, {}, inputs)
        return arn, self.read(place, arn, inputs) or inputs

    def _health(self, inputs: Properties) -> Properties:
        check = inputs.get("healthCheck") or {}
        found = pick(check, HEALTH)
        if "HealthCheckPort" in found:
            found["HealthCheckPort"] = str(found["HealthCheckPort"])
        if check.get("enabled") is not None:
            found["HealthCheckEnabled"] = bool(check["enabled"])
        if check.get("matcher"):
            found["Matcher"] = {"HttpCode": str(check["matcher"])}
        return found

    def _delay(self, lb: Any, arn: str, old: Properties, new: Properties) -> None:
        if new.get("deregistrationDelay") is not None and new["deregistrationDelay"] != old.get("deregistrationDelay"):
            value = {"Key": DELAY, "Value": str(new["deregistrationDelay"])}
            lb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[value])

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        lb = place.client("elbv2")
        found = absent(lambda: lb.describe_target_groups(TargetGroupArns=[id_])["TargetGroups"][0])
        if found is None:
            return None
        known = {"id": id_, "arn": id_, "name": found["TargetGroupName"], "arnSuffix": id_.rsplit(":", 1)[-1]}
        there = unlike(inputs, self._there(place, id_, found))
        return {**inputs, **with_tags(inputs), **known, "region": place.region, **there}

    def _there(self, place: Place, id_: str, found: Properties) -> Properties:
        listed = place.client("elbv2").describe_target_group_attributes(TargetGroupArn=id_)["Attributes"]
        delay = next((each["Value"] for each in listed if each["Key"] == DELAY), None)
        check = {key: found.get(name) for key, name in HEALTH.items()}
        check |= {"enabled": found.get("HealthCheckEnabled", True), "matcher": found.get("Matcher", {}).get("HttpCode")}
        return {"deregistrationDelay": delay, "healthCheck": check, "tags": _tags(place, id_)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        lb = place.client("elbv2")
        if old.get("healthCheck") != new.get("healthCheck"):
            lb.modify_target_group(TargetGroupArn=id_, **self._health(new))
        self._delay(lb, id_, old, new)
        retag(place, "elbv2", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("elbv2").delete_target_group(TargetGroupArn=id_))


class Listener(ResourceType):
    """aws.lb.Listener that forwards."""

    type = "aws:lb/listener:Listener"
    replace_on = frozenset({"loadBalancerArn"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        made = place.client("elbv2").create_listener(
            LoadBalancerArn=inputs["loadBalancerArn"], **self._request(inputs)
        )["Listeners"][0]["ListenerArn"]
        retag(place, "elbv2", made, {}, inputs)
        return made, self.read(place, made, inputs) or inputs

    def _request(self, inputs: Properties) -> Properties:
        actions = [
            pick(each, {"type": "Type", "targetGroupArn": "TargetGroupArn"}) for each in inputs["defaultActions"]
        ]
        return pick(inputs, {"port": "Port", "protocol": "Protocol"}) | {"DefaultActions": actions}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("elbv2").describe_listeners(ListenerArns=[id_])["Listeners"])
        if not found:
            return None
        actions = [
            {"type": each["Type"], "targetGroupArn": _forwards_to(each)} for each in found[0].get("DefaultActions", [])
        ]
        there = {key: found[0].get(name) for key, name in (("port", "Port"), ("protocol", "Protocol"))}
        there |= {"defaultActions": actions, "tags": _tags(place, id_)}
        return {**inputs, **with_tags(inputs), "id": id_, "arn": id_, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        place.client("elbv2").modify_listener(ListenerArn=id_, **self._request(new))
        retag(place, "elbv2", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("elbv2").delete_listener(ListenerArn=id_))


def _forwards_to(action: Properties) -> str:
    """The one target group of a forwarding action, however AWS tells it; empty where there are several or none."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return str(action.get("TargetGroupArn") or (groups[0]["TargetGroupArn"] if len(groups) == 1 else ""))


class Zone(ResourceType):
    """aws.route53.Zone."""

    type = "aws:route53/zone:Zone"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        comment = inputs.get("comment") or "Managed by Pulumi"
        made = place.client("route53").create_hosted_zone(
            Name=inputs["name"],
            CallerReference=f"{inputs['name']}-{place.suffix()}",
            HostedZoneConfig={"Comment": comment},
        )
        id_ = made["HostedZone"]["Id"].removeprefix(ZONE_PREFIX)
        retag_in_route53(place, "hostedzone", id_, {}, inputs)
        return id_, self.read(place, id_, inputs) or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("route53").get_hosted_zone(Id=id_))
        if found is None:
            return None
        servers = found.get("DelegationSet", {}).get("NameServers", [])
        known = {"id": id_, "zoneId": id_, "arn": f"arn:{PARTITION}:route53:::hostedzone/{id_}", "nameServers": servers}
        there = {
            "comment": found["HostedZone"].get("Config", {}).get("Comment"),
            "tags": _tags_in_route53(place, "hostedzone", id_),
        }
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        if old.get("comment") != new.get("comment"):
            place.client("route53").update_hosted_zone_comment(Id=id_, Comment=new.get("comment") or "")
        retag_in_route53(place, "hostedzone", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("route53").delete_hosted_zone(Id=id_))


class HealthCheck(ResourceType):
    """aws.route53.HealthCheck."""

    type = "aws:route53/healthCheck:HealthCheck"
    replace_on = frozenset({"type", "requestInterval", "cloudwatchAlarmName", "cloudwatchAlarmRegion"})
    names = {
        "type": "Type", "ipAddress": "IPAddress", "port": "Port", "resourcePath": "ResourcePath",
        "fqdn": "FullyQualifiedDomainName", "requestInterval": "RequestInterval",
        "failureThreshold": "FailureThreshold", "invertHealthcheck": "Inverted",
        "insufficientDataHealthStatus": "InsufficientDataHealthStatus",
    }  # fmt: skip

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        wanted = pick(inputs, self.names)
        if inputs.get("cloudwatchAlarmName"):
            wanted["AlarmIdentifier"] = {
                "Name": inputs["cloudwatchAlarmName"],
                "Region": inputs["cloudwatchAlarmRegion"],
            }
        route53 = place.client("route53")
        made = route53.create_health_check(CallerReference=place.suffix() + place.suffix(), HealthCheckConfig=wanted)
        id_ = made["HealthCheck"]["Id"]
        retag_in_route53(place, "healthcheck", id_, {}, inputs)
        return id_, self.read(place, id_, inputs) or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: place.client("route53").get_health_check(HealthCheckId=id_))
        if found is None:
            return None
        config = found["HealthCheck"]["HealthCheckConfig"]
        alarm = config.get("AlarmIdentifier", {})
        there = {key: config.get(name) for key, name in self.names.items()}
        there |= {"cloudwatchAlarmName": alarm.get("Name"), "cloudwatchAlarmRegion": alarm.get("Region")}
        there["tags"] = _tags_in_route53(place, "healthcheck", id_)
        known = {"id": id_, "arn": f"arn:{PARTITION}:route53:::healthcheck/{id_}"}
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        changed = {key: name for key, name in self.names.items() if old.get(key) != new.get(key)}
        if pick(new, changed):
            place.client("route53").update_health_check(HealthCheckId=id_, **pick(new, changed))
        retag_in_route53(place, "healthcheck", id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("route53").delete_health_check(HealthCheckId=id_))


def _tags_in_route53(place: Place, kind: str, id_: str) -> dict[str, str]:
    listed = place.client("route53").list_tags_for_resource(ResourceType=kind, ResourceId=id_)
    return tag_map(listed["ResourceTagSet"]["Tags"])


class Record(ResourceType):
    """aws.route53.Record: plain, alias, failover."""

    type = "aws:route53/record:Record"
    replace_on = frozenset({"zoneId", "name", "type", "setIdentifier"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        self._change(place, "UPSERT" if inputs.get("allowOverwrite") else "CREATE", inputs)
        id_ = "_".join(filter(None, (inputs["zoneId"], inputs["name"], inputs["type"], inputs.get("setIdentifier"))))
        return id_, {**inputs, "id": id_, "fqdn": inputs["name"]}

    def _change(self, place: Place, action: str, inputs: Properties) -> None:
        record: Properties = {"Name": inputs["name"], "Type": inputs["type"]}
        if inputs.get("records"):
            record |= {"TTL": inputs.get("ttl", 60), "ResourceRecords": [{"Value": each} for each in inputs["records"]]}
        if inputs.get("aliases"):
            alias = inputs["aliases"][0]
            record["AliasTarget"] = {
                "DNSName": alias["name"],
                "HostedZoneId": alias["zoneId"],
                "EvaluateTargetHealth": bool(alias["evaluateTargetHealth"]),
            }
        if inputs.get("failoverRoutingPolicies"):
            record["Failover"] = inputs["failoverRoutingPolicies"][0]["type"]
        record |= pick(inputs, {"setIdentifier": "SetIdentifier", "healthCheckId": "HealthCheckId"})
        place.client("route53").change_resource_record_sets(
            HostedZoneId=inputs["zoneId"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        route53 = place.client("route53")
        pages = absent(
            lambda: list(route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=inputs["zoneId"]))
        )
        wanted = (inputs["name"].rstrip(".") + ".", inputs["type"], inputs.get("setIdentifier"))
        found = [
            each
            for page in pages or []
            for each in page["ResourceRecordSets"]
            if (each["Name"], each["Type"], each.get("SetIdentifier")) == wanted
        ]
        if not found:
            return None
        return {**inputs, "id": id_, "fqdn": inputs["name"], **unlike(inputs, self._there(inputs, found[0]))}

    def _there(self, inputs: Properties, found: Properties) -> Properties:
        alias = found.get("AliasTarget")
        aliases = [
            {
                "name": _host(alias["DNSName"], inputs),
                "zoneId": alias["HostedZoneId"],
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
            }
        ] if alias else []  # fmt: skip
        return {
            "aliases": aliases,
            "ttl": found.get("TTL"),
            "records": [each["Value"] for each in found.get("ResourceRecords", [])],
            "failoverRoutingPolicies": [{"type": found["Failover"]}] if found.get("Failover") else [],
            "healthCheckId": found.get("HealthCheckId"),
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        self._change(place, "UPSERT", new)
        return {**new, "id": id_, "fqdn": new["name"]}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        if self.read(place, id_, outputs) is not None:
            self._change(place, "DELETE", outputs)


def _host(name: str, inputs: Properties) -> str:
    """A name as the program wrote it, where it is the same: Route 53 tells it in lower case, with a dot at the end."""
    wanted = [str(each["name"]) for each in inputs.get("aliases") or []]
    return next((each for each in wanted if each.rstrip(".").lower() == name.rstrip(".").lower()), name)
