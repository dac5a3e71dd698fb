"""TensorFlow: checkpoints `NAME.index` with `NAME.data-00000-of-00001`, and SavedModel folders.

A checkpoint: its index is whole to the byte (sstable.py), every data file that it counts there and as long as it says
(bundle.py), none of another count; `NAME.meta`, which tf.compat.v1 writes, ends where its message does. `checkpoint`,
the text file beside, is a pointer and proves nothing. What python/checkpoint/functional_saver.py has not merged yet
(`NAME_temp/part-...`, on S3 `NAME.part-...`) is no checkpoint. A lone `.index` is claimed by names that are usual with
TensorFlow, or beside other checkpoints: other libraries end names so, too.
SavedModel (python/saved_model/constants.py): `saved_model.pb`, `variables/`, `assets/`; the loader takes a model whose
variables are gone for one that never had any (loader_impl.py, `restore_variables`), so they are asked for wherever the
graph has a saver. Every asset that the graph names is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints.encodings import bundle
from pilotlight.runtime.checkpoints.encodings.bundle import Bundle, Entry
from pilotlight.runtime.checkpoints.encodings.protobuf import BYTES, fields, text
from pilotlight.runtime.checkpoints.encodings.windows import Window
from pilotlight.runtime.checkpoints.format import BudgetSpent, Candidate, Damaged, File, Problem, Reader, Unreadable
from pilotlight.runtime.checkpoints.formats.torch_archive import is_small

INDEX, META = ".index", ".meta"
POINTER = "checkpoint"
GRAPH, GRAPH_AS_TEXT = "saved_model.pb", "saved_model.pbtxt"
VARIABLES = "variables/variables"
ASSETS = "assets/"
MISSING_NAMED_MAX = 20

_DATA = re.compile(r"^(?P<stem>.+)\.data-(?P<number>\d{5})-of-(?P<count>\d{5})$")
_USUAL = re.compile(r"(^|[._-])(ckpt|checkpoint|cp|model|variables|weights)([._-]|$)", re.IGNORECASE)
_UNMERGED = re.compile(r"(_temp/part|\.part)-\d{5}-of-\d{5}$")


class TensorFlow:
    """Checkpoints, each under the prefix that TensorFlow itself calls it by."""

    name = "tensorflow"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; data files whose index has not arrived are a checkpoint in the making."""
        for folder in folders:
            stems: dict[str, list[File]] = {}
            with_data = set[str]()
            for name, file in folder.direct.items():
                if match := _DATA.match(name):
                    with_data.add(match["stem"])
                    stems.setdefault(match["stem"], []).append(file)
                elif name.endswith((INDEX, META)):
                    stems.setdefault(name.rpartition(".")[0], []).append(file)
            beside = bool(with_data) or folder.named(POINTER) is not None
            for stem, files in stems.items():
                has_index = any(file.key.endswith(INDEX) for file in files)
                if stem in with_data or (has_index and stem and (beside or _USUAL.search(stem))):
                    yield Candidate(folder.path + stem, tuple(files))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        stem = candidate.path.rpartition("/")[2]
        problems = list(_problems(candidate, stem, reader))
        if _UNMERGED.search(candidate.path):
            problems.append(Problem(stem + INDEX, "is a part of a save that did not end"))
        if meta := candidate.named(stem + META):
            problems += _walked(candidate, meta, reader)
        return tuple(problems)

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return tuple(_deeply(candidate, candidate.path.rpartition("/")[2], reader))


class SavedModel:
    """Folders with a graph and its variables; what is no part of one is left to others."""

    name = "tensorflow-saved-model"
    own = (GRAPH, GRAPH_AS_TEXT, "fingerprint.pb", "keras_metadata.pb", "tfhub_module.pb")
    below = ("variables/", ASSETS, "assets.extra/", "debug/")

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; variables whose graph has not arrived are a model in the making."""
        for folder in folders:
            graph = not folder.direct.keys().isdisjoint((GRAPH, GRAPH_AS_TEXT))
            inside = "variables/" in folder.subfolders and any(self._tells(folder.name(file)) for file in folder.files)
            if graph or inside:
                own = (file for file in folder.files if self._owns(folder.name(file)))
                yield Candidate(folder.path, tuple(own))

    def _tells(self, name: str) -> bool:
        """Whether this file makes its folder a SavedModel."""
        return name in (GRAPH, GRAPH_AS_TEXT) or name.startswith((VARIABLES + ".data-", VARIABLES + INDEX))

    def _owns(self, name: str) -> bool:
        return name in self.own or name.startswith(self.below)

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        problems = list[Problem]()
        needs_variables, graph = False, candidate.named(GRAPH)
        if graph is None:
            what = "missing" if candidate.named(GRAPH_AS_TEXT) is None else "missing: a graph as text is not judged"
            problems.append(Problem(GRAPH, what))
        else:
            try:
                needs_variables, assets = _graph(graph, reader)
                lost = [ASSETS + name for name in assets if candidate.named(ASSETS + name) is None]
                problems += [Problem(name, f"missing: {GRAPH} names it") for name in lost[:MISSING_NAMED_MAX]]
            except BudgetSpent:
                raise
            except (Damaged, Unreadable) as damage:
                problems.append(Problem(GRAPH, str(damage)))
        if needs_variables or any(candidate.name(file).startswith(VARIABLES + ".") for file in candidate.files):
            problems += _problems(candidate, VARIABLES, reader)
        for name in self.own[2:]:
            if message := candidate.named(name):
                problems += _walked(candidate, message, reader)
        return tuple(problems)

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return tuple(_deeply(candidate, VARIABLES, reader))


def _problems(candidate: Candidate, stem: str, reader: Reader) -> Iterator[Problem]:
    """The index, the data files that it counts, and those that it does not."""
    index = candidate.named(stem + INDEX)
    if index is None:
        yield Problem(stem + INDEX, "missing: it says which data files there are, and what is in them")
        return
    try:
        found = bundle.read(index, reader)
    except BudgetSpent:
        raise
    except (Damaged, Unreadable) as damage:
        yield Problem(stem + INDEX, str(damage))
        return
    names = _names(stem, found)
    lost = [name for number, name in names.items() if found.held.get(number) and candidate.named(name) is None]
    yield from (Problem(name, "missing") for name in lost[:MISSING_NAMED_MAX])
    for number, name in names.items():
        if file := candidate.named(name):
            yield from _measured(found, number, name, file)
    for name in (candidate.name(file) for file in candidate.files):
        match = _DATA.match(name)
        if match and match["stem"] == stem and name not in names.values():
            yield Problem(name, f"foreign: the index counts {found.shards} data files")
    chosen = found.held if is_small(candidate) else bundle.samples(found)
    yield from _compared(candidate, names, chosen, reader)


def _names(stem: str, found: Bundle) -> dict[int, str]:
    return {number: f"{stem}.data-{number:05d}-of-{found.shards:05d}" for number in range(found.shards)}


def _measured(found: Bundle, number: int, name: str, file: File) -> Iterator[Problem]:
    try:
        bundle.measure(found, number, file)
    except Damaged as damage:
        yield Problem(name, str(damage))


def _deeply(candidate: Candidate, stem: str, reader: Reader) -> Iterator[Problem]:
    """The CRC-32C of every tensor; what is wrong with the index is said elsewhere."""
    index = candidate.named(stem + INDEX)
    if index is None:
        return
    try:
        found = bundle.read(index, reader)
    except Damaged:
        return
    yield from _compared(candidate, _names(stem, found), found.held, reader)


def _compared(
    candidate: Candidate, names: dict[int, str], chosen: dict[int, list[Entry]], reader: Reader
) -> Iterator[Problem]:
    """The CRC-32C of these tensors, by the numbers of their data files."""
    for number, entries in sorted(chosen.items()):
        if file := candidate.named(names[number]):
            try:
                yield from (Problem(names[number], what) for what in bundle.compare(entries, file, reader))
            except Damaged as damage:
                yield Problem(names[number], str(damage))


def _graph(file: File, reader: Reader) -> tuple[bool, set[str]]:
    """SavedModel: whether its graphs have a saver, and the assets that they name. (MetaGraphDef: `saver_def` is 3,
    `asset_file_def` 6 with `filename` 2.)"""
    window = Window(file, reader)
    version, graphs, saver, assets = 0, 0, False, set[str]()
    for each in fields(window, window.end):
        version = each.value if each.number == 1 else version
        if each.number != 2 or each.wire != BYTES:
            continue
        graphs += 1
        for part in fields(window, each.end):
            saver = saver or part.number == 3
            if part.number == 6 and part.wire == BYTES:
                assets |= {text(window, inner) for inner in fields(window, part.end) if inner.number == 2}
    if version != 1 or not graphs:
        raise Damaged(f"is of version {version}, with {graphs} graphs")
    return saver, assets


def _walked(candidate: Candidate, file: File, reader: Reader) -> Iterator[Problem]:
    """A message of any kind ends where its file does."""
    try:
        window = Window(file, reader)
        if not sum(1 for _ in fields(window, window.end)):
            raise Damaged("is empty")
    except BudgetSpent:
        raise
    except (Damaged, Unreadable) as damage:
        yield Problem(candidate.name(file), str(damage))
