"""From a model's probabilities to a decision: temperature, class bias, argmax; each beat or page by itself.

Knows nothing of signals; evidence from neighbouring beats is in the model's inputs. Of pages it also says whether the
answer is sure enough to be given, and which classes cannot be excluded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import BundleError
from ecgedge.manifest import Json

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_LEAST = 1 / 512
"""Stands for a probability of 0: half a step of an int8 softmax."""
_ROUNDING = 1e-6  # float32: the page on which the quantile lies is inside its own set


@dataclass(frozen=True, slots=True)
class Decision:
    """How probabilities become a class."""

    temperature: float = 1.0
    """Divides the log-probabilities; above 1 makes them less sure."""
    class_bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Added to the log-probabilities, in the order of the labels."""
    abstain_below: float = 0.0
    """Largest calibrated probability below which no answer is given; 0 always answers."""
    conformal_quantile: float = 1.0
    """Classes less probable than 1 minus this are excluded; 1 excludes nothing; see `prediction_set`."""

    def to_manifest(self) -> dict[str, Json]:
        """The parameters as a manifest holds them; the last two only where they do something, as beats have neither."""
        found: dict[str, Json] = {"temperature": self.temperature, "class_bias": list(self.class_bias)}
        plain = Decision()
        if self.abstain_below != plain.abstain_below:
            found["abstain_below"] = self.abstain_below
        if self.conformal_quantile != plain.conformal_quantile:
            found["conformal_quantile"] = self.conformal_quantile
        return found

    @classmethod
    def from_manifest(cls, raw: Mapping[str, Json]) -> "Decision":
        """Read what `to_manifest` gave; an empty mapping gives the defaults.

        Raises
        ------
        BundleError
            An unknown key, a temperature that is not positive, a share beyond 0 to 1, or a value of the wrong kind.
        """
        if unknown := sorted(set(raw) - {entry.name for entry in fields(cls)}):
            raise BundleError(f"decision has unknown keys {', '.join(unknown)}; convert the model again")
        bias = raw.get("class_bias", [0.0] * 4)
        try:
            found = cls(
                temperature=float(str(raw.get("temperature", 1.0))),
                class_bias=tuple(float(str(value)) for value in _as_list(bias)),
                abstain_below=float(str(raw.get("abstain_below", 0.0))),
                conformal_quantile=float(str(raw.get("conformal_quantile", 1.0))),
            )
        except ValueError as error:
            raise BundleError(f"decision cannot be read ({error}); convert the model again") from None
        found._require_sense()
        return found

    def _require_sense(self) -> None:
        if not self.temperature > 0:
            raise BundleError(f"decision: temperature {self.temperature}; it must be above 0; convert the model again")
        for name in ("abstain_below", "conformal_quantile"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise BundleError(f"decision: {name} {value}; it must be from 0 to 1; convert the model again")


def _as_list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"class_bias {value!r} is no list")
    return value


def decide(probabilities: FloatArray, decision: Decision) -> tuple[IntArray, FloatArray]:
    """Class index and calibrated probabilities of each beat or page.

    Parameters
    ----------
    probabilities : (n, n_classes) float32

    Returns
    -------
    (n,) int64 and (n, n_classes) float32
    """
    if not len(probabilities):
        return np.zeros(0, np.int64), probabilities.astype(np.float32)
    logits = np.log(np.maximum(probabilities, _LEAST)) / decision.temperature + np.asarray(decision.class_bias)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    calibrated = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return calibrated.argmax(axis=1).astype(np.int64), calibrated


def abstains(probabilities: FloatArray, decision: Decision) -> BoolArray:
    """Where no answer is given since none is likely enough: (n, n_classes) calibrated probabilities -> (n,) bool."""
    return np.asarray(probabilities.max(axis=1) < decision.abstain_below)


def prediction_set(probabilities: FloatArray, decision: Decision) -> BoolArray:
    """The classes that cannot be excluded, by split conformal prediction with the score 1 - probability of the truth.

    This is LAC, the least ambiguous set-valued classifier (Sadinle et al. 2019, 10.1080/01621459.2018.1395341), not
    APS: its sets are the smallest on average. With the quantile q at rank ceil((n + 1) * 0.9) of the scores of n pages
    that the model was not trained on, a class is kept where its probability is at least 1 - q, and the truth is in
    the set for 90 % of exchangeable pages, over all classes together, not for each class.

    Departure: the likeliest class is always kept, so no set is empty; a model that is right more often than 90 % has
    sets that cover more than 90 %.

    Parameters
    ----------
    probabilities : (n, n_classes) float32, calibrated, as `decide` gives them

    Returns
    -------
    (n, n_classes) bool
    """
    kept = probabilities >= 1 - decision.conformal_quantile - _ROUNDING
    kept[np.arange(len(kept)), probabilities.argmax(axis=1)] = True
    return kept
