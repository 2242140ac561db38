"""The table that `ecgedge convert` ends with, and dry words on what a variant does not bring."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ecgedge_convert.convert_plan import Row
from ecgedge_convert.tensor_errors import TensorError
from ecgedge_convert.variant import Variant

_COLUMNS = ("bytes", "gzip", "params", "MACs", "agree %", "max dp", "s")


def convert_table(rows: Sequence[Row], *, title: str) -> Table:
    """One row a variant; one that was refused says why."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("variant", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.variant.name, row.variant.kind, *_cells(row))
    return table


def _cells(row: Row) -> Iterator[str]:
    if row.made is None:
        yield "none"
        return
    facts, comparison = row.made.facts, row.comparison
    for number in (facts.model_bytes, facts.gzip_bytes, facts.parameters):
        yield f"{number:,}"
    yield f"{facts.macs / 1e6:,.2f} M"
    yield "-" if comparison is None else f"{100 * comparison.agreement:.2f}"
    yield "-" if comparison is None else f"{comparison.largest_difference:.3f}"
    yield f"{row.made.seconds:.1f}"


def error_table(errors: Sequence[TensorError], *, title: str) -> Table:
    """Layers with what rounding costs them, one row each."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("layer")
    table.add_column("op")
    for column in ("SNR dB", "lost dB", "rmse", "rmse / step"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in errors:
        steps = "float" if one.rmse_steps != one.rmse_steps else f"{one.rmse_steps:.2f}"
        table.add_row(one.layer, one.op, f"{one.snr_db:.1f}", f"{one.lost_db:.1f}", f"{one.rmse:.3g}", steps)
    return table


def remarks(rows: Sequence[Row]) -> list[str]:
    """What was refused and why, and what must not be expected of the rest."""
    refused = [f"{row.variant.name}: none, {row.refused}{_without(row)}" for row in rows if row.made is None]
    made = [row.variant for row in rows if row.made is not None]
    said = list(dict.fromkeys(words for variant in made for words in _words(variant)))
    notes = (note for row in rows for note in _named_notes(row, several=len(rows) > 1))
    return [*refused, *notes, *_decided(rows), *said]


def _without(row: Row) -> str:
    """What was removed of an earlier call, which would look as if it came from this one."""
    return f"; removed of an earlier call: {', '.join(path.name for path in row.removed)}" if row.removed else ""


def _named_notes(row: Row, *, several: bool) -> Iterator[str]:
    """What its target says of a variant, which is named where there are several."""
    for note in row.notes:
        yield note if note.startswith(" ") or not several else f"{row.variant.name}: {note}"


def _decided(rows: Sequence[Row]) -> Iterator[str]:
    """Whose temperature and sets changed networks have; those of which the same is said stand in one line."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.made is not None and row.made.decided:
            names.setdefault(row.made.decided, []).append(row.variant.name)
    for words, found in names.items():
        yield f"{', '.join(found)}: {words}"


def _words(variant: Variant) -> Iterator[str]:
    if variant.prune:
        yield "pruned: zeros make the download (gzip) smaller; they are still multiplied, so the time stays as it was."
    if variant.cluster:
        yield "clustered: few different weights make the download (gzip) smaller; the time stays as it was."
    if variant.kind == "float16":
        yield "float16: a smaller file; weights are unpacked to float32, so the time stays as it was."
    if variant.kind == "dynamic":
        yield "dynamic: a smaller file without calibration; activations stay float, so int8 is faster."
    if variant.kind == "int16x8":
        yield "int16x8: closer to float than int8; few processors have fast kernels for it, so int8 is faster."
    if variant.keep_float:
        yield "kept: each layer left in float costs a conversion before and after it."
