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
    _scale_queries(model.graph)
    return bytes(model.SerializeToString())


def probe() -> bytes:
    """A model of one convolution with four kernels of three ones: x (1, 1, n) -> y (1, 4, n - 2)."""
    helper = onnx.helper
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    weight = numpy_helper.from_array(np.ones((4, 1, 3), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, None])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, None])
    model = helper.make_model(
        helper.make_graph([node], "probe", [x], [y], [weight]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,  # what every onnxruntime since 1.14 reads
    )
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
            for unused in (filled, makers.get(filled.input[0])):  # onnxruntime would still fill it
                if unused is not None and not _readers(graph, unused.output[0]):
                    graph.node.remove(unused)


def _scale_queries(graph: Any) -> None:
    """Replace `Softmax(scale * (q @ k))` by `Softmax((scale * q) @ k)`: less to multiply."""
    makers = {output: node for node in graph.node for output in node.output}
    for softmax in [node for node in graph.node if node.op_type == "Softmax"]:
        product = makers.get(softmax.input[0])
        if product is None or product.op_type != "Mul":
            continue
        scores, scale = (makers.get(name) for name in product.input)
        if scores is None or scores.op_type != "MatMul" or not _is_scalar(scale, makers):
            continue
        if _readers(graph, product.output[0]) != [softmax] or _readers(graph, scores.output[0]) != [product]:
            continue
        place = list(graph.node).index(scores)
        if scale is not None and list(graph.node).index(scale) > place:
            graph.node.remove(scale)  # its own inputs come before the scores, or the graph had no order
            graph.node.insert(place, scale)
            place += 1
        scaled = f"{scores.name}/scaled_query"
        graph.node.insert(place, onnx.helper.make_node("Mul", [scores.input[0], product.input[1]], [scaled], scaled))
        scores.input[0] = scaled
        softmax.input[0] = product.input[0]
        graph.node.remove(product)


def _readers(graph: Any, name: str) -> list[Any]:
    return [node for node in graph.node if name in node.input]


def _is_scalar(node: Any, makers: dict[str, Any]) -> bool:
    """Whether a node's value is surely one number: a power or root of a dimension, or a constant without axes."""
    while node is not None and node.op_type in ("Cast", "Pow", "Sqrt", "Reciprocal", "Div"):
        node = makers.get(node.input[0])
    if node is None or node.op_type != "Constant":
        return node is not None and node.op_type == "Gather"
    return not numpy_helper.to_array(node.attribute[0].t).shape
