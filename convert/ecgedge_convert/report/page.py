"""A report as one HTML file that needs nothing else: no network, no other file, no script."""

from importlib.resources import files

from ecgedge_convert.report.document import Document, Gallery, Picture, Points, Table, Text, Verdicts

_FOLDER = "ecgedge_convert.report"
_KINDS = {Table: "table", Picture: "picture", Gallery: "gallery", Verdicts: "verdicts", Text: "text", Points: "points"}


def page(document: Document) -> str:
    """The whole report."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.tests["of_kind"] = lambda block, kind: _KINDS[type(block)] == kind
    environment.filters["drawn"] = Markup  # SVG of our own, escaped where it was made
    return environment.from_string(_read("page.html")).render(document=document, style=Markup(_read("page.css")))


def _read(name: str) -> str:
    return files(_FOLDER).joinpath(name).read_text(encoding="utf-8")
