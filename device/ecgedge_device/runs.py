"""Which run a recording or live stream goes on with, or why a new one begins."""

import hashlib
from dataclasses import replace

from ecgedge.bundle import Bundle
from ecgedge.manifest import dump_manifest
from ecgedge_device.results import BundleId, Run, Stream
from ecgedge_device.sources import SignalWork
from ecgedge_device.store import Store


def bundle_id(bundle: Bundle) -> BundleId:
    """How a bundle is known again; its manifest holds the checksums of all its parts."""
    manifest = bundle.manifest
    checksum = hashlib.sha256(dump_manifest(manifest).encode()).hexdigest()
    return BundleId(manifest.name, manifest.version, checksum, manifest.labels)


def choose_run(store: Store, work: SignalWork, bundle: BundleId, *, again: bool) -> tuple[Run, str]:
    """The run to go on with, or a new one; and what to tell the user about it."""
    stream = work.stream
    last = store.last_run(stream.address)
    if last is None:
        return store.begin(stream, bundle), ""
    if again:
        return store.begin(stream, bundle), "judged once more"
    if changed := _changes(last, stream, bundle):
        return store.begin(stream, bundle), f"{changed}; a new run begins"
    if last.finished_utc and work.live:
        return store.begin(stream, bundle), ""
    if last.finished_utc:
        return last, f"judged to its end at {last.finished_utc}: nothing new; use --again to judge it once more"
    return last, f"goes on at {minutes(last.next_sample / stream.fs_hz)}"


def _changes(last: Run, stream: Stream, bundle: BundleId) -> str:
    """What is different from the last run; empty where nothing is."""
    if last.bundle != bundle:
        old, new = f"{last.bundle.name} {last.bundle.version}", f"{bundle.name} {bundle.version}"
        return f"the bundle has changed from {old} to {new if new != old else 'another of that version'}"
    return "the recording has changed" if replace(last.stream, source=stream.source) != stream else ""


def minutes(seconds: float) -> str:
    """Time since the start of a recording: `5:32`, or `1:05:32`."""
    whole, rest = divmod(int(seconds), 60)
    return f"{whole}:{rest:02}" if whole < 60 else f"{whole // 60}:{whole % 60:02}:{rest:02}"
