"""What a converted model needs for where it is to run, `pi`, `coral` or `mcu`; and what would be refused there."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ecgedge.bundle import Bundle
from ecgedge.errors import BundleError
from ecgedge.extras import installed
from ecgedge.golden_checks import part
from ecgedge_convert.target.batch_of_one import batch_of_one
from ecgedge_convert.target.c_array import Measured, c_name, c_source
from ecgedge_convert.target.coral import CoralMapping, coral_mapping
from ecgedge_convert.target.micro import DEFAULT, RANDOM_VECTORS, REFERENCE, WHY, MicroRun, run_in_micro
from ecgedge_convert.target.refusals import Refusal, mcu_notes, refused_by_mcu, refused_by_pi
from ecgedge_convert.tflite_file import read_graph
from ecgedge_convert.tflite_graph import ModelFacts, graph_facts
from ecgedge_convert.variant import Target

_RANDOM_MACS = 3 * 10**8
"""Work spent on random inputs; a large model is given fewer of them."""
_FEWEST_VECTORS = 20
_SHOWN = 12
"""Reasons printed one by one."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What was found and written for a target."""

    target: Target
    facts: ModelFacts
    """Of the model as the target gets it."""
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """Written beside the bundle."""
    coral: CoralMapping | None = None
    micro: MicroRun | None = None
    constants_bytes: int = 0
    """Labels and preprocessing constants of the C file."""

    @property
    def flash_bytes(self) -> int:
        """What model and constants take of a microcontroller's flash; the interpreter's code comes on top."""
        return self.facts.model_bytes + self.constants_bytes

    def lines(self) -> tuple[str, ...]:
        """The report in words, one line each."""
        own = {"pi": _pi_lines, "coral": _coral_lines, "mcu": _mcu_lines}[self.target]
        return (*own(self), *self.notes, *(f"wrote {path}" for path in self.files))


def finish(bundle: Bundle, target: Target, out: Path) -> TargetReport:
    """Check a bundle for a target, and write what the target needs beside it.

    Parameters
    ----------
    out : where the bundle was written; its folder and stem name the files

    Raises
    ------
    BundleError
        For `mcu`: an op that TensorFlow Lite Micro cannot run, or a file that cannot be written; nothing is then left.
    """
    return {"pi": _finish_pi, "coral": _finish_coral, "mcu": _finish_mcu}[target](bundle, out)


def beside(out: Path, target: Target) -> tuple[Path, ...]:
    """The files that `finish` writes beside a bundle."""
    if target == "coral":
        return (out.with_name(f"{out.stem}-batch1.tflite"),)
    return tuple(out.with_name(f"{c_name(out.stem)}.{ending}") for ending in ("h", "c")) if target == "mcu" else ()


def _finish_pi(bundle: Bundle, out: Path) -> TargetReport:
    del out
    return TargetReport("pi", graph_facts(bundle.model), refused_by_pi(read_graph(bundle.model)))


def _finish_coral(bundle: Bundle, out: Path) -> TargetReport:
    model = batch_of_one(bundle.model)
    mapping = coral_mapping(read_graph(model))
    (path,) = beside(out, "coral")
    _write({path: model})
    return TargetReport("coral", graph_facts(model), mapping.refused, files=(path,), coral=mapping)


def _finish_mcu(bundle: Bundle, out: Path) -> TargetReport:
    model = batch_of_one(bundle.model, slim=True)
    graph, facts = read_graph(model), graph_facts(model)
    if refused := refused_by_mcu(graph):
        raise BundleError(f"{out.name}: not for mcu: {_first_and_more(refused)}")
    notes = mcu_notes(graph)
    run = None
    if installed("tflite_micro"):
        n_random = max(_FEWEST_VECTORS, min(RANDOM_VECTORS, _RANDOM_MACS // max(1, facts.macs)))
        run = run_in_micro(model, part(bundle.golden, "input"), n_random=n_random)
    else:
        notes += ("not run in TensorFlow Lite Micro, no arena measured; run: pip install 'ecgedge[mcu]'",)
    measured = None if run is None else Measured(run.arena_bytes, run.package)
    written = c_source(bundle.manifest, model, measured, name=out.stem)
    header, source = beside(out, "mcu")
    _write({header: written.header.encode(), source: written.source.encode()})
    return TargetReport(
        "mcu", facts, notes=notes, files=(header, source), micro=run, constants_bytes=written.constants_bytes
    )


def _first_and_more(refused: tuple[Refusal, ...]) -> str:
    first = refused[0]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return f"{first.op}, op {first.place}, {first.reason}{more}"


def _pi_lines(report: TargetReport) -> Iterator[str]:
    n = sum(report.facts.ops.values())
    if report.refused:
        yield f"pi: {len(report.refused)} of {n} ops are not in tflite-runtime 2.14 (32-bit Arm); LiteRT runs them"
    else:
        yield f"pi: all {n} ops run in LiteRT and in tflite-runtime 2.14 (32-bit Arm)"
    yield from _listed(report.refused)


def _coral_lines(report: TargetReport) -> Iterator[str]:
    assert report.coral is not None
    n = sum(report.facts.ops.values())
    yield f"coral: {report.coral.on_tpu} of {n} ops before the first that the Edge TPU compiler would refuse"
    yield from _listed(report.refused)
    if report.coral.behind:
        yield f"  {len(report.coral.behind)} more come after it and would run on the CPU"
    for one in report.coral.doubtful:
        yield f"  op {one.place} {one.op} {one.reason}"
    yield "  by Coral's table of operations, not compiled here; the log of edgetpu_compiler has the last word"


def _listed(refused: tuple[Refusal, ...]) -> Iterator[str]:
    """Ops refused for one reason stand in one line, by their places."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in refused:
        places.setdefault((one.op, one.reason), []).append(str(one.place))
    for (op, reason), found in list(places.items())[:_SHOWN]:
        yield f"  {'op' if len(found) == 1 else 'ops'} {', '.join(found)} {op} {reason}"
    if len(places) > _SHOWN:
        yield f"  and {len(places) - _SHOWN} reasons more"


def _mcu_lines(report: TargetReport) -> Iterator[str]:
    yield (
        f"mcu: flash {report.flash_bytes} bytes (model {report.facts.model_bytes}, labels and preprocessing constants "
        f"{report.constants_bytes}), {report.facts.macs} multiply-accumulates"
    )
    if report.micro is not None:
        yield from _micro_lines(report.micro)


def _micro_lines(run: MicroRun) -> Iterator[str]:
    yield f"  arena {run.arena_bytes} bytes ({run.package})"
    for one in run.agreements:
        differ = "" if one.bit_equal else f"; others differ by up to {_steps(one.most_steps)}"
        where = ", first in " + ", ".join(one.first_ops) if one.first_ops else ""
        yield f"  {one.equal} of {one.vectors} {one.inputs} inputs bit-equal with {one.against}{differ}{where}"
    yield from _why(run)


def _steps(most: float) -> str:
    return f"{most:g} step" + ("" if most == 1 else "s")


def _why(run: MicroRun) -> Iterator[str]:
    """The known reason, where there is a difference."""
    unequal = {one.against for one in run.agreements if not one.bit_equal}
    first = {name for one in run.agreements for name in one.first_ops}
    if REFERENCE in unequal and "FULLY_CONNECTED" in first:
        yield f"  ({WHY['FULLY_CONNECTED']})"
    if DEFAULT in unequal:
        yield f"  ({WHY[DEFAULT]})"


def _write(contents: dict[Path, bytes]) -> None:
    """All of the files or none: each is written beside its place first."""
    parts = {path: path.with_name(f".{path.name}.part") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with parts[path].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in parts.items():
            temporary.replace(path)
    except OSError as error:
        for temporary in parts.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise BundleError(f"{path}: cannot be written ({error.strerror}); choose another place with -o") from None
