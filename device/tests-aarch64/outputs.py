"""Runs all that ecgedge answers on this machine and writes it into a folder; `compare.py` holds two together.

    python outputs.py INPUTS OUT

INPUTS is made by run.sh; OUT must not be there yet. The commands are those of the environment that runs this file.
Knows nothing of processors.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.bundle import Bundle, read_bundle, shipped_bundles
from ecgedge.engine import BeatJudge
from ecgedge.golden_checks import part
from ecgedge.page_engine import PageEngine

_BIN = Path(sys.executable).parent
PAGES = ("page.png", "photo.jpg")


def main(inputs: Path, out: Path) -> int:
    """Write all outputs; 1 where a command failed that must not."""
    out.mkdir(parents=True)
    _run(["ecgedge", "info", "--json"], out / "info.json")
    failed = [name for name in shipped_bundles() if not _selftest(name, out)]
    for name in shipped_bundles():
        np.savez(out / f"golden-{name}.npz", **_golden(read_bundle(name)))  # type: ignore[arg-type]
    _replays(inputs, out)
    _pages(inputs, out)
    _made_here(out)
    for name in failed:
        print(f"self-test of {name} FAILED", flush=True)
    return 1 if failed else 0


def _selftest(bundle: str, out: Path) -> bool:
    return _run(["ecgedge-agent", "selftest", bundle], out / f"selftest-{bundle}.txt", may_fail=True)


def _golden(bundle: Bundle) -> dict[str, NDArray[np.generic]]:
    """What the model makes of the golden inputs, in its own integers."""
    stored = part(bundle.golden, "input")
    if bundle.manifest.task == "beat":
        return {"output": BeatJudge(bundle).raw(stored)}
    return dict(PageEngine(bundle).raw(stored))


def _replays(inputs: Path, out: Path) -> None:
    """A recording through the agent with its store and reporter, the demonstration, and `predict`."""
    settings = out / "replay.toml"
    settings.write_text(
        f'[agent]\nbundle = "beat"\nstore = "replay.sqlite"\n[source]\nkind = "replay"\npath = "{inputs / "ecg"}"\n'
        '[report]\nkind = "json-lines"\npath = "replay.jsonl"\n'
    )
    _run(["ecgedge-agent", "run", "--config", settings, "--json"], out / "replay-report.json")
    _run(["ecgedge-agent", "demo", "-o", out / "demo", "--json"], out / "demo-report.json", data=inputs)
    _run(["ecgedge", "predict", "beat", inputs / "ecg", "--json"], out / "predict-beat.json")


def _pages(inputs: Path, out: Path) -> None:
    """Every page bundle on every page, and the curves that were read from it."""
    for name in shipped_bundles():
        if read_bundle(name).manifest.task == "page":
            for page in PAGES:
                command = ["ecgedge", "predict", name, inputs / page, "--json"]
                _run(command, out / f"predict-{name}-{Path(page).stem}.json", may_fail=True)
    for page in PAGES:
        target = out / f"digitised-{Path(page).stem}.csv"
        command = ["ecgedge", "digitise", inputs / page, "-o", target, "--no-picture", "--json"]
        _run(command, target.with_suffix(".json"), may_fail=True)


def _made_here(out: Path) -> None:
    """What the simulators draw from the same seed."""
    _run(["ecgedge", "simulate", "-o", out / "simulated.csv", "--format", "csv", "--minutes", "2"])
    _run(["ecgedge", "draw", "-o", out / "drawn.png", "--seed", "20"])


def _run(
    command: Sequence[object], into: Path | None = None, *, may_fail: bool = False, data: Path | None = None
) -> bool:
    """Run a command of this environment and keep what it printed; whether it exited with 0."""
    words = [str(_BIN / str(command[0])), *map(str, command[1:])]
    began = time.monotonic()
    environment = {**os.environ, "ECGEDGE_DATA": str(data or "")}
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=environment)
    print(f"{time.monotonic() - began:7.1f} s  exit {done.returncode}  {' '.join(map(str, command))}", flush=True)
    if into is not None:
        into.write_text(done.stdout)
    if done.returncode and not may_fail:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}; {json.dumps(done.stdout[-500:])}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
