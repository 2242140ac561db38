"""Golden vectors of a page bundle: a drawn page, as a small PNG, with the answer it must give.

The page is simulated, since pages of patients do not belong in a bundle.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.batched_model import Arrays
from ecgedge.bundle import Bundle
from ecgedge.golden_checks import INPUT_STEPS, OUTPUT_STEPS, STRAY_SHARE, Check, all_close, part
from ecgedge.page_engine import PROBABILITIES, PageAnswer, PageEngine
from ecgedge.page_pipeline import page_pipeline_of
from ecgedge.page_reading import read_page
from ecgedge.paper.page import Pixels
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import PageStyle
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

_NAME, _SEED = "golden page", 20
_PX_PER_MM = 4.0  # as the scans the models are trained on
_MAP_STEPS = 3
"""Integer steps by which a map may differ elsewhere; tflite-runtime 2.14 differs from LiteRT by 2 where they add up to
probabilities that differ by 1."""
_GREYS = 8  # fewer levels, fewer bytes: 22 kB in place of 45
_STYLE = PageStyle(name="golden", header="none", footer="none")


def page_golden(bundle: Bundle) -> dict[str, NDArray[np.generic]]:
    """Golden vectors made by running the bundle here, in the first layout it was trained on."""
    png = _drawn_png(page_pipeline_of(bundle.manifest).layouts[0])
    engine = PageEngine(bundle)
    reading = read_page(read_picture(png.tobytes(), name=_NAME), engine.pipeline)
    inputs = engine.quantised(engine.pipeline.inputs_of(reading.page, reading.traces))
    return {
        "page_png": png,
        "answer": np.array(_words(engine.judge_reading(reading))),
        **{f"input:{name}": values for name, values in inputs.items()},
        **{f"output:{name}": values for name, values in engine.raw(inputs).items()},
    }


def page_selftest(bundle: Bundle, *, threads: int = 1) -> tuple[Check, ...]:
    """The model alone, reading and preprocessing alone, and the whole way.

    Raises
    ------
    KeyError
        The golden vectors lack a part.
    """
    golden = bundle.golden
    picture = read_picture(golden["page_png"].astype(np.uint8).tobytes(), name=_NAME)
    stored = part(golden, "input")
    engine = PageEngine(bundle, threads=threads)
    reading = read_page(picture, engine.pipeline)
    inputs = engine.quantised(engine.pipeline.inputs_of(reading.page, reading.traces))
    return (
        _same_outputs(engine.raw(stored), part(golden, "output")),
        all_close("reading and preprocessing", inputs, stored, steps=INPUT_STEPS, stray_share=STRAY_SHARE),
        _same_answer(engine.judge_reading(reading), str(golden["answer"])),
    )


def _same_outputs(found: Arrays, expected: Arrays) -> Check:
    """Probabilities as close as those of beats, maps a little less."""
    answers = {name: values for name, values in expected.items() if name == PROBABILITIES}
    maps = {name: values for name, values in expected.items() if name != PROBABILITIES}
    checks = [
        all_close("probabilities", found, answers, steps=OUTPUT_STEPS),
        *([all_close("maps", found, maps, steps=_MAP_STEPS)] if maps else []),
    ]
    return Check("model", all(check.passed for check in checks), "; ".join(check.found for check in checks))


def _drawn_png(layout: str) -> NDArray[np.uint8]:
    """(n_bytes,) uint8."""
    drawn = draw_page(
        simulate_twelve_leads(10.0, seed=_SEED), layout=layout, seed=_SEED, style=_STYLE, px_per_mm=_PX_PER_MM
    )
    grey: Pixels = np.asarray(cv2.cvtColor(drawn.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    levels = np.rint(np.rint(grey / 255 * (_GREYS - 1)) * 255 / (_GREYS - 1)).astype(np.uint8)
    made, content = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert made
    return np.asarray(content, np.uint8).reshape(-1)


def _words(answer: PageAnswer) -> str:
    """The answer in one line: class, set, layout."""
    return f"{answer.label or 'no answer'}; not excluded {' '.join(answer.prediction_set)}; layout {answer.layout}"


def _same_answer(answer: PageAnswer, expected: str) -> Check:
    found = _words(answer)
    return Check("answer", found == expected, found if found == expected else f"{found}, expected {expected}")
