"""Who is trained on and who is tested: de Chazal's inter-patient split of MIT-BIH, made leak-free.

de Chazal et al. 2004 (10.1109/TBME.2004.827359): DS1 to train, DS2 to test, paced records 102 104 107 217 in neither.
Departure: record 201 (DS1) is left out of training, because 201 and 202 (DS2) are one person.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

DS1 = tuple("101 106 108 109 112 114 115 116 118 119 122 124 203 205 207 208 209 215 220 223 230".split())
DS2 = tuple("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split())

SPLITS: Mapping[str, tuple[str, ...]] = MappingProxyType({"ds1": DS1, "ds2": DS2})
"""Split -> records of MIT-BIH."""

FOLDS: tuple[tuple[str, ...], ...] = (
    ("209", "101", "119"),
    ("207", "112", "106"),
    ("118", "203", "230"),
    ("220", "208", "115"),
    ("223", "116", "122"),
    ("124", "215", "108"),
    ("114", "109", "205"),
)
"""Patient-wise folds of DS1; the seven patients with the most supraventricular beats lie in different ones."""

_SAME_PERSON = MappingProxyType({"202": "201"})
"""Record -> the record that stands for the same person (MIT-BIH Arrhythmia Database Directory, record 202)."""


def patient_of(record: str) -> str:
    """Name of the person that a record was taken from."""
    return _SAME_PERSON.get(record, record)


def patients(records: Iterable[str]) -> frozenset[str]:
    """The people behind some records."""
    return frozenset(map(patient_of, records))


def outside(fold: Iterable[str]) -> tuple[str, ...]:
    """Records of DS1 to train on while `fold` is held out."""
    held_out = patients(fold)
    return tuple(record for record in DS1 if patient_of(record) not in held_out)


def split_hash() -> str:
    """SHA-256 of the split: both sides and the folds, as sorted JSON."""
    content = {"ds1": sorted(DS1), "ds2": sorted(DS2), "folds": sorted(map(sorted, FOLDS))}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
