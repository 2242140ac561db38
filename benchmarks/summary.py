"""Rows of benchmarks/README.md from JSON files of `make bench` and of `ecgedge bench --json`.

    python benchmarks/summary.py benchmarks/results/latest.json [board.json ...] [--ratios]

One row for each file, in the columns of the README's tables, headings first. `--ratios` adds the ratios of a file of
`make bench`, one row each.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from ratios import RATIOS, Seconds, ratio_of

from ecgedge.bench_files import read_bench_file
from ecgedge.bench_report import FORMAT

Facts = Mapping[str, object]
_US, _MS, _S = 1e-6, 1e-3, 1.0
RUN_COLUMNS: Mapping[str, tuple[str, float]] = {
    "beat, raw invoke, us": ("test_raw_invoke_one_beat[1]", _US),
    "beat, judged, us": ("test_judge_one_beat", _US),
    "30 min of beats, raw invokes, ms": ("test_raw_invoke_all_beats", _MS),
    "in batches, ms": ("test_raw_invoke_batches", _MS),
    "file to beats, ms": ("test_file_to_beats", _MS),
    "agent, ms": ("test_agent", _MS),
    "page, invoke, us": ("test_invoke_page[page]", _US),
    "photo to signals, s": ("test_digitise", _S),
    "photo to answer, s": ("test_judge_photo[page]", _S),
    "custom CNN int8, ms": ("test_kernel[custom-cnn-int8]", _MS),
    "float32, ms": ("test_kernel[custom-cnn-float32]", _MS),
}
"""Heading -> benchmark and unit."""
EXTRA_COLUMNS: Mapping[str, tuple[str, str]] = {
    "start, beat, s": ("test_first_answer[beat]", "process_s"),
    "start, page, s": ("test_first_answer[page]", "process_s"),
    "peak, 30 min, MB": ("test_memory_of_half_an_hour", "peak_mb"),
    "peak, photo, MB": ("test_memory_of_a_photo", "peak_mb"),
}
BOARD_HEADINGS = [
    *("machine", "date", "commit", "bundle", "threads", "batch", "p50 ms", "p99 ms", "inputs/s", "start, s"),
    *("peak MB", "warmest before, after", "throttled"),
]


def run_row(document: Facts) -> list[str]:
    """The row of a run of `make bench`."""
    machine, benches = _part(document, "machine_info"), _benches(document)
    row = [_machine(_part(machine, "board")), str(document["datetime"])[:10], _commit(machine.get("ecgedge_commit"))]
    for name, unit in RUN_COLUMNS.values():
        row.append(_figures(_median(benches[name]) / unit) if name in benches else "")
    for name, key in EXTRA_COLUMNS.values():
        value = _part(benches[name], "extra_info").get(key) if name in benches else None
        row.append(_figures(value) if isinstance(value, float | int) else "")
    return row


def run_headings() -> list[str]:
    """Of the rows of `make bench`."""
    return ["machine", "date", "commit", *RUN_COLUMNS, *EXTRA_COLUMNS]


def board_rows(document: Facts) -> list[list[str]]:
    """The rows of a measurement with `ecgedge bench`, one for each pair of threads and batch."""
    bundle, software = _part(document, "bundle"), _part(document, "software")
    starts = _list(document, "start_up")
    peaks = [one["peak_mb"] for one in starts if one["peak_mb"] is not None]
    head = [_machine(_part(document, "board")), str(document["date_utc"]), _commit(software["commit"])]
    tail = [
        _figures(median(float(str(one["process_s"])) for one in starts)) if starts else "",
        _figures(max(float(str(one)) for one in peaks)) if peaks else "",
        ", ".join(_warmest(_part(document, when)) for when in ("before", "after")),
        ", ".join(map(str, _part(document, "after")["throttling_words"] or ())) or "no",  # type: ignore[call-overload]
    ]
    return [
        [
            *head,
            f"{bundle['name']} {bundle['version']}",
            *(str(one[key]) for key in ("threads", "batch")),
            *(_figures(float(str(one[key]))) for key in ("p50_ms", "p99_ms", "per_s")),
            *tail,
        ]
        for one in _list(document, "latency")
    ]


def ratio_rows(document: Facts) -> list[list[str]]:
    """What is against what, the ratio of medians, and of least times."""
    times = {name: Seconds(_median(bench), _least(bench)) for name, bench in _benches(document).items()}
    rows = []
    for title, name, base in RATIOS:
        if found := ratio_of(times, name, base):
            rows.append([title, f"{found.median:.2f}", f"{found.least:.2f}"])
    return rows


def _machine(board: Facts) -> str:
    cpu = str(board.get("cpu") or board.get("architecture"))
    model = board.get("model")
    return f"{model} ({cpu})" if model else f"{cpu}, {board['cores']} cores"


def _commit(found: object) -> str:
    words = str(found or "")
    return words[:9] + ("+" if words.endswith("+") else "")


def _warmest(condition: Facts) -> str:
    values = [float(value) for value in _part(condition, "temperatures_c").values()]  # type: ignore[arg-type]
    return f"{max(values):.0f} C" if values else "not told"


def _figures(value: float) -> str:
    """Three figures, without powers of ten."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _benches(document: Facts) -> dict[str, Facts]:
    return {str(bench["name"]): bench for bench in _list(document, "benchmarks")}


def _median(bench: Facts) -> float:
    return float(str(_part(bench, "stats")["median"]))


def _least(bench: Facts) -> float:
    return float(str(_part(bench, "stats")["min"]))


def _part(facts: Facts, key: str) -> Facts:
    found = facts[key]
    assert isinstance(found, dict)
    return found


def _list(facts: Facts, key: str) -> list[Facts]:
    found = facts[key]
    assert isinstance(found, list)
    return found


def _print(headings: list[str], rows: list[list[str]]) -> None:
    for row in (headings, ["---"] * len(headings), *rows):
        print(f"| {' | '.join(row)} |")
    print()


def main() -> None:
    """Read, print."""
    parser = argparse.ArgumentParser(description="Markdown rows of benchmark files.")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--ratios", action="store_true", help="also the ratios of files of `make bench`")
    options = parser.parse_args()
    documents = []
    for path in options.files:
        read_bench_file(path)  # refuses what is no such file
        documents.append(json.loads(path.read_text()))
    runs = [document for document in documents if document.get("format") != FORMAT]
    boards = [document for document in documents if document.get("format") == FORMAT]
    if runs:
        _print(run_headings(), [run_row(document) for document in runs])
    if boards:
        _print(BOARD_HEADINGS, [row for document in boards for row in board_rows(document)])
    for document in runs if options.ratios else []:
        _print(["ratio in one run", "of medians", "of least times"], ratio_rows(document))


if __name__ == "__main__":
    main()
