"""Figures that others published, with their source and how their test data was chosen; never shown as equal to ours."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from math import nan

from ecgedge.plain import from_plain

_BYTES_OF_FLOAT32 = 4


@dataclass(frozen=True, slots=True)
class Published:
    """One figure of another's, as published."""

    system: str
    model: str
    task: str
    source: str
    data: str
    protocol: str
    """How the test data was chosen, in words."""
    parameters: int = 0
    """0 where the paper does not say."""
    accuracy: float = nan
    macro_f1: float = nan
    balanced_accuracy: float = nan

    @property
    def name(self) -> str:
        """Whose, and what."""
        return f"{self.system}, {self.model}"

    @property
    def float_bytes(self) -> int:
        """What its weights take in float32; 0 where their number was not published."""
        return _BYTES_OF_FLOAT32 * self.parameters

    def value(self, measure: str) -> float:
        """A figure by name; NaN where it was not published."""
        return float(getattr(self, measure, nan))


def published(task: str) -> tuple[Published, ...]:
    """The figures of others for a task, in the order of the file."""
    raw = tomllib.loads(files("ecgedge_convert.report").joinpath("published.toml").read_text(encoding="utf-8"))
    found = [
        from_plain(Published, one, where=f"published.toml: figure {k}", defaults=True)
        for k, one in enumerate(raw["figure"])
    ]
    return tuple(one for one in found if one.task == task)
