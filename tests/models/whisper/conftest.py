import json

import numpy as np
import pytest
from ctranslate2.specs import WhisperSpec

from triscribe_whisper.checkpoint import Checkpoint
from triscribe_whisper.device import load
from triscribe_whisper.engine import Engine

WIDTH, HEADS, LAYERS, HEAD_SIZE = 64, 2, 2, 32
N_MELS = 128
VOCABULARY = 51866
"""large-v3: the 51865 tokens of the earlier multilingual checkpoints and <|yue|>."""

YUE = 50358


@pytest.fixture(scope="session")
def base(base_folder):
    """The default checkpoint with its real weights."""
    return Engine(load(str(base_folder), device="cpu"), Checkpoint.read(base_folder))


@pytest.fixture(scope="session")
def english(english_folder):
    """An English-only checkpoint."""
    return Engine(load(str(english_folder), device="cpu"), Checkpoint.read(english_folder))


@pytest.fixture(scope="session")
def large_folder(tmp_path_factory, base_folder):
    """A checkpoint of large-v3's shape - 128 mels, Cantonese, shifted special tokens - small, with random weights."""
    folder = tmp_path_factory.mktemp("large")
    _write_tokenizer(base_folder, folder)
    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    _fill(spec, np.random.default_rng(0))
    tokens = (base_folder / "vocabulary.txt").read_text().splitlines()
    spec.register_vocabulary([*tokens[:YUE], "<|yue|>", *tokens[YUE:]])
    config = json.loads((base_folder / "config.json").read_text())
    spec.config.suppress_ids = config["suppress_ids"]
    spec.config.suppress_ids_begin = config["suppress_ids_begin"]
    spec.config.lang_ids = [*config["lang_ids"], YUE]
    spec.config.alignment_heads = [[LAYERS - 1, 0]]
    spec.validate()
    spec.save(str(folder))
    return folder


@pytest.fixture(scope="session")
def large(large_folder):
    return Engine(load(str(large_folder), device="cpu"), Checkpoint.read(large_folder))


def _write_tokenizer(base_folder, folder):
    tokenizer = json.loads((base_folder / "tokenizer.json").read_text())
    added = tokenizer["added_tokens"]
    for token in added:
        token["id"] += token["id"] >= YUE
    at = next(index for index, token in enumerate(added) if token["id"] > YUE)
    added.insert(at, {**added[0], "id": YUE, "content": "<|yue|>"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def _fill(spec, rng):
    def linear(layer, rows, columns):
        layer.weight = rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)
        layer.bias = np.zeros(rows, np.float32)

    def norm(layer):
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def block(layer, *, decoder):
        attentions = [layer.self_attention, *([layer.attention] if decoder else [])]
        for attention in attentions:
            norm(attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * WIDTH, WIDTH)
        linear(layer.self_attention.linear[1], WIDTH, WIDTH)
        if decoder:
            for part, rows in zip(layer.attention.linear, (WIDTH, 2 * WIDTH, WIDTH), strict=True):
                linear(part, rows, WIDTH)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * WIDTH, WIDTH)
        linear(layer.ffn.linear_1, WIDTH, 4 * WIDTH)

    for convolution, channels in ((spec.encoder.conv1, N_MELS), (spec.encoder.conv2, WIDTH)):
        convolution.weight = rng.normal(0, (3 * channels) ** -0.5, (WIDTH, channels, 3)).astype(np.float32)
        convolution.bias = np.zeros(WIDTH, np.float32)
    spec.encoder.position_encodings.encodings = rng.normal(0, 1, (1500, WIDTH)).astype(np.float32)
    norm(spec.encoder.layer_norm)
    for layer in spec.encoder.layer:
        block(layer, decoder=False)
    spec.decoder.embeddings.weight = rng.normal(0, 1, (VOCABULARY, WIDTH)).astype(np.float32)
    spec.decoder.position_encodings.encodings = rng.normal(0, 1, (448, WIDTH)).astype(np.float32)
    norm(spec.decoder.layer_norm)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    for layer in spec.decoder.layer:
        block(layer, decoder=True)
