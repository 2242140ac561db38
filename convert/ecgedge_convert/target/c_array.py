"""A model as C: an aligned array, and a header with all that the manifest says of it. The same input, the same text.

Knows nothing of boards or build systems; plain C11, and C++ by `extern "C"`.
"""

import hashlib
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ecgedge import NOTICE
from ecgedge.errors import BundleError
from ecgedge.manifest import Json, Manifest, Tensor
from ecgedge_convert.tflite_file import read_graph

ALIGNMENT = 16
"""Bytes; what TensorFlow Lite Micro asks of a model's place in memory."""
_PER_LINE = 16
_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if int long register return "
    "short signed sizeof static struct switch typedef union unsigned void volatile while bool class new this".split()
)


@dataclass(frozen=True, slots=True)
class CSource:
    """The two files."""

    stem: str
    """Their name without its ending; also begins every name in them."""
    header: str
    source: str
    constants_bytes: int
    """What its other constants take beside the model, with pointers of 4 bytes; a linker leaves out unused ones."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run in TensorFlow Lite Micro found, for the header."""

    arena_bytes: int
    """Round up, and add what your board's kernels take for scratch."""
    where: str
    """Package and processor."""


def c_source(manifest: Manifest, model: bytes, measured: Measured | None, *, name: str) -> CSource:
    """Write a model and its manifest as C.

    Parameters
    ----------
    model : what becomes the array; its batch fixed at one
    measured : None where tflite-micro is not installed; the header then has no arena
    name : of the files and of everything in them, made fit for C

    Raises
    ------
    BundleError
        The manifest holds a number that C cannot write.
    """
    stem = c_name(name)
    constants = sum(map(_bytes_of, manifest.labels))
    for _, value in _values(manifest):
        constants += sum(map(_bytes_of, value)) if isinstance(value, list) else 0
    return CSource(stem, _header(manifest, model, measured, stem), _source(manifest, model, stem), constants)


def c_name(name: str) -> str:
    """A name that C takes: lower case, underscores for what is neither letter nor digit."""
    made = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "model"
    return f"m_{made}" if made[0].isdigit() or made in _KEYWORDS else made


def _source(manifest: Manifest, model: bytes, stem: str) -> str:
    rows = (model[start : start + _PER_LINE] for start in range(0, len(model), _PER_LINE))
    array = "\n".join("  " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows)
    constants = "\n".join(_definitions(manifest, stem))
    return (
        f"/* {_comment(manifest.name)} {_comment(manifest.version)}: see {stem}.h. */\n"
        f'#include "{stem}.h"\n\n'
        f"_Alignas({ALIGNMENT}) const unsigned char {stem}_model[{stem.upper()}_MODEL_BYTES] = {{\n{array}\n}};\n\n"
        f"{constants}\n"
    )


def _header(manifest: Manifest, model: bytes, measured: Measured | None, stem: str) -> str:
    guard = f"{stem.upper()}_H"
    parts = [
        f"/* {_prose(manifest, model)} */",
        f"#ifndef {guard}\n#define {guard}\n",
        "#include <stdint.h>\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        *_section(f"{_comment(manifest.task)} model", _facts(manifest, model, measured, stem)),
        *_section("its tensors, in the order of the model file", _tensors(manifest, model, stem)),
        *_section("preprocessing and decision, as in the manifest", _numbers(manifest, stem)),
        f"extern const unsigned char {stem}_model[{stem.upper()}_MODEL_BYTES];",
        "\n".join(_declarations(manifest, stem)),
        "\n#ifdef __cplusplus\n}\n#endif\n",
        f"#endif /* {guard} */\n",
    ]
    return "\n".join(parts)


def _prose(manifest: Manifest, model: bytes) -> str:
    """What a reader must know before anything else."""
    ops = sorted({op.name for op in read_graph(model).ops})
    paragraphs = (
        f"{manifest.name} {manifest.version}: {', '.join(manifest.label_titles)}.",
        NOTICE,
        "Made by ecgedge convert --target mcu; do not edit, convert again. The array is the bundle's model with its "
        "batch fixed at one and its notes left out; it answers the same.",
        "Feed the inputs below in the model's integers: q = round(x / SCALE) + ZERO_POINT, limited to "
        f"{_limits(model)}. {_FEED[manifest.task]}",
        f"Ops for the resolver: {', '.join(ops)}.",
        f"Licence: {manifest.licence}. {manifest.attribution}.",
    )
    wrapped = (textwrap.wrap(_comment(text), 115, break_long_words=False) for text in paragraphs)
    return "\n\n".join("\n".join(f"   {line}" for line in lines) for lines in wrapped).strip()


_FEED = {
    "beat": "Computing them is not part of this file: find R-peaks, cut and scale the window, and compute the features "
    "by their names below, each as clip((value - CENTRE) / SCALE, -CLIP, CLIP), as ecgedge/beats.py does.",
    "page": "Computing them is not part of this file: find, flatten and scale the page as ecgedge/pages.py does.",
}


def _limits(model: bytes) -> str:
    wide = any(tensor.dtype == "int16" for tensor in read_graph(model).inputs)
    return "-32768 to 32767" if wide else "-128 to 127"


def _facts(manifest: Manifest, model: bytes, measured: Measured | None, stem: str) -> Iterator[str]:
    yield from _define(stem, "NAME", manifest.name)
    yield from _define(stem, "VERSION", manifest.version)
    yield from _define(stem, "NOTICE", NOTICE)
    yield from _define(stem, "MODEL_BYTES", len(model))
    yield from _define(stem, "MODEL_SHA256", hashlib.sha256(model).hexdigest())
    yield from _define(stem, "BUNDLE_MODEL_SHA256", manifest.model_sha256)
    if measured is not None:
        yield f"/* Smallest arena with {measured.where}; add what your board's kernels take for scratch. */"
        yield from _define(stem, "ARENA_BYTES", measured.arena_bytes)
    yield from _define(stem, "N_OPS", len({op.name for op in read_graph(model).ops}))
    yield from _define(stem, "N_LABELS", len(manifest.labels))


def _tensors(manifest: Manifest, model: bytes, stem: str) -> Iterator[str]:
    graph = read_graph(model)
    for side, stated, found in (
        ("INPUT", manifest.inputs, graph.inputs),
        ("OUTPUT", manifest.outputs, graph.outputs),
    ):
        places = {tensor.name: place for place, tensor in enumerate(found)}
        for tensor in (one for one in stated if one.tensor in places):
            yield from _tensor(tensor, f"{side}_{c_name(tensor.name).upper()}", places[tensor.tensor], stem)


def _tensor(tensor: Tensor, name: str, place: int, stem: str) -> Iterator[str]:
    size = 1
    for side in tensor.shape:
        size *= side
    yield f"/* {_comment(tensor.name)}: {tensor.dtype} {list(tensor.shape)} */"
    yield from _define(stem, f"{name}_INDEX", place)
    yield from _define(stem, f"{name}_SIZE", size)
    yield from _define(stem, f"{name}_SCALE", tensor.scale)
    yield from _define(stem, f"{name}_ZERO_POINT", tensor.zero_point)


def _numbers(manifest: Manifest, stem: str) -> Iterator[str]:
    """Single values as macros; lists come as arrays."""
    for name, value in _values(manifest):
        if isinstance(value, list):
            yield from _define(stem, f"N_{name.upper()}", len(value))
        else:
            yield from _define(stem, name.upper(), value)


def _declarations(manifest: Manifest, stem: str) -> Iterator[str]:
    yield f"extern const char *const {stem}_labels[{stem.upper()}_N_LABELS];"
    for name, value in _values(manifest):
        if isinstance(value, list):
            yield f"extern {_type(value)}{stem}_{name}[{stem.upper()}_N_{name.upper()}];"


def _definitions(manifest: Manifest, stem: str) -> Iterator[str]:
    yield from _array(f"const char *const {stem}_labels[{stem.upper()}_N_LABELS]", list(manifest.labels))
    for name, value in _values(manifest):
        if isinstance(value, list):
            yield from _array(f"{_type(value)}{stem}_{name}[{stem.upper()}_N_{name.upper()}]", value)


def _array(head: str, values: list[Json]) -> Iterator[str]:
    yield f"{head} = {{"
    yield from (f"  {_literal(value)}," for value in values)
    yield "};"


def _type(values: list[Json]) -> str:
    return "const char *const " if any(isinstance(value, str) for value in values) else "const float "


def _values(manifest: Manifest) -> Iterator[tuple[str, Json]]:
    """Every preprocessing and decision value as a flat name and a number, text, or non-empty list of one kind."""
    for step in manifest.preprocessing:
        yield from _flat(c_name(str(step.get("step", "step"))), {key: v for key, v in step.items() if key != "step"})
    yield from _flat("decision", manifest.decision)


def _flat(prefix: str, value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(f"{prefix}_{c_name(key)}", entry)
    elif isinstance(value, list):
        yield from _flat_list(prefix, value)
    elif value is not None:
        yield prefix, value


def _flat_list(prefix: str, values: list[Json]) -> Iterator[tuple[str, Json]]:
    texts = all(isinstance(value, str) for value in values)
    numbers = all(isinstance(value, int | float) for value in values)
    if values and (texts or numbers):
        yield prefix, values
    elif values:
        yield prefix, json.dumps(values)


def _define(stem: str, name: str, value: Json) -> Iterator[str]:
    yield f"#define {stem.upper()}_{name} {_literal(value)}"


def _literal(value: Json) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return _number(value)
    return _text(str(value))


def _number(value: int | float) -> str:
    if not math.isfinite(value):
        raise BundleError(f"the manifest holds the number {value}, which C cannot write; convert the model again")
    text = f"{value!r}f" if isinstance(value, float) else f"{value}"
    return f"({text})" if value < 0 else text


def _bytes_of(value: Json) -> int:
    """What an entry of an array takes: a float, or a pointer and its text."""
    return 4 + (len(value.encode()) + 1 if isinstance(value, str) else 0)


def _text(value: str) -> str:
    """A C string; what is not plain ASCII as octal, which ends after three digits."""
    return '"' + "".join(_character(byte) for byte in value.encode()) + '"'


def _character(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    body = "\n".join(lines)
    if body:
        yield f"/* {title} */\n{body}\n"


def _comment(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return text.replace("*/", "* /").replace("/*", "/ *")
