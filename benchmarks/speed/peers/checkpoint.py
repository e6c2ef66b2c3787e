"""Reads Whisper weights of CTranslate2 and names them as OpenAI's package does: the inverse of their conversion."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]

VERSION = 6
"""Of CTranslate2's binary format: names of types, and aliases at the end."""

TYPES = ("f4", "i1", "i2", "i4", "f2")
"""By their numbers in the format. bfloat16 would be 5: NumPy has no such type."""


class UnreadableError(Exception):
    """The file is not what this reads."""


def read(path: Path) -> Weights:
    """All variables of a model.bin, aliases included."""
    with path.open("rb") as file:
        if (version := _number(file, "I")) != VERSION:
            raise UnreadableError(f"binary version {version}, not {VERSION}")
        if (spec := _name(file)) != "WhisperSpec":
            raise UnreadableError(f"{spec} is not Whisper")
        _number(file, "I")  # the revision of the spec
        variables = dict(_variable(file) for _ in range(_number(file, "I")))
        for _ in range(_number(file, "I")):
            alias = _name(file)
            variables[alias] = variables[_name(file)]
    return variables


def _number(file: BinaryIO, kind: str) -> int:
    (number,) = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))
    return int(number)


def _name(file: BinaryIO) -> str:
    return file.read(_number(file, "H")).rstrip(b"\0").decode()


def _variable(file: BinaryIO) -> tuple[str, NDArray[Any]]:
    name = _name(file)
    shape = [_number(file, "I") for _ in range(_number(file, "B"))]
    kind = _number(file, "B")
    if kind >= len(TYPES):
        raise UnreadableError(f"{name} is of type {kind}")
    return name, np.frombuffer(file.read(_number(file, "I")), f"<{TYPES[kind]}").reshape(shape)


_MODULES = {
    "self_attention/layer_norm": ("attn_ln",),
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "self_attention/linear_1": ("attn.out",),
    "attention/layer_norm": ("cross_attn_ln",),
    "attention/linear_0": ("cross_attn.query",),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
    "attention/linear_2": ("cross_attn.out",),
    "ffn/layer_norm": ("mlp_ln",),
    "ffn/linear_0": ("mlp.0",),
    "ffn/linear_1": ("mlp.2",),
    "conv1": ("conv1",),
    "conv2": ("conv2",),
    "embeddings": ("token_embedding",),
}
"""What CTranslate2 calls a module, and what became of it; several were put one on top of the other."""

_PARTS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def openai(variables: Weights) -> Weights:
    """The state dict of OpenAI's package."""
    return dict(renamed for name, values in variables.items() for renamed in _renamed(name, values))


def _renamed(name: str, values: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    side, *middle, part = name.split("/")
    block = ""
    if middle and middle[0].startswith("layer_") and middle[0] != "layer_norm":
        block = f"blocks.{middle.pop(0).removeprefix('layer_')}."
    module = "/".join(middle)
    if module == "position_encodings":
        yield f"{side}.positional_embedding", values
    elif module == "layer_norm":
        yield f"{side}.{'ln_post' if side == 'encoder' else 'ln'}.{_PARTS[part]}", values
    elif module in _MODULES:
        targets = _MODULES[module]
        for target, piece in zip(targets, np.split(values, len(targets)), strict=True):
            # CTranslate2 needs a bias for the whole stack; that of the keys is zero and unknown to the others.
            if not (part == "bias" and target.endswith(".key")):
                yield f"{side}.{block}{target}.{_PARTS[part]}", piece


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint for CTranslate2, by the names of OpenAI's package."""

    weights: Weights
    heads: int
    config: Mapping[str, Any]
    """config.json: tokens that are never said, and the heads that know when a word was said."""
    tokenizer: Mapping[str, Any]
    """tokenizer.json."""

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read the folder that faster-whisper reads."""
        variables = read(folder / "model.bin")
        config, tokenizer = (json.loads((folder / f"{name}.json").read_text()) for name in ("config", "tokenizer"))
        return cls(openai(variables), int(variables["encoder/num_heads"]), config, tokenizer)

    @property
    def width(self) -> int:
        """Of the hidden states."""
        return int(self.weights["encoder.positional_embedding"].shape[1])

    @property
    def mels(self) -> int:
        """Bands of the log-mel."""
        return int(self.weights["encoder.conv1.weight"].shape[1])

    @property
    def tokens(self) -> int:
        """Size of the vocabulary."""
        return int(self.weights["decoder.token_embedding.weight"].shape[0])

    def context(self, side: str) -> int:
        """Positions of the encoder or the decoder."""
        return int(self.weights[f"{side}.positional_embedding"].shape[0])

    def layers(self, side: str) -> int:
        """Blocks of the encoder or the decoder."""
        return len({name.split(".")[2] for name in self.weights if name.startswith(f"{side}.blocks.")})

    def special(self) -> dict[str, int]:
        """Ids of the tokens that are no text."""
        return {token["content"]: token["id"] for token in self.tokenizer["added_tokens"]}

    def texts(self) -> list[bytes]:
        """The tokens that are text, in the order of their ids, as the bytes they stand for."""
        special = self.special()
        bytes_of = {character: byte for byte, character in byte_characters().items()}
        vocabulary: dict[str, int] = self.tokenizer["model"]["vocab"]
        texts = (token for token in sorted(vocabulary, key=vocabulary.__getitem__) if token not in special)
        return [bytes(bytes_of[character] for character in token) for token in texts]


def byte_characters() -> dict[int, str]:
    """How byte-level vocabularies write a byte: those that cannot be seen have got characters above 255."""
    seen = {byte: chr(byte) for byte in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))}
    unseen = [byte for byte in range(256) if byte not in seen]
    return seen | {byte: chr(256 + index) for index, byte in enumerate(unseen)}
