"""Ratios of medians within one run: they travel between machines, seconds do not. A line each: title, above, below."""

from collections.abc import Mapping
from dataclasses import dataclass

_MODELS = ("custom-cnn", "mobilenet", "page", "beat")


def _peer(name: str) -> str:
    return "test_old_float32" if name == "tflite-runtime" else "test_peer"


RATIOS = (
    ("our R-peaks against sleepecg", "test_r_peaks[ours]", "test_r_peaks[sleepecg]"),
    ("our R-peaks against neurokit2", "test_r_peaks[ours]", "test_r_peaks[neurokit2]"),
    ("our R-peaks against gqrs", "test_r_peaks[ours]", "test_r_peaks[gqrs]"),
    ("our R-peaks against xqrs", "test_r_peaks[ours]", "test_r_peaks[xqrs]"),
    ("2 threads against 1, one beat", "test_raw_invoke_one_beat[2]", "test_raw_invoke_one_beat[1]"),
    ("our judge against the raw invoke, one beat", "test_judge_one_beat", "test_raw_invoke_one_beat[1]"),
    ("a beat in batches of 512 against one alone, raw", "test_raw_invoke_batches", "test_raw_invoke_all_beats"),
    ("engine on 30 minutes against raw invokes, one by one", "test_engine", "test_raw_invoke_all_beats"),
    ("engine on 30 minutes against raw invokes in batches", "test_engine", "test_raw_invoke_batches"),
    ("30 minutes, file to beats, against raw invokes", "test_file_to_beats", "test_raw_invoke_all_beats"),
    ("agent on 30 minutes against its raw invokes", "test_agent", "test_raw_invoke_all_beats"),
    ("agent on 30 minutes against the engine", "test_agent", "test_engine"),
    ("photo to flat page against its decoding", "test_find_page", "test_decode"),
    ("photo to flat page against one look at its pixels", "test_find_page", "test_resize_whole_photo"),
    ("flat page to curves against finding the page", "test_read_traces", "test_find_page"),
    ("ink against all of the curves", "test_find_ink", "test_read_traces"),
    ("photo to signals against its decoding", "test_digitise", "test_decode"),
    ("check picture against photo to signals", "test_overlay", "test_digitise"),
    ("photo to answer against photo to signals", "test_judge_photo[page]", "test_digitise"),
    ("i2s-ecg on our flat page against our curves", "test_i2s_ecg", "test_read_traces"),
    *(
        (f"int8 against float32, {name}", f"test_kernel[{name}-int8]", f"test_kernel[{name}-float32]")
        for name in _MODELS
    ),
    *(
        (f"half the channels against all, {name} int8", f"test_kernel[{name}-half-int8]", f"test_kernel[{name}-int8]")
        for name in _MODELS
    ),
    *(
        (f"{peer} against LiteRT, {name} float32", f"{_peer(peer)}[{name}-{peer}]", f"test_peer[{name}-litert]")
        for name in _MODELS
        for peer in ("tflite-runtime", "onnxruntime", "opencv")
    ),
    *(
        (f"tflite-runtime against LiteRT, {name} int8", f"test_old_int8[{name}]", f"test_kernel[{name}-int8]")
        for name in _MODELS
    ),
)


@dataclass(frozen=True, slots=True)
class Seconds:
    """Of one benchmark; or a ratio of two."""

    median: float
    least: float


def ratio_of(times: Mapping[str, Seconds], name: str, base: str) -> Seconds | None:
    """How many times as long one is as the other: of medians, and of least times, which other work on the machine
    touches less. None where one was not measured."""
    if name not in times or base not in times:
        return None
    above, below = times[name], times[base]
    return Seconds(above.median / below.median, above.least / below.least)


def ratio_lines(times: Mapping[str, Seconds]) -> list[str]:
    """A line for each ratio whose two sides were measured."""
    lines = []
    for title, name, base in RATIOS:
        if found := ratio_of(times, name, base):
            faster = f", {1 / found.median:.1f} times as fast" if found.median < 1 else ""
            lines.append(f"{title}: {found.median:.2f}{faster} (of least times {found.least:.2f})")
    return lines
