"""Beats of a WFDB annotation file in MIT format, read without `wfdb`: its reader does not end on some damaged files."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ecgedge.errors import InputError
from ecgedge.labels import AAMI_CLASS_OF_SYMBOL
from ecgedge.records import Annotations

# annot(5) of the WFDB Programmer's Guide: each word holds a code (6 bits) and an interval in samples (10 bits).
_CODES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 34, 38)
_SYMBOL_OF_CODE = dict(zip(_CODES, "NLRaVFJASEj/QBef", strict=True))
_SKIP, _AUX = 59, 63
_MODIFIERS = range(60, 63)  # NUM, SUB, CHN: about the annotation before, no interval
_RESOLUTION = re.compile(rb"## time resolution: ([\d.]+)")


def read_beats(path: Path, fs_hz: float, n_samples: int) -> Annotations:
    """Read the beats (symbols of `labels.AAMI_CLASS_OF_SYMBOL`) of an annotation file of a recording.

    Times of another resolution, which a note at the start tells, are converted to the rate of the recording.

    Raises
    ------
    InputError
        The file is cut short or no annotation file, or its beats lie outside the recording or out of order.
    """
    content = path.read_bytes()
    note = _RESOLUTION.search(content[:64])
    try:
        beats = list(_beats(content))
        scale = fs_hz / float(note[1]) if note else 1.0
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"{path}: not a whole WFDB annotation file; copy it again, or remove it") from error
    sample = np.rint(np.array([time for time, _ in beats], dtype=np.float64) * scale)
    if len(sample) and (sample.min() < 0 or sample.max() >= n_samples or (np.diff(sample) < 0).any()):
        raise InputError(f"{path}: beats outside the {n_samples} samples or out of order; copy it again, or remove it")
    return Annotations(sample.astype(np.int64), tuple(symbol for _, symbol in beats))


def _beats(content: bytes) -> Iterator[tuple[int, str]]:
    """Time and symbol of each beat up to the end mark; IndexError where there is none."""
    place, time = 0, 0
    while word := content[place] | content[place + 1] << 8:
        code, interval = word >> 10, word & 1023
        place += 2
        if code == _SKIP:
            time += _long_interval(content, place)
            place += 4
        elif code == _AUX:
            place += interval + interval % 2
        elif code not in _MODIFIERS:
            time += interval
            symbol = _SYMBOL_OF_CODE.get(code, "")
            if symbol in AAMI_CLASS_OF_SYMBOL:
                yield time, symbol


def _long_interval(content: bytes, place: int) -> int:
    """Four bytes, signed, the higher pair first."""
    pairs = content[place + 2 : place + 4] + content[place : place + 2]
    if len(pairs) < 4:
        raise IndexError
    return int.from_bytes(pairs, "little", signed=True)
