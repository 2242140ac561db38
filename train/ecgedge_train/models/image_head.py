"""From features over a page to probabilities: the head that every image family shares.

`cam` lays one 1x1 convolution to four maps and averages them, so that the maps are the class activation maps (Zhou et
al., 2016, 10.1109/CVPR.2016.319) and cost nothing more. `dense` is the published head: pooled features, dense layers,
dropout; it shows nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from ecgedge.errors import SettingsError
from ecgedge.manifest import Json
from ecgedge.plain import from_plain

if TYPE_CHECKING:
    import types

    import keras

Options = Mapping[str, float | int | str | bool]
"""What stands under `[model]` in a recipe, without the family."""
InputShapes = Mapping[str, tuple[int, ...]]
"""Model input name -> shape without the leading axis."""
Head = Literal["cam", "dense"]
T = TypeVar("T")

N_CLASSES = 4
"""Of `ecgedge.labels.REPORT`."""
MOMENTUM = 0.9
"""Of batch norms: an epoch over some hundred pages has ten to twenty steps, and .99 would lag ten epochs behind."""
_LEAST_SIDE_PX = 32


def read_options(kind: type[T], options: Options, *, family: str) -> T:
    """Options of a family as its dataclass.

    Raises
    ------
    SettingsError
        An unknown key, or a value of another type.
    """
    try:
        return from_plain(kind, cast(Mapping[str, Json], options), where=f"model {family}", defaults=True)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def page_shape(input_shapes: InputShapes, *, family: str) -> tuple[int, int, int]:
    """Height and width in px, and channels, of the one input of an image model.

    Raises
    ------
    SettingsError
        Other inputs, a side below 32 px, or neither 1 nor 3 channels.
    """
    shape = input_shapes.get("page", ())
    if set(input_shapes) != {"page"} or len(shape) != 3 or min(shape[:2]) < _LEAST_SIDE_PX or shape[2] not in (1, 3):
        raise SettingsError(
            f"model {family} with inputs {dict(input_shapes)}: it takes one page of at least {_LEAST_SIDE_PX} x "
            f'{_LEAST_SIDE_PX} px with 1 or 3 channels; set kind = "image" under [inputs]'
        )
    return shape[0], shape[1], shape[2]


def lay_head(
    features: "keras.KerasTensor",
    *,
    head: Head,
    dropout: float,
    dense_units: Sequence[int] = (128,),
    keras: "types.ModuleType",
) -> dict[str, "keras.KerasTensor"]:
    """Lay the last layers.

    Parameters
    ----------
    features : (n, h, w, c) symbolic
    dense_units : of the hidden layers of the `dense` head

    Returns
    -------
    "probabilities" (n, 4); and, from `cam`, "maps" (n, h, w, 4), whose means over the page are the logits.
    """
    layers = keras.layers
    if head == "cam":
        dropped = layers.SpatialDropout2D(dropout, name="head_dropout")(features)
        maps = layers.Conv2D(N_CLASSES, 1, name="maps")(dropped)
        logits = layers.GlobalAveragePooling2D(name="logits")(maps)
        return {"probabilities": layers.Softmax(name="probabilities")(logits), "maps": maps}
    hidden = layers.GlobalAveragePooling2D(name="head_pool")(features)
    for number, units in enumerate(dense_units):
        hidden = layers.Dense(units, activation="relu", name=f"head_dense_{number}")(hidden)
        hidden = layers.Dropout(dropout, name=f"head_dropout_{number}")(hidden)
    logits = layers.Dense(N_CLASSES, name="logits")(hidden)
    return {"probabilities": layers.Softmax(name="probabilities")(logits)}


def scaled(filters: int, width: float) -> int:
    """Filters of a network `width` times as wide: a multiple of 4, at least 4."""
    return max(4, round(filters * width / 4) * 4)


def require_width(width: float, *, family: str) -> None:
    """Refuse a width that makes no network.

    Raises
    ------
    SettingsError
        It is not above 0, or above 4.
    """
    if not 0 < width <= 4:
        raise SettingsError(
            f"model {family}: width {width:g}; it must be above 0 and at most 4; 1 is the published one"
        )
