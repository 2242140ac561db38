"""The usual beat is the median of the last usual windows, renewed every few beats, whatever the pieces fed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.templates import RunningTemplate

N_BEATS, EVERY, N_SAMPLES = 6, 4, 5


def _beat_by_beat(windows: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """The definition, one beat after the other."""
    kept: list[np.ndarray] = []
    template, found = np.zeros(N_SAMPLES, np.float32), []
    for k, window in enumerate(windows):
        if k < EVERY or k % EVERY == 0:
            if kept:
                template = np.median(np.array(kept[-N_BEATS:]), axis=0).astype(np.float32)
            elif k == 0:
                template = window
        found.append(template)
        if usual[k]:
            kept.append(window)
    return np.array(found)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 30), min_size=1, max_size=6), st.floats(0, 1))
def test_template_is_that_of_the_definition(seed: int, pieces: list[int], share: float) -> None:
    rng = np.random.default_rng(seed)
    windows = rng.normal(size=(sum(pieces), N_SAMPLES)).astype(np.float32)
    usual = rng.random(len(windows)) < share
    running, start, found = RunningTemplate(N_BEATS, EVERY, N_SAMPLES), 0, [np.zeros((0, N_SAMPLES), np.float32)]
    for n in pieces:
        found.append(running.feed(windows[start : start + n], usual[start : start + n]))
        start += n
    expected = _beat_by_beat(windows, usual).reshape(-1, N_SAMPLES)
    assert np.array_equal(np.concatenate(found), expected)
