"""Slower, faster, or noise: verdicts on values whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecgedge.bench_files import read_bench_file
from ecgedge.comparison import Change, Series, change_of, compare_series
from ecgedge.errors import InputError


def series(median: float, *, spread: float, n: int, seed: int, name: str = "x") -> Series:
    values = median * np.exp(spread * np.random.default_rng(seed).standard_normal(n))
    return Series(name, "s", float(np.median(values)), tuple(values.tolist()))


def verdicts(ratio: float, *, spread: float, n: int) -> list[str]:
    """Of twenty pairs of measurements whose true ratio is this."""
    return [
        change_of(series(1.0, spread=spread, n=n, seed=k), series(ratio, spread=spread, n=n, seed=1000 + k)).verdict
        for k in range(20)
    ]


@pytest.mark.parametrize("n", [5, 30, 400])
@pytest.mark.parametrize("spread", [0.01, 0.1, 0.3])
def test_the_same_is_no_difference(n: int, spread: float) -> None:
    assert verdicts(1.0, spread=spread, n=n).count("no difference") >= 19


@pytest.mark.parametrize(("ratio", "verdict"), [(1.5, "slower"), (1 / 1.5, "faster")])
@pytest.mark.parametrize("spread", [0.01, 0.1])
def test_what_is_half_as_long_again_is_told(ratio: float, verdict: str, spread: float) -> None:
    assert verdicts(ratio, spread=spread, n=100) == [verdict] * 20


def test_below_the_least_difference_nothing_is_told() -> None:
    before, after = series(1.0, spread=0.001, n=400, seed=0), series(1.04, spread=0.001, n=400, seed=1)
    assert change_of(before, after).verdict == "no difference"
    assert change_of(before, after, least_difference=0.02).verdict == "slower"


def test_drift_within_a_run_is_not_taken_for_a_narrow_interval() -> None:
    """Rounds of which the second half was disturbed: many, but not independent."""
    quiet = np.full(1000, 1.0)
    disturbed = np.concatenate([np.full(480, 1.0), np.full(520, 1.6)])
    found = change_of(Series("x", "s", 1.0, tuple(quiet)), Series("x", "s", 1.6, tuple(disturbed)))
    assert found.verdict == "no difference" and found.low == pytest.approx(1.0) and found.high == pytest.approx(1.6)


def test_few_values_are_compared_by_their_ranges() -> None:
    before = Series("x", "s", 1.0, (0.9, 1.0, 1.1))
    apart, near = Series("x", "s", 1.5, (1.4, 1.5, 1.6)), Series("x", "s", 1.2, (1.0, 1.2, 1.3))
    assert (change_of(before, apart).verdict, change_of(before, apart).method) == ("slower", "range")
    assert change_of(before, near).verdict == "no difference"
    assert change_of(before, apart).low == pytest.approx(1.4 / 1.1)


def test_without_rounds_the_spread_is_used() -> None:
    before, noisy = Series("x", "s", 1.0, iqr=0.02, rounds=50), Series("x", "s", 1.3, iqr=1.0, rounds=50)
    steady = Series("x", "s", 1.3, iqr=0.02, rounds=50)
    assert (change_of(before, steady).verdict, change_of(before, steady).method) == ("slower", "spread")
    assert change_of(before, noisy).verdict == "no difference"


def test_what_changed_most_stands_first_and_the_rest_is_listed() -> None:
    before = [
        series(1.0, spread=0.01, n=50, seed=k, name=name) for k, name in enumerate(("same", "much", "some", "gone"))
    ]
    after = [
        series(factor, spread=0.01, n=50, seed=9 + k, name=name)
        for k, (name, factor) in enumerate({"same": 1.0, "much": 0.2, "some": 1.4, "new": 1.0}.items())
    ]
    found = compare_series(before, after)
    assert [change.name for change in found.changes] == ["much", "some", "same"]
    assert (found.only_before, found.only_after) == (("gone",), ("new",))
    assert [change.name for change in found.slower_than(1.1)] == ["some"]
    assert found.slower_than(1.5) == ()
    assert compare_series(before, after) == found  # the same files, the same answer


def test_one_value_is_a_ratio_only() -> None:
    found = change_of(Series("x", "MB", 100.0), Series("x", "MB", 130.0))
    assert isinstance(found, Change) and (found.low, found.high, found.method) == (1.3, 1.3, "single")


def pytest_json(path: Path, medians: dict[str, float], *, data: bool = True) -> Path:
    """As pytest-benchmark 5 writes it, reduced to what is read."""
    rng = np.random.default_rng(len(path.name))
    benchmarks = []
    for name, median in medians.items():
        values = (median * (1 + 0.01 * rng.standard_normal(40))).tolist()
        stats = {"median": float(np.median(values)), "iqr": 0.01 * median, "rounds": 40}
        benchmarks.append({"name": name, "group": None, "stats": stats | ({"data": values} if data else {})})
    machine = {"machine": "x86_64", "node": "a-host-name", "cpu": {"brand_raw": "Some CPU"}}
    path.write_text(json.dumps({"machine_info": machine, "benchmarks": benchmarks, "version": "5.3.1"}))
    return path


def test_a_file_of_pytest_benchmark_is_read(tmp_path: Path) -> None:
    found = read_bench_file(pytest_json(tmp_path / "a.json", {"test_a": 0.5}))
    assert (found.kind, found.machine) == ("pytest-benchmark", "Some CPU, x86_64")
    assert found.series[0].name == "test_a" and len(found.series[0].values) == 40
    short = read_bench_file(pytest_json(tmp_path / "b.json", {"test_a": 0.5}, data=False)).series[0]
    assert short.values == () and (short.iqr, short.rounds) == (0.005, 40)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("{}", "missing"),
        ("[1]", "not an object"),
        ('{"machine_info": {}, "benchmarks": []}', "holds no benchmark"),
        (
            '{"machine_info": {}, "benchmarks": [{"name": "x", "stats": {"median": 0, "iqr": 0, "rounds": 1}}]}',
            "above 0",
        ),
        (
            '{"machine_info": {}, "benchmarks": [{"name": "x", "stats": {"median": NaN, "iqr": 0, "rounds": 1}}]}',
            "above 0",
        ),
        ('{"format": "ecgedge-bench", "format_version": 2}', "version 2"),
        ('{"format": "ecgedge-bench", "format_version": 1}', "missing"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_bench_file(tmp_path / "bad.json")
    assert "bad.json" in str(caught.value) and "\n" not in str(caught.value)
