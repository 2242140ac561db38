"""Every class has its words, and danger is named whatever the answer is."""

import pytest

from ecgedge.labels import REPORT
from ecgedge.page_advice import ADVICE, UNSURE, advice_for


def test_every_class_has_its_own_words() -> None:
    assert set(ADVICE) == set(REPORT.names)
    assert len(set(ADVICE.values())) == len(REPORT.names)


@pytest.mark.parametrize("label", ["normal", "abnormal", "history_mi", ""])
def test_an_infarction_that_cannot_be_excluded_is_named(label: str) -> None:
    assert "infarction cannot be excluded" in advice_for(label, ("mi", "normal"))
    assert "infarction cannot be excluded" not in advice_for(label, ("normal",))
    assert advice_for(label, ("normal",)) == (ADVICE[label] if label else UNSURE)


def test_an_infarction_is_not_said_twice() -> None:
    assert advice_for("mi", ("mi",)) == ADVICE["mi"]
    assert "ambulance" in ADVICE["mi"]
