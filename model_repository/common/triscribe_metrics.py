"""A metric that every model with weights exports: where it runs, in what number format, and what had to give way."""

from __future__ import annotations

from typing import Any

NAME = "triscribe_compute_type_info"


def info(pb_utils: Any, *, model: str, device: str, compute_type: str, fallback: str | bool) -> tuple[Any, Any]:
    """Export the metric; it lives as long as what is returned.

    Args:
        pb_utils: triton_python_backend_utils, which exists only inside Triton.
        model: name of the checkpoint, or "align".
        device: "cpu", "cuda" or "cuda:<index>".
        compute_type: CTranslate2's name of the number format.
        fallback: "compute_type" or "device" where that is not what was asked for, else "none" or False.
    """
    family = pb_utils.MetricFamily(
        name=NAME,
        description="1 for the device and number format in use; fallback tells what was not as asked.",
        kind=pb_utils.MetricFamily.GAUGE,
    )
    labels = {"model": model, "device": device, "compute_type": compute_type, "fallback": fallback or "none"}
    metric = family.Metric(labels=labels)
    metric.set(1)
    return family, metric
