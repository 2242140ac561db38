"""ImageNet weights into a model of ours: by layer correspondence, the stem fitted to grey pages."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgedge.catalogue import data_roots
from ecgedge.errors import SettingsError

if TYPE_CHECKING:
    import types

    import keras

IMAGENET = "imagenet"
"""Stands for the file that `keras.applications` has for a version and width."""
_STEM = "stem_conv"
_SERVER = "https://storage.googleapis.com/tensorflow/keras-applications"
_V1_WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
_V2_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)


def weight_file(weights: str, *, version: int, width: float, keras: "types.ModuleType") -> Path:
    """Where weights lie; `imagenet` is looked for in the folder `weights` of the data folders, else fetched by Keras.

    Parameters
    ----------
    weights : `imagenet`, a path, or the name of a file in the folder `weights` of a data folder

    Raises
    ------
    SettingsError
        No such file, no such width, or it could not be fetched.
    """
    name = weights if weights != IMAGENET else _published_name(version, width)
    places = [Path(name), *(root / "weights" / name for root in data_roots())]
    if found := next((place for place in places if place.is_file()), None):
        return found
    if weights != IMAGENET:
        raise SettingsError(f"weights {weights!r}: no such file; looked for {', '.join(map(str, places))}")
    folder = "mobilenet" if version == 1 else "mobilenet_v2"
    try:
        return Path(keras.utils.get_file(name, f"{_SERVER}/{folder}/{name}", cache_subdir="models"))
    except Exception as error:  # Keras passes on whatever the connection broke with
        reason = str(error).replace("\n", " ")
        raise SettingsError(f"ImageNet weights {name} could not be fetched ({reason}); give weights = FILE") from None


def _published_name(version: int, width: float) -> str:
    widths = tuple(_V1_WIDTHS) if version == 1 else _V2_WIDTHS
    if width not in widths:
        raise SettingsError(
            f"no ImageNet weights for MobileNet v{version} of width {width:g}; there are {', '.join(map(str, widths))}"
        )
    if version == 1:
        return f"mobilenet_{_V1_WIDTHS[width]}_224_tf_no_top.h5"
    return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"


def load_imagenet(model: "keras.Model", twin: "keras.Model", path: Path) -> None:
    """Fill the backbone of a model.

    Parameters
    ----------
    model : its layers that have the name of a layer of the twin are filled
    twin : the whole backbone on a picture of red, green, blue; it takes the file layer by layer, in their order
    path : a file of `keras.applications` without its top

    Raises
    ------
    SettingsError
        The file holds another network.
    """
    try:
        twin.load_weights(str(path))
    except (ValueError, OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: not the weights of {twin.name} without its top ({reason})") from None
    filled = {layer.name: layer.get_weights() for layer in twin.layers}
    for layer in model.layers:
        if layer.name == _STEM:
            layer.set_weights([stem_for(filled[_STEM][0], layer.kernel.shape[2])])
        elif layer.weights and layer.name in filled:
            layer.set_weights(filled[layer.name])


def stem_for(kernel: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """A kernel on red, green, blue for what a page has: their sum for grey.

    Parameters
    ----------
    kernel : (rows, columns, 3, filters) float32
    channels : 1 or 3
    """
    return kernel.sum(axis=2, keepdims=True) if channels == 1 else kernel
