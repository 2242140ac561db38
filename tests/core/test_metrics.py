"""EC57 counting against confusions worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.metrics import COLUMNS, ROWS, beat_figures, bootstrap_interval, count_confusion
from ecgedge.records import Annotations

FS_HZ = 100.0


def beats(*pairs: tuple[float, str]) -> Annotations:
    return Annotations(np.array([round(t * FS_HZ) for t, _ in pairs], np.int64), tuple(s for _, s in pairs))


def confusion_of(text: str) -> np.ndarray:
    return np.array([[int(cell) for cell in line.split()] for line in text.strip().splitlines()], np.int64)


def test_counting_by_hand() -> None:
    truth = beats((1, "N"), (2, "A"), (3, "V"), (4, "L"), (5, "F"), (6, "/"), (7, "e"), (8, "J"))
    found = beats((1.02, "N"), (2.149, "S"), (3.16, "V"), (4.0, "V"), (4.99, "V"), (6.0, "N"), (7.0, "Q"), (9.5, "N"))
    matrix, paced = count_confusion(truth, found, fs_hz=FS_HZ)
    assert paced == 1  # and the detection that matches it is in no cell
    expected = confusion_of("""
        1 0 1 0 1 0
        0 1 0 0 0 1
        0 0 0 0 0 1
        0 0 1 0 0 0
        1 0 1 0 0 0
    """)  # rows N S V F -, columns N S V F Q -
    np.testing.assert_array_equal(matrix, expected)


def test_the_first_minutes_can_be_left_out() -> None:
    truth, found = beats((1, "N"), (301, "V")), beats((1, "N"), (301, "V"))
    matrix, _ = count_confusion(truth, found, fs_hz=FS_HZ, start_s=300)
    assert matrix.sum() == 1 and matrix[ROWS.index("V"), COLUMNS.index("V")] == 1


def test_figures_by_hand() -> None:
    matrix = confusion_of("""
        80 5 2 0 0 3
        2  6 0 0 0 0
        1  0 8 1 0 0
        0  0 2 1 1 0
        4  0 1 0 0 0
    """)
    figures = beat_figures(matrix)
    total = 117
    assert figures.beats == 112
    assert figures.accuracy == pytest.approx(95 / total)
    true, called = [90, 8, 10, 4, 0, 5], [87, 11, 13, 2, 1, 3]  # Q has no row, so 0 true; 5 extra, 3 missed
    expected = sum(a * b for a, b in zip(true, called, strict=True)) / total**2
    kappa = (95 / total - expected) / (1 - expected)
    assert figures.kappa == pytest.approx(kappa)
    assert figures.sensitivity["S"] == pytest.approx(6 / 8)
    assert figures.ppv["S"] == pytest.approx(6 / 11)
    assert figures.sensitivity["V"] == pytest.approx(8 / 10)
    assert figures.ppv["V"] == pytest.approx(8 / 13)
    assert figures.ppv_veb_ec57 == pytest.approx(8 / 11)  # the two F called V do not count against it
    assert figures.j == pytest.approx(6 / 8 + 6 / 11 + 8 / 10 + 8 / 13)
    assert figures.jk == pytest.approx(kappa / 2 + figures.j / 8)
    assert figures.detection_sensitivity == pytest.approx(109 / 112)
    assert figures.detection_ppv == pytest.approx(109 / 114)


def test_perfect_and_empty() -> None:
    perfect = np.zeros((5, 6), np.int64)
    perfect[range(4), range(4)] = (100, 10, 10, 5)
    assert beat_figures(perfect).jk == pytest.approx(1.0)
    assert math.isnan(beat_figures(np.zeros((5, 6), np.int64)).kappa)


@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from("NAVF/")), max_size=30, unique_by=lambda b: b[0]))
def test_a_recording_against_itself_is_perfect(pairs: list[tuple[int, str]]) -> None:
    pairs.sort()
    truth = Annotations(np.array([sample for sample, _ in pairs], np.int64), tuple(symbol for _, symbol in pairs))
    matrix, paced = count_confusion(truth, truth, fs_hz=FS_HZ)
    assert matrix.sum() == np.trace(matrix[:4]) == len(pairs) - paced


@given(
    st.lists(st.integers(0, 2000), max_size=20, unique=True), st.lists(st.integers(0, 2000), max_size=20, unique=True)
)
def test_every_beat_is_counted_once(true: list[int], found: list[int]) -> None:
    truth = Annotations(np.array(sorted(true), np.int64), ("N",) * len(true))
    called = Annotations(np.array(sorted(found), np.int64), ("V",) * len(found))
    matrix, _ = count_confusion(truth, called, fs_hz=FS_HZ)
    assert matrix[:-1].sum() == len(true)
    assert matrix[:, :-1].sum() == len(found)


def test_interval_holds_the_figure_and_is_seeded() -> None:
    rng = np.random.default_rng(0)
    patients = []
    for _ in range(20):
        matrix = np.zeros((5, 6), np.int64)
        matrix[range(4), range(4)] = rng.integers(5, 50, 4)
        matrix[0, 1] = rng.integers(0, 9)
        patients.append(matrix)
    low, high = bootstrap_interval(patients, lambda figures: figures.jk, seed=1)
    assert low < beat_figures(np.sum(patients, axis=0)).jk < high
    assert (low, high) == bootstrap_interval(patients, lambda figures: figures.jk, seed=1)
