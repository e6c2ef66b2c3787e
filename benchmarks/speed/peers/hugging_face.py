"""A checkpoint as a folder that Hugging Face's transformers loads."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.peers.checkpoint import Checkpoint

_NAMES = {
    "blocks": "layers",
    "attn.query": "self_attn.q_proj",
    "attn.key": "self_attn.k_proj",
    "attn.value": "self_attn.v_proj",
    "attn.out": "self_attn.out_proj",
    "attn_ln": "self_attn_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "mlp_ln": "final_layer_norm",
    "ln_post": "layer_norm",
    "ln": "layer_norm",
    "token_embedding": "embed_tokens",
    "positional_embedding": "embed_positions.weight",
}


def renamed(name: str) -> str:
    """Hugging Face's name for one of OpenAI's."""
    for theirs, ours in _NAMES.items():
        name = name.replace(f".cross_{theirs}.", f".{ours}.".replace("self_", "encoder_"))
        name = f"{name}.".replace(f".{theirs}.", f".{ours}.").removesuffix(".")
    return f"model.{name}"


def write(checkpoint: Checkpoint, folder: Path) -> None:
    """Weights, tokenizer and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(checkpoint, folder / "model.safetensors")
    for name, content in _settings(checkpoint).items():
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False))


def _write_weights(checkpoint: Checkpoint, path: Path) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    tensors = {renamed(name): np.ascontiguousarray(values, "<f4") for name, values in checkpoint.weights.items()}
    offset = 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": (offset, offset + values.nbytes)}
        offset += values.nbytes
    described = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(described)) + described)
        for values in tensors.values():
            file.write(values.tobytes())


def _settings(checkpoint: Checkpoint) -> dict[str, Any]:
    special = checkpoint.special()
    end, start = special["<|endoftext|>"], special["<|startoftranscript|>"]
    sides = ("encoder", "decoder")
    common = {
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": start,
        "suppress_tokens": checkpoint.config["suppress_ids"],
        "begin_suppress_tokens": checkpoint.config["suppress_ids_begin"],
    }
    languages = {token: id for token, id in special.items() if id in set(checkpoint.config["lang_ids"])}
    # Times are tokens here as well; tokenizer.json leaves them out since CTranslate2 has their ids.
    first_time = special["<|notimestamps|>"] + 1
    times = [
        {**checkpoint.tokenizer["added_tokens"][-1], "id": id, "special": False}
        | {"content": f"<|{(id - first_time) * 0.02:.2f}|>"}
        for id in range(first_time, checkpoint.tokens)
    ]
    return {
        "config": {
            **common,
            "architectures": ["WhisperForConditionalGeneration"],
            "model_type": "whisper",
            "is_encoder_decoder": True,
            "d_model": checkpoint.width,
            "num_mel_bins": checkpoint.mels,
            "vocab_size": checkpoint.tokens,
            "max_source_positions": checkpoint.context("encoder"),
            "max_target_positions": checkpoint.context("decoder"),
            "max_length": checkpoint.context("decoder"),
            "num_hidden_layers": checkpoint.layers("encoder"),
            "scale_embedding": False,
            **{f"{side}_layers": checkpoint.layers(side) for side in sides},
            **{f"{side}_attention_heads": checkpoint.heads for side in sides},
            **{f"{side}_ffn_dim": 4 * checkpoint.width for side in sides},
        },
        "generation_config": {
            **common,
            "alignment_heads": checkpoint.config["alignment_heads"],
            "is_multilingual": True,
            "lang_to_id": languages,
            "task_to_id": {task: special[f"<|{task}|>"] for task in ("transcribe", "translate")},
            "no_timestamps_token_id": special["<|notimestamps|>"],
            "prev_sot_token_id": special["<|startofprev|>"],
            "max_initial_timestamp_index": 50,
            "max_length": checkpoint.context("decoder"),
            "return_timestamps": False,
        },
        "preprocessor_config": {
            "feature_extractor_type": "WhisperFeatureExtractor",
            "processor_class": "WhisperProcessor",
            "feature_size": checkpoint.mels,
            "sampling_rate": 16_000,
            "hop_length": 160,
            "n_fft": 400,
            "chunk_length": 30,
            "n_samples": 480_000,
            "nb_max_frames": 3_000,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": False,
        },
        "tokenizer": {**checkpoint.tokenizer, "added_tokens": [*checkpoint.tokenizer["added_tokens"], *times]},
        "tokenizer_config": {
            "tokenizer_class": "WhisperTokenizer",
            "processor_class": "WhisperProcessor",
            "bos_token": "<|endoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "add_prefix_space": False,
            "errors": "replace",
            "model_max_length": 1024,
        },
        "vocab": checkpoint.tokenizer["model"]["vocab"],
    }
