"""Llama's own weights: `consolidated.NN.pth`, one for each model-parallel rank, and `params.json`.

llama/generation.py (`Llama.build`): as many files as ranks, told by nothing but the tensors: each holds its share of
the query projection, whose whole has `dim` rows (llama/model.py, Attention: n_heads * head_dim columns in parallel).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pilotlight.runtime.checkpoints.encodings.pickles import Made
from pilotlight.runtime.checkpoints.format import Problem

if TYPE_CHECKING:
    from pilotlight.runtime.checkpoints.folder import Contents

NAME = re.compile(r"^consolidated\.(\d+)\.pth$")
QUERY = "layers.0.attention.wq.weight"
RANKS_MAX = 4096


def problems(found: Contents, names: list[str]) -> Iterator[Problem]:
    """Ranks that are missing: below the highest there is, and as many as the share of each tells."""
    ranks = {int(match[1]): name for name in names if (match := NAME.match(name))}
    if not ranks:
        return
    count = max([*(rank + 1 for rank in ranks), *_told(found, names)])
    for rank in range(min(count, RANKS_MAX)):
        if rank not in ranks:
            yield Problem(f"consolidated.{rank:02d}.pth", f"missing: weights; there were {count} model-parallel ranks")


def _told(found: Contents, names: list[str]) -> Iterator[int]:
    params = found.value("params.json")
    dim = params.get("dim") if isinstance(params, dict) else None
    for name in names:
        saved = found.value(name)
        rows = _rows(saved.value.get(QUERY)) if saved is not None else None
        if type(dim) is int and rows and dim % rows == 0:
            yield dim // rows


def _rows(tensor: Any) -> int | None:
    size = tensor.arguments[2] if isinstance(tensor, Made) and len(tensor.arguments) > 2 else None
    return size[0] if isinstance(size, tuple) and size and type(size[0]) is int else None
