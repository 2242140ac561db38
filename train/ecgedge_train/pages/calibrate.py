"""Temperature and conformal quantile of a page model, from pages that its networks had not seen.

With some 390 pages to train on, none is given away: each is judged by a network that was trained without it (inner
folds), and these answers stand for those of the final network, which has seen more pages and is, if anything, better.
Departure from split conformal prediction, which that makes: the quantile is of several networks, none of them the
final one, as in CV+ (Barber et al. 2021, 10.1214/20-AOS1965); its guarantee of coverage is then weaker, and coverage
is measured on the held-out fold.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from ecgedge.decide import Decision, decide
from ecgedge.errors import InputError
from ecgedge_train.pages.pool import IntArray

FloatArray = NDArray[np.float32]

_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(4.0), 400))
_FEWEST = 20
_LEAST = 1e-7


def calibrated(probabilities: FloatArray, truth: IntArray, *, coverage: float, abstain_below: float = 0.0) -> Decision:
    """Decision for a model that gave these probabilities for pages it was not trained on.

    Parameters
    ----------
    probabilities : (n, 4) float32, as the networks gave them
    truth : (n,) int64
    coverage : share of pages whose set of classes shall hold the true one

    Raises
    ------
    InputError
        Fewer pages than a quantile can be taken of.
    """
    if len(truth) < _FEWEST:
        raise InputError(f"{len(truth)} pages to calibrate with; at least {_FEWEST}; raise calibrate.inner_share")
    temperature = fit_temperature(probabilities, truth)
    found = decide(probabilities, Decision(temperature))[1]
    return Decision(
        temperature,
        abstain_below=abstain_below,
        conformal_quantile=conformal_quantile(found, truth, coverage=coverage),
    )


def fit_temperature(probabilities: FloatArray, truth: IntArray) -> float:
    """The temperature with the least log-loss (Guo et al. 2017, arXiv 1706.04599), 0.25 to 4, to 0.7 %."""
    losses = [_log_loss(decide(probabilities, Decision(float(value)))[1], truth) for value in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)


def conformal_quantile(probabilities: FloatArray, truth: IntArray, *, coverage: float) -> float:
    """The ceil((n + 1) * coverage)-th smallest score 1 - probability of the truth; see `decide.prediction_set`."""
    scores = np.sort(1 - probabilities[np.arange(len(truth)), truth].astype(np.float64))
    rank = ceil((len(truth) + 1) * coverage - 1e-9)
    return float(scores[rank - 1]) if rank <= len(scores) else 1.0


def _log_loss(probabilities: FloatArray, truth: IntArray) -> float:
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], _LEAST)).mean())
