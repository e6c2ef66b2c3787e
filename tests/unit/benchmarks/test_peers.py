"""The weights of CTranslate2, read and written for its peers."""

import struct

import numpy as np
import pytest
from benchmarks.speed.peers import checkpoint, ggml, hugging_face

NUMBERS = np.random.default_rng(1)


def text(name):
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def model(variables, aliases=(), *, version=6, spec="WhisperSpec"):
    """A model.bin as CTranslate2's converter serialises it."""
    parts = [struct.pack("<I", version), text(spec), struct.pack("<II", 3, len(variables))]
    for name, values in variables.items():
        kind = {"float32": 0, "int8": 1, "int16": 2, "float16": 4}.get(values.dtype.name, 5)
        parts += [text(name), struct.pack(f"<B{values.ndim}IB", values.ndim, *values.shape, kind)]
        parts += [struct.pack("<I", values.nbytes), values.tobytes()]
    parts.append(struct.pack("<I", len(aliases)))
    parts += [text(name) for pair in aliases for name in pair]
    return b"".join(parts)


def halves(*shape):
    return NUMBERS.standard_normal(shape).astype(np.float16)


def test_variables_scalars_and_aliases(tmp_path):
    written = {"encoder/num_heads": np.array(8, np.int16), "decoder/embeddings/weight": halves(5, 4)}
    path = tmp_path / "model.bin"
    path.write_bytes(model(written, [("decoder/projection/weight", "decoder/embeddings/weight")]))
    read = checkpoint.read(path)
    assert read["encoder/num_heads"] == 8
    assert np.array_equal(read["decoder/projection/weight"], written["decoder/embeddings/weight"])


@pytest.mark.parametrize(
    "content",
    [
        model({}, version=5),
        model({}, spec="TransformerSpec"),
        model({"decoder/embeddings/weight": np.zeros(1, np.float64)}),
    ],
)
def test_what_it_does_not_know_is_refused(tmp_path, content):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(checkpoint.UnreadableError):
        checkpoint.read(path)


def test_stacked_matrices_come_apart_under_the_names_of_the_others():
    stacked, bias = halves(12, 4), halves(12)
    weights = checkpoint.openai(
        {
            "decoder/layer_3/self_attention/linear_0/weight": stacked,
            "decoder/layer_3/self_attention/linear_0/bias": bias,
            "decoder/layer_3/ffn/layer_norm/gamma": halves(4),
            "decoder/layer_norm/beta": halves(4),
            "encoder/position_encodings/encodings": halves(6, 4),
            "decoder/num_heads": np.array(2, np.int16),
        }
    )
    assert set(weights) == {
        "decoder.blocks.3.attn.query.weight",
        "decoder.blocks.3.attn.query.bias",
        "decoder.blocks.3.attn.key.weight",
        "decoder.blocks.3.attn.value.weight",
        "decoder.blocks.3.attn.value.bias",
        "decoder.blocks.3.mlp_ln.weight",
        "decoder.ln.bias",
        "encoder.positional_embedding",
    }
    assert np.array_equal(weights["decoder.blocks.3.attn.key.weight"], stacked[4:8])
    assert np.array_equal(weights["decoder.blocks.3.attn.value.bias"], bias[8:])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("encoder.positional_embedding", "model.encoder.embed_positions.weight"),
        ("encoder.ln_post.bias", "model.encoder.layer_norm.bias"),
        ("decoder.token_embedding.weight", "model.decoder.embed_tokens.weight"),
        ("decoder.blocks.5.attn.key.weight", "model.decoder.layers.5.self_attn.k_proj.weight"),
        ("decoder.blocks.0.attn_ln.bias", "model.decoder.layers.0.self_attn_layer_norm.bias"),
        ("decoder.blocks.0.cross_attn_ln.bias", "model.decoder.layers.0.encoder_attn_layer_norm.bias"),
        ("decoder.blocks.0.cross_attn.out.bias", "model.decoder.layers.0.encoder_attn.out_proj.bias"),
        ("decoder.blocks.0.mlp.2.weight", "model.decoder.layers.0.fc2.weight"),
        ("decoder.ln.weight", "model.decoder.layer_norm.weight"),
    ],
)
def test_names_of_hugging_face(name, expected):
    assert hugging_face.renamed(name) == expected


def test_blocks_of_bytes_come_near_the_weights():
    values = np.concatenate([halves(3, 32), np.zeros((1, 32), np.float16)])
    packed = np.frombuffer(ggml.q8_0(values), [("scale", "<f2"), ("levels", "i1", 32)])
    assert packed.nbytes == 4 * 34
    assert np.abs(packed["scale"][:, None] * packed["levels"].astype(np.float32) - values).max() < 0.02
