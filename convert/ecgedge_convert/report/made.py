"""By which command, from which commit, on which machine, when and with which versions a report was made."""

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ecgedge import __version__
from ecgedge.extras import versions
from ecgedge.runtime import find_runtime
from ecgedge_convert.report.intervals import DRAWS, SEED
from ecgedge_convert.report.speed import SpeedSettings, processor

_LIBRARIES = ("numpy", "opencv-python-headless", "tensorflow", "keras")


def made_how(arguments: Sequence[str], speed: SpeedSettings) -> dict[str, str]:
    """Facts by name, in the order they are read."""
    runtime, known = find_runtime(), {"ecgedge": __version__} | versions(_LIBRARIES)
    facts = {
        "command": shlex.join(["ecgedge", "report", *arguments]),
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "interpreter": f"{runtime.name} {runtime.version}",
        "versions": ", ".join(f"{name} {number}" for name, number in known.items()),
        "seeds": f"bootstrap seed {SEED}, {DRAWS} draws",
        "timing": f"{speed.seconds:g} s of each model at {', '.join(map(str, speed.threads))} threads, "
        f"in {speed.turns} turns",
    }
    if commit := commit_of(Path(__file__).parent):
        facts["commit"] = commit
    return facts


def commit_of(folder: Path) -> str:
    """The commit of the checkout that a folder lies in, and whether it was changed since; empty where there is none."""
    if not (commit := _git(folder, "rev-parse", "--short=12", "HEAD")):
        return ""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}, with changes" if changed else commit


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
