"""The graph as rewritten for the CPU beside the graph as shipped."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from triscribe_align import graph


@pytest.fixture(scope="module")
def shipped(languages):
    return languages / "en" / "weights" / "asr_waveform_fp16.onnx"


def emissions(model, audio):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = {"waveform": audio, "waveform_lengths": np.array([audio.shape[1]], np.int64)}
    return session.run(["log_probs"], {wanted.name: given[wanted.name] for wanted in session.get_inputs()})[0]


def test_it_says_the_same_but_for_half_precisions_rounding(shipped, conversation):
    audio = conversation.samples[None]
    before = emissions(str(shipped), audio)
    after = emissions(graph.for_cpu(shipped, drop_masks=True), audio)
    assert after.shape == before.shape
    assert (after.argmax(-1) == before.argmax(-1)).mean() > 0.99
    assert np.median(np.abs(np.exp(after) - np.exp(before.astype(np.float32)))) < 1e-3


def test_masks_and_scores_are_not_multiplied_any_more(shipped):
    model = onnx.load_from_string(graph.for_cpu(shipped, drop_masks=True))
    makers = {output: node for node in model.graph.node for output in node.output}
    softmaxes = [node for node in model.graph.node if node.op_type == "Softmax"]
    assert softmaxes
    assert [makers[node.input[0]].op_type for node in softmaxes] == ["MatMul"] * len(softmaxes)
