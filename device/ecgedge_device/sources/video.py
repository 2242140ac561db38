"""Frames from what OpenCV opens: always the newest of a live camera, one after another of a file."""

import os
import re
import threading
from pathlib import Path
from time import monotonic

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge_device.source_settings import WebcamSettings
from ecgedge_device.sources import Reason, SourceError
from ecgedge_device.sources.deadline import Stopped
from ecgedge_device.sources.shutter import TICK_S, Preview

OPENING_S = 10.0
"""Time that opening a stream may take beyond `silence_s`: its kind is told from its first seconds."""

_LOOK_S = 0.1  # how soon a stop is seen
_MOST_FPS, _USUAL_FPS = 1000.0, 25.0  # of a file; some do not say theirs


class Ended(Exception):
    """A file has no more frames; nothing is wrong."""


class LiveFrames:
    """A thread that takes every frame out of the camera's buffers, and decodes the one that is asked for.

    Without it a stream shows what was seconds ago: frames wait in buffers while a page is judged.
    """

    def __init__(self, settings: WebcamSettings, *, stop: threading.Event) -> None:
        self._settings, self._stop = settings, stop
        self._wanted, self._closed = threading.Event(), threading.Event()
        self._told = threading.Condition()
        self._newest: Preview | None = None
        self._error: SourceError | None = None
        self._heard_s = monotonic() + OPENING_S  # of the last frame; opening may take longer than a frame
        threading.Thread(target=self._run, name=f"{settings.name} frames", daemon=True).start()

    def look(self, *, wanted: bool) -> Preview | None:
        """The next frame, where it is wanted.

        Raises
        ------
        SourceError
            The camera cannot be opened, or no frame came for `silence_s`.
        Stopped
            The agent stops.
        """
        if not wanted:
            self._check()
            return None
        with self._told:
            self._newest = None
            self._wanted.set()
            while self._newest is None:
                self._check()
                self._told.wait(_LOOK_S)
            return self._newest

    def close(self) -> None:
        """Let the camera go; the thread does it between two frames."""
        self._closed.set()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped
        if self._error is not None:
            raise self._error
        if monotonic() - self._heard_s > self._settings.silence_s:
            raise SourceError(
                f"{plain_address(self._settings.device)}: no frame for {self._settings.silence_s:g} s; look at the "
                "camera and the network",
                reason=Reason.LOST,
            )

    def _run(self) -> None:
        try:
            capture = open_live(self._settings)
            try:
                self._drain(capture)
            finally:
                capture.release()
        except SourceError as error:
            self._error = error
        except cv2.error as error:
            self._error = self._lost(str(error.err))
        with self._told:
            self._told.notify_all()

    def _drain(self, capture: cv2.VideoCapture) -> None:
        self._heard_s = monotonic()
        while not self._closed.is_set():
            wanted = self._wanted.is_set()  # asked before this frame was taken out
            if not capture.grab():
                raise self._lost("the stream ended")
            self._heard_s = monotonic()
            if wanted:
                self._hand_over(capture)

    def _hand_over(self, capture: cv2.VideoCapture) -> None:
        whole, pixels = capture.retrieve()
        if not whole:
            return  # a damaged frame; the next may be whole
        with self._told:
            self._newest = Preview(np.asarray(pixels, np.uint8), self._heard_s)
            self._wanted.clear()
            self._told.notify_all()

    def _lost(self, words: str) -> SourceError:
        return SourceError(
            f"{plain_address(self._settings.device)}: {words}; look at the camera and the network", reason=Reason.LOST
        )


class FileFrames:
    """A video file, played by the calls of `look`: each goes on by `TICK_S`."""

    def __init__(self, settings: WebcamSettings, *, stop: threading.Event) -> None:
        path = Path(settings.device)
        if not path.is_file():
            raise SourceError(
                f"{path}: no such file; give a camera's index, an address, a pipeline or a file",
                reason=Reason.NOT_FOUND,
            )
        self._path, self._stop = path, stop
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise InputError(f"{path}: no video that OpenCV can read; convert it to MP4 or to AVI with MJPEG")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self._fps = fps if 0 < fps <= _MOST_FPS else _USUAL_FPS
        self._count = 0  # of frames taken out

    def look(self, *, wanted: bool) -> Preview | None:
        """The frame `TICK_S` after the one before, where it is wanted.

        Raises
        ------
        Ended
            The file ended.
        Stopped
            The agent stops.
        """
        if self._stop.is_set():
            raise Stopped
        due = self._count + max(1, round(TICK_S * self._fps))
        while self._count < due:
            if not self._capture.grab():
                raise Ended
            self._count += 1
        whole, pixels = self._capture.retrieve() if wanted else (False, None)
        return Preview(np.asarray(pixels, np.uint8), self._count / self._fps) if whole else None

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


Frames = LiveFrames | FileFrames


def open_frames(settings: WebcamSettings, *, stop: threading.Event) -> Frames:
    """Frames of the device in the settings.

    Raises
    ------
    SourceError
        There is no such file; a camera that cannot be opened tells so when it is looked at.
    InputError
        The file is no video.
    """
    live = is_live(settings.device)
    return LiveFrames(settings, stop=stop) if live else FileFrames(settings, stop=stop)


def is_live(device: str) -> bool:
    """Whether it is an index, a device file, an address or a pipeline, not a file."""
    return device.isdecimal() or "!" in device or "://" in device or device.startswith("/dev/")


def plain_address(device: str) -> str:
    """The device for messages and logs: name and password, which an address may hold, left out."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", device)


def open_live(settings: WebcamSettings) -> cv2.VideoCapture:
    """Open a camera, stream or pipeline.

    Raises
    ------
    SourceError
        It is not there, may not be read, is in use, or does not answer.
    """
    device = settings.device
    if "!" in device:
        capture = cv2.VideoCapture(device, cv2.CAP_GSTREAMER)
    elif "://" in device:
        read_ms, open_ms = round(1000 * settings.silence_s), round(1000 * (settings.silence_s + OPENING_S))
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, open_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_ms]
        capture = cv2.VideoCapture(device, cv2.CAP_FFMPEG, limits)
    else:
        capture = cv2.VideoCapture(int(device) if device.isdecimal() else device, cv2.CAP_V4L2)
        _wish(capture, settings)
    if not capture.isOpened():
        raise _refusal(device)
    return capture


def _wish(capture: cv2.VideoCapture, settings: WebcamSettings) -> None:
    """Ask a USB camera for a size; in MJPEG, since full frames do not fit through USB 2 at any speed."""
    if settings.width_px or settings.height_px:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    if settings.width_px:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
    if settings.height_px:
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)


def _refusal(device: str) -> SourceError:
    name = plain_address(device)
    if "!" in device and not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        return SourceError(
            "this OpenCV knows no GStreamer pipelines; use the system's (apt install python3-opencv, an environment "
            "with --system-site-packages)",
            reason=Reason.NOT_FOUND,
        )
    if "!" in device or "://" in device:
        return SourceError(f"{name}: nothing answers; look at the address and the camera", reason=Reason.NOT_FOUND)
    return refused_device(Path(f"/dev/video{device}" if device.isdecimal() else device))


def refused_device(path: Path) -> SourceError:
    """Why a device file could not be opened as a camera."""
    if not path.exists():
        return SourceError(f"{path} is not there; plug the camera in or correct `device`", reason=Reason.NOT_FOUND)
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return SourceError(f"{path} may not be read; let the agent's user into group video", reason=Reason.DENIED)
    return SourceError(f"{path} is no camera, or another program uses it; end that program", reason=Reason.BUSY)
