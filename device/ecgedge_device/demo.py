"""The demonstration: a recording whose truth is known, through the real settings, store and reporter."""

import json
from pathlib import Path

from ecgedge.catalogue import locate
from ecgedge.errors import DataError, SettingsError
from ecgedge.formats import write_wfdb
from ecgedge.simulate import simulate_ecg

RECORD = "200"
"""Of DS2, so that the shipped model has never seen the patient; it has hundreds of V beats and some S."""
_SIMULATED_S, _SEED = 600.0, 200


def prepare_demo(folder: Path) -> tuple[Path, str]:
    """Choose or make a recording and write the settings for it.

    Returns
    -------
    The settings file, and a line that says which recording it is.

    Raises
    ------
    SettingsError
        The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        recording, notice = _recording(folder)
        settings = folder / "demo.toml"
        settings.write_text(_settings_text(recording), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be written ({error.strerror}); choose another folder with -o") from None
    return settings, notice


def _recording(folder: Path) -> tuple[Path, str]:
    try:
        found = locate("mitdb", wanted=[f"{RECORD}.hea", f"{RECORD}.dat", f"{RECORD}.atr"])
    except DataError:
        simulated = simulate_ecg(_SIMULATED_S, seed=_SEED, sveb_rate=4.0, veb_rate=6.0, name="simulated")
        write_wfdb(simulated, folder)
        return (
            folder / simulated.name,
            f"a simulated ECG of {_SIMULATED_S / 60:.0f} minutes (no MIT-BIH on this machine)",
        )
    return found / RECORD, f"MIT-BIH record {RECORD} from {found}"


def _settings_text(recording: Path) -> str:
    path = json.dumps(str(recording.absolute()))  # a JSON string is a TOML string
    return f"""# Written by `ecgedge-agent demo`; see device/agent.toml for every key.
[agent]
bundle = "beat"
store = "ecgedge.sqlite"

[[source]]
kind = "replay"
path = {path}
speed = "full"
chunk_s = 10.0

[[report]]
kind = "json-lines"
path = "results.jsonl"
"""
