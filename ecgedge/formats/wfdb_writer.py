"""Write WFDB records and annotation files. `wfdb` is imported when it is needed."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.formats.wfdb_record import one_line
from ecgedge.records import Annotations, FloatArray, Recording

_ADU_PER_MV = 1000.0  # steps of 1 uV
_INVALID = -32768  # in format 16: no sample here, signal(5)


def write_wfdb(recording: Recording, folder: Path, *, annotations: Annotations | None = None) -> list[Path]:
    """Write a recording as a WFDB record called `recording.name`: `.hea`, `.dat` (format 16) and, with beats, `.atr`.

    Steps are 1 uV, or coarser where a lead exceeds 32 mV; NaN is written as an invalid sample.

    Parameters
    ----------
    annotations : what goes into the `.atr` file; `recording.beats` by default

    Returns
    -------
    The paths written.

    Raises
    ------
    InputError
        The name is not made of letters, digits, hyphens and underscores, or the folder cannot be written.
    """
    import wfdb

    beats = recording.beats if annotations is None else annotations
    gain, digital = _digital(recording.signal)
    n_leads = len(recording.leads)
    _prepare(folder, recording.name)
    try:
        wfdb.wrsamp(
            recording.name, recording.fs_hz, ["mV"] * n_leads, list(recording.leads), d_signal=digital,
            fmt=["16"] * n_leads, adc_gain=gain, baseline=[0] * n_leads, write_dir=str(folder),
        )  # fmt: skip
    except (ValueError, TypeError, OSError) as error:
        raise InputError(
            f"{folder / recording.name}: cannot be written ({one_line(error)}); choose another folder or name"
        ) from error
    written = [folder / f"{recording.name}{suffix}" for suffix in (".hea", ".dat")]
    if beats is not None:
        written.append(write_annotations(beats, folder, name=recording.name, fs_hz=recording.fs_hz))
    return written


def _prepare(folder: Path, name: str) -> None:
    """Check the name and make the folder."""
    if not re.fullmatch(r"[-\w]+", name, re.ASCII):
        raise InputError(f"{name!r} cannot name a WFDB record; letters, digits, - and _ may; choose another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error


def _digital(signal: FloatArray) -> tuple[list[float], NDArray[np.int16]]:
    """Gain of each lead and the samples in 16 bits."""
    peak = np.abs(np.nan_to_num(signal, nan=0.0)).max(axis=0)
    gain = np.minimum(_ADU_PER_MV, 32_000 / np.maximum(peak, 1e-6))
    return gain.tolist(), np.where(np.isfinite(signal), np.rint(signal * gain), _INVALID).astype(np.int16)


def write_annotations(
    annotations: Annotations, folder: Path, *, name: str, fs_hz: float, extension: str = "atr"
) -> Path:
    """Write beats as a WFDB annotation file, as `rdann` and `bxb` read it, and give its path.

    Raises
    ------
    InputError
        A symbol that WFDB does not know, beats that are not in order, or a folder that cannot be written.
    """
    import wfdb

    path = folder / f"{name}.{extension}"
    _prepare(folder, name)
    try:
        if len(annotations.sample) == 0:  # wfdb refuses to write none; two zero bytes are the end mark, annot(5)
            path.write_bytes(b"\0\0")
        else:
            symbols = list(annotations.symbol)
            wfdb.wrann(name, extension, annotations.sample, symbols, fs=fs_hz, write_dir=str(folder))
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"{path}: cannot be written ({one_line(error)}); choose another folder or name") from error
    return path
