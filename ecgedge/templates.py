"""Shape features of a beat against a running template of the patient's usual beat.

The template is the median of the last beats that were not premature, so that it stays sinus where half of the beats
are ectopic; it is renewed every few beats, which costs little and depends on no chunk border. The stretch before the
QRS is described besides: in atrial fibrillation the template has no P wave, and an ectopic P differs from it.
Knows nothing of filters or streams.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.rhythm import past_mean

FloatArray = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Rows = FloatArray | Float64Array
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

P_MEMORY_BEATS = 20
N_KEPT_SHAPES = 2
SHAPE_FEATURES = (
    *("qrs_correlation", "qrs_distance", "correlation", "t_distance", "width", "width_change", "amplitude"),
    *("highest", "lowest", "area", "slope", "slope_change", "p_template", "p_size", "p_match", "p_distance", "p_gain"),
    *("p_habit", "p_change", "qrs_correlation_before", "qrs_distance_before", "like_last", "like_second_last"),
)
"""Names of all shape features; amplitudes are in units of the template's QRS, dimensionless."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Columns of a cut window, counted in its samples."""

    qrs: slice
    """The QRS without its surroundings."""
    wide: slice
    """The QRS with room for a broad one."""
    t_wave: slice
    p_wave: slice
    per_width: float
    """Samples in a tenth of a second or so: unit of widths and areas."""


def landmarks(n_before: int, fs_hz: float) -> Landmarks:
    """Landmarks of windows at `fs_hz` with `n_before` samples before the beat.

    P from 260 to 75 ms before the beat, QRS 83 ms before to 108 ms after, T from 108 ms on.
    """

    def at(time_ms: float) -> int:
        return max(0, n_before + round(time_ms * fs_hz / 1000))

    return Landmarks(
        qrs=slice(at(-83), at(108)),
        wide=slice(at(-125), at(183)),
        t_wave=slice(at(108), None),
        p_wave=slice(at(-258), at(-75)),
        per_width=fs_hz / 12,
    )


class RunningTemplate:
    """Median of the last `n_beats` usual windows, renewed every `every` beats (each of the first few)."""

    def __init__(self, n_beats: int, every: int, n_samples: int) -> None:
        self._n_beats, self._every = n_beats, every
        self._kept: FloatArray = np.zeros((0, n_samples), np.float32)
        self._template: FloatArray = np.zeros(n_samples, np.float32)
        self._count = 0

    def feed(self, windows: FloatArray, usual: BoolArray) -> FloatArray:
        """Template of each beat from the beats before it, (n_beats, n_samples) float32, mV.

        Parameters
        ----------
        windows : (n_beats, n_samples) float32, mV
        usual : (n_beats,) bool; the others leave the template as it is
        """
        pool = np.concatenate([self._kept, windows[usual]])
        before = len(self._kept) + np.cumsum(usual) - usual
        count = self._count + np.arange(len(windows))
        renewed = np.flatnonzero((count < self._every) | (count % self._every == 0))
        known = np.concatenate([self._template[np.newaxis], self._renewals(pool, before, windows, renewed)])
        templates = known[np.searchsorted(renewed, np.arange(len(windows)), side="right")]
        self._template, self._count = known[-1].copy(), self._count + len(windows)
        self._kept = pool[max(0, len(pool) - self._n_beats) :].copy()
        return templates

    def _renewals(self, pool: FloatArray, before: IntArray, windows: FloatArray, rows: IntArray) -> FloatArray:
        """The new template at each of the beats `rows`, (n, n_samples) float32; the median of a full memory at once."""
        renewals = np.empty((len(rows), windows.shape[1]), np.float32)
        full = before[rows] >= self._n_beats
        index = before[rows[full], np.newaxis] + np.arange(-self._n_beats, 0)
        renewals[full] = _medians(pool[index])
        last = self._template
        for k in np.flatnonzero(~full).tolist():  # only while the memory fills, at the beginning of a stream
            n_pool = int(before[rows[k]])
            if n_pool:
                last = np.median(pool[:n_pool], axis=0).astype(np.float32)
            elif self._count + rows[k] == 0:
                last = windows[rows[k]]
            renewals[k] = last
        return renewals

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory."""
        return {"kept": self._kept.copy(), "template": self._template.copy(), "count": np.array(self._count)}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from a `state()` of the same settings."""
        self._kept = np.array(state["kept"], np.float32)
        self._template = np.array(state["template"], np.float32)
        self._count = int(state["count"])


@dataclass(slots=True)
class ShapePast:
    """What shape features remember of the beats before."""

    p_match: Float64Array
    """(P_MEMORY_BEATS,) float64; NaN where there is none."""
    qrs: Float64Array
    """(2,) float64: correlation and distance of the last beat."""
    shapes: FloatArray
    """(N_KEPT_SHAPES, n_samples) float32, the last windows, oldest first."""


def no_shape_past(n_samples: int) -> ShapePast:
    """The past of a stream that begins."""
    shapes = np.zeros((N_KEPT_SHAPES, n_samples), np.float32)
    return ShapePast(np.full(P_MEMORY_BEATS, np.nan), np.array([1.0, np.log(0.1)]), shapes)


def shape_features(
    beats: FloatArray, templates: FloatArray, *, marks: Landmarks, whole: BoolArray, past: ShapePast
) -> dict[str, Float64Array]:
    """All of `SHAPE_FEATURES`, (n_beats,) float64 each; `past` goes on to after the last beat.

    Parameters
    ----------
    beats, templates : (n_beats, n_samples) float32, in units of the template's QRS
    whole : (n_beats,) bool; the windows without a gap, the only ones that `past` learns from
    """
    found = _qrs_features(beats, templates, marks) | _p_features(beats, templates, marks)
    found["p_habit"] = past_mean(past.p_match, np.where(whole, found["p_match"], np.nan), otherwise=0.5)
    found["p_change"] = found["p_match"] - found["p_habit"]
    found |= _against_the_last(beats, found, marks, past)
    past.p_match = np.concatenate([past.p_match, np.where(whole, found["p_match"], np.nan)])[-P_MEMORY_BEATS:]
    if len(beats):
        past.qrs = np.array([found["qrs_correlation"][-1], found["qrs_distance"][-1]])
        past.shapes = np.concatenate([past.shapes, beats])[-N_KEPT_SHAPES:].copy()
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


def _qrs_features(beats: FloatArray, templates: FloatArray, marks: Landmarks) -> dict[str, Float64Array]:
    wide, wide_template = beats[:, marks.wide], templates[:, marks.wide]
    width = _width(wide) / marks.per_width
    slope = _slope(beats[:, marks.qrs])
    return {
        "qrs_correlation": _correlation(beats[:, marks.qrs], templates[:, marks.qrs]),
        "qrs_distance": _distance(beats[:, marks.qrs], templates[:, marks.qrs]),
        "correlation": _correlation(beats[:, marks.p_wave.start :], templates[:, marks.p_wave.start :]),
        "t_distance": _distance(beats[:, marks.t_wave], templates[:, marks.t_wave]),
        "width": width,
        "width_change": width - _width(wide_template) / marks.per_width,
        "amplitude": np.log(np.ptp(wide, axis=1) + 0.05),
        "highest": wide.max(axis=1),
        "lowest": wide.min(axis=1),
        "area": _sum(np.abs(wide)) / marks.per_width,
        "slope": slope,
        "slope_change": _slope(templates[:, marks.qrs]) - slope,
    }


def _p_features(beats: FloatArray, templates: FloatArray, marks: Landmarks) -> dict[str, Float64Array]:
    wave, usual = _level(beats[:, marks.p_wave]), _level(templates[:, marks.p_wave])
    size = np.ptp(usual, axis=1)
    return {
        "p_template": np.log(size + 0.01),
        "p_size": np.log(np.ptp(wave, axis=1) + 0.01),
        "p_match": _correlation(wave, usual) * np.minimum(1, size / 0.05),
        "p_distance": _distance(wave, usual),
        "p_gain": _sum(wave * usual) / (_sum(usual * usual) + 0.02),
    }


def _against_the_last(
    beats: FloatArray, found: dict[str, Float64Array], marks: Landmarks, past: ShapePast
) -> dict[str, Float64Array]:
    n = len(beats)
    shapes = np.concatenate([past.shapes, beats])[:, marks.qrs]
    return {
        "qrs_correlation_before": np.concatenate([past.qrs[:1], found["qrs_correlation"]])[:n],
        "qrs_distance_before": np.concatenate([past.qrs[1:], found["qrs_distance"]])[:n],
        "like_last": _correlation(shapes[2:], shapes[1:-1]),
        "like_second_last": _correlation(shapes[2:], shapes[:-2]),
    }


def _medians(groups: FloatArray) -> FloatArray:
    """Median over axis 1, as `numpy.median` gives it; sorting small groups is seven times as fast as its search."""
    ordered, n = np.sort(groups, axis=1), groups.shape[1]
    return np.asarray((ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / np.float32(2), np.float32)


def _sum(rows: NDArray[np.floating]) -> Float64Array:
    """Sum of each row in float64, the same whatever the number of rows."""
    return np.asarray(np.ascontiguousarray(rows, np.float64).sum(axis=1))


def _centred(rows: Rows) -> Float64Array:
    wide = np.ascontiguousarray(rows, np.float64)
    return np.asarray(wide - (_sum(wide) / wide.shape[1])[:, np.newaxis])


def _correlation(a: Rows, b: Rows) -> Float64Array:
    x, y = _centred(a), _centred(b)
    return np.asarray(_sum(x * y) / (np.sqrt(_sum(x * x) * _sum(y * y)) + 1e-3))


def _distance(a: Rows, b: Rows) -> Float64Array:
    """Logarithm of the root mean square difference, offsets removed."""
    x = _centred(a) - _centred(b)
    return np.asarray(np.log(np.sqrt(_sum(x * x) / x.shape[1]) + 0.01))


def _width(rows: FloatArray) -> Float64Array:
    """Samples above 30 % of the largest deflection."""
    size = np.abs(rows)
    above = size > 0.3 * size.max(axis=1, keepdims=True)
    return np.asarray(np.count_nonzero(above, axis=1), dtype=np.float64)


def _slope(rows: FloatArray) -> Float64Array:
    steepest = np.abs(np.diff(rows, axis=1)).max(axis=1)
    return np.asarray(np.log(steepest.astype(np.float64) + 0.01), dtype=np.float64)


def _level(rows: FloatArray) -> Float64Array:
    """The rows without the line through their ends."""
    wide = np.ascontiguousarray(rows, np.float64)
    ramp = np.linspace(0, 1, wide.shape[1])
    first, last = (wide[:, 0] + wide[:, 1]) / 2, (wide[:, -2] + wide[:, -1]) / 2
    return np.asarray(wide - first[:, np.newaxis] * (1 - ramp) - last[:, np.newaxis] * ramp)
