"""Do the maps of the int8 graph agree with Grad-CAM of the float network (Selvaraju et al. 2017, 10.1109/ICCV.2017.74)?

    python benchmarks/grad_cam.py runs/page page [--pages 40]

Grad-CAM weighs the features before the last convolution by the gradient of the class's logit, summed over places; the
bundle's maps need no gradient. Both are taken for the class that the bundle calls, on pages that it held out. The
correlation of a page is over all places of its map, leads and strip apart, before and after Grad-CAM's ReLU. Needs
TensorFlow, which the device does not.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ecgedge.bundle import read_bundle
from ecgedge.lead_arrays import Inputs
from ecgedge.page_engine import PROBABILITIES, PageEngine
from ecgedge.records import FloatArray
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.evaluate import Question, evaluate_page_bundle

_GOOD = 0.9


def features_of(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Output name of a map -> the features that its last convolution sees."""
    names = [name for name in model.output if name != PROBABILITIES]
    return {name: model.get_layer(name).input for name in names}


def grad_cam(model: keras.Model, inputs: Inputs, label: int) -> dict[str, FloatArray]:
    """Grad-CAM without its ReLU, one map per map output of the model: gradients summed over places, times features."""
    features = features_of(model)
    view = keras.Model(model.input, {"logits": model.get_layer("logits").output, **features})
    with tf.GradientTape() as tape:
        found = view(inputs, training=False)
        logit = found["logits"][:, label]
    slopes = tape.gradient(logit, {name: found[name] for name in features})
    maps = {}
    for name, slope in slopes.items():
        weights = tf.reduce_mean(slope, axis=(1, 2), keepdims=True)
        maps[name] = np.asarray(tf.reduce_sum(weights * found[name], axis=-1)[0], np.float32)
    return maps


def correlation(one: FloatArray, other: FloatArray) -> float:
    """Pearson's, over all places; NaN where one of them is flat."""
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")


def page_agreement(
    cam: Mapping[str, FloatArray], maps: Mapping[str, FloatArray], label: int
) -> dict[str, tuple[float, float]]:
    """Map -> correlation as it is, and after ReLU."""
    found = {}
    for name, gradient in cam.items():
        own = maps[name][..., label]
        own = own - own.mean() + gradient.mean()  # the bias of the last layer is in no gradient
        found[name] = correlation(own, gradient), correlation(np.maximum(own, 0), np.maximum(gradient, 0))
    return found


def main() -> None:
    """Compare on held-out pages and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("bundle")
    parser.add_argument("--pages", type=int, default=40)
    options = parser.parse_args()
    bundle, model = read_bundle(options.bundle), keras.models.load_model(options.run / "model.keras", compile=False)
    engine, images = PageEngine(bundle), PAGE_DATASETS["ecg_images"]()
    names = set(evaluate_page_bundle(bundle, images, Question()).judged.names)
    pool = page_inputs([image for image in images if image.name in names], engine.pipeline)
    rows = np.flatnonzero(pool.read)[: options.pages]
    table: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        inputs = pool.take(np.array([row]))
        outputs = engine.outputs(inputs)
        label = int(outputs[PROBABILITIES][0].argmax())
        maps = {name: values[0] for name, values in outputs.items() if name != PROBABILITIES}
        for name, pair in page_agreement(grad_cam(model, inputs, label), maps, label).items():
            table.setdefault(name, []).append(pair)
    for name, pairs in table.items():
        plain, positive = np.array(pairs).T
        print(
            f"{name}: {len(pairs)} pages, correlation with Grad-CAM: median {np.nanmedian(plain):.4f}, least "
            f"{np.nanmin(plain):.4f}, {np.mean(plain >= _GOOD):.0%} at least {_GOOD}; after ReLU: median "
            f"{np.nanmedian(positive):.4f}, least {np.nanmin(positive):.4f}"
        )


if __name__ == "__main__":
    main()
