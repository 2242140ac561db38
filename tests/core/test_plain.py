"""Settings survive the way through JSON, and nothing else passes."""

import json
from dataclasses import dataclass

import pytest

from ecgedge.plain import from_plain, to_plain
from ecgedge.rpeaks import RPeakSettings


@dataclass(frozen=True)
class Inner:
    span_ms: float


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    spans: tuple[float, ...]
    parts: tuple[Inner, ...]
    inner: Inner
    on: bool


VALUE = Outer("a", 2, (1.0, 2.5), (Inner(3.0),), Inner(4.0), True)


def test_round_trip_through_json() -> None:
    assert from_plain(Outer, json.loads(json.dumps(to_plain(VALUE))), where="outer") == VALUE
    settings = RPeakSettings()
    assert from_plain(RPeakSettings, json.loads(json.dumps(to_plain(settings))), where="r_peaks") == settings


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": "2"}, "outer: count is '2'; it must be of type int"),
        ({"count": True}, "outer: count is True"),
        ({"inner": {"span": 1.0}}, "outer: inner: unknown key 'span'; did you mean 'span_ms'"),
        ({"spans": 1.0}, "outer: spans is 1.0; it must be of type list"),
        ({"more": 1}, "outer: unknown key 'more'"),
    ],
)
def test_another_shape_is_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_plain(Outer, to_plain(VALUE) | change, where="outer")  # type: ignore[operator]


def test_a_missing_key_is_named_unless_it_has_a_default() -> None:
    plain = to_plain(VALUE)
    del plain["count"]
    for defaults in (False, True):
        with pytest.raises(ValueError, match="outer: no key 'count'; add it"):
            from_plain(Outer, plain, where="outer", defaults=defaults)
    assert from_plain(RPeakSettings, {}, where="r_peaks", defaults=True) == RPeakSettings()
    with pytest.raises(ValueError, match="no key"):
        from_plain(RPeakSettings, {}, where="r_peaks")
