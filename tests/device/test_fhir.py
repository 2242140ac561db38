"""Resources and their way to a real HTTP server that validates every body with fhir.resources and keeps it by its id.

fhir.resources has R4B, in which Observation and Bundle are those of R4; what it does not check (the rules obs-6 and
obs-7, the codes) is checked here.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgedge import NOTICE
from ecgedge_device.fhir import About, as_bundle, observation, page_observation, recording_observation, sampled_data
from ecgedge_device.health import Health
from ecgedge_device.report_settings import FhirSettings
from ecgedge_device.reporters import Refused, ReportError, open_reporter
from ecgedge_device.reporters.fhir import FhirReporter
from ecgedge_device.secrets import Secret
from tests.device.http_server import Reply, Request, Server
from tests.device.made_results import made, refused_page

models = pytest.importorskip("fhir.resources.R4B", reason="fhir.resources is not installed (extra dev)")
from fhir.resources.R4B.bundle import Bundle  # noqa: E402
from fhir.resources.R4B.observation import Observation  # noqa: E402

ABOUT = About(device="pi", device_reference="Device/ecgedge-1", subject="Patient/17")
LOINC = {"8601-7": "EKG impression", "11524-6": "EKG study", "8867-4": "Heart rate"}


def valid(resource: Any) -> dict[str, Any]:
    """As it goes over the wire, after the library and the rules have found nothing."""
    plain = json.loads(json.dumps(resource, allow_nan=False))
    Observation.model_validate(plain)
    parts = plain.get("component", [])
    for part in (plain, *parts):
        told = sum(key.startswith("value") or key == "dataAbsentReason" for key in part)
        assert told <= 1, "obs-6"
        assert told or (part is plain and parts), "neither a value nor a reason"
    for coding in codings(plain):
        assert coding["system"] != "http://loinc.org" or LOINC[coding["code"]] == coding["display"]
        assert "snomed" not in coding["system"]
    assert NOTICE in plain["note"][0]["text"] and NOTICE in plain["text"]["div"]
    return plain


def codings(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if {"system", "code", "display"} <= value.keys():
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from codings(one)


def components(resource: dict[str, Any]) -> dict[str, Any]:
    """Text of the code -> the component."""
    return {part["code"]["text"]: part for part in resource["component"]}


def test_the_library_refuses_what_is_none() -> None:
    good = json.loads(json.dumps(page_observation(made("page"), ABOUT)))
    for key, value in (
        ("status", None),
        ("issued", "yesterday"),
        ("valueText", "x"),
        ("component", [{"valueString": "x"}]),
    ):
        with pytest.raises(ValueError, match=key):
            Observation.model_validate(good | {key: value})


def test_a_page() -> None:
    result = made("page")
    found = valid(page_observation(result, ABOUT))
    assert (found["id"], found["status"]) == (result.id, "preliminary")
    assert found["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{result.id}"}]
    assert (found["effectiveDateTime"], found["issued"]) == (result.time_utc, result.stored_utc)
    assert found["code"]["coding"][0]["code"] == "8601-7"
    assert found["valueCodeableConcept"]["coding"] == [
        {"system": "urn:ecgedge:report-class", "code": "mi", "display": "myocardial infarction"}
    ]
    assert found["subject"] == {"reference": "Patient/17"} and found["device"] == {"reference": "Device/ecgedge-1"}
    chance = components(found)["probability of history of MI"]
    assert chance["valueQuantity"] == {"value": 0.04, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
    assert components(found)["prediction set"]["valueString"] == "myocardial infarction"
    assert [note["text"] for note in found["note"]] == [NOTICE, "Have a physician look at this page."]
    assert "bundle" not in found["method"]["text"] and "page 1.0.0" in found["method"]["text"]


def test_a_page_without_subject_references_time_or_tested_layout() -> None:
    result = made("page", tested_layout=False, layout="6x2", title="<b>&", ago_s=1e6)
    object.__setattr__(result, "time_utc", "")
    found = valid(page_observation(result, About(device="pi")))
    assert "subject" not in found and "effectiveDateTime" not in found and found["device"] == {"display": "pi"}
    assert found["note"][-1]["text"] == "The model was not tested on the layout 6x2."
    assert "&lt;b&gt;&amp;" in found["text"]["div"]


def test_a_refused_page_and_one_without_an_answer_say_why() -> None:
    refused = valid(page_observation(refused_page(), ABOUT))
    assert refused["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert refused["dataAbsentReason"]["text"].startswith("the picture is too blurred")
    assert "component" not in refused and not any(key.startswith("value") for key in refused)
    unsure = made("page", label=None, title="", reason="no class is likely enough", prediction_set=["mi", "normal"])
    found = valid(page_observation(unsure, ABOUT))
    assert found["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert found["dataAbsentReason"]["text"] == "no class is likely enough"
    assert components(found)["probability of normal"]["valueQuantity"]["value"] == 0.08
    assert components(found)["prediction set"]["valueString"] == "myocardial infarction, normal"


def test_a_recording_with_its_signal() -> None:
    signal = np.array([0.0, 0.1234, -1.5, math.nan, 2.0005], dtype=np.float32)
    found = valid(recording_observation(made("recording"), signal, 360, about=ABOUT, lead="II"))
    parts = components(found)
    rate = parts["Heart rate"]["valueQuantity"]
    assert (rate["value"], rate["code"]) == (71.4, "/min")
    assert parts["beats of class V"]["valueQuantity"]["value"] == 3
    assert parts["share of ectopic beats"]["valueQuantity"]["value"] == 0.0563
    assert parts["runs of three or more ventricular beats"]["valueQuantity"]["value"] == 1
    data = parts["ECG lead II"]["valueSampledData"]
    assert data["data"] == "0 123 -1500 E 2000" and data["dimensions"] == 1
    assert data["period"] == pytest.approx(1000 / 360, abs=1e-6) and data["origin"]["code"] == "mV"
    assert parts["ECG lead II"]["code"]["coding"][0]["code"] == "131330"
    assert "flat line from 12.0 to 14.0 s" in [note["text"] for note in found["note"]]


def test_the_signal_is_read_back_to_the_microvolt() -> None:
    mv = np.random.default_rng(1).normal(0, 1, 500)
    data = sampled_data(mv, 250)
    told = data["origin"]["value"] + data["factor"] * np.array(data["data"].split(), dtype=float)  # type: ignore[index]
    assert np.abs(told - mv).max() <= 0.0005 + 1e-12


def test_a_recording_without_what_is_unknown() -> None:
    result = made("recording", heart_rate_bpm=None, ectopic_burden=None, faults=[])
    parts = components(valid(observation(result, ABOUT)))
    assert parts["Heart rate"]["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not any("valueSampledData" in part for part in parts.values())
    with_other_lead = recording_observation(result, [0.0, 1.0], 250, about=ABOUT, lead="MLII")
    assert components(valid(with_other_lead))["ECG lead MLII"]["code"] == {"text": "ECG lead MLII"}


def test_what_is_none_of_these_is_refused() -> None:
    with pytest.raises(ValueError, match="is a minute"):
        observation(made("minute"), ABOUT)
    with pytest.raises(ValueError, match="is a recording"):
        page_observation(made("recording"), ABOUT)
    for signal, fs_hz in (([], 250), ([[1.0]], 250), ([1.0], 0)):
        with pytest.raises(ValueError, match="must be"):
            sampled_data(signal, fs_hz)


def test_many_as_one_file() -> None:
    many = [observation(made(kind, k), ABOUT) for k, kind in enumerate(("page", "recording", "page"))]
    for observations in (many, []):
        plain = json.loads(json.dumps(as_bundle(observations)))
        assert len(Bundle.model_validate(plain).entry or ()) == len(observations)


class FhirServer:
    """Keeps what it is PUT by its address, and complains as FHIR does."""

    def __init__(self, token: str = "") -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.token = token
        self.complaint = ""
        self.status = 0

    def __call__(self, request: Request) -> Reply:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return self._no(401, "who are you?")
        if self.status:
            return self._no(self.status, self.complaint)
        try:
            resource = valid(json.loads(request.body))
            assert request.headers["content-type"] == "application/fhir+json; charset=utf-8"
            assert (request.method, request.path) == ("PUT", f"/fhir/Observation/{resource['id']}")
        except (ValueError, AssertionError) as error:
            return self._no(422, str(error))
        known = request.path in self.kept
        self.kept[request.path] = resource
        return Reply(200 if known else 201)

    def _no(self, status: int, words: str) -> Reply:
        issue = {"severity": "error", "code": "processing", "diagnostics": words}
        return Reply(status, body=json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode())


RESULTS = [made("page", 1), refused_page(2), made("recording", 3), made("page", 4)]
ADDRESSES = [f"/fhir/Observation/{result.id}" for result in RESULTS]


def test_repeats_are_no_doubles() -> None:
    fhir = FhirServer()
    with Server(fhir) as server:
        for slash in ("", "/"):
            settings = FhirSettings(url=f"{server.url}/fhir{slash}", subject="Patient/17")
            reporter = open_reporter(settings, device="pi", files=Path(), health=Health())
            reporter.send(RESULTS)
            reporter.close()
    assert list(fhir.kept) == ADDRESSES and len(server.requests) == 8


def test_a_server_that_fails_gets_the_rest_later() -> None:
    fhir = FhirServer()
    with Server(fhir) as server:
        reporter = FhirReporter(FhirSettings(url=f"{server.url}/fhir"), device="pi")
        reporter.send(RESULTS[:1])
        fhir.status, fhir.complaint = 503, "too\nbusy"
        with pytest.raises(ReportError, match="503 too busy; it is sent again"):
            reporter.send(RESULTS[1:])
        fhir.status = 0
        reporter.send(RESULTS[1:])
        reporter.close()
    assert list(fhir.kept) == ADDRESSES


def test_one_that_is_never_taken_is_named_with_the_servers_words() -> None:
    fhir = FhirServer()
    with Server(fhir) as server:
        reporter = FhirReporter(FhirSettings(url=f"{server.url}/fhir"), device="pi")
        fhir.status, fhir.complaint = 422, "Patient/17 is not known"
        with pytest.raises(Refused, match="422 Patient/17 is not known") as caught:
            reporter.send(RESULTS)
        assert caught.value.id == RESULTS[0].id
        fhir.status = 0
        with pytest.raises(Refused, match="is a minute") as caught:
            reporter.send([RESULTS[1], made("minute", 9), RESULTS[2]])
        assert caught.value.id == made("minute", 9).id and list(fhir.kept) == ADDRESSES[1:2]
        reporter.close()


def test_a_token_that_is_renewed_loses_nothing(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    fhir = FhirServer("new")
    with Server(fhir) as server:
        settings = FhirSettings(url=f"{server.url}/fhir", token=Secret(f"file:{token}"))
        reporter = FhirReporter(settings, device="pi")
        with pytest.raises(ReportError, match=r"401 who are you\?; put the right key") as caught:
            reporter.send(RESULTS)
        assert not isinstance(caught.value, Refused)
        token.write_text("new\n")
        reporter.send(RESULTS)
        reporter.close()
    assert list(fhir.kept) == ADDRESSES


def test_the_snippet_of_a_recording_goes_with_it(tmp_path: Path) -> None:
    result = made("recording", 5)
    object.__setattr__(result, "files", {"snippet": "snippets/5.npz"})
    fhir = FhirServer()
    with Server(fhir) as server:
        reporter = FhirReporter(FhirSettings(url=f"{server.url}/fhir"), device="pi", files=tmp_path)
        reporter.send([result])
        (first,) = fhir.kept.values()
        assert "cannot be read any more" in first["note"][-1]["text"]
        (tmp_path / "snippets").mkdir()
        np.savez(tmp_path / "snippets" / "5.npz", mv=np.ones(720, np.float32), fs_hz=360.0, lead="II")
        reporter.send([result])
        reporter.close()
    (second,) = fhir.kept.values()
    assert components(second)["ECG lead II"]["valueSampledData"]["data"].split() == ["1000"] * 720
