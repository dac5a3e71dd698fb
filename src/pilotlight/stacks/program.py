"""The three Pulumi programs: vault, primary, standby; plain functions over an Inventory.

They are deployed in this order, and none reads another's state: what one creates and another uses is named by
`naming.Names`. They make no AWS call and read no file but the archive; equal inventories give equal resources. What is
built for a kind of asset stands in its folder (kinds/<kind>/stack.py); here, what is there once.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.copies import Copies, CopiesArgs, copies_spec
from pilotlight.stacks.events import Events, EventsArgs, events_spec
from pilotlight.stacks.functions import Function, FunctionArgs, probe_spec, protect_spec, recover_spec
from pilotlight.stacks.keys import KeyArgs, RegionKey, primary_key_spec
from pilotlight.stacks.kind import Parts, Standby, Under, in_order
from pilotlight.stacks.monitoring import Monitoring, MonitoringArgs, monitoring_spec
from pilotlight.stacks.network import Network, NetworkArgs, network_spec, served
from pilotlight.stacks.traffic import Traffic, TrafficArgs, traffic_spec
from pilotlight.stacks.vault import Vault, VaultArgs, vault_spec


def vault(inventory: Inventory) -> None:
    """What outlives the others, in the standby region."""
    _export(vault_parts(inventory))


def primary(inventory: Inventory) -> None:
    """Attaches protection to what the user already runs."""
    _export(primary_parts(inventory))


def standby(inventory: Inventory, archive: Path) -> None:
    """Everything that waits in the standby region, deployed and at rest."""
    _export(standby_parts(inventory, archive))


def _export(parts: Parts) -> None:
    for name, value in parts.items():
        pulumi.export(name, value)


def vault_parts(inventory: Inventory, under: Under = None) -> Parts:
    """The resources of `vault`."""
    made = Vault("vault", VaultArgs(vault_spec(inventory)), under)
    return {
        "vault_bucket_name": made.records,
        "journal_table_name": made.journal,
        "key_arn": made.key_arn,
        "standby_bucket_names": made.replicas,
    }


def primary_parts(inventory: Inventory, under: Under = None) -> Parts:
    """The resources of `primary`. Bucket names by asset, and plain ones: of the only dataset, or of the first that the
    declaration names. A key is needed for what comes back by a rule alone."""
    key = None if inventory.vault else RegionKey("key", KeyArgs(primary_key_spec(inventory)), under)
    parts: Parts = {"primary_bucket_names": {}, "standby_bucket_names": {}, "secondary_bucket_names": {}}
    for kind, assets in in_order(inventory):
        for name, made in kind.primary(inventory, assets, key, under).items():
            parts.setdefault(name, {}).update(made)
    plain = next(iter(parts["primary_bucket_names"]), None)
    for one in ("primary_bucket_name", "standby_bucket_name", "secondary_bucket_name") if plain is not None else ():
        parts[one] = parts[f"{one}s"][plain]
    events = events_spec(inventory)
    if events is not None:
        parts["events_queue_url"] = Events("events", EventsArgs(events), under).queue_url
    return parts


def standby_parts(inventory: Inventory, archive: Path, under: Under = None) -> Parts:
    """The resources of `standby`."""
    network = Network("network", NetworkArgs(network_spec(inventory)), under)
    probe = Function("probe", FunctionArgs(probe_spec(inventory), archive), under)
    protect = Function("protect", FunctionArgs(protect_spec(inventory), archive), under)
    recover = Function("recover", FunctionArgs(recover_spec(inventory), archive), under)
    copies = copies_spec(inventory)
    if copies is not None:
        Copies("copies", CopiesArgs(copies, protect.role_name), under)
    monitoring = _monitoring(inventory, probe, protect, recover, under)
    traffic = _traffic(inventory, network, monitoring, under)
    stack = Standby(inventory, network, traffic, under)
    for kind, assets in in_order(inventory):
        kind.standby(stack, assets)
    parts: Parts = {"alarm_topic_arn": monitoring.topic, "recover_function_arn": recover.arn}
    return parts | ({"balancer_dns": traffic.balancer_dns} if traffic else {})


# -- parts -----------------------------------------------------------------------------------------------------


def _monitoring(
    inventory: Inventory, probe: Function, protect: Function, recover: Function, under: Under
) -> Monitoring:
    args = MonitoringArgs(
        spec=monitoring_spec(inventory),
        functions={"probe": probe.arn, "protect": protect.arn},
        recover_arn=recover.arn,
        recover_name=recover.function_name,
    )
    return Monitoring("monitoring", args, under)


def _traffic(inventory: Inventory, network: Network, monitoring: Monitoring, under: Under) -> Traffic | None:
    behind = served(inventory)
    if inventory.traffic is None or behind is None:
        return None
    args = TrafficArgs(
        spec=traffic_spec(inventory, inventory.traffic, behind),
        vpc_id=network.vpc_id,
        subnet_ids=network.subnet_ids,
        security_group=network.balancer_group,
        alarm=monitoring.standby_active,
    )
    return Traffic("traffic", args, under)
