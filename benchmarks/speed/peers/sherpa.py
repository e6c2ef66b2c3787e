"""A checkpoint as the ONNX files of sherpa-onnx.

The same graphs as its `scripts/whisper/export-onnx.py` makes with PyTorch, put together here from the weights, and
quantised in the same way: an encoder for any length that gives keys and values of the cross attention, and a decoder
for some tokens that keeps its own keys and values in caches of full length.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from benchmarks.speed.peers.checkpoint import Checkpoint

OPSET = 17


def write(checkpoint: Checkpoint, folder: Path) -> None:
    """encoder.onnx, decoder.onnx and tokens.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in (("encoder", Encoder(checkpoint)), ("decoder", Decoder(checkpoint))):
        quantize_dynamic(
            graph.model(name, _metadata(checkpoint)),
            folder / f"{name}.onnx",
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
        )
    lines = (f"{base64.b64encode(text).decode()} {id}\n" for id, text in enumerate(checkpoint.texts()))
    (folder / "tokens.txt").write_text("".join(lines))


class Graph:
    """Nodes of ONNX, written as calls; values go by their names."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Nothing in it yet."""
        self.checkpoint = checkpoint
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._number = count()

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """One node; the name of its first output."""
        names = [f"{kind}_{next(self._number)}" for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names[0]

    def constant(self, values: NDArray[Any], name: str = "") -> str:
        """An initialiser."""
        name = name or f"constant_{next(self._number)}"
        self._constants[name] = numpy_helper.from_array(values.copy(), name)
        return name

    def numbers(self, *numbers: int) -> str:
        """A shape, an axis, an index."""
        return self.constant(np.array(numbers, np.int64))

    def weight(self, name: str) -> str:
        """A weight as it is."""
        return self.constant(self.checkpoint.weights[name].astype(np.float32), name)

    def linear(self, name: str, value: str) -> str:
        """A linear layer."""
        matrix = self.checkpoint.weights[f"{name}.weight"].astype(np.float32).T
        value = self.op("MatMul", value, self.constant(matrix, f"{name}.weight"))
        bias = f"{name}.bias"
        return self.op("Add", value, self.weight(bias)) if bias in self.checkpoint.weights else value

    def norm(self, name: str, value: str) -> str:
        """A layer norm."""
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", value, weight, bias, axis=-1, epsilon=1e-5)

    def gelu(self, value: str) -> str:
        """In the parts that ONNX Runtime fuses."""
        root, one, half = (self.constant(np.array(number, np.float32)) for number in (2**0.5, 1.0, 0.5))
        error = self.op("Add", self.op("Erf", self.op("Div", value, root)), one)
        return self.op("Mul", self.op("Mul", value, error), half)

    def attention(self, query: str, key: str, value: str, mask: str = "") -> str:
        """Of all heads."""
        heads, width = self.checkpoint.heads, self.checkpoint.width
        split = self.numbers(0, 0, heads, width // heads)
        scale = self.constant(np.array((width // heads) ** -0.25, np.float32))

        def divided(name: str, order: Sequence[int]) -> str:
            return self.op("Transpose", self.op("Reshape", name, split), perm=order)

        scores = self.op(
            "MatMul",
            self.op("Mul", divided(query, (0, 2, 1, 3)), scale),
            self.op("Mul", divided(key, (0, 2, 3, 1)), scale),
        )
        if mask:
            scores = self.op("Add", scores, mask)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), divided(value, (0, 2, 1, 3)))
        return self.op("Reshape", self.op("Transpose", mixed, perm=(0, 2, 1, 3)), self.numbers(0, 0, width))

    def perceptron(self, block: str, value: str) -> str:
        """The second half of a block, with what goes around it."""
        hidden = self.gelu(self.linear(f"{block}.mlp.0", self.norm(f"{block}.mlp_ln", value)))
        return self.op("Add", value, self.linear(f"{block}.mlp.2", hidden))

    def stacked(self, values: Sequence[str]) -> str:
        """One value a layer, along a new first axis."""
        return self.op("Concat", *(self.op("Unsqueeze", value, self.numbers(0)) for value in values), axis=0)

    def input(self, name: str, kind: int, *shape: int | str) -> str:
        """Something that comes from outside."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, *shape: int | str) -> None:
        """Something that goes out, in single precision."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self, name: str, metadata: dict[str, str]) -> onnx.ModelProto:
        """All of it."""
        graph = helper.make_graph(self._nodes, name, self.inputs, self.outputs, list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        helper.set_model_props(model, metadata)
        return model


class Encoder(Graph):
    """Log-mel in, keys and values of every layer's cross attention out."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Put it together."""
        super().__init__(checkpoint)
        value = self.input("mel", TensorProto.FLOAT, "n_audio", checkpoint.mels, "T")
        for name, stride in (("encoder.conv1", 1), ("encoder.conv2", 2)):
            weights = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
            value = self.gelu(self.op("Conv", value, *weights, kernel_shape=(3,), pads=(1, 1), strides=(stride,)))
        value = self.op("Transpose", value, perm=(0, 2, 1))
        length = self.op("Gather", self.op("Shape", value), self.numbers(1))
        places = self.op("Slice", self.weight("encoder.positional_embedding"), self.numbers(0), length, self.numbers(0))
        value = self.op("Add", value, places)
        for index in range(checkpoint.layers("encoder")):
            block = f"encoder.blocks.{index}"
            normed = self.norm(f"{block}.attn_ln", value)
            query, keys, values = (self.linear(f"{block}.attn.{part}", normed) for part in ("query", "key", "value"))
            mixed = self.attention(query, keys, values)
            value = self.op("Add", value, self.linear(f"{block}.attn.out", mixed))
            value = self.perceptron(block, value)
        value = self.norm("encoder.ln_post", value)
        layers = checkpoint.layers("decoder")
        for name, part in (("n_layer_cross_k", "key"), ("n_layer_cross_v", "value")):
            every = [self.linear(f"decoder.blocks.{index}.cross_attn.{part}", value) for index in range(layers)]
            self.output(name, self.stacked(every), layers, "n_audio", "T_out", checkpoint.width)


class Decoder(Graph):
    """Tokens and caches in, logits and caches out."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Put it together."""
        super().__init__(checkpoint)
        layers, width, context = checkpoint.layers("decoder"), checkpoint.width, checkpoint.context("decoder")
        tokens = self.input("tokens", TensorProto.INT64, "n_audio", "n_tokens")
        caches = [
            self.input(f"in_n_layer_self_{part}_cache", TensorProto.FLOAT, layers, "n_audio", context, width)
            for part in "kv"
        ]
        cross = [self.input(f"n_layer_cross_{part}", TensorProto.FLOAT, layers, "n_audio", "T", width) for part in "kv"]
        self._begin = self.input("offset", TensorProto.INT64, 1)
        self._end = self.op("Add", self._begin, self.op("Gather", self.op("Shape", tokens), self.numbers(1)))

        embeddings = self.weight("decoder.token_embedding.weight")
        places = self._slice(self.weight("decoder.positional_embedding"), self._begin, self._end, 0)
        value = self.op("Add", self.op("Gather", embeddings, tokens), places)
        hidden = self.constant(np.triu(np.full((context, context), -np.inf, np.float32), 1))
        mask = self._slice(self._slice(hidden, self._begin, self._end, 0), self.numbers(0), self._end, 1)

        kept: tuple[list[str], list[str]] = ([], [])
        for index in range(layers):
            block = f"decoder.blocks.{index}"
            normed = self.norm(f"{block}.attn_ln", value)
            query = self.linear(f"{block}.attn.query", normed)
            seen: list[str] = []
            for cache, part, filled in zip(caches, ("key", "value"), kept, strict=True):
                new = self.linear(f"{block}.attn.{part}", normed)
                sofar, whole = self._extended(self._layer(cache, index), new)
                seen.append(sofar)
                filled.append(whole)
            mixed = self.attention(query, seen[0], seen[1], mask)
            value = self.op("Add", value, self.linear(f"{block}.attn.out", mixed))
            query = self.linear(f"{block}.cross_attn.query", self.norm(f"{block}.cross_attn_ln", value))
            keys, values = (self._layer(part, index) for part in cross)
            mixed = self.attention(query, keys, values)
            value = self.perceptron(block, self.op("Add", value, self.linear(f"{block}.cross_attn.out", mixed)))

        turned = self.op("Transpose", self.norm("decoder.ln", value), perm=(0, 2, 1))
        logits = self.op("Transpose", self.op("MatMul", embeddings, turned), perm=(0, 2, 1))
        self.output("logits", logits, "n_audio", "n_tokens", checkpoint.tokens)
        for filled, part in zip(kept, "kv", strict=True):
            self.output(f"out_n_layer_self_{part}_cache", self.stacked(filled), layers, "n_audio", context, width)

    def _slice(self, value: str, begin: str, end: str, axis: int) -> str:
        return self.op("Slice", value, begin, end, self.numbers(axis))

    def _layer(self, value: str, index: int) -> str:
        return self.op("Gather", value, self.constant(np.array(index, np.int64)), axis=0)

    def _extended(self, cache: str, new: str) -> tuple[str, str]:
        """What was there and the new, and the same in a cache of full length."""
        sofar = self.op("Concat", self._slice(cache, self.numbers(0), self._begin, 1), new, axis=1)
        rest = self._slice(cache, self._end, self.numbers(self.checkpoint.context("decoder")), 1)
        return sofar, self.op("Concat", sofar, rest, axis=1)


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    special = checkpoint.special()
    names = {id: token.strip("<|>") for token, id in special.items()}
    languages: list[int] = checkpoint.config["lang_ids"]
    start, english, transcribe = (special[f"<|{name}|>"] for name in ("startoftranscript", "en", "transcribe"))
    values = {
        "model_type": "whisper-base",
        "version": 1,
        "maintainer": "k2-fsa",
        "n_mels": checkpoint.mels,
        "n_audio_ctx": checkpoint.context("encoder"),
        "n_audio_state": checkpoint.width,
        "n_audio_head": checkpoint.heads,
        "n_audio_layer": checkpoint.layers("encoder"),
        "n_vocab": checkpoint.tokens,
        "n_text_ctx": checkpoint.context("decoder"),
        "n_text_state": checkpoint.width,
        "n_text_head": checkpoint.heads,
        "n_text_layer": checkpoint.layers("decoder"),
        "sot_sequence": ",".join(map(str, (start, english, transcribe))),
        "all_language_tokens": ",".join(map(str, languages)),
        "all_language_codes": ",".join(names[id] for id in languages),
        "sot": start,
        "sot_index": 0,
        "eot": special["<|endoftext|>"],
        "blank_id": checkpoint.tokenizer["model"]["vocab"]["Ġ"],
        "is_multilingual": 1,
        "no_speech": special["<|notimestamps|>"] - 1,
        "non_speech_tokens": ",".join(map(str, checkpoint.config["suppress_ids"])),
        "transcribe": transcribe,
        "translate": special["<|translate|>"],
        "sot_prev": special["<|startofprev|>"],
        "sot_lm": special["<|startoflm|>"],
        "no_timestamps": special["<|notimestamps|>"],
    }
    return {name: str(value) for name, value in values.items()}
