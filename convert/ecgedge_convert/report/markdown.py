"""A report as Markdown: its words and tables; the pictures are in the page."""

from collections.abc import Sequence

from ecgedge_convert.report.document import Block, Cell, Document, Gallery, Picture, Points, Table, Text, Verdicts


def markdown(document: Document) -> str:
    """The whole report."""
    parts = [f"# {document.title}", f"**{document.notice}**", _safe(document.lead)]
    for chapter in document.chapters:
        parts += [f"## {_safe(chapter.title)}", _safe(chapter.lead)]
        for part in chapter.parts:
            parts.append(f"### {_safe(part.title)}")
            parts += [_block(block) for block in part.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return f"Picture in report.html: {_safe(block.title)}. {_safe(block.caption)}"
    if isinstance(block, Gallery):
        tables = [_table(item) for item in block.items if isinstance(item, Table)]
        drawn = [item for item in block.items if isinstance(item, Picture)]
        told = [f"- {_safe(item.title)}: {_safe(item.caption)}" for item in drawn]
        return "\n\n".join([_safe(block.note), *tables, *(["\n".join(told)] if told else [])])
    if isinstance(block, Verdicts):
        return "\n".join(f"- **{one.question}: {_safe(one.answer)}.** {_safe(one.why)}" for one in block.items)
    if isinstance(block, Points):
        return "\n".join(f"- {_safe(item)}" for item in block.items)
    return _paragraph(block)


def _paragraph(block: Text) -> str:
    return f"> **{_safe(block.text)}**" if block.warning else _safe(block.text)


def _table(table: Table) -> str:
    lines = [_line([_safe(name) for name in table.head]), _line(["---"] * len(table.head))]
    lines += [_line([_cell(cell) for cell in row]) for row in table.rows]
    note = f"\n\n{_safe(table.note)}" if table.note else ""
    return f"**{_safe(table.caption)}**\n\n" + "\n".join(lines) + note


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    below = f" ({_safe(cell.below)})" if cell.below else ""
    return f"{_safe(cell.text)}{below}"


def _safe(text: str) -> str:
    """Text that neither ends a cell nor begins markup."""
    for mark in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
