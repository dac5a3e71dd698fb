"""YAML to plain values that remember their lines: every key and value can be named as file:line afterwards.

Only what JSON could say is taken, and merge keys: no tags, no anchors that repeat themselves without end, no key twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]

PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge")
}
MERGE = "tag:yaml.org,2002:merge"
NODES_MAX = 20_000
"""A declaration of 20,000 values is a slip or an attack (aliases can multiply a small file without end)."""


@dataclass
class Document:
    """Plain values, and where each of them stands."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> Document:
    """Parse; whatever is wrong with the YAML itself is in `problems`."""
    document = Document()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            document.value = _Reader(document).build(node, ())
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        document.problems.append((mark.line + 1 if mark else 1, f"is not YAML: {problem.problem or problem.context}"))
    except RecursionError:
        document.problems.append((1, "is not YAML: nested too deep, or an alias stands inside its own anchor"))
    except (yaml.YAMLError, TooMuch, ValueError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        document.problems.append((1, f"is not YAML: {reason}"))
    return document


class TooMuch(Exception):
    """More values than a declaration can have."""


class _Reader:
    """Builds plain values from nodes and notes each one's line."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.scalars = yaml.SafeLoader("")
        self.count = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        if self.count > NODES_MAX:
            raise TooMuch(f"more than {NODES_MAX} values")
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in PLAIN_TAGS:
            self._problem(node, f"tag {node.tag} is not taken; write a plain value")
            return None
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(each, (*path, index)) for index, each in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag.endswith(":timestamp"):
            return node.value
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            self._problem(node, f"{node.value!r} cannot be read; put it in quotes")
            return None

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        """Its own keys, then those that it merges and does not have itself; a merged value keeps its line."""
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, "a key must be a word")
                continue
            key = str(key_node.value)
            if key in seen:
                self._problem(key_node, f"key {key} stands twice; keep one of them")
                continue
            seen.add(key)
            self.document.lines[(*path, key)] = key_node.start_mark.line + 1
            yield key, self.build(value_node, (*path, key))
        for key_node, value_node in self._merged(node):
            key = str(key_node.value)
            if key not in seen:
                seen.add(key)
                self.document.lines[(*path, key)] = key_node.start_mark.line + 1
                yield key, self.build(value_node, (*path, key))

    def _merged(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The pairs behind its merge keys, what wins first: of a list the earlier mapping, of a mapping its own keys
        before those that it merges itself (yaml.org, "Merge Key Language-Independent Type")."""
        for key_node, value_node in node.value:
            if key_node.tag != MERGE:
                continue
            found = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for each in found:
                if isinstance(each, yaml.MappingNode):
                    yield from self._flat(each)
                else:
                    self._problem(
                        key_node, "<<: merges mappings alone; write <<: *name of a mapping, or a list of them"
                    )

    def _flat(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        self.count += 1
        if self.count > NODES_MAX:
            raise TooMuch(f"more than {NODES_MAX} values")
        own = [pair for pair in node.value if pair[0].tag != MERGE and isinstance(pair[0], yaml.ScalarNode)]
        yield from own
        yield from self._merged(node)

    def _problem(self, node: yaml.Node, what: str) -> None:
        self.document.problems.append((node.start_mark.line + 1, what))
