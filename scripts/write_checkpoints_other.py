"""Writes the checkpoints of formats besides PyTorch's and Orbax's under tests/fixtures/checkpoints, by the libraries
themselves, and their versions into README.md there.

    pip install tensorflow-cpu gguf onnx flax      # in an environment of its own: some gigabytes
    python scripts/write_checkpoints_other.py [gguf tensorflow keras flax onnx]

Without names all five are written. What a library stores besides values (times, ids) makes every run differ a little.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent.parent / "tests/fixtures/checkpoints"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def fresh(name: str) -> Path:
    """An empty folder."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def random(seed: int, *shape: int) -> Any:
    """Values of a save."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def gguf() -> None:
    """A single file, and one in parts: gguf-py, which convert_hf_to_gguf.py of llama.cpp writes with."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    folder = fresh("gguf")
    for name, limit in (("model-Q8_0.gguf", 0), ("split.gguf", 2)):
        writer = GGUFWriter(folder / name, "llama", split_max_tensors=limit)
        writer.add_block_count(2)
        writer.add_context_length(128)
        writer.add_token_list(["<s>", "</s>", "a", "b"])
        writer.add_token_types([3, 3, 1, 1])
        writer.add_tensor("token_embd.weight", random(1, 4, 5))
        for layer in range(2):
            packed = quantize(random(2 + layer, 2, 64), GGMLQuantizationType.Q8_0)
            writer.add_tensor(f"blk.{layer}.ffn_up.weight", packed, raw_dtype=GGMLQuantizationType.Q8_0)
            writer.add_tensor(f"blk.{layer}.norm.weight", random(4 + layer, 3).astype(np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def tensorflow() -> None:
    """Two saves of a model and its optimizer, one in two data files and slices, and a SavedModel with an asset."""
    import tensorflow as tf

    folder = fresh("tensorflow")
    model = tf.Module()
    model.kernel, model.bias, model.name_of_run = tf.Variable(random(1, 6, 4)), tf.Variable(random(2, 4)), "tiny"
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(model=model, step=step, words=tf.Variable(["alpha", "", "gamma"]))
    for number in (1100, 1200):
        step.assign(number)
        model.kernel.assign(random(number, 6, 4))
        checkpoint.write(str(folder / f"ckpt-{number}"))
    tf.compat.v1.train.update_checkpoint_state(str(folder), "ckpt-1200")
    sharded = fresh("tensorflow-sharded")
    parts = [str(sharded / f"part-{number}") for number in range(2)]
    for number, part in enumerate(parts):
        slices = [f"6 4 {3 * number},3:-", "" if number else "4 -"]
        names = ["kernel", "bias" if not number else "step"]
        values = [random(3, 6, 4)[3 * number : 3 * number + 3], random(4, 4) if not number else np.int64(1300)]
        tf.raw_ops.SaveV2(prefix=part, tensor_names=names, shape_and_slices=slices, tensors=values)
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(sharded / "model.ckpt-1300"))
    _saved_model(tf)


def _saved_model(tf: Any) -> None:
    folder = fresh("tensorflow-saved-model")
    vocabulary = folder.parent / "vocabulary.txt"
    vocabulary.write_text("a\nb\n")

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(random(1, 3, 2))
            self.vocabulary = tf.saved_model.Asset(str(vocabulary))

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return x @ self.kernel

    tf.saved_model.save(Model(), str(folder))
    vocabulary.unlink()


def keras() -> None:
    """One model as an archive, as weights, as shards, as the older HDF5 file; and HDF5 of each superblock."""
    import h5py
    import keras as keras_

    folder = fresh("keras")
    keras_.utils.set_random_seed(1)
    model = keras_.Sequential([keras_.Input((4,)), keras_.layers.Dense(3), keras_.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.save(folder / "model.keras")
    model.save_weights(folder / "epoch-07.weights.h5")
    model.save(folder / "legacy.h5")
    sharded = fresh("keras-sharded")
    model.save_weights(sharded / "model.weights.json", max_shard_size=80 / 1024**3)
    for name, libver in (("superblock-0", "earliest"), ("superblock-2", "v108"), ("superblock-3", "latest")):
        with h5py.File(folder / f"{name}.hdf5", "w", libver=libver) as file:
            file["kernel"] = random(1, 4, 3)


def flax() -> None:
    """A training state by `flax.training.checkpoints`, and the parameters alone as transformers names them."""
    import flax as flax_
    import jax.numpy as jnp
    from flax import serialization
    from flax.training import checkpoints

    flax_.config.update("flax_use_orbax_checkpointing", False)
    folder = fresh("flax")
    for number in (1100, 1200):
        parameters = {"dense": {"kernel": jnp.asarray(random(number, 4, 3)), "bias": jnp.zeros(3, jnp.bfloat16)}}
        state = {"step": number, "params": parameters, "opt_state": {"0": {"count": np.int32(number)}, "1": {}}}
        checkpoints.save_checkpoint(folder, state, number, keep=5)
    body = serialization.to_bytes({"step": jnp.asarray(77), "params": parameters})
    (folder / "flax_model.msgpack").write_bytes(body)


def onnx() -> None:
    """A model by itself, one with all its values in a file beside, one with a file for each."""
    import onnx as onnx_
    from onnx import TensorProto, helper, numpy_helper

    def model() -> Any:
        weights = [
            numpy_helper.from_array(random(1, 8, 4), "fc.weight"),
            numpy_helper.from_array(random(2, 4), "fc.bias"),
        ]
        inner = helper.make_graph(
            [helper.make_node("Add", ["y", "inner.bias"], ["z"])],
            "branch",
            [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(random(3, 4), "inner.bias")],
        )
        nodes = [
            helper.make_node("Constant", [], ["flag"], value=helper.make_tensor("flag", TensorProto.BOOL, [], [1])),
            helper.make_node("Gemm", ["x", "fc.weight", "fc.bias"], ["y"]),
            helper.make_node("If", ["flag"], ["out"], then_branch=inner, else_branch=inner),
        ]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 8])
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 4])
        return helper.make_model(helper.make_graph(nodes, "tiny", [x], [out], weights))

    onnx_.save_model(model(), fresh("onnx") / "model.onnx")
    for name, together in (("onnx-data", True), ("onnx-data-each", False)):
        where = fresh(name) / "model.onnx"
        onnx_.save_model(
            model(), where, save_as_external_data=True, all_tensors_to_one_file=together,
            location="model.onnx_data" if together else None, size_threshold=0, convert_attribute=together,
        )  # fmt: skip


WRITERS: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "gguf": (gguf, ("gguf",)),
    "tensorflow": (tensorflow, ("tensorflow_cpu",)),
    "keras": (keras, ("keras", "h5py")),
    "flax": (flax, ("flax", "jax", "msgpack")),
    "onnx": (onnx, ("onnx",)),
}


def main(names: list[str]) -> None:
    """Write them, and say with what."""
    for name in names or list(WRITERS):
        write, libraries = WRITERS[name]
        write()
        print(f"{name}: {', '.join(f'{library} {version(library)}' for library in libraries)}")


if __name__ == "__main__":
    main(sys.argv[1:])
