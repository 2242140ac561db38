"""Judged beats as WFDB annotation files, which `rdann` and `bxb` read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgedge import formats
from ecgedge.labels import MIT_SYMBOL_OF_CLASS
from ecgedge.records import Annotations, Beat, Recording

EXTENSION = "ecgedge"
"""Annotator name: `bxb -r 200 -a atr ecgedge`."""


def as_annotations(beats: Sequence[Beat]) -> Annotations:
    """Sample indices and MIT symbols of judged beats; `Q` for those not judged."""
    return Annotations(
        np.array([beat.sample for beat in beats], dtype=np.int64),
        tuple(MIT_SYMBOL_OF_CLASS[beat.label] for beat in beats),
    )


def write_annotations(beats: Sequence[Beat], recording: Recording, folder: Path) -> Path:
    """Write `folder/NAME.ecgedge` and return it; `InputError` where the folder cannot be written."""
    return formats.write_annotations(
        as_annotations(beats), folder, name=recording.name, fs_hz=recording.fs_hz, extension=EXTENSION
    )
