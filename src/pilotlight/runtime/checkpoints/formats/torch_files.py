"""Single files of `torch.save`: each is a checkpoint of its own; Lightning's are told by what they hold.

Lightning: pytorch_lightning/trainer/connectors/checkpoint_connector.py (`dump_checkpoint`): `state_dict`, `epoch`,
`global_step`, `pytorch-lightning_version`. A file of torch.save from before 1.6 is one bare pickle: it is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints import roles
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, Problem, Reader, Unreadable
from pilotlight.runtime.checkpoints.formats import torch_archive
from pilotlight.runtime.checkpoints.formats.torch_archive import Saved

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
STEP_KEYS = ("global_step", "step", "iteration", "global_steps")
LIGHTNING = "lightning"
LIGHTNING_KEYS = ("pytorch-lightning_version", "global_step", "epoch", "state_dict")


class Torch:
    """Every file by itself, but for those that are called as a part of a checkpoint is."""

    name = "torch"
    suffixes: tuple[str, ...] = SUFFIXES

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        for folder in folders:
            for name, file in folder.direct.items():
                if name.endswith(self.suffixes) and roles.of(name).role == roles.OTHER:
                    yield Candidate(file.key, (file,))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        try:
            self._check(_read(candidate, reader))
        except (Damaged, Unreadable) as damage:
            return (Problem(candidate.name(candidate.files[0]), str(damage)),)
        return ()

    def _check(self, saved: Saved) -> None:
        """Every whole file will do."""

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep."""
        value = _read(candidate, reader).value
        told = [value[key] for key in STEP_KEYS if type(value.get(key)) is int]
        return told[0] if told else None

    def kind(self, candidate: Candidate, reader: Reader) -> str:
        """See TellsKind."""
        return LIGHTNING if LIGHTNING_KEYS[0] in _read(candidate, reader).value else self.name

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return deep(candidate, reader)


class Lightning(Torch):
    """Files of Lightning's trainer alone; for whoever declares that there must be nothing else."""

    name = LIGHTNING
    suffixes = (".ckpt",)

    def _check(self, saved: Saved) -> None:
        lacking = [key for key in LIGHTNING_KEYS if key not in saved.value]
        if lacking:
            raise Damaged(f"is none of Lightning's: it has no {lacking[0]}")


def deep(
    candidate: Candidate, reader: Reader, suffixes: tuple[str, ...] = SUFFIXES, strict: bool = True
) -> tuple[Problem, ...]:
    """The CRC-32 of every member of every archive; `strict` as in torch_archive.read."""
    problems = []
    for file in candidate.files:
        if file.key.endswith(suffixes):
            try:
                torch_archive.compare_all(torch_archive.read(file, reader, False, strict=strict).archive)
            except (Damaged, Unreadable) as damage:
                problems.append(Problem(candidate.name(file), str(damage)))
    return tuple(problems)


def _read(candidate: Candidate, reader: Reader) -> Saved:
    return torch_archive.read(candidate.files[0], reader, torch_archive.is_small(candidate))
