"""Rewrites an ONNX graph for the CPU. The only module that imports onnx.

Half precision has no kernels on a CPU: onnxruntime casts around every node. And an attention mask costs a pass over
frames x frames even where a clip runs alone and nothing is masked. Neither rewrite changes the result beyond half
precision's own rounding (tests/unit/align/test_graph.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from .errors import AlignError


def for_cpu(path: Path, *, drop_masks: bool) -> bytes:
    """The model in single precision, serialised.

    Args:
        path: the ONNX file.
        drop_masks: drop attention masks; only right where clips are never padded.

    Raises:
        AlignError: FAILED_PRECONDITION, the file cannot be read as ONNX.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # onnx raises protobuf's, OSError and its own
        raise AlignError("FAILED_PRECONDITION", f"{path.name} is not a readable ONNX model: {error}") from error
    _to_single_precision(model.graph)
    if drop_masks:
        _drop_masks(model.graph)
    return bytes(model.SerializeToString())


def _to_single_precision(graph: Any) -> None:
    for tensor in graph.initializer:
        _widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _widen(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    del graph.value_info[:]  # states the old types


def _widen(tensor: Any) -> None:
    if tensor.data_type == TensorProto.FLOAT16:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _drop_masks(graph: Any) -> None:
    """Replace `Softmax(Where(mask, -inf, scores))` by `Softmax(scores)`."""
    makers = {output: node for node in graph.node for output in node.output}
    for softmax in graph.node:
        if softmax.op_type != "Softmax":
            continue
        where = makers.get(softmax.input[0])
        if where is None or where.op_type != "Where":
            continue
        filled = makers.get(where.input[1])
        if filled is not None and filled.op_type == "ConstantOfShape":
            softmax.input[0] = where.input[2]
            graph.node.remove(where)
