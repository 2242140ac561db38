"""PDF reports: read back with another library; and how results are put into words."""

import io
from pathlib import Path

import numpy as np
import pypdf
import pytest
import requests

from ecgedge import NOTICE
from ecgedge_device.results import Finding, Result
from ecgedge_device.web.pdf_report import make_report, plain
from ecgedge_device.web.rendering import bytes_words, span_words, time_words
from ecgedge_device.web.wording import parted
from tests.device.small_agent import (
    SmallAgent,
    alarm_finding,
    jpeg,
    minute_finding,
    page_finding,
    recording_finding,
    refused_finding,
    served,
)


def stored(finding: Finding) -> Result:
    now = "2026-01-31T14:05:10.000Z"
    return Result(1, finding.id, finding.kind, finding.source, finding.time_utc, now, finding.content, finding.files)


def read(content: bytes) -> tuple[pypdf.PdfReader, str]:
    reader = pypdf.PdfReader(io.BytesIO(content))
    return reader, " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_a_page_as_pdf(tmp_path: Path) -> None:
    agent = SmallAgent(tmp_path)
    files = {role: agent.files.keep(role, "a", jpeg(2400, 1600)) for role in ("picture", "drawn")}
    finding = page_finding(files=files)
    agent.add(finding)
    with served(agent) as address:
        answer = requests.get(f"{address}/api/results/{finding.id}/report.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="ecgedge-page-{finding.id[:8]}.pdf"'
    reader, text = read(answer.content)
    for words in (
        "Myocardial infarction, 91 %",
        "Whoever has chest pain should call an ambulance now.",
        "Classes that cannot be excluded: myocardial infarction, abnormal heartbeat.",
        "history of MI",
        "macro F1",
        "NOT GOOD, at most 8 %",
        "2026-01-31 14:05:09 UTC",
        "ward-3",
        finding.id,
    ):
        assert words in text, words
    assert text.count(NOTICE) >= 1 + len(reader.pages)
    images = [image for page in reader.pages for image in page.images]
    assert [max(image.image.size) for image in images if image.image is not None] == [1800, 1800]
    assert reader.metadata is not None and reader.metadata.subject == NOTICE


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (page_finding(label=None), "No answer"),
        (refused_finding(), "What to do: Take it from above."),
        (minute_finding(), "Runs of three or more V"),
        (alarm_finding(), "Pause of 3.4 s"),
        (recording_finding(), "lead off from 3 s to 9 s"),
    ],
)
def test_every_kind_as_pdf(tmp_path: Path, finding: Finding, words: str) -> None:
    _, text = read(make_report(stored(finding), files=tmp_path, device="ward-3", model=""))
    assert words in text and text.count(NOTICE) >= 2


def test_odd_names_and_lost_pictures_do_not_break_it(tmp_path: Path) -> None:
    finding = page_finding(
        name="<b>&amp; \N{GREEK SMALL LETTER OMEGA} \N{HEART WITH ARROW}.jpg", files={"drawn": "gone.jpg"}
    )
    (tmp_path / "bad.jpg").write_bytes(np.zeros(100, np.uint8).tobytes())
    _, text = read(make_report(stored(finding), files=tmp_path, device="ward-3", model="page 0.1.0"))
    assert "<b>&amp; ? ?.jpg" in text
    assert plain("\N{PLUS-MINUS SIGN} caf\N{LATIN SMALL LETTER E WITH ACUTE}").isprintable()
    bad = page_finding(files={"picture": "bad.jpg"})
    assert "The page as it was read" not in read(make_report(stored(bad), files=tmp_path, device="d", model=""))[1]


def test_words_of_figures() -> None:
    assert [bytes_words(count) for count in (0, 999, 4_630_000, 271_000_000_000)] == [
        "0 B",
        "999 B",
        "4.63 MB",
        "271 GB",
    ]
    assert [span_words(s) for s in (4.2, 61, 3700, 90_000)] == ["4 s", "1 min", "1 h 1 min", "1 d 1 h"]
    assert time_words("") == "unknown" and time_words("2026-01-31T14:05:09.120Z") == "2026-01-31 14:05:09 UTC"
    assert parted("too dark; take more light") == ("too dark", "Take more light")
    assert parted("too unsure") == ("too unsure", "")
