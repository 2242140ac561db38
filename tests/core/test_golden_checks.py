"""What a self-test forgives: rounding everywhere, a stray pixel on a page, and no more."""

import numpy as np

from ecgedge.golden_checks import INPUT_STEPS, STRAY_SHARE, STRAY_STEPS, Check, close

EXPECTED = np.zeros((1, 100, 100, 1), np.int8)


def check(found: np.ndarray, *, stray_share: float = STRAY_SHARE) -> Check:
    return close("input", found, EXPECTED, steps=INPUT_STEPS, stray_share=stray_share)


def off(count: int, steps: int) -> np.ndarray:
    """So many values that are off by so many steps, after one other that is off by the usual."""
    found = EXPECTED.copy()
    found.reshape(-1)[:count] = steps
    found[0, 50, 50] = -INPUT_STEPS
    return found


def test_rounding_passes_everywhere() -> None:
    assert check(np.full_like(EXPECTED, INPUT_STEPS), stray_share=0.0).passed
    assert not check(np.full_like(EXPECTED, INPUT_STEPS + 1)).passed


def test_a_few_strays_pass_where_they_are_allowed() -> None:
    few = int(STRAY_SHARE * EXPECTED.size)
    found = check(off(few, STRAY_STEPS))
    assert found.passed and f"largest difference {STRAY_STEPS} steps (limit {INPUT_STEPS}), {few} of" in found.found
    assert not check(off(few, STRAY_STEPS), stray_share=0.0).passed
    assert not check(off(few + 1, STRAY_STEPS)).passed
    assert not check(off(1, STRAY_STEPS + 1)).passed


def test_another_shape_fails() -> None:
    assert not check(EXPECTED[:, 1:]).passed
