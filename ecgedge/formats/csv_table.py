"""CSV tables: a header row with lead names, one row per sample, optionally a time column or a rate in a comment."""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.formats.leads import agreed_rate, choose_leads, millivolts_per
from ecgedge.records import Recording

_RATE_COMMENT = re.compile(r"#\s*(?:fs_hz|fs|sampling rate)\s*[=:]\s*(\S+)", re.IGNORECASE)
_TIME_NAME = re.compile(r"(?:time|t|seconds|elapsed)?[\s_]*[\[(]?(ms|s|sec|seconds)?[\])]?$", re.IGNORECASE)
_INDEX_NAMES = {"sample", "sample #", "samples", "index", "#", ""}
_UNIT = re.compile(r"(.+?)(?:\s*[\[(]\s*([^\])]+?)\s*[\])]|_(mv|uv))$", re.IGNORECASE)
_MAX_VALUE = 1e30  # float32 ends at 3e38
_QUOTES = " \t\"'"


@dataclass
class _Table:
    """Rows as they are read."""

    path: Path
    delimiter: str = ","
    names: list[str] = field(default_factory=list)
    fs_hz: float | None = None
    values: "array[float]" = field(default_factory=lambda: array("d"))
    lines: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, number: int, line: str) -> None:
        """Take one line of the file: a comment, the header or a row."""
        if not line.strip():
            return
        if line.startswith("#"):
            self._comment(number, line)
        elif not self.names:
            self._header(number, line)
        else:
            self._row(number, line.split(self.delimiter))

    def _comment(self, number: int, line: str) -> None:
        if match := _RATE_COMMENT.match(line):
            self.fs_hz = self._number(match[1], number, "the rate")

    def _header(self, number: int, line: str) -> None:
        self.delimiter = max(",;\t", key=line.count)
        self.names = [name.strip(_QUOTES) for name in line.split(self.delimiter)]
        if all(re.fullmatch(r"[-+.\deE]+", name) for name in self.names):
            raise InputError(
                f"{self.path}:{number}: numbers where the lead names belong; add a header row such as MLII,V1"
            )

    def _row(self, number: int, cells: list[str]) -> None:
        if len(cells) != len(self.names):
            raise InputError(
                f"{self.path}:{number}: {len(cells)} cells; the header has {len(self.names)}; mend the row"
            )
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            row = [self._number(cell, number, name) for cell, name in zip(cells, self.names, strict=True)]
        self.values.extend(row)
        self.lines.append(number)

    def _number(self, cell: str, number: int, name: str) -> float:
        text = cell.strip(_QUOTES)
        try:
            return float(text) if text else nan
        except ValueError:
            raise InputError(f"{self.path}:{number}: {text[:40]!r} in {name}; a number is needed; correct it") from None

    def array(self) -> NDArray[np.float64]:
        """Rows as (n_rows, n_columns) float64."""
        return np.frombuffer(self.values, dtype=np.float64).reshape(-1, len(self.names))


def read_csv(path: Path, fs_hz: float | None = None, leads: Sequence[str] | None = None) -> Recording:
    """Read a table in UTF-8 with commas, semicolons or tabs between the cells and points in the numbers.

    The first row that is no comment names the leads; a unit may stand in brackets ("II [uV]") or at the end ("II_uv"),
    mV otherwise. Empty cells are NaN. The rate comes from a column `time` (s, or `time_ms`), from a comment
    `# fs_hz=360`, or from `fs_hz`; a column `sample` is left out. Rows that are missing from a time column are an
    error, not a gap: the message names the line.

    Returns
    -------
    Recording of (n_samples, n_leads) float32, mV

    Raises
    ------
    InputError
        Not text, a cell that is no number (with its line), no rows, no rate, or an irregular time column.
    LeadNotFound
        A lead in `leads` is not there.
    """
    table = _read_table(path)
    values = table.array()
    _check_values(table, values)
    time_columns = [index for index, name in enumerate(table.names) if name and _TIME_NAME.match(name)]
    if time_columns:
        table.fs_hz = _rate_of_time(table, values[:, time_columns[0]] * _seconds_per(table.names[time_columns[0]]))
    rate_hz = agreed_rate(table.fs_hz, fs_hz, path=path)
    columns = [i for i, name in enumerate(table.names) if i not in time_columns and name.lower() not in _INDEX_NAMES]
    if not columns:
        raise InputError(f"{path}: no lead among the columns {', '.join(table.names)}; add one column per lead")
    names, scale = zip(*(_lead_and_scale(table.names[index], path) for index in columns), strict=True)
    chosen = choose_leads(names, leads, path=path)
    signal = values[:, [columns[index] for index in chosen]] * np.array(scale)[chosen]
    return Recording(signal.astype(np.float32), rate_hz, tuple(names[index] for index in chosen), path.stem)


def _read_table(path: Path) -> _Table:
    table = _Table(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise InputError(f"{path}:{number}: binary data, not text; a CSV file is needed; export it again")
                table.add(number, line.rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text (byte {error.start}); a CSV file is needed; export it again"
        ) from error
    if not table.lines:
        raise InputError(f"{path}: no rows of samples; a header row and at least 1 row are needed; export it again")
    return table


def _check_values(table: _Table, values: NDArray[np.float64]) -> None:
    wrong = np.argwhere(np.abs(values) > _MAX_VALUE)
    if len(wrong):
        row, column = wrong[0]
        line, name = table.lines[row], table.names[column]
        raise InputError(f"{table.path}:{line}: {values[row, column]:g} in {name}; that is no voltage; correct it")


def _seconds_per(name: str) -> float:
    match = _TIME_NAME.match(name)
    return 1e-3 if match and (match[1] or "").lower() == "ms" else 1.0


def _rate_of_time(table: _Table, time_s: NDArray[np.float64]) -> float:
    """Rate of a time column; a whole number of Hz where the rounding of the times allows it."""
    if len(time_s) < 2:
        raise InputError(f"{table.path}: 1 row; a rate from the time column takes 2 or more; export it again")
    step_s = np.diff(time_s)
    usual_s = float(np.median(np.nan_to_num(step_s, nan=np.inf)))
    wrong = np.flatnonzero(~((step_s > 0) & (step_s < 1.75 * usual_s)))
    if len(wrong):
        line = table.lines[int(wrong[0]) + 1]
        raise InputError(
            f"{table.path}:{line}: time step of {step_s[wrong[0]]:g} s; {usual_s:g} s is usual; cut the file there"
        )
    duration_s = float(time_s[-1] - time_s[0])
    rate_hz = (len(time_s) - 1) / duration_s
    rounding_s = float(np.abs(time_s - time_s[0] - np.arange(len(time_s)) / rate_hz).max())
    allowed = 2 * rounding_s / duration_s + 1e-9
    whole_hz = float(round(rate_hz))
    return whole_hz if abs(rate_hz - whole_hz) <= allowed * rate_hz else rate_hz


def _lead_and_scale(name: str, path: Path) -> tuple[str, float]:
    """Name of a lead without its unit, and millivolts per that unit."""
    match = _UNIT.match(name)
    if not match:
        return name, 1.0
    scale = millivolts_per(match[2] or match[3])
    if scale is None:
        raise InputError(f"{path}: column {name!r} in {match[2]}; mV, uV or V is needed; convert it or remove it")
    return match[1], scale


def write_csv(recording: Recording, path: Path) -> Path:
    """Write a recording as a table that `read_csv` reads, steps of 0.1 uV, NaN as an empty cell, and give its path.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    header = f"# fs_hz={recording.fs_hz!r}\n{','.join(recording.leads)}\n"
    rows = (",".join("" if value != value else f"{value:.4f}" for value in row) for row in recording.signal.tolist())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    return path
