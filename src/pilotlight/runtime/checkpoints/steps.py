"""Steps and staging: what the name of a checkpoint's folder or file says of when it was written, and whether it was
finished.

Files that tell their step win over names (the layouts read them); names decide only the order in which checkpoints are
looked at. A number counts as a step where a word of RULES stands before it, or where it stands alone: the precision of
`checkpoint-1200-4bit`, a decay of 0.9999, a version and a date are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

NAMES_KEPT = 10_000
"""Names whose step is remembered: every format looks at every folder, and at those above it."""
DIGITS_MAX = 18
"""A longer number is no step; it also fits into 64 bits."""


@dataclass(frozen=True)
class Rule:
    """One way in which names tell a step; `example` is what the generated page shows. `above`: whether a folder above
    the checkpoint's own tells it, too."""

    pattern: re.Pattern[str]
    example: str
    step: int
    writer: str
    above: bool = True


def _word(words: str) -> re.Pattern[str]:
    """A word, at most one of -_=. behind it, and the number, which ends where a letter or a decimal does not follow."""
    return re.compile(rf"(?:^|[^a-z])(?:{words})[-_=.]?(\d{{1,{DIGITS_MAX}}})(?:\.0+)?(?!\d|\.\d|[a-z])", re.IGNORECASE)


RULES = (
    Rule(_word("global_?steps?"), "global_step120", 120, "DeepSpeed (engine.py, save_checkpoint)"),
    Rule(_word("steps?"), "epoch=3-step=1200-v1", 1200, "Lightning (model_checkpoint.py), Orbax, torchtitan"),
    Rule(_word("iter(?:ation)?s?"), "iter_0000100", 100, "Megatron-LM (checkpointing.py, get_checkpoint_name)"),
    Rule(_word("ba(?:tch)?"), "ep0-ba10-rank3", 10, "Composer (checkpoint_saver.py)"),
    Rule(_word("checkpoint|ckpt|model\\.ckpt|save"), "checkpoint-1200-4bit", 1200,
         "transformers (trainer_utils.py, PREFIX_CHECKPOINT_DIR), TensorFlow, Flax"),
    Rule(re.compile(rf"^(\d{{1,{DIGITS_MAX}}})$"), "1200", 1200, "Orbax (step folders without a prefix)"),
    Rule(re.compile(rf"^[a-z][\w.]*?[-_](\d{{1,{DIGITS_MAX}}})$", re.IGNORECASE), "adapter-000004", 4,
         "whoever ends a name with a number", above=False),
    Rule(_word("ep(?:och)?s?"), "epoch-7", 7, "whoever counts epochs alone"),
)  # fmt: skip
"""The first that fits decides; of several numbers of one rule the last."""

DATE = re.compile(r"(?:^|[^\d])(?:19|20)\d{2}[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])(?![\d])")
SHARD = re.compile(r"-\d{5,}-of-\d{5,}$")
QUANTIZED = re.compile(r"[-_.]I?Q\d+(?:_\w+)*$", re.IGNORECASE)
"""Which part of how many, and the bits of a quantized model, are no steps."""
SUFFIXES = re.compile(
    r"(?:\.(?:safetensors|ckpt|pt|pth|bin|msgpack|gguf|onnx|keras|h5|hdf5|index|weights|model|distcp))+$"
)
STAGING = (
    (re.compile(r"^(?:tmp|temp)[-_.]", re.IGNORECASE), "tmp-checkpoint-1500", "transformers (trainer.py before 4.40)"),
    (re.compile(r"[-_.](?:tmp|temp|partial|incomplete|inprogress)$", re.IGNORECASE), "checkpoint-900.tmp", "by rename"),
    (re.compile(r"-unfinished$"), "step=900-unfinished", "NeMo (nemo/lightning, model_checkpoint.py)"),
    (re.compile(r"\.orbax-checkpoint-tmp"), "1200.orbax-checkpoint-tmp-17", "Orbax (utils.py, TMP_DIR_SUFFIX)"),
    (re.compile(r"^\.(?:tmp|staging|_?temporary)"), ".tmp-1200", "by rename"),
)
"""Names that their writers give what is not finished, and rename then; S3 has no rename, so what bears one is not."""


def step_of(path: str) -> int | None:
    """The step that the folder's or file's name tells, else the nearest folder above that does:
    a/step-000120/ -> 120, run-3/final/ -> None."""
    own, *above = reversed([part for part in path.split("/") if part]) if path.strip("/") else [""]
    step = step_of_name(own)
    found = (step_of_name(each, above=True) for each in above)
    return step if step is not None else next((each for each in found if each is not None), None)


@lru_cache(maxsize=NAMES_KEPT)
def step_of_name(name: str, above: bool = False) -> int | None:
    """The same of one name, which may be a folder's above the checkpoint's own (pure)."""
    plain = QUANTIZED.sub("", SHARD.sub("", SUFFIXES.sub("", re.sub(r"\.orbax-checkpoint-tmp.*", "", name))))
    plain = DATE.sub("", plain) if DATE.search(plain) else plain
    for rule in (each for each in RULES if each.above or not above):
        found = [match[1] for match in rule.pattern.finditer(plain)]
        if found:
            return int(found[-1])
    return None


def staging(path: str) -> str:
    """The part of a path that says that its writer had not finished; empty where none does (pure)."""
    for part in path.split("/"):
        if any(pattern.search(part) for pattern, _, _ in STAGING):
            return part
    return ""
