"""What the intervals around a beat say: how early it comes, how regular the rhythm is. Causal, vectorised over beats.

Ectopic beats are told by being early against a "usual" interval that must not be learnt from ectopic beats themselves:
medians, upper quantiles and means over 10, 30 and 200 beats stand side by side, since in bigeminy the median fails and
in a run the short memory does. Irregularity over 8 to 60 beats tells atrial fibrillation, where early means nothing.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Features = dict[str, Float64Array]
State = Mapping[str, NDArray[np.generic]]

_LONGEST = 200
_SPANS = ((10, (0.5,)), (30, (0.2, 0.5, 0.8)), (200, (0.2, 0.5, 0.8)))
"""Beats looked back on, and the quantiles of their intervals."""
_STEP_SPANS = (8, 20, 60)
_NEIGHBOURS = 7
_LONGEST_RR_S = 3.0
_SHORTEST_RR_S = 0.1  # only to keep the logarithm finite
_FIRST_STEP = 0.02  # interval-to-interval change assumed before any was seen, as in calm sinus rhythm
_FIRST_RR_S = 1.0


class RhythmContext:
    """Features of intervals, batch after batch; memory of the last 200 intervals."""

    def __init__(self) -> None:
        self._rr_s = np.full(_LONGEST, np.nan)
        self._log_rr = np.full(_NEIGHBOURS, np.nan)
        self._steps = np.full(max(_STEP_SPANS), np.nan)

    def feed(self, before_s: Float64Array, after_s: Float64Array) -> Features:
        """Features of the next beats.

        Parameters
        ----------
        before_s : (n,) float64, s to the beat before; NaN for the first one and across gaps
        after_s : (n,) float64, s to the beat after, at most the limit of the settings

        Returns
        -------
        name -> (n,) float64; logarithms of ratios unless the name is of an interval
        """
        n = len(before_s)
        capped = np.minimum(before_s, _LONGEST_RR_S)
        history = np.concatenate([self._rr_s, capped])
        usual = _usual_log_rr(history, n, after_s)
        log_rr = np.where(np.isnan(capped), usual["q50_30"], _log(capped))
        found = _pace(log_rr, _log(after_s), after_s, usual)
        found |= self._neighbours(log_rr, usual["q80_30"])
        found |= self._irregularity(log_rr)
        self._rr_s = history[n:]
        return found

    def _neighbours(self, log_rr: Float64Array, usual: Float64Array) -> Features:
        """The intervals of the beats before, against the usual one of this beat; 0 where there was none."""
        known = np.concatenate([self._log_rr, log_rr])
        n = len(log_rr)
        found = {}
        for k in range(1, _NEIGHBOURS + 1):
            found[f"rr-{k}"] = np.nan_to_num(known[_NEIGHBOURS - k : _NEIGHBOURS - k + n] - usual)
        self._previous = known[_NEIGHBOURS - 1 : _NEIGHBOURS - 1 + n]
        self._log_rr = known[n:]
        return found

    def _irregularity(self, log_rr: Float64Array) -> Features:
        """Quartiles of the change from one interval to the next, this beat's own left out."""
        steps = np.abs(log_rr - np.where(np.isnan(self._previous), log_rr, self._previous))
        known = np.concatenate([self._steps, steps])
        found = {}
        for span in _STEP_SPANS:
            windows = _windows(known[: len(known) - 1], span, len(steps))
            quartiles = _quantiles(windows, (0.25, 0.5, 0.75))
            quartiles = np.where(np.isfinite(quartiles), quartiles, _FIRST_STEP)
            for percent, values in zip((25, 50, 75), quartiles, strict=True):
                found[f"step_q{percent}_{span}"] = np.log(values + 0.01)
        self._steps = known[len(steps) :]
        return found

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory, as arrays."""
        return {"rr_s": self._rr_s.copy(), "log_rr": self._log_rr.copy(), "steps": self._steps.copy()}

    def restore(self, state: State) -> None:
        """Go on from a saved state."""
        self._rr_s, self._log_rr, self._steps = (state[name].astype(np.float64) for name in ("rr_s", "log_rr", "steps"))


def past_mean(past: Float64Array, values: Float64Array, *, otherwise: float) -> Float64Array:
    """For each value the mean of the `len(past)` before it, NaN left out; `otherwise` where there is none.

    Parameters
    ----------
    past : (m,) float64, what came before the first value
    values : (n,) float64
    """
    known = np.concatenate([past, values])[: len(past) + len(values) - 1]
    windows = _windows(known, len(past), len(values))
    return np.where((~np.isnan(windows)).any(1), _mean(windows), otherwise)


def _usual_log_rr(history: Float64Array, n: int, after_s: Float64Array) -> Features:
    """Logarithm of every "usual" interval of the last n beats."""
    usual = {}
    for span, quantiles in _SPANS:
        windows = _windows(history, span, n)
        for quantile, values in zip(quantiles, _quantiles(windows, quantiles), strict=True):
            usual[f"q{round(100 * quantile)}_{span}"] = values
        usual[f"mean_{span}"] = _mean(windows)
    first = np.minimum(after_s, _FIRST_RR_S)
    return {name: _log(np.where(np.nan_to_num(values) > 0, values, first)) for name, values in usual.items()}


def _pace(log_rr: Float64Array, log_after: Float64Array, after_s: Float64Array, usual: Features) -> Features:
    """How early this beat and the next one come."""
    before_to = ("q80_200", "mean_200", "q50_200", "q20_200", "q50_30", "q80_30", "q20_30", "q50_10")
    found = {f"before/{name}": log_rr - usual[name] for name in before_to}
    found |= {f"after/{name}": log_after - usual[name] for name in ("q80_200", "mean_200", "q50_30")}
    found["before/after"] = log_rr - log_after
    found["pair/q50_30"] = _log((np.exp(log_rr) + after_s) / 2) - usual["q50_30"]
    found["usual_rr"] = usual["q50_30"]
    found["spread_200"] = usual["q80_200"] - usual["q20_200"]
    found["spread_30"] = usual["q80_30"] - usual["q20_30"]
    found["q50_30/q50_200"] = usual["q50_30"] - usual["q50_200"]
    return found


def _log(seconds: Float64Array) -> Float64Array:
    return np.asarray(np.log(np.maximum(seconds, _SHORTEST_RR_S)))


def _mean(windows: Float64Array) -> Float64Array:
    """Mean of each row, NaN left out, 0 without any; rows are summed alike however many there are."""
    known = ~np.isnan(windows)
    total = np.ascontiguousarray(np.where(known, windows, 0.0)).sum(1)
    return np.asarray(total / np.maximum(known.sum(1), 1), dtype=np.float64)


def _windows(values: Float64Array, span: int, n: int) -> Float64Array:
    """(n, span): for each of the last n values, itself and those before it."""
    return np.lib.stride_tricks.sliding_window_view(values[len(values) - n - span + 1 :], span)


def _quantiles(windows: Float64Array, quantiles: tuple[float, ...]) -> Float64Array:
    """(len(quantiles), n): linear quantiles of each row, NaN left out; NaN where a row has nothing else."""
    ordered = np.sort(windows, axis=1)  # NaN last
    last = np.maximum((~np.isnan(windows)).sum(1) - 1, 0)
    rows = np.arange(len(windows))
    found = []
    for quantile in quantiles:
        place = quantile * last
        low = np.floor(place).astype(np.int64)
        share = place - low
        found.append(ordered[rows, low] * (1 - share) + ordered[rows, np.minimum(low + 1, last)] * share)
    return np.array(found)
