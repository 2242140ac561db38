"""The stopwatch of models: what it counts, and what it refuses."""

import numpy as np
import pytest

from ecgedge.bundle import read_bundle
from ecgedge.errors import BundleError, InputError
from ecgedge.latency import BLOCKS, Latency, measure_latency, random_input, summarise
from ecgedge.runtime import Model, TensorSpec


def test_percentiles_are_of_the_calls_and_throughput_counts_the_batch() -> None:
    found = summarise(np.arange(1.0, 101.0), threads=1, batch=8)
    assert (found.n, found.least_ms, found.most_ms, found.mean_ms, found.p50_ms) == (100, 1.0, 100.0, 50.5, 50.5)
    assert found.p90_ms == pytest.approx(90.1) and found.p99_ms == pytest.approx(99.01)
    assert found.per_s == pytest.approx(8 * 100 / 5.050)
    assert len(found.blocks_ms) == BLOCKS and found.blocks_ms[0] == 3.0 and found.blocks_ms[-1] == 98.0


@pytest.mark.parametrize("name", ["beat", "page", "page-image"])
def test_a_shipped_model_is_measured(name: str) -> None:
    found = measure_latency(read_bundle(name).model, threads=1, seconds=0.05)
    assert found.n >= 40
    assert 0 < found.least_ms <= found.p50_ms <= found.p90_ms <= found.p99_ms <= found.most_ms
    assert found.least_ms <= found.mean_ms <= found.most_ms


@pytest.mark.parametrize("name", ["beat", "page", "page-image"])
def test_throughput_is_of_inputs_not_of_calls(name: str) -> None:
    found = measure_latency(read_bundle(name).model, threads=2, seconds=0.01, batch=3)
    assert (found.batch, found.threads) == (3, 2)
    assert found.per_s == pytest.approx(3 * 1000 / found.mean_ms)


def test_golden_inputs_are_taken_and_wrong_ones_named() -> None:
    bundle = read_bundle("beat")
    inputs = {spec.name: bundle.golden[f"input:{spec.name}"][:4] for spec in Model(bundle.model).inputs}
    found = measure_latency(bundle.model, threads=1, seconds=0.01, batch=4, inputs=inputs)
    assert isinstance(found, Latency) and found.batch == 4
    with pytest.raises(InputError, match=r"is int8 \(4, .*the model takes int8 \(2, "):
        measure_latency(bundle.model, threads=1, seconds=0.01, batch=2, inputs=inputs)
    with pytest.raises(InputError, match="is not given"):
        measure_latency(bundle.model, threads=1, seconds=0.01, batch=4, inputs={})


@pytest.mark.parametrize(
    ("threads", "seconds", "batch"), [(0, 1.0, 1), (1, 0.0, 1), (1, 1.0, 0), (1, float("nan"), 1), (1, -1.0, 1)]
)
def test_numbers_out_of_range_are_refused(threads: int, seconds: float, batch: int) -> None:
    with pytest.raises(InputError, match="above 0"):
        measure_latency(read_bundle("beat").model, threads=threads, seconds=seconds, batch=batch)


def test_what_is_no_model_is_refused_in_one_line() -> None:
    with pytest.raises(BundleError, match="cannot") as caught:
        measure_latency(b"not a model", threads=1, seconds=0.01)
    assert "\n" not in str(caught.value)


def test_random_inputs_fill_the_range_and_come_back_with_the_seed() -> None:
    spec = TensorSpec("x", 3, (1, 100_000), np.dtype(np.int8), 0.05, 0)
    drawn = random_input(spec, seed=0)
    assert (drawn.min(), drawn.max(), drawn.dtype) == (-128, 127, np.int8)
    assert np.array_equal(drawn, random_input(spec, seed=0)) and not np.array_equal(drawn, random_input(spec, seed=1))
    real = random_input(TensorSpec("x", 3, (1, 10), np.dtype(np.float32), 0.0, 0), seed=0)
    assert real.dtype == np.float32 and np.abs(real).max() <= 1
