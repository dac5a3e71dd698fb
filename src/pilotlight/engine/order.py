"""In which order resources go: whoever needs another goes before it (pure).

The order in the state is not enough: a resource that came early may depend on one that was added later.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from pilotlight.engine.state import Resource


def deletion_order(resources: Iterable[Resource]) -> list[Resource]:
    """Dependents first; among those that do not need each other, the youngest first."""
    found = list(resources)
    places: dict[str, list[int]] = {}
    for index, each in enumerate(found):
        places.setdefault(each.urn, []).append(index)
    needs = {
        index: [place for urn in needed_by(each) for place in places.get(urn, []) if place != index]
        for index, each in enumerate(found)
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        order = list(range(len(found)))
    return [found[index] for index in reversed(order)]


def needed_by(resource: Resource) -> list[str]:
    """The URNs that must outlive this resource: its parent, its provider, and everything it was made from."""
    by_property = [urn for urns in resource.propertyDependencies.values() for urn in urns]
    provider = [resource.provider.rpartition("::")[0]] if resource.provider else []
    return [urn for urn in [resource.parent, *resource.dependencies, *by_property, *provider] if urn]


def kept_with(some: Iterable[Resource], resources: Iterable[Resource]) -> set[str]:
    """The URNs of some resources and of everything that must outlive them."""
    by_urn = {each.urn: each for each in resources}
    kept, waiting = set[str](), [each.urn for each in some]
    while waiting:
        urn = waiting.pop()
        if urn not in kept and urn in by_urn:
            kept.add(urn)
            waiting += needed_by(by_urn[urn])
    return kept


def replaced_along(
    root: Resource, resources: Iterable[Resource], replace_on: dict[str, frozenset[str]]
) -> list[Resource]:
    """What must be deleted before `root` when root is deleted before it is made again: every resource with an input
    that comes from a deleted one and cannot be changed in place (`replace_on`, by type). Dependents first."""
    gone, found = {root.urn}, list[Resource]()
    for each in reversed(deletion_order(resources)):
        fixed = replace_on.get(each.type, frozenset())
        tied = any(key in fixed and gone & set(urns) for key, urns in each.propertyDependencies.items())
        if tied and each.custom and not each.delete and each is not root:
            gone.add(each.urn)
            found.append(each)
    return found[::-1]
