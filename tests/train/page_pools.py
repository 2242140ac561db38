"""Small pools of invented pages, whose class is the frequency of the waves in their leads."""

from pathlib import Path

import numpy as np

from ecgedge.labels import REPORT
from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.page_pipeline import PagePipeline
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.pool import PagePool
from ecgedge_train.pages.recipe import Calibration, PageFit, PageRecipe

LEAD_SAMPLES, STRIP_SAMPLES = 48, 120
PIPELINE = PagePipeline(LeadArraySettings(lead_samples=LEAD_SAMPLES, strip_samples=STRIP_SAMPLES), ("3x4+1",))
REFUSED = 3
"""Row of the page that was refused."""


def images(n: int, *, copies: int = 1) -> tuple[ReportImage, ...]:
    """n files; so many of each are copies of one page."""
    return tuple(
        ReportImage(
            name=f"{k}.png",
            path=Path(f"{k}.png"),
            label=REPORT.names[k // copies % 4],
            group=f"{k - k % copies}.png",
            number=f"{k - k % copies}.png",
        )
        for k in range(n)
    )


def arrays(label: int, seed: int) -> dict[str, np.ndarray]:
    """Inputs of one page, leading axis 1."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, (rows, samples) in {"leads": (12, LEAD_SAMPLES), "strip": (1, STRIP_SAMPLES)}.items():
        wave = np.sin(2 * np.pi * (2 + 3 * label) * np.arange(samples) / 48 + rng.uniform(0, 6, (rows, 1)))
        signal = 0.5 * wave + rng.normal(0, 0.05, (rows, samples))
        found[name] = np.stack([signal, np.ones_like(signal)], -1)[None].astype(np.float32)
    return found


def pool(n: int = 80, *, refused: bool = True) -> PagePool:
    """n pages, the classes in turn, one of them refused."""
    chosen = images(n)
    there = [k for k in range(n) if not (refused and k == REFUSED)]
    inputs = [arrays(k % 4, k) for k in there]
    return PagePool(
        pictures={name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]},
        picture=np.array([there.index(k) if k in there else -1 for k in range(n)], np.int64),
        classes=np.array([k % 4 for k in range(n)], np.int64),
        groups=tuple(image.group for image in chosen),
        names=tuple(image.name for image in chosen),
        reasons=tuple("" if k in there else "too blurred" for k in range(n)),
    )


def recipe(fit: PageFit, calibrate: Calibration) -> PageRecipe:
    """A recipe of a very small network, without augmentation."""
    return PageRecipe("toy", "toy", {}, PIPELINE, None, fit, calibrate=calibrate)


def toy_model(input_shapes, options, *, keras):  # type: ignore[no-untyped-def]
    """A family of one convolution, which starts in a second: block_1, dropout, head; maps as every family has them."""
    layers = keras.layers
    leads, strip = (layers.Input(input_shapes[name], name=name) for name in ("leads", "strip"))
    own = layers.Conv2D(int(options.get("filters", 8)), (1, 15), padding="same", name="block_1_conv")(leads)
    own = layers.Dropout(0.1)(layers.ReLU()(own))
    maps = layers.Conv2D(4, (1, 1), name="head_maps")(layers.Permute((2, 1, 3))(own))
    strip_maps = layers.Conv2D(4, (1, 5), strides=(1, 4), name="head_strip")(strip)
    logits = layers.Add()([layers.GlobalAveragePooling2D()(one) for one in (maps, strip_maps)])
    outputs = {"probabilities": layers.Softmax()(logits), "maps": maps, "strip_maps": strip_maps}
    return keras.Model({"leads": leads, "strip": strip}, outputs, name="toy")
