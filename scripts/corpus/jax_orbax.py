"""What Orbax writes: a manager's steps of two items, a tree with and without OCDBT."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from making import SEED, elsewhere, run

os.environ["JAX_PLATFORMS"] = "cpu"
PACKAGES = ("orbax-checkpoint", "jax", "tensorstore")


def _tree(step: int) -> dict[str, Any]:
    import jax

    key = jax.random.key(SEED + step)
    return {"layer": {"kernel": jax.random.normal(key, (4, 2)), "bias": jax.numpy.zeros(2)}, "step": step}


def manager(folder: Path) -> None:
    """`CheckpointManager`, two steps, a tree and JSON each."""
    import orbax.checkpoint as orbax

    names = ("state", "meta")
    with elsewhere(folder) as place, orbax.CheckpointManager(place, item_names=names) as keeper:
        for step in (10, 20):
            items = orbax.args.Composite(
                state=orbax.args.StandardSave(_tree(step)), meta=orbax.args.JsonSave({"step": step})
            )
            keeper.save(step, args=items)
        keeper.wait_until_finished()


def tree(folder: Path) -> None:
    """`PyTreeCheckpointer`, OCDBT."""
    _trees(folder, ocdbt=True)


def tree_without_ocdbt(folder: Path) -> None:
    """`PyTreeCheckpointer`, a folder for each array."""
    _trees(folder, ocdbt=False)


def _trees(folder: Path, ocdbt: bool) -> None:
    import orbax.checkpoint as orbax

    keeper = orbax.Checkpointer(orbax.PyTreeCheckpointHandler(use_ocdbt=ocdbt))
    with elsewhere(folder) as place:
        for step in (10, 20):
            keeper.save(place / str(step), args=orbax.args.PyTreeSave(_tree(step)))


ALONE = {"orbax-manager": manager, "orbax-tree": tree, "orbax-tree-without-ocdbt": tree_without_ocdbt}

if __name__ == "__main__":
    sys.exit(run(__file__, ALONE, {}, PACKAGES))
