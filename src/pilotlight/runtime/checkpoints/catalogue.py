"""Every format that a checkpoint may have; one file a format, in formats/."""

from __future__ import annotations

from pilotlight.runtime.checkpoints.folder import KINDS, Folder
from pilotlight.runtime.checkpoints.format import Format
from pilotlight.runtime.checkpoints.formats.composer import Composer
from pilotlight.runtime.checkpoints.formats.dcp import Dcp
from pilotlight.runtime.checkpoints.formats.deepspeed import DeepSpeed
from pilotlight.runtime.checkpoints.formats.deepspeed_universal import Universal
from pilotlight.runtime.checkpoints.formats.flax_msgpack import Flax
from pilotlight.runtime.checkpoints.formats.generic import Generic
from pilotlight.runtime.checkpoints.formats.gguf import Gguf
from pilotlight.runtime.checkpoints.formats.keras import Keras
from pilotlight.runtime.checkpoints.formats.megatron import Megatron
from pilotlight.runtime.checkpoints.formats.nemo import Nemo
from pilotlight.runtime.checkpoints.formats.onnx import Onnx
from pilotlight.runtime.checkpoints.formats.orbax import Orbax
from pilotlight.runtime.checkpoints.formats.tensorflow import SavedModel, TensorFlow
from pilotlight.runtime.checkpoints.formats.torch_files import Lightning, Torch

FORMATS: tuple[Format, ...] = (
    Generic(),
    Orbax(),
    Nemo(),
    Megatron(),
    Universal(),
    DeepSpeed(),
    Dcp(),
    Composer(),
    Gguf(),
    TensorFlow(),
    Keras(),
    Flax(),
    Folder(),
    SavedModel(),
    Onnx(),
    Torch(),
)
"""In the order in which they may claim a path: a manifest of ours decides before what it lists."""
NARROW: tuple[Format, ...] = (*(Folder(kind) for kind in KINDS), Lightning())
"""Kinds of a format, for whoever declares that there is nothing else."""
