"""What one call of `ecgedge convert` makes: which variants, under which names, in which files; and the making.

All files of a call come to their places together at its end, see `staging`: one that fails or is killed leaves what was
there before; after one that is done, the bundle of an earlier call does not stand for a variant that was refused.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from ecgedge.bundle import Bundle, write_bundle
from ecgedge.errors import BundleError, EcgedgeError, InputError
from ecgedge.manifest import Json
from ecgedge.records import FloatArray
from ecgedge_convert.calibration import Calibration
from ecgedge_convert.comparison import Comparison, answers_of, compared
from ecgedge_convert.conversion import Advance, Converted, Workbench, convert_variant
from ecgedge_convert.staging import move_in, staged
from ecgedge_convert.target.finish import beside, finish
from ecgedge_convert.variant import Variant
from ecgedge_train.pages.files import write_json

SUMMARY = "conversions.json"
REFERENCE = Variant("float32", "float32")
Begin = Callable[[Variant], Advance]
"""Called as a variant begins; gives what is called while it is trained on."""


@dataclass(frozen=True)
class Row:
    """What became of one variant."""

    variant: Variant
    made: Converted | None = None
    """None where it was refused."""
    path: Path | None = None
    comparison: Comparison | None = None
    """None where there were no inputs to compare on."""
    notes: tuple[str, ...] = ()
    """What its target says of it."""
    refused: str = ""
    """Why there is no bundle; else empty."""
    removed: tuple[Path, ...] = ()
    """Files of an earlier call that were removed, since this one has none in their place."""

    def to_json(self) -> dict[str, Json]:
        """As plain values."""
        row: dict[str, Json] = {"name": self.variant.name, "kind": self.variant.kind}
        if self.made is None or self.path is None:
            return {**row, "refused": self.refused, "removed": [path.name for path in self.removed]}
        compared = None if self.comparison is None else asdict(self.comparison)
        more: dict[str, Json] = {"compared with float32": cast(Json, compared), "notes": list(self.notes)}
        return {**row, "file": self.path.name, **self.made.to_json(), **more}


@dataclass(frozen=True)
class Plan:
    """Variants and where their bundles go."""

    variants: tuple[Variant, ...]
    out: Path
    name: str
    """Begins the names of bundles in a folder."""

    @property
    def is_folder(self) -> bool:
        """Whether `out` is a folder of bundles."""
        return self.out.suffix != ".tflite"

    def bundle_name(self, variant: Variant) -> str:
        """Name of the bundle in its manifest."""
        return f"{self.name}-{variant.name}" if self.is_folder else self.out.stem

    def path(self, variant: Variant) -> Path:
        """File of the bundle."""
        return self.place / f"{self.bundle_name(variant)}.tflite" if self.is_folder else self.out

    @property
    def place(self) -> Path:
        """Folder that the files come to."""
        return self.out if self.is_folder else self.out.parent

    @property
    def staging(self) -> Path:
        """Hidden folder that they are written in."""
        return self.place / (".converting" if self.is_folder else f".{self.out.name}.converting")


def make_plan(variants: Sequence[Variant], out: Path, *, name: str) -> Plan:
    """Check that the variants can be told apart and written.

    Raises
    ------
    InputError
        Several variants and one file, or a place that cannot be written.
    """
    plan = Plan(tuple(variants), out, name)
    if not plan.is_folder and len(variants) > 1:
        names = ", ".join(variant.name for variant in variants)
        raise InputError(f"-o {out}: {len(variants)} variants ({names}) do not fit one file; name a folder")
    _require_writable(plan)
    return plan


def _require_writable(plan: Plan) -> None:
    """Before the work of minutes or hours, not after it."""
    try:
        if plan.is_folder and plan.out.exists() and not plan.out.is_dir():
            raise InputError(f"-o {plan.out}: a file; name a folder, or a file that ends in .tflite")
        if not plan.is_folder and plan.out.is_dir():
            raise InputError(f"-o {plan.out}: a folder; name a file that ends in .tflite, or another folder")
        plan.place.mkdir(parents=True, exist_ok=True)
        trial = plan.place / f".{os.getpid()}.part"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise BundleError(f"{plan.out}: cannot be written ({error.strerror}); choose another place with -o") from None


def carry_out(
    plan: Plan,
    bench: Workbench,
    *,
    begin: Begin = lambda _variant: lambda _change, _epoch, _epochs, _loss: None,
    done: Callable[[Row], None] = lambda _one: None,
) -> list[Row]:
    """Make every variant and write it; one that is refused is a row that says why.

    Raises
    ------
    BundleError
        A file cannot be written, or another call writes to the same place.
    EcgedgeError
        The only variant, or every one, was refused. As with the errors before, no file was changed.
    """
    reference = _Reference(bench)
    with staged(plan.staging):
        rows: list[Row] = []
        for variant in plan.variants:
            rows.append(_made(plan, bench, variant, reference, begin(variant)))
            done(rows[-1])
        if all(row.made is None for row in rows):
            raise InputError(rows[0].refused)
        if plan.is_folder:
            _summarise(plan, rows, bench.calibration)
        gone = [path for row in rows for path in row.removed]
        move_in(plan.staging, plan.place, last=SUMMARY if plan.is_folder else "", gone=gone)
    return rows


class _Reference:
    """What the unchanged float32 model says of the inputs that answers are compared on; asked once."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._said: FloatArray | None = None

    def compared(self, bundle: Bundle) -> Comparison | None:
        """Compare a bundle; None where there is nothing to compare on."""
        apart = self._bench.calibration.apart
        if not self._bench.calibration.n_apart:
            return None
        if self._said is None:
            self._said = answers_of(convert_variant(self._bench, REFERENCE, name="float32").bundle, apart)
        return compared(self._said, answers_of(bundle, apart))


def _made(plan: Plan, bench: Workbench, variant: Variant, reference: _Reference, advance: Advance) -> Row:
    try:
        one = convert_variant(bench, variant, name=plan.bundle_name(variant), advance=advance)
        comparison = reference.compared(one.bundle)
    except EcgedgeError as error:
        return _refused(plan, variant, error)
    path = plan.path(variant)
    written = write_bundle(one.bundle, plan.staging / path.name)
    try:
        said = finish(written, variant.target, plan.staging / path.name)
    except BundleError as error:
        (plan.staging / path.name).unlink()
        return _refused(plan, variant, error)
    said = replace(said, files=tuple(plan.place / file.name for file in said.files))
    notes = said.lines() if variant.target != "pi" or said.refused else ()
    return Row(variant, replace(one, bundle=replace(written, source=str(path))), path, comparison, tuple(notes))


def _refused(plan: Plan, variant: Variant, error: EcgedgeError) -> Row:
    path = plan.path(variant)
    old = [file for file in (path, *beside(path, variant.target)) if file.exists()]
    return Row(variant, refused=" ".join(str(error).split()), removed=tuple(old))


def _summarise(plan: Plan, rows: Sequence[Row], calibration: Calibration) -> None:
    try:
        write_json(plan.staging / SUMMARY, plan_json(rows, calibration))
    except OSError as error:
        raise BundleError(
            f"{plan.out / SUMMARY}: cannot be written ({error.strerror}); make room, convert again"
        ) from None


def plan_json(rows: Sequence[Row], calibration: Calibration) -> dict[str, Json]:
    """The whole table as plain values."""
    return {
        "calibration": calibration.facts(),
        "compared on": calibration.n_apart,
        "variants": [row.to_json() for row in rows],
    }
