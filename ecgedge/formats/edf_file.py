"""EDF and EDF+ files, read through `edfio`."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.errors import InputError
from ecgedge.formats.leads import agreed_rate, check_size, choose_leads, millivolts_per
from ecgedge.records import FloatArray, Recording

if TYPE_CHECKING:
    import edfio

_ECG_LABEL = re.compile(r"(ECG|EKG)\b|(I{1,3}|aV[RLF]|V\d{1,2}R?|ML\s?[IV]+\d?|[XYZ])$", re.IGNORECASE)
_OTHER_LABEL = re.compile(
    r"(EEG|EMG|EOG|ERG|MEG|MCG|EP|Resp|SaO2|SpO2|Temp|Pleth|Light|Sound|Event|Status)", re.IGNORECASE
)


def read_edf(path: Path, fs_hz: float | None = None, leads: Sequence[str] | None = None) -> Recording:
    """Read the ECG channels of an EDF or continuous EDF+ file.

    Taken are the voltage channels (mV, uV, V, nV) with an ECG label ("ECG V1", "EKG", "II", "MLII"), or, where no
    label says ECG, all voltage channels that are not named as something else (EEG, EMG, ...). "ECG V1" becomes "V1".
    Where their rates differ, those of the highest rate are taken; `leads` chooses others, of one rate.

    Returns
    -------
    Recording of (n_samples, n_leads) float32, mV

    Raises
    ------
    InputError
        The file is damaged, cut short, discontinuous (EDF+D), or has no ECG channel.
    LeadNotFound
        A lead in `leads` is not there.
    """
    channels = _ecg_channels(_open(path), path)
    names = [_lead_name(channel.label) for channel in channels]
    if leads is not None:
        channels = [channels[index] for index in choose_leads(names, leads, path=path)]
    fastest_hz = max(channel.sampling_frequency for channel in channels)
    chosen = [channel for channel in channels if channel.sampling_frequency == fastest_hz]
    if leads is not None and len(chosen) < len(channels):
        raise InputError(f"{path}: leads {', '.join(leads)} have different rates; one rate is needed; read them apart")
    rate_hz = agreed_rate(float(fastest_hz), fs_hz, path=path)
    signal = np.stack([_millivolts(channel, path) for channel in chosen], axis=1)
    return Recording(signal, rate_hz, tuple(_lead_name(channel.label) for channel in chosen), path.stem)


def _open(path: Path) -> "edfio.Edf":
    import edfio

    try:
        with warnings.catch_warnings():
            # edfio mends a wrong length with a warning; here a header that lies is refused.
            warnings.simplefilter("error")
            found = edfio.read_edf(path, lazy_load_data=True)
            continuous = found.is_continuous
    except Exception as error:  # a damaged file makes edfio fail in many ways, none of them documented
        reason = " ".join(str(error).replace(" Updating header.", "").split())[:120]
        raise InputError(f"{path}: damaged EDF file ({reason}); copy it again whole") from error
    if not continuous:
        raise InputError(f"{path}: discontinuous recording (EDF+D); a continuous one is needed; export it in parts")
    return found


def _ecg_channels(found: "edfio.Edf", path: Path) -> list["edfio.EdfSignal"]:
    voltages = [signal for signal in found.signals if millivolts_per(signal.physical_dimension) is not None]
    named = [signal for signal in voltages if _ECG_LABEL.match(signal.label)]
    channels = named or [signal for signal in voltages if not _OTHER_LABEL.match(signal.label)]
    if not channels:
        labels = ", ".join(f"{signal.label} [{signal.physical_dimension}]" for signal in found.signals) or "none"
        raise InputError(f"{path}: no ECG channel in mV, uV or V; its channels: {labels}; use another file")
    return channels


def _lead_name(label: str) -> str:
    return re.sub(r"^(ECG|EKG)\s+", "", label, flags=re.IGNORECASE) or label


def _millivolts(channel: "edfio.EdfSignal", path: Path) -> FloatArray:
    """One channel, (n_samples,) float32, mV."""
    try:
        low, high = channel.physical_range
        usable = channel.digital_min < channel.digital_max and np.isfinite([low, high]).all() and low != high
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{path}: channel {channel.label!r} has no calibration (minimum = maximum); mend its header")
    digital = channel.digital
    check_size(len(digital), 1, path=path)
    return np.asarray(channel.data * millivolts_per(channel.physical_dimension), dtype=np.float32)
