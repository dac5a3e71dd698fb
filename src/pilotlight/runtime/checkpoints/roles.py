"""Roles: what each file of a training checkpoint is for, told by its name, and for what it is needed.

Names are the writers' own: transformers, trainer.py (TRAINER_STATE_NAME, OPTIMIZER_NAME, SCHEDULER_NAME, SCALER_NAME,
TRAINING_ARGS_NAME, FSDP_MODEL_NAME, `_save_rng_state`); accelerate, utils/constants.py and checkpointing.py
(`save_accelerator_state`, `save_custom_state`), utils/fsdp_utils.py; peft, utils/constants.py (WEIGHTS_NAME,
SAFETENSORS_WEIGHTS_NAME, CONFIG_NAME); Lightning, fabric/strategies/fsdp.py (`meta.pt`); Llama, `consolidated.NN.pth`
with `params.json` (llama/generation.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pilotlight.runtime.checkpoints.format import LOAD, RESUME

NOTHING = ""
"""Of a role that neither loading nor resuming needs."""

WEIGHTS = "weights"
OPTIMIZER = "optimizer"
SCHEDULER = "scheduler"
RANDOM = "random state"
TRAINER = "trainer state"
SCALER = "gradient scaler"
DATA = "data loader"
CUSTOM = "registered objects"
ARGUMENTS = "training arguments"
CONFIGURATION = "configuration"
STRATEGY = "strategy metadata"
DEEPSPEED = "engine's tag"
OTHER = "other"


@dataclass(frozen=True)
class Name:
    """Files (or, ending in /, folders) of one role. `rank`: the group of the pattern that is a rank."""

    role: str
    need: str
    pattern: re.Pattern[str]
    implies: bool = True
    """Whether a file of this name says that there is a checkpoint."""


def _name(role: str, need: str, pattern: str, implies: bool = True) -> Name:
    return Name(role, need, re.compile(pattern), implies)


NAMES = (
    _name(WEIGHTS, LOAD, r"^pytorch_model_fsdp(?:_\d+)?(?:_rank(?P<rank>\d+))?(?:\.bin|/)$"),
    _name(WEIGHTS, LOAD, r"^pytorch_model(?:_\d+)?/$"),
    _name(OPTIMIZER, RESUME, r"^optimizer(?:_\d+)?(?:_rank(?P<rank>\d+))?(?:\.(?:pt|bin|pth)|/)$"),
    _name(SCHEDULER, RESUME, r"^(?:lr_)?scheduler(?:_\d+)?\.(?:pt|bin|pth)$"),
    _name(RANDOM, RESUME, r"^(?:rng_state(?:_(?P<rank>\d+))?\.pth|random_states_(?P<rank_>\d+)\.pkl)$"),
    _name(TRAINER, RESUME, r"^trainer_state\.json$"),
    _name(SCALER, RESUME, r"^scaler(?:_\d+)?\.pt$"),
    _name(DATA, RESUME, r"^(?:sampler(?:_\d+)?\.bin|dl_state_dict(?:_\d+)?\.bin)$"),
    _name(CUSTOM, RESUME, r"^custom_checkpoint_\d+\.pkl$"),
    _name(ARGUMENTS, NOTHING, r"^training_args\.bin$", implies=False),
    _name(STRATEGY, RESUME, r"^meta\.pt$"),
    _name(DEEPSPEED, LOAD, r"^global_step\d+/$", implies=False),
    _name(WEIGHTS, LOAD, r"^.*\.(?:safetensors|safetensors\.index\.json|bin\.index\.json)$"),
    _name(WEIGHTS, LOAD, r"^(?:pytorch_model|adapter_model|diffusion_pytorch_model)[^/]*\.bin$"),
    _name(WEIGHTS, LOAD, r"^.+-\d{5,}-of-\d{5,}\.bin$"),
    _name(WEIGHTS, LOAD, r"^consolidated\.\d+\.pth$"),
    _name(CONFIGURATION, LOAD, r"^adapter_config\.json$"),
    _name(CONFIGURATION, LOAD, r"^(?:config|params)\.json$", implies=False),
    _name(OTHER, NOTHING, r"^[^/]*$", implies=False),
)
"""The first that fits; a folder's name ends in a slash."""
OF_OTHERS = re.compile(
    r"\.(?:gguf|keras|h5|hdf5|msgpack|msgpack\.index\.json|weights\.json|onnx|onnx[._]data|ckpt\.(?:index|meta)"
    r"|data-\d{5}-of-\d{5})$"
)
"""Files that are a checkpoint by themselves, also beside others: a repository may hold a model in several forms."""
NAMES_KEPT = 16_384
"""Of names whose role is remembered: the checkpoints of a run have the same."""


@lru_cache(maxsize=NAMES_KEPT)
def of(name: str) -> Name:
    """The role of a file directly in a checkpoint's folder, or of a folder in it (pure)."""
    return next((each for each in NAMES if each.pattern.match(name)), NAMES[-1])


def rank_of(name: str) -> int | None:
    """The rank in a name whose file every process writes its own of; None in others (pure)."""
    match = of(name).pattern.match(name)
    groups = match.groupdict() if match else {}
    told = groups.get("rank") or groups.get("rank_")
    return int(told) if told else None
