"""What the web page sees of an agent, over a real store and a real inbox, without the threads that judge."""

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np

from ecgedge import NOTICE
from ecgedge.bundle import Bundle, read_bundle
from ecgedge.paper.pictures import read_picture
from ecgedge_device.files import FileKeeper
from ecgedge_device.health import Health
from ecgedge_device.live import Live
from ecgedge_device.migrations import utc_now
from ecgedge_device.results import Finding
from ecgedge_device.settings import AgentSettings, Settings, WebSettings
from ecgedge_device.source_settings import CameraSettings, HttpSettings, SerialSettings
from ecgedge_device.sources import Done, PictureWork, Source, SourceError, Work
from ecgedge_device.sources import Reason as LossReason
from ecgedge_device.sources.inbox import InboxSource
from ecgedge_device.store import Store
from ecgedge_device.web.server import WebServer

LIMIT_BYTES = 300_000
TITLES = {
    "normal": "normal",
    "mi": "myocardial infarction",
    "abnormal": "abnormal heartbeat",
    "history_mi": "history of MI",
}


class FileCamera:
    """Takes the picture that lies at a path, each time it is told to."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._path, self._stop = path, stop
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()

    def trigger(self) -> None:
        if self._path.is_dir():
            raise RuntimeError(f"camera of {self._path}")  # as picamera2 does where it finds none
        if not self._path.is_file():
            raise SourceError(f"{self._path.name}: not there; lay a page under the camera", reason=LossReason.NOT_FOUND)
        self._wanted.put(str(uuid4()))

    def __iter__(self) -> Iterator[Work]:
        while not self._stop.is_set():
            try:
                uid = self._wanted.get(timeout=0.05)
            except queue.Empty:
                continue
            yield PictureWork(uid, self._path.name, utc_now(), lambda: read_picture(self._path))

    def done(self, _work: Work, _done: Done) -> None:
        return None


class SmallAgent:
    """A store with what tests put into it, an upload folder, a camera, a serial source that is only named."""

    def __init__(self, folder: Path, web: WebSettings | None = None) -> None:
        self.stop = threading.Event()
        self.store_path = folder / "state" / "ecgedge.sqlite"
        self.settings = Settings(
            sources=(SerialSettings(name="bed-1"), HttpSettings(limit_mb=LIMIT_BYTES / 1e6), CameraSettings()),
            agent=AgentSettings(name="ward-3", store=self.store_path),
            web=web or WebSettings(port=0),
        )
        with Store(self.store_path) as store:
            self.files = FileKeeper(store.files)
        self.inbox = store.files / "inbox" / "upload"
        self.camera = FileCamera(folder / "page.jpg", self.stop)
        upload = InboxSource(HttpSettings(limit_mb=LIMIT_BYTES / 1e6), folder=self.inbox, stop=self.stop)
        self.sources: Mapping[str, Source] = {"upload": upload, "camera": self.camera}
        self.health, self.live = Health(), Live()
        for name, kind in {"bed-1": "serial", "upload": "http", "camera": "camera"}.items():
            self.health.source(name, kind=kind, state="waiting")
        self.health.reporter("json-lines", kind="json-lines", state="well", waiting=3)
        self.bundles: Mapping[str, Bundle] = {"page": read_bundle("page")}

    def add(self, *findings: Finding) -> None:
        with Store(self.store_path) as store:
            store.add(findings)


@contextmanager
def served(agent: SmallAgent) -> Iterator[str]:
    """The address of the agent's page while it is served."""
    server = WebServer(agent)
    server.start()
    try:
        yield server.url.rstrip("/")
    finally:
        server.stop()
        agent.stop.set()


def jpeg(width: int = 120, height: int = 80) -> bytes:
    """A small real picture."""
    pixels = np.full((height, width, 3), 230, np.uint8)
    pixels[::10] = (120, 120, 220)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def page_finding(
    *, label: str | None = "mi", name: str = "photo.jpg", files: Mapping[str, str] | None = None
) -> Finding:
    """A judged page, as the page judge tells it."""
    shares = {"normal": 0.02, "mi": 0.91, "abnormal": 0.05, "history_mi": 0.02}
    content = {
        "name": name,
        "bundle": "page 0.1.0",
        "refused": False,
        "label": label,
        "title": TITLES[label] if label else "",
        "reason": "" if label else "too unsure: 0.41 for the likeliest class, needs 0.5",
        "probabilities": shares,
        "titles": TITLES,
        "prediction_set": ["mi", "abnormal"],
        "advice": "Whoever has chest pain should call an ambulance now.",
        "layout": "3x4+1",
        "tested_layout": True,
        "mm_per_mv": 10.0,
        "gain_from": "pulse",
        "quality": [
            {"name": "sharpness", "value": 3.51, "unit": "lines/mm", "limit": 1.5, "at_least": True, "good": True}
            | {"remedy": "hold still"},
            {"name": "glare", "value": 9.5, "unit": "%", "limit": 8.0, "at_least": False, "good": False}
            | {"remedy": "turn the lamp"},
        ],
        "seconds": {"find page": 1.0, "model": 0.01},
        "notice": NOTICE,
    }
    return Finding(str(uuid4()), "page", "upload", "2026-01-31T14:05:09.120Z", content, files or {})


def refused_finding(reason: str = "photo.jpg: no ECG page found; take it from above") -> Finding:
    """A picture that could not be judged."""
    content = {
        "name": "photo.jpg",
        "bundle": "page 0.1.0",
        "refused": True,
        "label": None,
        "title": "",
        "reason": reason,
    }
    content |= {"probabilities": {}, "titles": {}, "prediction_set": [], "advice": "", "quality": [], "seconds": {}}
    return Finding(str(uuid4()), "page", "upload", "2026-01-31T14:06:00.000Z", content)


def minute_finding(start_s: float = 0.0) -> Finding:
    """A minute of a signal."""
    content = {"recording": "bed-1", "bundle": "beat 0.1.0", "start_s": start_s, "seconds": 60.0, "judged_s": 59.0}
    content |= {
        "heart_rate_bpm": 71.8,
        "rr_mean_ms": 835.0,
        "rr_sd_ms": 40.0,
        "rmssd_ms": 38.0,
        "longest_rr_ms": 1290.0,
    }
    content |= {"beats": {"N": 66, "S": 0, "V": 5}, "ectopic_burden": 0.07, "v_runs": 1}
    return Finding(str(uuid4()), "minute", "bed-1", "2026-01-31T14:00:00.000Z", content)


def alarm_finding(state: str = "begins") -> Finding:
    """An alarm of a signal."""
    content = {"recording": "bed-1", "bundle": "beat 0.1.0", "rule": "pause", "text": "pause of 3.4 s", "value": 3.4}
    content |= {"limit": 3.0, "unit": "s", "state": state, "time_s": 12.0}
    return Finding(str(uuid4()), "alarm", "bed-1", "2026-01-31T14:00:12.000Z", content)


def recording_finding() -> Finding:
    """The end of a recording."""
    content = dict(minute_finding().content) | {"recording": "holter", "faults": ["lead off from 3 s to 9 s"]}
    return Finding(str(uuid4()), "recording", "upload", "", content)
