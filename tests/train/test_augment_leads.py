"""What augmentation of leads must keep, and what it must change."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge_train.pages.augment_leads import Inputs, LeadAugmentation, augment

NOTHING = LeadAugmentation(**{field.name: 0 for field in fields(LeadAugmentation)})


def batch(n: int = 4, *, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    made = {}
    for name, rows, samples in (("leads", 12, 240), ("strip", 1, 960)):
        seen = np.ones((n, rows, samples), np.float32)
        seen[:, :, -7:] = 0
        signal = rng.uniform(-1, 1, seen.shape).astype(np.float32) * seen
        made[name] = np.stack([signal, seen], axis=-1)
    return made


def test_nothing_asked_for_changes_nothing() -> None:
    inputs = batch()
    found = augment(inputs, np.random.default_rng(1), NOTHING)
    for name, values in inputs.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 5))
def test_shape_range_and_unseen_samples(seed: int, n: int) -> None:
    inputs = batch(n, seed=seed)
    found = augment(inputs, np.random.default_rng(seed), LeadAugmentation())
    for name, values in found.items():
        assert values.shape == inputs[name].shape and values.dtype == np.float32
        assert np.abs(values[..., 0]).max() <= 1
        assert not values[..., 0][values[..., 1] == 0].any()
        assert set(np.unique(values[..., 1])) <= {0.0, 1.0}


def test_one_seed_gives_one_result_and_leaves_its_input_alone() -> None:
    inputs, before = batch(), batch()
    first, second = (augment(inputs, np.random.default_rng(5), LeadAugmentation()) for _ in range(2))
    for name in inputs:
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_array_equal(inputs[name], before[name])


@pytest.mark.parametrize("rate", [0.9, 1.1])
def test_a_faster_heart_beats_closer(rate: float) -> None:
    """A spike at sample 100 comes to 100 / rate where time is scaled by `rate` and nothing else is done."""
    inputs = batch(1)
    for values in inputs.values():
        values[..., 0], values[..., 1] = 0, 1
        values[:, :, 100, 0] = 1
    scaled = LeadAugmentation(**{field.name: 0 for field in fields(LeadAugmentation)} | {"time_scale": abs(rate - 1)})
    rng = np.random.default_rng(next(s for s in range(200) if _drawn(s, rate)))
    found = augment(inputs, rng, scaled)
    assert found["leads"][0, 0, :, 0].argmax() == pytest.approx(100 / rate, abs=2)
    assert found["strip"][0, 0, :, 0].argmax() == pytest.approx(100 / rate, abs=2)


def _drawn(seed: int, rate: float) -> bool:
    """Whether this seed draws a scale near the end of the range."""
    return abs(np.random.default_rng(seed).uniform(1 - abs(rate - 1), 1 + abs(rate - 1)) - rate) < 0.002


def test_dropped_leads_are_as_frequent_as_asked() -> None:
    wanted = LeadAugmentation(lead_dropped=0.25, gap=0)
    found = augment(batch(300), np.random.default_rng(3), wanted)["leads"]
    assert (found[..., 1].max(axis=2) == 0).mean() == pytest.approx(0.25, abs=0.03)
