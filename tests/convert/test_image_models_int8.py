"""Every image family as full int8: the interpreter loads it; probabilities and maps stay close to the float ones."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.runtime import Model, dequantise, quantise  # noqa: E402
from ecgedge_convert.quantise import to_int8  # noqa: E402
from ecgedge_train.models.custom_cnn import custom_cnn  # noqa: E402
from ecgedge_train.models.mobilenet import mobilenet  # noqa: E402
from ecgedge_train.models.optimised_cnn import optimised_cnn  # noqa: E402
from ecgedge_train.models.strip_cnn import strip_cnn  # noqa: E402

SHAPE = (32, 64, 1)
FAMILIES = [
    (custom_cnn, {"width": 0.125}),
    (custom_cnn, {"width": 0.125, "head": "dense"}),
    (optimised_cnn, {"width": 0.125}),
    (mobilenet, {"version": 1, "width": 0.25, "blocks": 3}),
    (mobilenet, {"version": 2, "width": 0.35, "blocks": 3}),
    (strip_cnn, {"width": 0.25}),
]


@pytest.mark.parametrize(("family", "options"), FAMILIES)
def test_int8_throughout_and_close_to_float(family, options):
    keras.utils.set_random_seed(0)
    model = family({"page": SHAPE}, options, keras=keras)
    pages = np.random.default_rng(0).random((100, *SHAPE), np.float32)
    loaded = Model(to_int8(model, {"page": pages}))
    assert {spec.dtype.name for spec in (*loaded.inputs, *loaded.outputs)} == {"int8"}
    expected = {value.ndim: value for value in model.predict({"page": pages[:3]}, verbose=0).values()}
    spec = loaded.inputs[0]
    for number in range(3):
        found = loaded.invoke({spec.name: quantise(pages[number : number + 1], spec)})
        for values, output in zip(found, loaded.outputs, strict=True):
            real = dequantise(values, output)
            wanted = expected[real.ndim][number : number + 1]
            assert np.abs(real - wanted).mean() < 0.03 * max(1.0, float(np.ptp(expected[real.ndim])))
