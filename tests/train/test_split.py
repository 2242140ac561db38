"""The split: nobody on both sides, 201 nowhere, and a hash that changes with it."""

from pathlib import Path

from ecgedge_train import split
from ecgedge_train.split import DS1, DS2, FOLDS, outside, patient_of, patients, split_hash


def test_nobody_is_on_both_sides() -> None:
    assert not patients(DS1) & patients(DS2)
    assert len(patients(DS1)) == len(DS1) == 21
    assert len(patients(DS2)) == len(DS2) == 22


def test_201_is_left_out_because_it_is_202() -> None:
    assert patient_of("201") == patient_of("202")
    assert "201" not in DS1 + DS2
    assert "202" in DS2


def test_paced_records_are_nowhere() -> None:
    assert not {"102", "104", "107", "217"} & set(DS1 + DS2)


def test_folds_hold_each_patient_once_and_never_train_on_it() -> None:
    assert sorted(record for fold in FOLDS for record in fold) == sorted(DS1)
    for fold in FOLDS:
        assert not patients(fold) & patients(outside(fold))
        assert len(outside(fold)) == len(DS1) - len(fold)


def test_hash_is_stable_and_sees_a_change(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    before = split_hash()
    assert before == split_hash()
    assert len(before) == 64
    monkeypatch.setattr(split, "DS1", DS1[:-1])
    assert split_hash() != before


def test_no_training_module_names_the_test_side() -> None:
    folder = Path(split.__file__).parent
    readers = ("augment", "pool", "fit", "ensemble", "folds", "representative", "workshop", "rhythms", "warp")
    for name in readers:
        text = (folder / f"{name}.py").read_text()
        code = "\n".join(line for line in text.splitlines() if "import" in line or "(" in line)
        assert not any(word in code for word in ("DS2,", "DS2)", "SPLITS", '"ds2"')), name
