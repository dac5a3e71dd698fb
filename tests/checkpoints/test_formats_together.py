"""What a user loses when one of these fails: a format takes what is another's, and a checkpoint vanishes from sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage import FIXTURES
from others import complete, judged_by

from pilotlight.runtime.checkpoints.catalogue import FORMATS
from pilotlight.runtime.checkpoints.claims import folders, listing
from pilotlight.runtime.checkpoints.format import Format
from pilotlight.runtime.checkpoints.formats.flax_msgpack import Flax
from pilotlight.runtime.checkpoints.formats.gguf import Gguf
from pilotlight.runtime.checkpoints.formats.keras import Keras
from pilotlight.runtime.checkpoints.formats.onnx import Onnx
from pilotlight.runtime.checkpoints.formats.tensorflow import SavedModel, TensorFlow
from pilotlight.runtime.checkpoints.readers import FolderReader

OTHERS: tuple[Format, ...] = (Gguf(), SavedModel(), TensorFlow(), Keras(), Flax(), Onnx())
WRITTEN = {
    "flax/checkpoint_1100": "flax",
    "flax/checkpoint_1200": "flax",
    "flax/flax_model.msgpack": "flax",
    "gguf/model-Q8_0.gguf": "gguf",
    "gguf/split-00001-of-00003.gguf": "gguf",
    "keras-sharded/model.weights.json": "keras",
    "keras/epoch-07.weights.h5": "keras",
    "keras/legacy.h5": "keras",
    "keras/model.keras": "keras",
    "keras/superblock-0.hdf5": "keras",
    "keras/superblock-2.hdf5": "keras",
    "keras/superblock-3.hdf5": "keras",
    "onnx-data-each/model.onnx": "onnx",
    "onnx-data/model.onnx": "onnx",
    "onnx/model.onnx": "onnx",
    "tensorflow-saved-model/": "tensorflow-saved-model",
    "tensorflow-sharded/model.ckpt-1300": "tensorflow",
    "tensorflow/ckpt-1100": "tensorflow",
    "tensorflow/ckpt-1200": "tensorflow",
}


def test_all_that_was_written_is_told_apart_below_one_prefix() -> None:
    verdicts = judged_by(FIXTURES, *FORMATS, *OTHERS)
    told = {verdict.path: verdict.format for verdict in verdicts}
    assert {path: format for path, format in told.items() if path in WRITTEN} == WRITTEN
    assert complete(verdicts) == [verdict.path for verdict in verdicts]
    assert {path for path in told if path.partition("/")[0] in {each.partition("/")[0] for each in WRITTEN}} == set(
        WRITTEN
    )


def test_of_all_their_files_only_a_pointer_belongs_to_no_checkpoint() -> None:
    strays = listing(FolderReader(FIXTURES), (*FORMATS, *OTHERS)).strays
    own = {path.partition("/")[0] for path in WRITTEN}
    assert [stray for stray in strays if stray.partition("/")[0] in own] == ["tensorflow/checkpoint"]


@pytest.mark.parametrize("format", OTHERS, ids=lambda format: format.name)
def test_no_format_claims_what_the_others_wrote(format: Format) -> None:
    found = listing(FolderReader(FIXTURES), (format,)).found
    assert {each.candidate.path for each in found} == {
        path for path, name in WRITTEN.items() if name == format.name
    } | ({"tensorflow-saved-model/variables/variables"} if format.name == "tensorflow" else set())


@pytest.mark.parametrize("format", OTHERS, ids=lambda format: format.name)
def test_no_format_claims_a_folder_that_holds_nothing_of_its_own(tmp_path: Path, format: Format) -> None:
    for name in ("model.safetensors", "optimizer.pt", "config.json", "README.md", "notes.index", "train.log", "README"):
        (tmp_path / name).write_bytes(b"x")
    reader = FolderReader(tmp_path)
    assert not list(format.find(folders(reader.files())))
