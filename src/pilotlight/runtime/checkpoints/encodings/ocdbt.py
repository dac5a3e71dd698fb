"""OCDBT: the tree in which TensorStore, below Orbax, keeps arrays; which data files it names, and which bytes of them.

Every version that a manifest still names is walked, the newest whole: what an older one names lies there too, unless
something was lost. Values that are too large for a node lie in data files, between the nodes, without a checksum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pilotlight.runtime.checkpoints.encodings.ocdbt_fields import (
    NODE_MAGIC,
    VERSIONS_MAGIC,
    Node,
    Span,
    Version,
    opened,
    read_manifest,
    read_tree,
    read_versions,
)
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, Reader, Unreadable

MANIFEST = "manifest.ocdbt"
NODES_MAX = 200_000
HEIGHT_MAX = 32


@dataclass
class Database:
    """What was seen of a database: its versions, the newest last; every span that a node or manifest names, with who
    does; a digest of every key and value of the newest version; what is wrong (file, what)."""

    folder: str
    versions: list[Version] = field(default_factory=list)
    spans: dict[Span, str] = field(default_factory=dict)
    entries: set[int] = field(default_factory=set)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    nodes: int = 0


class Walk:
    """Reads one database: `folder` is where it lies, relative to the candidate's, and ends in /, or is empty."""

    def __init__(self, candidate: Candidate, folder: str, reader: Reader) -> None:
        self._candidate, self._reader = candidate, reader
        self.seen = Database(folder)

    def walk(self) -> Database:
        """Manifest, versions, and every node that any version names. What is wrong is collected, not raised."""
        manifest = self.seen.folder + MANIFEST
        file = self._candidate.named(manifest)
        if file is None:
            self.seen.wrong.append((manifest, "missing"))
            return self.seen
        try:
            self.seen.versions, older = read_manifest(self._reader.read_range(file, 0, file.size), manifest)
        except (Damaged, Unreadable) as damage:
            self.seen.wrong.append((manifest, str(damage)))
            return self.seen
        self._each(older, VERSIONS_MAGIC, self._older)
        self.seen.versions.sort(key=lambda version: version.committed_nsecs)
        self._trees()
        return self.seen

    def _trees(self) -> None:
        """The newest version first: its keys count; of older ones only what they name."""
        for version in reversed(self.seen.versions):
            is_newest = version is self.seen.versions[-1]
            if version.root and version.root.span not in self.seen.spans:
                before = len(self.seen.entries)
                self._each([version.root], NODE_MAGIC, self._newest if is_newest else self._superseded)
                if is_newest and not self.seen.wrong and len(self.seen.entries) - before != version.keys:
                    keys = f"holds {len(self.seen.entries) - before} keys, the manifest says {version.keys}"
                    self.seen.wrong.append((self.seen.folder + version.root.span.path, keys))

    def _each(self, nodes: list[Node], magic: int, open: Callable[[bytes, Node], list[Node]]) -> None:
        """Every node below these, each read once."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node.span in self.seen.spans:
                continue
            self.seen.nodes += 1
            if self.seen.nodes > NODES_MAX or node.height > HEIGHT_MAX:
                self.seen.wrong.append((node.named_by, "names a tree without end"))
                return
            self.seen.spans[node.span] = node.named_by
            file = self._candidate.named(self.seen.folder + node.span.path)
            if file is None or node.span.offset + node.span.length > file.size:
                continue
            try:
                data = self._reader.read_range(file, node.span.offset, node.span.length)
                waiting += open(opened(data, magic), node)
            except (Damaged, Unreadable) as damage:
                self.seen.wrong.append((self.seen.folder + node.span.path, str(damage)))

    def _older(self, body: bytes, node: Node) -> list[Node]:
        versions, children = read_versions(body, node, self.seen.folder + node.span.path)
        self.seen.versions += versions
        return children

    def _newest(self, body: bytes, node: Node) -> list[Node]:
        return self._tree(body, node, True)

    def _superseded(self, body: bytes, node: Node) -> list[Node]:
        return self._tree(body, node, False)

    def _tree(self, body: bytes, node: Node, is_newest: bool) -> list[Node]:
        """Keeps the spans of values, and what the entries hold where they count."""
        own = self.seen.folder + node.span.path
        entries, children = read_tree(body, node, own)
        for entry in entries:
            if entry.span:
                self.seen.spans.setdefault(entry.span, own)
            if is_newest:
                self.seen.entries.add(hash((entry.key, entry.span and self._absolute(entry.span), entry.value)))
        return children

    def _absolute(self, span: Span) -> Span:
        """The same bytes, wherever the database that names them lies."""
        return Span(self.seen.folder + span.path, span.offset, span.length)
