"""What a self-test finds: arrays that come out as they did where the bundle was made, or how far they are off."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTPUT_STEPS = 1
"""Integer steps by which kernels of another processor may differ in an output."""
INPUT_STEPS = 2
"""The same for inputs, whose float arithmetic comes before the rounding."""
STRAY_SHARE, STRAY_STEPS = 1e-3, 16
"""Of a page's inputs, this share of the values may be off by up to so many steps: a pixel on the edge of a line falls
to the other side. On aarch64 (OpenCV 5.0) one of the 163 840 pixels of `page-image` is off by 6."""
FLOAT_STEP = 1 / 256
"""What counts as one step of a tensor that holds float32."""

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Check:
    """One result of the self-test."""

    name: str
    passed: bool
    found: str


def close(
    name: str, found: NDArray[np.generic], expected: NDArray[np.generic], *, steps: int, stray_share: float = 0.0
) -> Check:
    """Whether an array differs by at most so many steps; a share of its values may by up to `STRAY_STEPS`."""
    if found.shape != expected.shape:
        return Check(name, False, f"shape {found.shape}, expected {expected.shape}")
    apart = np.abs(_in_steps(found) - _in_steps(expected))
    off, strays = int(apart.max(initial=0)), int((apart > steps).sum())
    passed = not strays or (strays <= stray_share * apart.size and off <= STRAY_STEPS)
    beyond = f", {strays} of {apart.size} values beyond it" if strays else ""
    return Check(name, passed, f"{len(found)} vectors, largest difference {off} steps (limit {steps}){beyond}")


def all_close(name: str, found: Arrays, expected: Arrays, *, steps: int, stray_share: float = 0.0) -> Check:
    """The same for several arrays, by name, as one check."""
    checks = [close(key, found[key], expected[key], steps=steps, stray_share=stray_share) for key in expected]
    return Check(name, all(check.passed for check in checks), "; ".join(f"{c.name} {c.found}" for c in checks))


def part(golden: Arrays, prefix: str) -> dict[str, NDArray[np.generic]]:
    """The golden arrays called `prefix:NAME`, by NAME.

    Raises
    ------
    KeyError
        There are none.
    """
    found = {name.partition(":")[2]: values for name, values in golden.items() if name.startswith(f"{prefix}:")}
    if not found:
        raise KeyError(f"{prefix}:")
    return found


def _in_steps(values: NDArray[np.generic]) -> NDArray[np.int64]:
    if np.issubdtype(values.dtype, np.floating):
        return np.rint(values.astype(np.float64) / FLOAT_STEP).astype(np.int64)
    return values.astype(np.int64)
