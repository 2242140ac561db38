"""Alarms of pages: begun by a class that was asked for, ended by the next page that is answered otherwise."""

from pathlib import Path

from ecgedge.manifest import Json
from ecgedge_device.page_alarms import page_alarms
from ecgedge_device.results import Finding
from ecgedge_device.settings import AlarmSettings
from ecgedge_device.store import Store

SETTINGS = AlarmSettings(page_classes=("mi", "abnormal"), page_probability=0.6)
TITLES: dict[str, Json] = {"normal": "normal", "mi": "myocardial infarction", "abnormal": "abnormal heartbeat"}


def page(label: str | None, share: float = 0.9) -> dict[str, Json]:
    return {"label": label, "probabilities": {label: share} if label else {}, "titles": TITLES}


def told(label: str | None, share: float = 0.9, *, open_rules: tuple[str, ...] = ()) -> list[tuple[object, object]]:
    return [(one["rule"], one["state"]) for one in page_alarms(page(label, share), SETTINGS, open_rules=open_rules)]


def test_a_class_that_was_asked_for_begins_one_from_its_probability_on() -> None:
    assert told("mi") == [("page_mi", "begins")]
    assert told("mi", 0.6) == [("page_mi", "begins")]
    assert told("mi", 0.59) == [] and told("normal") == [] and told(None) == []


def test_the_next_answer_ends_it_and_no_answer_does_not() -> None:
    assert told("normal", open_rules=("page_mi",)) == [("page_mi", "ends")]
    assert told(None, open_rules=("page_mi",)) == []
    assert told("abnormal", open_rules=("page_mi",)) == [("page_mi", "ends"), ("page_abnormal", "begins")]
    assert told("mi", open_rules=("page_mi",)) == [("page_mi", "begins")]
    assert told("normal", open_rules=("pause", "rate_low")) == []


def test_words_name_class_and_probability() -> None:
    (alarm,) = page_alarms(page("mi", 0.873), SETTINGS, open_rules=())
    assert alarm["text"] == "myocardial infarction, 87 %" and alarm["limit"] == 0.6


def test_the_store_knows_what_is_open_by_source(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        for number, (source, rule, state) in enumerate(
            [("a", "page_mi", "begins"), ("a", "pause", "begins"), ("b", "page_mi", "begins"), ("a", "pause", "ends")]
        ):
            store.add([Finding(str(number), "alarm", source, "", {"rule": rule, "state": state})])
        assert store.open_alarms("a") == ["page_mi"] and store.open_alarms("b") == ["page_mi"]
        assert store.open_alarms("c") == []
