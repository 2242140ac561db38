"""R-peak detectors on all 48 records of MIT-BIH: first lead, whole length, one-to-one matching.

    python benchmarks/rpeaks_table.py [--data DIR] [--json FILE] [--peers] [--no-speed]

Ours is fed in chunks of ten minutes, as a device would. `--peers` adds gqrs and xqrs (wfdb), Pan-Tompkins (neurokit2)
and sleepecg, which take about 5 s a record. The speed test runs 24 h of one lead at 360 Hz through ours and sleepecg.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge.beat_matching import match_beats
from ecgedge.catalogue import locate
from ecgedge.formats import read_recording
from ecgedge.records import FloatArray, IntArray
from ecgedge.rpeaks import RPeakDetector

Detector = Callable[[FloatArray, float], IntArray]

SPLITS: Mapping[str, tuple[str, ...]] = {
    "DS1": (
        "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
        "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
    ),
    "DS2": (
        "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
        "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
    ),
    "paced": (
        "102", "104", "107", "217",
    ),
}  # fmt: skip
"""de Chazal et al. 2004, 10.1109/TBME.2004.827359. Ours was tuned on DS1; the peers were tuned by others on all."""
DAY_S = 86_400
CHUNK_S = 600


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over records; they add up."""

    reference: int = 0
    detected: int = 0
    matched_150: int = 0
    matched_100: int = 0
    error_sum_ms: float = 0.0
    """Sum of the absolute timing errors of the pairs within 150 ms, ms."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            reference=self.reference + other.reference,
            detected=self.detected + other.detected,
            matched_150=self.matched_150 + other.matched_150,
            matched_100=self.matched_100 + other.matched_100,
            error_sum_ms=self.error_sum_ms + other.error_sum_ms,
        )

    def figures(self) -> dict[str, float]:
        """F1, sensitivity and PPV in %, mean absolute timing error in ms."""
        both = self.reference + self.detected
        return {
            "f1_150": 200 * self.matched_150 / both,
            "f1_100": 200 * self.matched_100 / both,
            "sensitivity": 100 * self.matched_150 / self.reference,
            "ppv": 100 * self.matched_150 / max(1, self.detected),
            "error_ms": self.error_sum_ms / max(1, self.matched_150),
        }


def ours(lead: FloatArray, fs_hz: float) -> IntArray:
    """Our detector, fed in chunks of ten minutes."""
    detector = RPeakDetector(fs_hz)
    step_n = round(CHUNK_S * fs_hz)
    parts = [detector.feed(lead[start : start + step_n]) for start in range(0, len(lead), step_n)]
    return np.concatenate([*parts, detector.flush()])


def sleepecg(lead: FloatArray, fs_hz: float) -> IntArray:
    """Brunner et al. 2023, 10.21105/joss.05411."""
    from sleepecg import detect_heartbeats

    return np.asarray(detect_heartbeats(lead.astype(np.float64), fs_hz), np.int64)


def pan_tompkins(lead: FloatArray, fs_hz: float) -> IntArray:
    """Pan & Tompkins as neurokit2 has it, with its own cleaning."""
    import neurokit2

    clean = neurokit2.ecg_clean(lead.astype(np.float64), sampling_rate=int(fs_hz), method="pantompkins1985")
    found = neurokit2.ecg_findpeaks(clean, sampling_rate=int(fs_hz), method="pantompkins1985")
    return np.asarray(found["ECG_R_Peaks"], np.int64)


def xqrs(lead: FloatArray, fs_hz: float) -> IntArray:
    """wfdb's own detector."""
    from wfdb import processing

    return np.asarray(processing.xqrs_detect(sig=lead.astype(np.float64), fs=fs_hz, verbose=False), np.int64)


def gqrs(lead: FloatArray, fs_hz: float) -> IntArray:
    """The detector of the WFDB Software Package, as wfdb has it."""
    from wfdb import processing

    return np.asarray(processing.gqrs_detect(sig=lead.astype(np.float64), fs=fs_hz), np.int64)


PEERS: Mapping[str, Detector] = {"gqrs": gqrs, "pan-tompkins": pan_tompkins, "xqrs": xqrs, "sleepecg": sleepecg}


def count(reference: IntArray, detected: IntArray, fs_hz: float) -> Counts:
    """Score one record."""
    wide = match_beats(reference, detected, tolerance_samples=round(0.150 * fs_hz))
    narrow = match_beats(reference, detected, tolerance_samples=round(0.100 * fs_hz))
    error_n = np.abs(reference[wide.pairs[:, 0]] - detected[wide.pairs[:, 1]]).sum()
    return Counts(
        reference=len(reference),
        detected=len(detected),
        matched_150=len(wide.pairs),
        matched_100=len(narrow.pairs),
        error_sum_ms=float(error_n) / fs_hz * 1000,
    )


def score(folder: Path, detectors: Mapping[str, Detector]) -> dict[str, dict[str, Counts]]:
    """Counts by detector and split, `all` included."""
    table = {name: {split: Counts() for split in (*SPLITS, "all")} for name in detectors}
    jobs = [(split, record) for split, records in SPLITS.items() for record in records]
    for split, record in track(jobs, "records"):
        recording = read_recording(folder / f"{record}.hea")
        if recording.beats is None:
            raise SystemExit(f"{folder / record}.atr: no annotations; run: ecgedge data verify mitdb")
        for name, detect in detectors.items():
            found = count(recording.beats.sample, detect(recording.signal[:, 0], recording.fs_hz), recording.fs_hz)
            table[name][split] += found
            table[name]["all"] += found
    return table


def speed(folder: Path, *, repeats: int = 3) -> dict[str, float]:
    """Best seconds for 24 h of one lead at 360 Hz, ours and sleepecg by turns; and ours in live chunks of 1 s."""
    leads = [read_recording(folder / f"{record}.hea").signal[:, 0] for record in SPLITS["DS1"]]
    day = np.tile(np.concatenate(leads), 3)[: DAY_S * 360]
    times: dict[str, list[float]] = {"ours": [], "sleepecg": []}
    for _ in track(range(repeats), "24 h"):
        times["ours"].append(_seconds(lambda: ours(day, 360.0)))
        times["sleepecg"].append(_seconds(lambda: sleepecg(day, 360.0)))
    best = {name: min(found) for name, found in times.items()}
    live = _seconds(lambda: _live(day[: 3600 * 360]))
    return {**best, "ratio": best["ours"] / best["sleepecg"], "live_ms_per_s": live / 3600 * 1000}


def _live(lead: FloatArray) -> None:
    detector = RPeakDetector(360.0)
    for start in range(0, len(lead), 360):
        detector.feed(lead[start : start + 360])


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _rows(table: dict[str, dict[str, Counts]]) -> Iterator[tuple[str, ...]]:
    for name, splits in table.items():
        for split, counts in splits.items():
            figures = counts.figures()
            shown = [f"{figures[key]:.2f}" for key in ("f1_150", "f1_100", "sensitivity", "ppv", "error_ms")]
            missed, extra = counts.reference - counts.matched_150, counts.detected - counts.matched_150
            yield name, split, *shown, str(missed), str(extra)


def show(console: Console, table: dict[str, dict[str, Counts]]) -> None:
    """Print the table."""
    titles = ("detector", "split", "F1@150", "F1@100", "Se", "PPV", "ms", "missed", "extra")
    title = "MIT-BIH, first lead, whole records; F1, Se, PPV in %, mean timing error in ms"
    shown = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in titles:
        shown.add_column(name, no_wrap=True, justify="left" if name in titles[:2] else "right")
    for row in _rows(table):
        shown.add_row(*row, end_section=row[1] == "all")
    console.print(shown)


def main() -> None:
    """Score, print, write."""
    parser = argparse.ArgumentParser(description="R-peak detectors on MIT-BIH.")
    parser.add_argument("--data", type=Path, help="folder that holds mitdb/")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--peers", action="store_true", help="also score gqrs, xqrs, Pan-Tompkins and sleepecg")
    parser.add_argument("--no-speed", action="store_true", help="leave out the 24-h speed test")
    options = parser.parse_args()
    console = Console()
    folder = options.data / "mitdb" if options.data else locate("mitdb")
    table = score(folder, {"ours": ours, **(PEERS if options.peers else {})})
    show(console, table)
    times = {} if options.no_speed else speed(folder)
    if times:
        console.print(
            f"24 h at 360 Hz: ours {times['ours']:.2f} s, sleepecg {times['sleepecg']:.2f} s, "
            f"ratio {times['ratio']:.2f}; live, {times['live_ms_per_s']:.2f} ms of work per second of signal"
        )
    if options.json:
        scores = {n: {s: asdict(c) | c.figures() for s, c in splits.items()} for n, splits in table.items()}
        options.json.write_text(json.dumps({"scores": scores, "speed_s": times}, indent=2) + "\n")


if __name__ == "__main__":
    main()
