"""One result as a PDF of one or two A4 pages. Knows nothing of HTTP."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Table, TableStyle

from ecgedge import NOTICE, __version__
from ecgedge_device.results import Result
from ecgedge_device.web.rendering import time_words
from ecgedge_device.web.wording import Bar, Measure, Words, words_of

_MARGIN = 18 * mm
_FRAME = 6
"""Padding that reportlab keeps inside the margins."""
_WIDTH = A4[0] - 2 * _MARGIN - 2 * _FRAME
_MOST_PX = 1800
"""Longer side of a picture in the report: 260 dots per inch over the width of the page."""
_TALLEST = 118 * mm

_INK, _SOFT, _LINE = HexColor("#14201f"), HexColor("#51605f"), HexColor("#d8dfdf")
_ACCENT, _WARN, _BAD, _GROUND = HexColor("#0b6b74"), HexColor("#7a4b00"), HexColor("#9d1c1c"), HexColor("#fdf1dc")
_TONES = {"refused": _WARN, "none": _WARN, "alarm": _BAD}

_TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=10, leading=14, textColor=_INK)
_BIG = ParagraphStyle("big", _TEXT, fontName="Helvetica-Bold", fontSize=21, leading=26, spaceAfter=2 * mm)
_HEAD = ParagraphStyle("head", _TEXT, fontName="Helvetica-Bold", fontSize=11, spaceBefore=5 * mm, spaceAfter=1.5 * mm)
_SMALL = ParagraphStyle("small", _TEXT, fontSize=8.5, leading=11.5, textColor=_SOFT)
_KIND = ParagraphStyle("kind", _SMALL, fontName="Helvetica-Bold")
_VALUE = ParagraphStyle("value", _TEXT, alignment=TA_RIGHT)
_BOLD = ParagraphStyle("bold", _TEXT, fontName="Helvetica-Bold")
_BOLD_VALUE = ParagraphStyle("bold value", _BOLD, alignment=TA_RIGHT)
_NOTICE = ParagraphStyle(
    "notice",
    _BOLD,
    textColor=_WARN,
    backColor=_GROUND,
    borderPadding=5,
    spaceBefore=3 * mm,
    spaceAfter=3 * mm,
)


def make_report(result: Result, *, files: Path, device: str, model: str) -> bytes:
    """The report of a result.

    Parameters
    ----------
    files : folder that the paths of the result's files are relative to; a file that is gone is left out
    device : name of this device
    model : line of the model's card; empty for none
    """
    words, buffer = words_of(result), io.BytesIO()
    when = time_words(result.time_utc or result.stored_utc)
    foot = f"{device} · {result.source} · {when} · id {result.id} · ecgedge {__version__}"
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=16 * mm,
        bottomMargin=20 * mm,
        title=f"ecgedge: {words.kind}, {when}",
        author=device,
        subject=NOTICE,
        creator=f"ecgedge {__version__}",
        lang="en",
    )

    def draw_foot(canvas: Canvas, _document: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica-Bold", 8)
        canvas.setFillColor(_WARN)
        canvas.drawString(_MARGIN + _FRAME, 13 * mm, NOTICE)
        canvas.setFont("Helvetica", 7.5)
        canvas.setFillColor(_SOFT)
        canvas.drawString(_MARGIN + _FRAME, 9 * mm, plain(foot))
        canvas.drawRightString(A4[0] - _MARGIN - _FRAME, 13 * mm, str(canvas.getPageNumber()))
        canvas.restoreState()

    document.build(_story(result, words, files, when, model), onFirstPage=draw_foot, onLaterPages=draw_foot)
    return buffer.getvalue()


def _story(result: Result, words: Words, files: Path, when: str, model: str) -> list[Flowable]:
    story: list[Flowable] = [
        _paragraph(f"ECG {words.kind.upper()}  ·  {when}  ·  {result.source}", _KIND),
        _paragraph(words.headline, ParagraphStyle("tone", _BIG, textColor=_TONES.get(words.tone, _ACCENT))),
    ]
    remedy = f"What to do: {words.remedy}" if words.remedy else ""
    story += [_paragraph(_sentence(text), _TEXT) for text in (words.reason, remedy, words.advice) if text]
    story += [_paragraph(text, ParagraphStyle("warning", _TEXT, textColor=_WARN)) for text in words.warnings]
    story.append(_paragraph(NOTICE, _NOTICE))
    if words.bars:
        story.append(_bars(words.bars))
    if words.kept:
        story.append(_paragraph(f"Classes that cannot be excluded: {words.kept}.", _TEXT))
    if model and words.bars:
        story.append(_paragraph(f"Model {model}", _SMALL))
    for role, title in words.pictures:
        if picture := _picture(files / result.files[role]):
            story.append(KeepTogether([_paragraph(title, _HEAD), picture]))
    story.append(
        KeepTogether([_paragraph("Details", _HEAD), _rows([*words.rows, ("Stored", time_words(result.stored_utc))])])
    )
    if words.measures:
        story.append(KeepTogether([_paragraph("Quality of the picture", _HEAD), _quality(words.measures)]))
    return story


class _Share(Flowable):
    """One bar."""

    def __init__(self, share: float, colour: Color) -> None:
        super().__init__()
        self.width, self.height = 62 * mm, 3.6 * mm
        self._share, self._colour = share, colour

    def draw(self) -> None:
        """Rail and bar."""
        self.canv.setFillColor(_LINE)
        self.canv.rect(0, 0, self.width, self.height, stroke=0, fill=1)
        self.canv.setFillColor(self._colour)
        self.canv.rect(0, 0, max(0.6 * mm, self.width * self._share), self.height, stroke=0, fill=1)


def _bars(bars: Sequence[Bar]) -> Table:
    rows = [
        [
            _paragraph(bar.title, _BOLD if bar.chosen else _TEXT),
            _Share(bar.share, _ACCENT if bar.chosen else _SOFT),
            _paragraph(bar.percent, _BOLD_VALUE if bar.chosen else _VALUE),
            _paragraph("cannot be excluded" if bar.kept else "excluded", _SMALL),
        ]
        for bar in bars
    ]
    return _table(rows, (48 * mm, 65 * mm, 18 * mm, _WIDTH - 131 * mm), lines=False)


def _rows(rows: Sequence[tuple[str, str]]) -> Table:
    return _table([[_paragraph(a, _SMALL), _paragraph(b, _TEXT)] for a, b in rows], (48 * mm, _WIDTH - 48 * mm))


def _quality(measures: Sequence[Measure]) -> Table:
    rows = [
        [
            _paragraph(one.name, _SMALL),
            _paragraph(one.value, _TEXT),
            _paragraph(f"{'good' if one.good else 'NOT GOOD'}, {one.limit}", _TEXT if one.good else _BOLD),
            _paragraph(one.remedy, _TEXT),
        ]
        for one in measures
    ]
    return _table(rows, (30 * mm, 30 * mm, 50 * mm, _WIDTH - 110 * mm))


def _table(rows: Sequence[Sequence[Flowable]], widths: Sequence[float], *, lines: bool = True) -> Table:
    style: list[tuple[str, tuple[int, int], tuple[int, int], *tuple[object, ...]]] = [
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if lines:
        style.append(("LINEABOVE", (0, 1), (-1, -1), 0.4, _LINE))
    return Table([list(row) for row in rows], colWidths=list(widths), style=TableStyle(style), hAlign="LEFT")


def _picture(path: Path) -> Flowable | None:
    """A picture as JPEG of at most `_MOST_PX`, so that reports stay small; None where it is gone."""
    pixels = cv2.imread(str(path)) if path.is_file() else None
    if pixels is None:
        return None
    scale = min(1.0, _MOST_PX / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes()
    height, width = small.shape[:2]
    factor = min(_WIDTH / width, _TALLEST / height)
    return Image(io.BytesIO(content), width * factor, height * factor, hAlign="LEFT")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    escaped = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Paragraph(escaped, style)


def plain(text: str) -> str:
    """Text in the letters that PDF's own fonts have; others become a question mark."""
    return text.encode("cp1252", "replace").decode("cp1252")
