"""Which results are the last of their source and kind, for topics that a broker retains.

An old result that comes late, after an outage, never takes the place of a newer one.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from ecgedge.manifest import Json
from ecgedge_device.results import Result

LATE_S = 300.0
"""From this age on a result is no news, s."""


def utc_s(text: str) -> float:
    """Seconds since 1970 of a time in ISO 8601; ValueError where it is none."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def age_s(result: Result) -> float:
    """Time since it was measured, s; since it was stored, where nobody knows when that was."""
    return datetime.now(UTC).timestamp() - utc_s(result.time_utc or result.stored_utc)


class LastValues:
    """The time of what stands as last, by source and kind, and the alarms that have begun and not ended."""

    def __init__(self) -> None:
        self._time_s: dict[tuple[str, str], float] = {}
        self._alarms: dict[str, dict[str, None]] = {}

    def learn(self, source: str, kind: str, payload: bytes) -> None:
        """What the broker retains of an earlier start; what is no result of ours is left alone."""
        try:
            entry = json.loads(payload)
            at_s = utc_s(entry["time_utc"] or entry["stored_utc"])
            rules = [str(rule) for rule in entry.get("active", ())]
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        self._time_s.setdefault((source, kind), at_s)
        if kind == "alarm":
            self._alarms.setdefault(source, dict.fromkeys(rules))

    def newest(self, results: Sequence[Result]) -> list[Result]:
        """One at most of each source and kind: the newest, where it is not older than what stands there."""
        found: dict[tuple[str, str], Result] = {}
        for result in results:
            self._follow_alarm(result)
            key = (result.source, result.kind)
            at_s = utc_s(result.time_utc or result.stored_utc)
            if at_s >= self._standing_s(key):
                self._time_s[key], found[key] = at_s, result
        return list(found.values())

    def active(self, source: str) -> list[Json]:
        """Rules of the alarms that go on."""
        return list(self._alarms.get(source, ()))

    def _standing_s(self, key: tuple[str, str]) -> float:
        """A time that is still to come was written by a clock that was wrong: anything may replace it."""
        standing_s = self._time_s.get(key, float("-inf"))
        return standing_s if standing_s < datetime.now(UTC).timestamp() + LATE_S else float("-inf")

    def _follow_alarm(self, result: Result) -> None:
        if result.kind != "alarm":
            return
        rules, rule = self._alarms.setdefault(result.source, {}), str(result.content.get("rule", ""))
        if result.content.get("state") == "ends":
            rules.pop(rule, None)
        else:
            rules[rule] = None
