"""Ops of a model that a target's interpreter or compiler would not take, each with the reason."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ecgedge_convert.tflite_file import GraphTensor, Op, TfliteGraph
from ecgedge_convert.tflite_graph import computes_in_float

_INTEGERS = ("int8", "int32", "int64", "bool")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One op, and why."""

    place: int
    """Of the op in the order of execution, from 0."""
    op: str
    reason: str


def refused_by_pi(graph: TfliteGraph) -> tuple[Refusal, ...]:
    """Ops that tflite-runtime 2.14 lacks in this version; LiteRT, which is newer, runs what its own converter wrote."""
    highest = _pi_versions()
    return tuple(
        Refusal(op.place, op.name, _too_new(op, highest.get(op.name, 0)))
        for op in graph.ops
        if op.version > highest.get(op.name, 0)
    )


def refused_by_mcu(graph: TfliteGraph) -> tuple[Refusal, ...]:
    """Ops without a kernel in TensorFlow Lite Micro, or in numbers that a small processor should not compute in."""
    return tuple(
        Refusal(op.place, op.name, reason) for op in graph.ops if (reason := next(_mcu_reasons(op), None)) is not None
    )


def mcu_notes(graph: TfliteGraph) -> tuple[str, ...]:
    """What runs in TensorFlow Lite Micro as it is now, but not everywhere."""
    dense = [op for op in graph.ops if op.name == "FULLY_CONNECTED" and len(op.inputs[1].scales) > 1]
    if not dense:
        return ()
    return (
        f"{len(dense)} FULLY_CONNECTED with a scale per channel: needs TensorFlow Lite Micro of autumn 2024 or later "
        "(pull request 2673); convert with one scale per dense layer for older ones",
    )


def float_or_wide(op: Op) -> str | None:
    """Why an op is not an integer one of 8 bits, if so."""
    if computes_in_float(op):
        return "computes in float; convert with --int8 and without --keep-float"
    for tensor in (*op.activations, *op.outputs):
        if tensor.dtype not in _INTEGERS and not _edge(op, tensor):
            return f"works on {tensor.dtype}; int8 is needed; convert with --int8"
    return None


def _edge(op: Op, tensor: GraphTensor) -> bool:
    """Conversions at the inputs and outputs are judged by their own name."""
    return op.name in ("QUANTIZE", "DEQUANTIZE") and tensor.is_float


def _mcu_reasons(op: Op) -> Iterator[str]:
    if op.name not in _mcu_ops():
        yield "has no kernel in TensorFlow Lite Micro; build the network without it"
    if (reason := float_or_wide(op)) is not None:
        yield reason


def _too_new(op: Op, highest: int) -> str:
    if highest == 0:
        return "is not in tflite-runtime 2.14 (32-bit Arm); build the network without it"
    return f"version {op.version}; tflite-runtime 2.14 (32-bit Arm) runs up to {highest}"


@cache
def _pi_versions() -> dict[str, int]:
    return {name: int(version) for version, names in _table()["pi"].items() for name in names}


@cache
def _mcu_ops() -> frozenset[str]:
    return frozenset(_table()["mcu"]["ops"])


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("ecgedge_convert.target") / "target_ops.toml").read_text())
