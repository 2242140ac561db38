"""What a stored result says to people, the same on the page and in the PDF. Knows neither HTML nor PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ecgedge.labels import AAMI
from ecgedge.manifest import Json
from ecgedge_device.results import Result

KIND_TITLES: Mapping[str, str] = MappingProxyType(
    {"beat": "Beat", "minute": "Minute", "alarm": "Alarm", "page": "Page", "recording": "Recording"}
)
_BEAT_TITLES = {**dict(zip(AAMI.names, AAMI.titles, strict=True)), "Q": "not judged"}
_DASH = "\N{EN DASH}"
_ROLE_TITLES = {"drawn": "What the model looked at", "picture": "The page as it was read"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One class with its probability."""

    label: str
    title: str
    share: float
    """0 to 1."""
    kept: bool
    """Whether it cannot be excluded."""
    chosen: bool

    @property
    def percent(self) -> str:
        """For people."""
        return f"{100 * self.share:.1f} %"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of the picture's quality."""

    name: str
    value: str
    limit: str
    good: bool
    remedy: str


@dataclass(frozen=True, slots=True)
class Words:
    """A result in words."""

    kind: str
    headline: str
    tone: str
    """`answer`, `none` (no answer), `refused`, `alarm` or `plain`."""
    reason: str = ""
    """Why there is no answer."""
    remedy: str = ""
    advice: str = ""
    warnings: Sequence[str] = ()
    bars: Sequence[Bar] = ()
    kept: str = ""
    """The classes that cannot be excluded."""
    rows: Sequence[tuple[str, str]] = ()
    measures: Sequence[Measure] = ()
    pictures: Sequence[tuple[str, str]] = ()
    """Role and title."""


def words_of(result: Result) -> Words:
    """A result of any kind in words."""
    return _SAY[result.kind](result)


def short_words(result: Result) -> str:
    """A result in one line, for lists."""
    words = words_of(result)
    return f"{words.headline}: {words.reason}" if words.tone == "refused" else words.headline


def _page(result: Result) -> Words:
    content = result.content
    pictures = [(role, title) for role, title in _ROLE_TITLES.items() if role in result.files]
    rows = [("Picture", text(content, "name")), *_bundle_rows(content)]
    if content.get("refused"):
        reason, remedy = parted(text(content, "reason").removeprefix(f"{text(content, 'name')}: "))
        return Words("Page", "Refused", "refused", reason, remedy, rows=rows, pictures=pictures)
    bars, label = _bars(content), text(content, "label")
    chosen = next((bar for bar in bars if bar.chosen), None)
    headline = f"{chosen.title}, {100 * chosen.share:.0f} %" if chosen else "No answer"
    reason, remedy = parted(text(content, "reason"))
    return Words(
        "Page",
        capital(headline),
        "answer" if label else "none",
        reason,
        remedy,
        text(content, "advice"),
        _page_warnings(content),
        bars,
        ", ".join(bar.title for bar in bars if bar.kept),
        [*rows, *_page_rows(content)],
        _measures(content),
        pictures,
    )


def _bars(content: Mapping[str, Json]) -> list[Bar]:
    titles, kept = mapping(content, "titles"), content.get("prediction_set")
    inside = kept if isinstance(kept, list) else []
    return [
        Bar(name, str(titles.get(name, name)), float(str(share)), name in inside, name == content.get("label"))
        for name, share in mapping(content, "probabilities").items()
    ]


def _page_warnings(content: Mapping[str, Json]) -> list[str]:
    found = []
    if not content.get("tested_layout", True):
        found.append("The model was never tested on this layout: no figure of it holds here.")
    if text(content, "layout") and content.get("gain_from") not in (None, "pulse"):
        found.append(
            f"No calibration pulse was read: {number(content, 'mm_per_mv')} mm/mV is assumed. Where the page says "
            "otherwise, do not use this answer."
        )
    return found


def _page_rows(content: Mapping[str, Json]) -> list[tuple[str, str]]:
    rows = [("Layout", text(content, "layout") or "not recognised")]
    if content.get("mm_per_mv") is not None:
        rows.append(("Gain", f"{number(content, 'mm_per_mv')} mm/mV"))
    if seconds := [float(str(value)) for value in mapping(content, "seconds").values()]:
        rows.append(("Time taken", f"{sum(seconds):.2f} s"))
    return rows


def _measures(content: Mapping[str, Json]) -> list[Measure]:
    found = content.get("quality")
    return [_measure(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _measure(one: Mapping[str, Json]) -> Measure:
    unit = text(one, "unit")
    side = "at least" if one.get("at_least", True) else "at most"
    remedy = "" if one.get("good") else text(one, "remedy")
    limit = f"{side} {number(one, 'limit')} {unit}".strip()
    return Measure(text(one, "name"), f"{number(one, 'value')} {unit}".strip(), limit, bool(one.get("good")), remedy)


def _alarm(result: Result) -> Words:
    content = result.content
    headline = capital(text(content, "text"))
    ended = content.get("state") == "ends"
    rows = [("Rule", text(content, "rule").replace("_", " ")), ("State", "ended" if ended else "began")]
    rows.append(("Value", f"{number(content, 'value')} {text(content, 'unit')}"))
    rows.append(("Limit", f"{number(content, 'limit')} {text(content, 'unit')}"))
    return Words(
        "Alarm",
        f"{'Ended: ' if ended else ''}{headline}",
        "plain" if ended else "alarm",
        rows=[*rows, *_recording_rows(content), *_bundle_rows(content)],
    )


def _minute(result: Result) -> Words:
    content = result.content
    rate = number(content, "heart_rate_bpm", 0)
    headline = f"{rate}/min" if rate != _DASH else "No heart rate"
    rows = [("Signal judged", f"{number(content, 'judged_s')} of {number(content, 'seconds')} s")]
    return Words(
        "Minute",
        f"{headline}, {_beats_words(content)}",
        "plain",
        rows=[*rows, *_heart_rows(content), *_recording_rows(content), *_bundle_rows(content)],
    )


def _recording(result: Result) -> Words:
    content = result.content
    if content.get("refused"):
        reason, remedy = parted(text(content, "reason").removeprefix(f"{text(content, 'recording')}: "))
        return Words("Recording", "Refused", "refused", reason, remedy, rows=_recording_rows(content))
    rate = number(content, "heart_rate_bpm", 0)
    headline = f"{text(content, 'recording')}: {rate}/min, {_beats_words(content)}"
    faults = content.get("faults")
    rows = [("Length", f"{number(content, 'seconds', 0)} s"), *_heart_rows(content), *_bundle_rows(content)]
    warnings = [str(fault) for fault in faults] if isinstance(faults, list) else []
    return Words("Recording", headline, "plain", warnings=warnings, rows=rows)


def _beat(result: Result) -> Words:
    content = result.content
    label = text(content, "label")
    bars = [
        Bar(name, _BEAT_TITLES.get(name, name), float(str(share)), kept=False, chosen=name == label)
        for name, share in mapping(content, "probabilities").items()
    ]
    rows = [("Time in the recording", f"{number(content, 'time_s', 2)} s"), ("RR", f"{number(content, 'rr_ms', 0)} ms")]
    return Words(
        "Beat",
        f"{label}, {_BEAT_TITLES.get(label, label)}",
        "plain",
        text(content, "reason"),
        bars=bars,
        rows=[*rows, *_recording_rows(content), *_bundle_rows(content)],
    )


def _beats_words(content: Mapping[str, Json]) -> str:
    counts = {name: count for name, count in mapping(content, "beats").items() if count}
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "no beats"


def _heart_rows(content: Mapping[str, Json]) -> list[tuple[str, str]]:
    counts = mapping(content, "beats")
    listed = ", ".join(f"{count} {name} ({_BEAT_TITLES.get(name, name)})" for name, count in counts.items() if count)
    burden = content.get("ectopic_burden")
    return [
        ("Beats", listed or "none"),
        ("RR, mean and deviation", f"{number(content, 'rr_mean_ms', 0)} ± {number(content, 'rr_sd_ms', 0)} ms"),
        ("RMSSD", f"{number(content, 'rmssd_ms', 0)} ms"),
        ("Longest RR", f"{number(content, 'longest_rr_ms', 0)} ms"),
        ("Ectopic beats", _DASH if burden is None else f"{100 * float(str(burden)):.1f} %"),
        ("Runs of three or more V", number(content, "v_runs")),
    ]


def _recording_rows(content: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [("Recording", text(content, "recording"))] if text(content, "recording") else []


def _bundle_rows(content: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [("Model", text(content, "bundle"))] if text(content, "bundle") else []


def parted(reason: str) -> tuple[str, str]:
    """A reason and its remedy: what stands behind the first semicolon."""
    what, _, remedy = reason.partition("; ")
    return what, capital(remedy)


def capital(words: str) -> str:
    """The first letter large."""
    return words[:1].upper() + words[1:]


def text(content: Mapping[str, Json], key: str) -> str:
    """A text; empty where there is none."""
    found = content.get(key)
    return "" if found is None else str(found)


def number(content: Mapping[str, Json], key: str, digits: int | None = None) -> str:
    """A number for people; a dash where there is none."""
    found = content.get(key)
    if not isinstance(found, int | float):
        return _DASH
    return f"{found:.{digits}f}" if digits is not None else f"{found:.3g}" if isinstance(found, float) else str(found)


def mapping(content: Mapping[str, Json], key: str) -> dict[str, Json]:
    """A mapping; empty where there is none."""
    found = content.get(key)
    return found if isinstance(found, dict) else {}


_SAY = {"page": _page, "alarm": _alarm, "minute": _minute, "recording": _recording, "beat": _beat}
