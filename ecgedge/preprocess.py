"""The parameters between a recording and a model's inputs, as named steps of the manifest.

`front.py` runs them, for training, files and live streams alike. Knows nothing of models, labels or stores.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ecgedge.beats import BeatSettings
from ecgedge.errors import BundleError, InputError
from ecgedge.manifest import Json, Manifest
from ecgedge.plain import from_plain, to_plain
from ecgedge.rpeaks import RPeakSettings


@dataclass(frozen=True, slots=True)
class BeatPipeline:
    """All parameters between a recording and the inputs of a beat model."""

    beats: BeatSettings
    r_peaks: RPeakSettings = field(default_factory=RPeakSettings)
    fs_hz: float = 360.0
    """Rate at which peaks are found and windows cut; other rates are resampled to it."""
    leads: tuple[str, ...] = ("MLII", "II", "ML2")
    """Leads the model was trained on, best first; a recording with none of them is judged by its first lead."""
    doubt_window_ms: float = 200.0
    """Signal around an R-peak that must be there for the beat to be judged, ms."""
    max_bad_share: float = 0.5
    """A beat is not judged where more of that signal is bad; a clipped R-peak is less than half of it."""

    def to_manifest(self) -> tuple[dict[str, Json], ...]:
        """The steps, in order, as a manifest holds them."""
        return (
            {"step": "lead", "prefer": list(self.leads)},
            {"step": "doubts", "window_ms": self.doubt_window_ms, "max_bad_share": self.max_bad_share},
            {"step": "resample", "fs_hz": self.fs_hz},
            {"step": "r_peaks", **to_plain(self.r_peaks)},
            {"step": "beats", **self.beats.to_manifest()},
        )

    def doubt_about(self, lead: str) -> str:
        """What a user must be told where the judged lead is not one that the model was trained on; else empty."""
        if lead.casefold() in (known.casefold() for known in self.leads):
            return ""
        return f"lead {lead} is not one the model was trained on ({', '.join(self.leads)}); its figures do not hold"

    def check_rate(self, fs_hz: float) -> None:
        """Refuse a signal that cannot hold the band in which beats are judged.

        Raises
        ------
        InputError
            A rate below twice the upper edge of the band.
        """
        lowest_hz = 2 * self.beats.high_hz
        if fs_hz < lowest_hz:
            raise InputError(
                f"sampling rate {fs_hz:g} Hz; beats are judged up to {self.beats.high_hz:g} Hz, which needs at least "
                f"{lowest_hz:g} Hz; record faster"
            )

    def choose_lead(self, leads: Sequence[str]) -> int:
        """Column of the lead to judge: the first of `self.leads` that is there, else 0."""
        names = [name.casefold() for name in leads]
        wanted = [names.index(lead.casefold()) for lead in self.leads if lead.casefold() in names]
        return wanted[0] if wanted else 0


def pipeline_of(manifest: Manifest) -> BeatPipeline:
    """Read the steps of a beat model's manifest.

    Raises
    ------
    BundleError
        A step or a parameter is missing, unknown or of the wrong kind.
    """
    prefer = manifest.step("lead").get("prefer")
    try:
        if not isinstance(prefer, list):
            raise TypeError(f"lead.prefer {prefer!r}")
        return BeatPipeline(
            beats=BeatSettings.from_manifest(manifest.step("beats")),
            r_peaks=from_plain(RPeakSettings, manifest.step("r_peaks"), where="r_peaks"),
            fs_hz=float(str(manifest.step("resample")["fs_hz"])),
            leads=tuple(str(lead) for lead in prefer),
            doubt_window_ms=float(str(manifest.step("doubts")["window_ms"])),
            max_bad_share=float(str(manifest.step("doubts")["max_bad_share"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"bundle {manifest.name}: preprocessing cannot be read ({error}); convert it again") from None
