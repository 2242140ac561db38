"""The values that the store keeps and the reporters send: frozen, with units in their names."""

from dataclasses import dataclass

from ecgedge.records import Beat


@dataclass(frozen=True, slots=True)
class Stream:
    """What a source delivers, and how to know it again."""

    address: str
    """Where it comes from, in full: two starts with the same address go on with the same run."""
    recording: str
    """Short name, shown to people."""
    fs_hz: float
    leads: tuple[str, ...]
    n_samples: int
    fingerprint: str
    """Checksum of the samples: another one is another recording."""


@dataclass(frozen=True, slots=True)
class BundleId:
    """Which bundle judged."""

    name: str
    version: str
    sha256: str
    """Checksum of the manifest, which holds those of all other parts."""
    labels: tuple[str, ...]
    """Classes in the order of the probabilities."""


@dataclass(frozen=True, slots=True)
class Run:
    """One recording judged by one bundle, perhaps over several starts of the agent."""

    number: int
    uid: str
    """UUID; the ids of its beats are derived from it."""
    stream: Stream
    bundle: BundleId
    started_utc: str
    finished_utc: str
    """Empty until the recording has been judged to its end."""
    next_sample: int
    """Where a start goes on."""
    state: bytes
    """Of the engine at `next_sample`; empty at the start."""


@dataclass(frozen=True, slots=True)
class Result:
    """A stored beat, as it is reported."""

    id: str
    """UUID, the same in every delivery of this beat: receivers drop what they have."""
    address: str
    recording: str
    bundle: str
    bundle_version: str
    labels: tuple[str, ...]
    """Classes in the order of the probabilities."""
    beat: Beat
    stored_utc: str
