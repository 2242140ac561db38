"""Kills the agent at random moments while broker comes and goes, and counts what was lost or doubled.

    python benchmarks/agent_kills.py [--kills 200] [--seed 1]

The real agent judges recordings and pages from a watched folder and reports by MQTT to a real mosquitto, which is
stopped and started meanwhile. Accepted is what stands in the store. At the end the agent is left alone until its outbox
is empty, and the store is compared with what a subscriber (persistent session, QoS 1) received, repeated ids dropped.
Doubled is one heartbeat, minute, alarm, page or recording with two ids.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from agent_process import AgentProcess
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1]))

from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.simulate import simulate_ecg
from ecgedge_device.results import KINDS
from ecgedge_device.store import Store
from tests.device.broker import Broker

_PAGES = 3
_PATIENCE_S = 4.0
_KINDS = json.dumps(list(KINDS))


def prepare(folder: Path, port: int) -> Path:
    """Settings, and files to be offered."""
    (folder / "made").mkdir()
    for seed in range(_PAGES):
        drawn = draw_page(
            simulate_twelve_leads(10.0, seed=seed),
            layout="3x4+1",
            seed=seed,
            style=like_ecg_images(seed),
            px_per_mm=4.0,
        )
        cv2.imwrite(str(folder / "made" / f"page{seed}.png"), drawn.pixels)
    for seed in range(_PAGES):
        signal = simulate_ecg(40.0, fs_hz=250.0, seed=seed, leads=("II",), veb_rate=10.0).signal
        np.save(folder / "made" / f"ecg{seed}.npy", signal)
    config = folder / "agent.toml"
    config.write_text(
        '[agent]\nname = "killed"\nstore = "state/ecgedge.sqlite"\ndrain_s = 60.0\n'
        '[[source]]\nkind = "folder"\npath = "in"\nsettle_s = 0.1\nfs_hz = 250.0\nafter = "delete"\n'
        f'[[report]]\nkind = "mqtt"\nport = {port}\nsend = {_KINDS}\n'
    )
    (folder / "in").mkdir()
    return config


def offer(folder: Path, number: int, rng: random.Random) -> None:
    """Put one more file into the watched folder, half-written for a moment."""
    made = rng.choice(sorted((folder / "made").iterdir()))
    target = folder / "in" / f"{number:05}{made.suffix}"
    shutil.copyfile(made, target)


def torment(folder: Path, config: Path, broker: Broker, *, kills: int, rng: random.Random) -> None:
    """Start, wait a random time, kill; the broker comes and goes."""
    up = True
    for number in track(range(kills), description="killing"):
        agent = AgentProcess(config)
        for more in range(rng.randrange(1, 4)):
            offer(folder, 10 * number + more, rng)
        if rng.random() < 0.15:
            up = not up
            (broker.start if up else broker.kill)()
        if rng.random() < 0.3:
            time.sleep(rng.uniform(0.2, 3.0))  # perhaps while it starts
        else:
            _wait_for_results(folder, rng.randrange(1, 150))
            time.sleep(rng.uniform(0, 0.1))
        agent.kill()
    if not up:
        broker.start()


def _wait_for_results(folder: Path, more: int) -> None:
    """Until so many more results are stored, or for a few seconds: there may be nothing more to judge."""
    first, until_s = _position(folder), time.monotonic() + _PATIENCE_S
    while _position(folder) < first + more and time.monotonic() < until_s:
        time.sleep(0.01)


def _position(folder: Path) -> int:
    path = folder / "state/ecgedge.sqlite"
    if not path.exists():
        return 0
    with Store(path) as store:
        return int(store.connection.execute("SELECT next FROM sequence").fetchone()[0])


def finish(folder: Path, config: Path, *, timeout_s: float = 600.0) -> None:
    """Leave the agent alone until folder and outbox are empty."""
    agent, until_s = AgentProcess(config), time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        time.sleep(2)
        with Store(folder / "state/ecgedge.sqlite") as store:
            store.register("mqtt")
            waiting = store.count_unsent("mqtt", KINDS)
        if not waiting and not any(path.is_file() for path in (folder / "in").iterdir()):
            break
    agent.stop()


def compare(folder: Path, received: Counter[str]) -> str:
    """What the subscriber lacks, and what was stored twice."""
    with Store(folder / "state/ecgedge.sqlite") as store:
        rows = store.connection
        beats = {uid for (uid,) in rows.execute("SELECT id FROM beats")}
        others = {uid for (uid,) in rows.execute("SELECT id FROM results")}
        beat_keys = rows.execute("SELECT count(*) - count(DISTINCT run || ' ' || sample) FROM beats").fetchone()[0]
        pages = rows.execute("SELECT json_extract(content, '$.name') FROM results WHERE kind = 'page'").fetchall()
        ended = rows.execute("SELECT address FROM runs WHERE finished_utc != ''").fetchall()
        open_runs = rows.execute("SELECT count(*) FROM runs WHERE finished_utc = ''").fetchone()[0]
        kinds = dict(rows.execute("SELECT kind, count(*) FROM results GROUP BY kind").fetchall())
    stored = beats | others
    doubled = beat_keys + len(pages) - len(set(pages)) + len(ended) - len(set(ended))
    lost, foreign = stored - received.keys(), received.keys() - stored
    repeats = sum(received.values()) - len(received)
    return (
        f"stored: {len(beats)} beats, {kinds}; received {len(received)} ids, {repeats} repeats dropped\n"
        f"lost {len(lost)}, doubled {doubled}, received but never stored {len(foreign)}, left open {open_runs}"
    )


def main() -> None:
    """Kill as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Broker(folder / "broker") as broker:
            heard = broker.subscribe("ecgedge/killed/#")
            config = prepare(folder, broker.port)
            torment(folder, config, broker, kills=arguments.kills, rng=rng)
            finish(folder, config)
            time.sleep(3)
            received = Counter(
                str(entry["id"]) for kind in KINDS for entry in heard.entries(f"ecgedge/killed/+/{kind}")
            )
        print(f"{arguments.kills} kills, seed {arguments.seed}")
        print(compare(folder, received))


if __name__ == "__main__":
    main()
