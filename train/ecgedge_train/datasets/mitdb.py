"""MIT-BIH Arrhythmia Database: 48 half-hour records, 360 Hz, two leads (Moody & Mark 2001, 10.1109/51.932724)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.catalogue import locate
from ecgedge.formats.wfdb_record import read_wfdb
from ecgedge.labels import AAMI, AAMI_CLASS_OF_SYMBOL
from ecgedge.records import Annotations, Recording

NOT_TRAINED = -1
"""Class index of beats that are never trained on: AAMI class Q, and detections of which nothing is known."""
NO_BEAT = len(AAMI.names)
"""Class index of detections where there is no beat; trained to be N, since an artefact must raise no alarm."""


def mitdb(records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]:
    """Yield records with their reference beats (class Q included, so that intervals stay right).

    Raises
    ------
    DataError
        The data set, or one of the records, is not on this machine.
    """
    files = [f"{record}{ending}" for record in records for ending in (".hea", ".dat", ".atr")]
    folder = locate("mitdb", root=root, wanted=files)
    for record in records:
        yield read_wfdb(folder / record)


def class_indices(beats: Annotations) -> NDArray[np.int64]:
    """AAMI class of each beat, (n_beats,) int64, index into `AAMI.names`; `NOT_TRAINED` for class Q."""
    classes = [AAMI_CLASS_OF_SYMBOL[symbol] for symbol in beats.symbol]
    return np.array([AAMI.names.index(name) if name in AAMI.names else NOT_TRAINED for name in classes], np.int64)
