"""Results as resources of HL7 FHIR R4 (4.0.1): plain values, for a server or a file. Knows nothing of networks.

Codes are LOINC, UCUM and ISO/IEEE 11073-10101 where one says exactly what is meant, else codes of our own
(`urn:ecgedge:..`). An answer is `preliminary`: no person has looked at it. A resource has the id of its result, so
that one that comes twice replaces itself.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from ecgedge import NOTICE, __version__
from ecgedge.manifest import Json
from ecgedge_device.results import Result

FHIR_KINDS = ("page", "recording")
"""Kinds of results that have a resource."""
REPORT_CLASS, BEAT_CLASS, MEASURE = "urn:ecgedge:report-class", "urn:ecgedge:beat-class", "urn:ecgedge:measure"
"""Code systems of our own."""
_LOINC, _UCUM, _MDC = "http://loinc.org", "http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.24"
_TERMS = "http://terminology.hl7.org/CodeSystem"
_MDC_LEADS = {"I": "131329", "II": "131330", "III": "131389"}
_UNITS = {"/min": "beats/min", "1": "1", "s": "s", "ms": "ms"}  # UCUM code -> what people read
_MEASURES = {  # key of the content -> words, UCUM code
    "seconds": ("duration", "s"),
    "rr_mean_ms": ("mean RR interval", "ms"),
    "rr_sd_ms": ("standard deviation of RR intervals", "ms"),
    "rmssd_ms": ("root mean square of successive RR differences", "ms"),
    "longest_rr_ms": ("longest RR interval", "ms"),
    "ectopic_burden": ("share of ectopic beats", "1"),
    "v_runs": ("runs of three or more ventricular beats", "1"),
}

Resource: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Who and what observations are about."""

    device: str
    """Name of this device."""
    device_reference: str = ""
    """Such as Device/ecgedge-1; empty: the name as text."""
    subject: str = ""
    """Such as Patient/17; empty: none is named."""


def observation(result: Result, about: About) -> Resource:
    """The Observation of a page, or of a recording without its signal.

    Raises
    ------
    ValueError
        The result is of another kind than `FHIR_KINDS`.
    """
    if result.kind == "page":
        return page_observation(result, about)
    return recording_observation(result, None, 0.0, about=about)


def page_observation(result: Result, about: About) -> Resource:
    """The class of a page with the probability of each, or why there is none.

    Raises
    ------
    ValueError
        The result is no page.
    """
    _require(result, "page")
    content = result.content
    label, title, reason = content.get("label"), _words(content, "title"), _words(content, "reason")
    titles = cast(Mapping[str, str], content.get("titles") or {})
    answer: Resource
    if isinstance(label, str):
        answer = {"valueCodeableConcept": _concept(REPORT_CLASS, label, title or label)}
    else:
        answer = {"dataAbsentReason": _absent("not-performed" if content.get("refused") else "unknown", reason)}
    components: list[Json] = [
        _quantity(_concept(REPORT_CLASS, name, titles.get(name, name), f"probability of {titles.get(name, name)}"), p)
        for name, p in cast(Mapping[str, float], content.get("probabilities") or {}).items()
    ]
    if chosen := cast(Sequence[str], content.get("prediction_set") or ()):
        names = ", ".join(titles.get(name, name) for name in chosen)
        components.append({"code": _measure("prediction_set", "prediction set"), "valueString": names})
    notes = [reason if isinstance(label, str) else "", _words(content, "advice"), _untested(content)]
    head = _head(result, about, ("8601-7", "EKG impression"), title or reason or "no answer", notes)
    return head | answer | ({"component": components} if components else {})


def recording_observation(
    result: Result, snippet: ArrayLike | None, fs_hz: float, *, about: About, lead: str = ""
) -> Resource:
    """Heart rate, counts and burden of a recording, with a stretch of its signal where one is at hand.

    Parameters
    ----------
    snippet : (n_samples,), mV; NaN where nothing was measured; None for no signal
    fs_hz : sampling rate of the snippet, Hz
    lead : its name

    Raises
    ------
    ValueError
        The result is no recording, or the snippet has no samples, two dimensions or no rate.
    """
    _require(result, "recording")
    content = result.content
    components: list[Json] = [
        _quantity(_concept(_LOINC, "8867-4", "Heart rate"), content.get("heart_rate_bpm"), "/min"),
        *(
            _quantity(_concept(BEAT_CLASS, name, name, f"beats of class {name}"), count)
            for name, count in cast(Mapping[str, int], content.get("beats") or {}).items()
        ),
        *(_quantity(_measure(key, words), content.get(key), unit) for key, (words, unit) in _MEASURES.items()),
    ]
    if snippet is not None:
        components.append({"code": _lead(lead), "valueSampledData": sampled_data(snippet, fs_hz)})
    faults = [str(fault) for fault in cast(Sequence[str], content.get("faults") or ())]
    told = f"recording {_words(content, 'recording')}"
    return _head(result, about, ("11524-6", "EKG study"), told, faults) | {"component": components}


def sampled_data(signal: ArrayLike, fs_hz: float) -> Resource:
    """A signal as SampledData, in whole µV around an origin of 0 mV; "E" where nothing was measured.

    Parameters
    ----------
    signal : (n_samples,), mV
    fs_hz : sampling rate, Hz

    Raises
    ------
    ValueError
        No samples, more than one dimension, or no rate.
    """
    mv = np.asarray(signal, dtype=np.float64)
    if mv.ndim != 1 or not len(mv) or not fs_hz > 0:
        raise ValueError(f"signal of shape {mv.shape} at {fs_hz:g} Hz; it must be (n_samples,) with a rate above 0")
    return {
        "origin": {"value": 0, "unit": "mV", "system": _UCUM, "code": "mV"},
        "period": round(1000 / fs_hz, 6),
        "factor": 0.001,
        "dimensions": 1,
        "data": " ".join(str(round(1000 * value)) if np.isfinite(value) else "E" for value in mv.tolist()),
    }


def as_bundle(observations: Sequence[Resource]) -> Resource:
    """Observations as one Bundle of type collection, for a file."""
    entries: list[Json] = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in observations]
    return {"resourceType": "Bundle", "type": "collection"} | ({"entry": entries} if entries else {})


def _head(result: Result, about: About, code: tuple[str, str], told: str, notes: Sequence[str]) -> Resource:
    """What observations of both kinds have."""
    method = f"ecgedge {__version__}, {_words(result.content, 'bundle')}".rstrip(", ")
    said: list[Json] = [{"text": text} for text in (NOTICE, *notes) if text]
    found: Resource = {
        "resourceType": "Observation",
        "id": result.id,
        "text": {"status": "generated", "div": _narrative(told)},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{result.id}"}],
        "status": "preliminary",
        "category": [_concept(f"{_TERMS}/observation-category", "procedure", "Procedure")],
        "code": _concept(_LOINC, *code),
        "issued": result.stored_utc,
        "method": {"text": method},
        "device": {"reference": about.device_reference} if about.device_reference else {"display": about.device},
        "note": said,
    }
    if about.subject:
        found["subject"] = {"reference": about.subject}
    if result.time_utc:
        found["effectiveDateTime"] = result.time_utc
    return found


def _require(result: Result, kind: str) -> None:
    if result.kind != kind:
        raise ValueError(
            f"result {result.id} is a {result.kind}; FHIR resources are made of {' and '.join(FHIR_KINDS)}s"
        )


def _narrative(told: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{html.escape(told)}</p><p>{html.escape(NOTICE)}</p></div>'


def _concept(system: str, code: str, display: str, text: str = "") -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": text or display}


def _measure(code: str, words: str) -> Resource:
    return _concept(MEASURE, code, words)


def _lead(name: str) -> Resource:
    words = f"ECG lead {name}" if name else "ECG signal"
    if name in _MDC_LEADS:
        return _concept(_MDC, _MDC_LEADS[name], f"MDC_ECG_ELEC_POTL_{name}", words)
    return {"text": words}


def _quantity(code: Resource, value: Json, unit: str = "1") -> Resource:
    if not isinstance(value, int | float):
        return {"code": code, "dataAbsentReason": _absent("unknown", "")}
    amount: Resource = {"value": round(value, 4), "unit": _UNITS[unit], "system": _UCUM, "code": unit}
    return {"code": code, "valueQuantity": amount}


def _absent(code: str, reason: str) -> Resource:
    display = {"not-performed": "Not Performed", "unknown": "Unknown"}[code]
    return _concept(f"{_TERMS}/data-absent-reason", code, display, reason)


def _untested(content: Mapping[str, Json]) -> str:
    if content.get("tested_layout") is False and not content.get("refused"):
        return f"The model was not tested on the layout {_words(content, 'layout') or 'of this page'}."
    return ""


def _words(content: Mapping[str, Json], key: str) -> str:
    found = content.get(key)
    return found.strip() if isinstance(found, str) else ""
