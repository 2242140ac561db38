"""Times that another process measured of itself, entered into the table of this run."""

from collections.abc import Sequence

from pytest_benchmark.fixture import BenchmarkFixture


class _Clock:
    now_s = 0.0


def other_clock() -> float:
    """A timer for `@pytest.mark.benchmark(timer=...)`; it moves on only by what `replay` enters."""
    return _Clock.now_s


def replay(benchmark: BenchmarkFixture, seconds: Sequence[float], *, by: str) -> None:
    """Enter one round for each time; the benchmark must be marked with `other_clock`.

    Parameters
    ----------
    by : who measured, in words
    """
    values = iter(seconds)

    def one_round() -> None:
        _Clock.now_s += next(values)

    benchmark.extra_info["measured by"] = by
    benchmark.pedantic(one_round, rounds=len(seconds))
