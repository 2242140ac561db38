"""A figure over many pictures with its 95 % interval."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import nan

import numpy as np

_RESAMPLES = 2000
_SHARE = "%"


@dataclass(slots=True)
class Tally:
    """What each picture gave, one value or several; shares have the unit % and values from 0 to 1."""

    unit: str = _SHARE
    median: bool = False
    """Whether the figure is the median over all values, or their mean."""
    of_picture: list[list[float]] = field(default_factory=list)

    def value(self) -> float:
        """Mean or median over all values of all pictures; NaN of none."""
        return self._statistic(range(len(self.of_picture)))

    def interval(self) -> tuple[float, float]:
        """Limits of 95 %: percentiles of a bootstrap over pictures, seeded.

        A share of exactly 0 or 1 has the limits of Clopper & Pearson 1934 (10.1093/biomet/26.4.404) instead, since
        resampling what is all alike says nothing.
        """
        n_pictures = len(self.of_picture)
        if n_pictures == 0:
            return nan, nan
        if self.unit == _SHARE and self.value() in (0.0, 1.0):
            bound = 0.025 ** (1 / n_pictures)
            return (0.0, 1 - bound) if self.value() == 0 else (bound, 1.0)
        draws = np.random.default_rng(0).integers(0, n_pictures, (_RESAMPLES, n_pictures))
        low, high = np.percentile([self._statistic(draw) for draw in draws], [2.5, 97.5])
        return float(low), float(high)

    def shown(self) -> tuple[str, str]:
        """Value and interval in words."""
        scale, form = (100, ".1f") if self.unit == _SHARE else (1, ".3f" if self.unit == "" else ".1f")
        low, high = self.interval()
        unit = f" {self.unit}".rstrip()
        return f"{scale * self.value():{form}}{unit}", f"{scale * low:{form}} to {scale * high:{form}}"

    def _statistic(self, pictures: Iterable[int]) -> float:
        values = [value for index in pictures for value in self.of_picture[index]]
        if not values:
            return nan
        return float(np.median(values) if self.median else np.mean(values))
