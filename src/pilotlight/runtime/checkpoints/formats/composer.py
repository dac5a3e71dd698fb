"""Composer: `ep0-ba10-rank0.pt`, one file a rank where ranks hold shards of their own, or rank 0's alone.

mosaicml 0.32: composer/callbacks/checkpoint_saver.py (`filename` is `ep{epoch}-ba{batch}-rank{rank}.pt`). How many
ranks there were no file tells; checkpoints of one run have as many, so one that lacks a rank which its neighbours have
is suspect (siblings.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints.format import Candidate, File, Problem, Reader
from pilotlight.runtime.checkpoints.formats import torch_archive, torch_files

NAME = re.compile(r"^(?P<stem>.*ba\d+.*)-rank(?P<rank>\d+)\.pt$")
RANKS_MAX = 100_000


class Composer:
    """The ranks' files of one batch: the path ends with what their names share."""

    name = "composer"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; its path is that of rank 0's file."""
        for folder in folders:
            groups: dict[str, list[File]] = {}
            for name, file in folder.direct.items():
                if match := NAME.match(name):
                    groups.setdefault(match["stem"], []).append(file)
            for stem, files in sorted(groups.items()):
                yield Candidate(f"{folder.path}{stem}-rank0.pt", tuple(files))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return tuple(self._problems(candidate, reader))

    def _problems(self, candidate: Candidate, reader: Reader) -> Iterator[Problem]:
        ranks = {int(match["rank"]) for file in candidate.files if (match := NAME.match(candidate.name(file)))}
        stem = candidate.path.rpartition("/")[2].removesuffix("-rank0.pt")
        for rank in range(min(max(ranks), RANKS_MAX)):
            if rank not in ranks:
                yield Problem(f"{stem}-rank{rank}.pt", f"missing: there were at least {max(ranks) + 1} ranks")
        yield from torch_archive.read_all(candidate, list(candidate.files), reader)[1]

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep: the batch, which the name tells."""
        return candidate.step

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return torch_files.deep(candidate, reader)
