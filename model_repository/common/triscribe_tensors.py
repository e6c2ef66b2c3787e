"""Tensors between NumPy and Triton's Python backend, shared by all models (copied beside each when assembled).

Everything goes through DLPack. The stubs of Triton 24.10 were built with a pybind11 that misreads the strides and
item sizes of NumPy 2 arrays, so `as_numpy()` and `Tensor(name, array)` give garbage; DLPack does not pass through it.
Text is UINT8, never BYTES, for the reason in docs/adr/0001-tensors.md.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

# Triton renames a capsule it has taken to "used_dlpack", but NumPy's destructor knows only the standard's
# "used_dltensor" and would print an error for each tensor.
_TAKEN = b"used_dltensor"
_set_name = ctypes.pythonapi.PyCapsule_SetName
_set_name.argtypes = [ctypes.py_object, ctypes.c_char_p]


class ForeignAnswerError(Exception):
    """An answer that belongs to another request: Triton 24.10 can mix them up when the machine's clock is set."""


def read(request: Any, name: str) -> NDArray[Any] | None:
    """A copy of an input (Triton's memory ends with the request); None when an optional input is absent."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else np.from_dlpack(tensor).copy()


def write(name: str, array: NDArray[Any]) -> Any:
    """A Triton tensor over a C-contiguous array that Triton keeps alive.

    An axis made by `array[None]` has stride 0, which Triton refuses: use `reshape`.
    """
    capsule = array.__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(name, capsule)
    _set_name(capsule, _TAKEN)
    return tensor


def encode_text(text: str) -> NDArray[np.uint8]:
    """UTF-8 bytes, shape (n,)."""
    return np.frombuffer(bytearray(text.encode()), np.uint8)


def stack_texts(texts: Sequence[str]) -> NDArray[np.uint8]:
    """JSON texts as the rows of one tensor, shape (rows, n): the shorter ones end in spaces, which JSON ignores."""
    encoded = [text.encode() for text in texts]
    length = max(map(len, encoded))
    return np.frombuffer(bytearray(b"".join(text.ljust(length) for text in encoded)), np.uint8).reshape(-1, length)


def write_results(envelopes: Sequence[dict[str, Any]], request_id: str) -> Any:
    """The response to a request with several rows: an envelope of docs/contracts.md for each."""
    return _response(stack_texts([json.dumps(_marked(envelope, request_id)) for envelope in envelopes]))


def write_result(envelope: dict[str, Any], request_id: str) -> Any:
    """The response to a request without rows: one envelope."""
    return _response(encode_text(json.dumps(_marked(envelope, request_id))))


def read_results(response: Any, request_id: str) -> list[dict[str, Any]]:
    """The envelopes that another model answered with, one a row.

    Raises:
        ForeignAnswerError: they do not carry the id of the request that they should answer.
    """
    rows = np.from_dlpack(pb_utils.get_output_tensor_by_name(response, "RESULT"))
    envelopes = [json.loads(row.tobytes()) for row in rows.reshape(-1, rows.shape[-1])]
    if any(envelope.pop("request_id", None) != request_id for envelope in envelopes):
        raise ForeignAnswerError("the answer was that to another request")
    return envelopes


def _marked(envelope: dict[str, Any], request_id: str) -> dict[str, Any]:
    return {**envelope, "request_id": request_id} if request_id else envelope


def _response(result: NDArray[np.uint8]) -> Any:
    return pb_utils.InferenceResponse([write("RESULT", result)])
