"""NumPy files: a bare .npy array, or an .npz archive with `signal`, `fs_hz` and `leads`. Pickles are never loaded."""

import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.formats.leads import agreed_rate, check_size, choose_leads
from ecgedge.records import Recording

_MAX_LEADS = 256


def read_npy(path: Path, fs_hz: float | None = None, leads: Sequence[str] | None = None) -> Recording:
    """Read an array (n_samples,) or (n_samples, n_leads) of numbers, mV; its leads are called lead1, lead2, ...

    Raises
    ------
    InputError
        No rate was given, the file is damaged, or the array has another shape or dtype.
    LeadNotFound
        A lead in `leads` is not there.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header that lies takes no memory
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise _damaged(path, error) from error
    return _recording(path, array, agreed_rate(None, fs_hz, path=path), None, leads)


def read_npz(path: Path, fs_hz: float | None = None, leads: Sequence[str] | None = None) -> Recording:
    """Read an archive with `signal` (n_samples, n_leads), mV, and optionally `fs_hz` () and `leads` (n_leads,).

    Raises
    ------
    InputError
        `signal` or the rate is missing, the file is damaged, or an array has another shape or dtype.
    LeadNotFound
        A lead in `leads` is not there.
    """
    try:
        _check_members(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("signal", "fs_hz", "leads") if key in archive.files}
        rate = float(arrays["fs_hz"].item()) if "fs_hz" in arrays else None
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, in ways that differ by version
        raise _damaged(path, error) from error
    if "signal" not in arrays:
        raise InputError(
            f"{path}: no array 'signal' in it; (n_samples, n_leads) in mV is needed; save it under that name"
        )
    names = [str(name) for name in arrays["leads"]] if "leads" in arrays else None
    return _recording(path, arrays["signal"], agreed_rate(rate, fs_hz, path=path), names, leads)


def _check_members(path: Path) -> None:
    """Refuse arrays whose header claims more than the archive holds: numpy takes the memory before it reads."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read_header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read_header(file)
            if prod(shape) * dtype.itemsize > member.file_size:
                raise InputError(f"{path}: {member.filename} claims shape {shape} but is shorter; save it again")
            check_size(prod(shape), 1, path=path)


def _recording(
    path: Path, array: NDArray[np.generic], fs_hz: float, names: list[str] | None, wanted: Sequence[str] | None
) -> Recording:
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: array of shape {array.shape} and dtype {array.dtype}; numbers (n_samples, n_leads) are needed"
        )
    table = array.reshape(len(array), -1) if len(array) else array.reshape(0, 1)
    n_leads = table.shape[1]
    if n_leads > _MAX_LEADS:
        raise InputError(f"{path}: {n_leads} columns; at most {_MAX_LEADS} leads; transpose it to (n_samples, n_leads)")
    if len(names or range(n_leads)) != n_leads:
        raise InputError(
            f"{path}: {len(names or [])} names in 'leads' for {n_leads} columns; one each is needed; mend it"
        )
    names = names or [f"lead{number}" for number in range(1, n_leads + 1)]
    check_size(len(table), n_leads, path=path)
    columns = choose_leads(names, wanted, path=path)
    with np.errstate(over="ignore"):  # what float32 cannot hold is no voltage
        signal = table[:, columns].astype(np.float32)
    signal[~np.isfinite(signal)] = np.nan
    return Recording(signal, fs_hz, tuple(names[index] for index in columns), path.stem)


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:120]
    return InputError(f"{path}: damaged NumPy file ({reason}); save it again")
