"""What transformers' and PEFT's own loaders say of every damage to their folders, and Trainer when it resumes.

    python scripts/corpus/loaders.py CORPUS

Writes CORPUS/loaders.json, which the tests hold against the verdicts: what a loader refuses is never called loadable,
what resuming refuses never resumable. Runs in the environment of the family `pytorch`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pytorch import small_model, train

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
RECORDED = "loaders.json"
LOADS, FAILS = "loads", "fails"
FOLDERS = ("hf-model/whole", "hf-model/sharded", "hf-model/adapter", "hf-trainer/checkpoint-2", "hf-peft/checkpoint-2")
SKIPPED = (".md",)


def damages(folder: Path) -> Iterator[tuple[str, str, bytes | None]]:
    """(file, how, its bytes then; None where it is gone), and the folder as it was written."""
    yield "", "sound", None
    for path in sorted(folder.iterdir()):
        if path.suffix in SKIPPED:
            continue
        body, name = path.read_bytes(), path.name
        yield name, "gone", None
        yield name, "cut", body.rstrip()[:-1] if path.suffix == ".json" else body[:-1]
        yield name, "half", body[: len(body) // 2]
        yield name, "empty", b""
    if (folder / "model.safetensors.index.json").exists():
        yield "model.safetensors", "torn beside an index", b"\x00" * 8


def load(folder: Path) -> None:
    """The model, or the adapter on its model, as a server loads it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if (folder / "adapter_config.json").exists() or (folder / "adapter_model.safetensors").exists():
        PeftModel.from_pretrained(small_model(), str(folder))
    else:
        AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True)


def resume(folder: Path) -> None:
    """Two steps more."""
    from peft import LoraConfig, get_peft_model

    model = small_model()
    if "peft" in str(folder):
        model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    with tempfile.TemporaryDirectory() as out:
        train(Path(out), model, resume=str(folder))


def answer(act: Callable[[Path], None], folder: Path) -> str:
    """Whether it does it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            act(folder)
    except Exception as problem:  # a loader may raise anything over a damaged file
        return f"{FAILS}: {type(problem).__name__}"
    return LOADS


def main(corpus: Path) -> None:
    """Every damage of every folder."""
    found = []
    for name in FOLDERS:
        for file, how, body in damages(corpus / name):
            with tempfile.TemporaryDirectory() as place:
                copy = Path(place) / name
                shutil.copytree(corpus / name, copy)
                if body is not None:
                    (copy / file).write_bytes(body)
                elif file:
                    (copy / file).unlink()
                told = {"folder": name, "file": file, "how": how, "load": answer(load, copy)}
                if "checkpoint" in name:
                    told["resume"] = answer(resume, copy)
                found.append(told)
    lines = ",\n".join(json.dumps(each) for each in found)
    (corpus / RECORDED).write_text(f"[\n{lines}\n]\n")
    print(f"{len(found)} folders loaded, {sum(each['load'] != LOADS for each in found)} refused")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
