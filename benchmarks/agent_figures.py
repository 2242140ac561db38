"""What the agent costs: a day from a file, the delay of a live signal, a picture, memory, start, idleness.

    python benchmarks/agent_figures.py [day] [live] [picture] [memory] [start] [idle] [--seconds 60]

Without names all are measured, one after another; nothing else should run. Each is the real agent with its store,
settings and threads; times are of this machine, said below the table.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from agent_process import AgentProcess
from rich.console import Console
from rich.table import Table

from ecgedge.bundle import read_bundle
from ecgedge.errors import InputError
from ecgedge.page_engine import PageEngine
from ecgedge.pages import find_page
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.simulate import simulate_ecg
from ecgedge_device.agent import Agent
from ecgedge_device.settings_file import read_settings
from ecgedge_device.store import Store

FS_HZ = 360.0
_LINES = '[[report]]\nkind = "json-lines"\npath = "results.jsonl"\n'


def settings(folder: Path, sources: str, more: str = "") -> Path:
    """A settings file in a folder."""
    path = folder / "agent.toml"
    path.write_text(f'[agent]\nstore = "state/ecgedge.sqlite"\n{sources}{_LINES}{more}')
    return path


def ecg(seconds: float, *, seed: int = 1) -> np.ndarray:
    """A simulated lead with ectopic beats, (n, 1) float32 mV: ten minutes, again and again."""
    piece = simulate_ecg(min(seconds, 600.0), fs_hz=FS_HZ, seed=seed, leads=("II",), veb_rate=2.0).signal
    n = round(seconds * FS_HZ)
    return np.tile(piece, (n // len(piece) + 1, 1))[:n].astype(np.float32)


def photos(folder: Path, count: int) -> list[Path]:
    """Simulated 12-megapixel photos of pages of the layout that `page` knows."""
    found = []
    for seed in range(count):
        drawn = draw_page(simulate_twelve_leads(seed=seed), layout="3x4+1", seed=seed, style=like_ecg_images(seed))
        strength = STRENGTHS["mild"]
        shot = photograph(drawn.pixels, px_per_mm=drawn.px_per_mm, seed=seed, strength=strength, size_px=(4000, 3000))
        path = folder / f"photo{seed}.jpg"
        cv2.imwrite(str(path), shot.picture.pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
        found.append(path)
    return found


def day(folder: Path) -> str:
    """24 h of one lead, file to stored beats, one core."""
    np.save(folder / "day.npy", ecg(86_400.0))
    source = f'[[source]]\npath = "day.npy"\nfs_hz = {FS_HZ}\nchunk_s = 600.0\n'
    agent = AgentProcess(settings(folder, source))
    _, status, usage = os.wait4(agent.process.pid, 0)
    wall_s = time.perf_counter() - agent.started_s
    with Store(folder / "state/ecgedge.sqlite") as store:
        beats = store.connection.execute("SELECT count(*) FROM beats").fetchone()[0]
    cpu_s = usage.ru_utime + usage.ru_stime
    return f"{wall_s:.1f} s, of them {cpu_s:.1f} s of processor; {beats} beats, exit {status}"


def live(folder: Path, *, seconds: float = 60.0) -> str:
    """R-peak on the wire to its beat in the store, a live signal line by line."""
    signal = ecg(seconds)
    source = f'[[source]]\nkind = "stdin"\nfs_hz = {FS_HZ}\nchunk_s = 0.1\n'
    agent = AgentProcess(settings(folder, source), stdin=subprocess.PIPE)
    store_path = folder / "state/ecgedge.sqlite"
    delays: list[float] = []
    began_s = time.monotonic()
    watcher = threading.Thread(target=_watch_beats, args=(store_path, began_s, delays, agent), daemon=True)
    watcher.start()
    _feed(agent, signal, began_s)
    agent.stop()
    watcher.join(5)
    median, p99 = statistics.median(delays), float(np.percentile(delays, 99))
    return f"median {median:.2f} s, p99 {p99:.2f} s, most {max(delays):.2f} s over {len(delays)} beats"


def _feed(agent: AgentProcess, signal: np.ndarray, began_s: float) -> None:
    """Write samples when they would have been measured, 50 times a second."""
    assert agent.process.stdin is not None
    sent = 0
    while sent < len(signal):
        due = min(len(signal), int((time.monotonic() - began_s) * FS_HZ))
        lines = "".join(f"{value:.4f}\n" for value in signal[sent:due, 0].tolist())
        agent.process.stdin.write(lines.encode())
        agent.process.stdin.flush()
        sent = due
        time.sleep(0.02)


def _watch_beats(path: Path, began_s: float, delays: list[float], agent: AgentProcess) -> None:
    """How long after its R-peak each beat can be read from the store by another connection."""
    while not path.exists() and agent.running:
        time.sleep(0.01)
    with Store(path) as store:
        seen = 0
        while agent.running:
            rows = store.connection.execute(
                "SELECT number, time_s FROM beats WHERE number > ? ORDER BY number", (seen,)
            ).fetchall()
            now_s = time.monotonic() - began_s
            delays += [now_s - time_s for _, time_s in rows]
            seen = rows[-1][0] if rows else seen
            time.sleep(0.005)


def picture(folder: Path, *, count: int = 8) -> str:
    """What the agent adds to reading and judging, per picture, both in this process on one thread."""
    cv2.setNumThreads(1)
    engine, ways = PageEngine(read_bundle("page")), [[], []]  # type: tuple[PageEngine, list[list[float]]]
    paths = [path for path in photos(folder, count) if _is_read(engine, path)]
    for path in (*paths[:1], *paths):
        begun_s = time.perf_counter()
        read = read_picture(path)
        find_page(read)
        ways[0].append(time.perf_counter() - begun_s)
        engine.judge(read)
        ways[1].append(time.perf_counter() - begun_s - ways[0][-1])
    decode_s = [_timed(partial(read_picture, path)) for path in paths]
    bare = [decode + judge for decode, judge in zip(decode_s, ways[1][1:], strict=True)]
    inbox = folder / "in"
    inbox.mkdir()
    for path in paths:
        path.rename(inbox / path.name)
    source = '[[source]]\nkind = "folder"\npath = "in"\nsettle_s = 0.1\n'
    whole = _agent_pictures(settings(folder, source), len(paths))
    flat = statistics.median(ways[0][1:])
    added = statistics.median(whole) - statistics.median(bare)
    return (
        f"decode + judge {1000 * statistics.median(bare):.0f} ms, agent {1000 * statistics.median(whole):.0f} ms: "
        f"+{100 * added / statistics.median(bare):.0f} % (decode + flatten alone {1000 * flat:.0f} ms: "
        f"+{100 * added / flat:.0f} %)"
    )


def _is_read(engine: PageEngine, path: Path) -> bool:
    """Whether there is an answer to be timed."""
    try:
        engine.judge(read_picture(path))
    except InputError:
        return False
    return True


def _timed(action: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    action()
    return time.perf_counter() - begun_s


def _agent_pictures(config: Path, count: int) -> list[float]:
    """Time from one page's result to the next, s."""
    stop, times = threading.Event(), []  # type: tuple[threading.Event, list[float]]
    agent = Agent(read_settings(config), stop=stop)
    runner = threading.Thread(target=agent.run)
    with agent.live.subscribe() as listener:
        runner.start()
        began: list[float] = []
        until_s = time.monotonic() + 300
        while len(times) < count and time.monotonic() < until_s:
            for event in listener.take(0.05):
                now_s = time.perf_counter()
                if event.topic == "step" and event.data["n"] == 1:
                    began.append(now_s)
                if event.topic == "result" and event.data["kind"] == "page":
                    times.append(now_s - began[-1])
    stop.set()
    runner.join()
    return times


def memory(folder: Path, *, hours: float = 1.0, pace: float = 60.0) -> str:
    """Resident memory with both bundles and the web page open, over an hour of signal played faster."""
    n = round(hours * 3600 * FS_HZ)
    signal = ecg(hours * 3600)
    sources = f'[[source]]\nkind = "stdin"\nfs_hz = {FS_HZ}\n[[source]]\nkind = "folder"\npath = "in"\nsettle_s = 0.1\n'
    config = settings(folder, sources, "[web]\nport = 8399\n")
    (folder / "in").mkdir()
    for path in photos(folder, 2):
        path.rename(folder / "in" / path.name)
    agent = AgentProcess(config, stdin=subprocess.PIPE)
    time.sleep(15)  # both pages are judged
    page = threading.Thread(target=_look_at, args=("http://127.0.0.1:8399/api/events", agent), daemon=True)
    page.start()
    found, sent = [agent.memory_mb()], 0
    assert agent.process.stdin is not None
    for minute in range(60):
        stop = n * (minute + 1) // 60
        agent.process.stdin.write("".join(f"{value:.4f}\n" for value in signal[sent:stop, 0].tolist()).encode())
        agent.process.stdin.flush()
        sent = stop
        time.sleep(60 / pace)
        found.append(agent.memory_mb())
    agent.stop()
    return (
        f"{found[0]:.0f} MB after both pages, {found[20]:.0f}, {found[40]:.0f}, {found[-1]:.0f} MB after 20, 40, 60 min"
    )


def _look_at(address: str, agent: AgentProcess) -> None:
    """Read the events as a browser does."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        while agent.running and answer.readline():
            pass


def start(folder: Path) -> str:
    """Start of the process to its first stored result, files in the cache."""
    np.save(folder / "short.npy", ecg(10.0))
    times = []
    for number in range(6):
        source = f'[[source]]\nname = "r{number}"\npath = "short.npy"\nfs_hz = {FS_HZ}\n'
        agent = AgentProcess(settings(folder, source))
        lines = folder / "results.jsonl"
        lines.unlink(missing_ok=True)
        while agent.running and not (lines.exists() and lines.stat().st_size):
            time.sleep(0.005)
        times.append(time.perf_counter() - agent.started_s)
        agent.process.wait()
        for path in (folder / "state").glob("*"):
            path.unlink() if path.is_file() else None
    return f"median {statistics.median(times[1:]):.2f} s of {len(times) - 1} starts, first {times[0]:.2f} s"


def idle(folder: Path, *, seconds: float = 60.0) -> str:
    """Processor time of an agent that waits, with folder, uploads and web page."""
    sources = '[[source]]\nkind = "folder"\npath = "in"\n[[source]]\nkind = "http"\n'
    agent = AgentProcess(settings(folder, sources, "[web]\nport = 8398\n"))
    time.sleep(10)
    before_s, begun_s = agent.cpu_s(), time.perf_counter()
    time.sleep(seconds)
    share = (agent.cpu_s() - before_s) / (time.perf_counter() - begun_s)
    memory_mb = agent.memory_mb()
    agent.stop()
    return f"{100 * share:.2f} % of one core over {seconds:.0f} s; {memory_mb:.0f} MB"


FIGURES: Mapping[str, tuple[str, Callable[..., str], str]] = {
    "day": ("24 h, one lead, 360 Hz, file -> stored beats, one core", day, "40 s | 10 s"),
    "live": ("live signal: R-peak in -> stored beat", live, "2 s | 1.2 s"),
    "picture": ("what the agent adds per picture", picture, "30 % | 10 %"),
    "memory": ("memory, both bundles and web page, 1 h of stream", memory, "180 MB, flat | 120 MB"),
    "start": ("start to first result, warm", start, "2 s | 1 s"),
    "idle": ("idle processor time", idle, "2 % | 0.5 %"),
}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="which; all by default")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    table, found = Table("figure", "measured", "bar | target"), {}
    for name in arguments.figures or FIGURES:
        title, measure, bar = FIGURES[name]
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measure(Path(folder))
        table.add_row(title, found[name], bar)
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    Console(width=140).print(table)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}")
    print(f"memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
