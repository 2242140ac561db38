"""Our own image family: cuts a page into its rows of curves inside the graph, so that thin lines are seen whole.

A plain CNN shrinks the page until a wave of 0.1 mV is a fraction of a pixel, and its pooling forgets which lead it saw.
Here each row is a band of full width; in every column the highest and the lowest ink are read off by laying a ruler
along the column (ink times height) and taking the maximum, which survives int8 and needs no training. Convolutions
`(1, k)` are shared over rows; then the rows are cut into cells of one lead each. Every lead scales and shifts its
features on its own, and a kernel over all leads adds what they say together; the sum of both is the class activation
maps. About 20,000 parameters.

It knows where rows and columns lie: on aligned pages (`ecgedge.aligned_page`) of one layout, of ink alone
(`waveform_only`), since on a page with its grid the highest ink is the grid.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.errors import SettingsError
from ecgedge_train.models.image_head import (
    MOMENTUM,
    N_CLASSES,
    InputShapes,
    Options,
    page_shape,
    read_options,
    require_width,
    scaled,
)

if TYPE_CHECKING:
    import types

    import keras

_TRUNK = ((16, 9), (24, 7), (32, 5))
"""Filters at width 1 and kernel of each block; every block halves the resolution in time."""
_OWN, _JOINT = 32, 48
_SHRINKS = 2 ** len(_TRUNK)
_INK = (4.0, -0.3)
"""Slope and offset that make a pixel more than a third of which is ink wholly ink: a line on two rows of pixels is
read at the same height as on one."""
_FOOT = 0.02
"""Height of a band's far end on the ruler; above 0, so that ink there differs from none."""


@dataclass(frozen=True, slots=True)
class StripCnnOptions:
    """What a recipe may set; places are shares of the page's height and width, defaults those of the layout 3x4+1."""

    width: float = 1.0
    """Share of the filters."""
    dropout: float = 0.4
    rows: int = 4
    columns: int = 4
    first_row: float = 0.1512
    """Where the zero line of the first row lies; this and the next as `ecgedge.aligned_page` lays four rows."""
    row_distance: float = 0.2326
    reach: float = 0.15
    """How far from its zero line a curve is looked for, up and down; bands overlap by a third of the distance."""
    left: float = 0.0
    """Where the first lead begins."""
    right: float = 1.0
    """Where the last lead ends."""


def strip_cnn(input_shapes: InputShapes, options: Options, *, keras: "types.ModuleType") -> "keras.Model":
    """Build it.

    Input shape
    -----------
    page : (n, height_px, width_px, 1) float32, 0 for paper to 1 for ink

    Output shape
    ------------
    probabilities : (n, 4)
    maps : (n, rows, width_px / 8, 4), over the rows of the page from its left to its right edge; 0 beside the leads.
        Their mean is the logit.

    Raises
    ------
    SettingsError
        An unknown option, an impossible value, or another input.
    """
    height_px, width_px, channels = page_shape(input_shapes, family="strip_cnn")
    chosen = read_options(StripCnnOptions, options, family="strip_cnn")
    _require(chosen, width_px, channels)
    layers = keras.layers
    page = layers.Input((height_px, width_px, 1), name="page")
    features = _edges(_bands(page, chosen, keras=keras), keras=keras)
    for number, (filters, kernel) in enumerate(_TRUNK):
        features = _convolve(features, scaled(filters, chosen.width), kernel, f"block_{number}", stride=2, keras=keras)
    cells, margins_px = _cells(features, chosen, keras=keras)
    maps = layers.Add(name="both_maps")(
        [_own_maps(cells, chosen, keras=keras), _joint_maps(cells, chosen, keras=keras)]
    )
    maps = layers.Reshape((chosen.rows, -1, N_CLASSES), name="rows_of_maps")(maps)
    maps = layers.ZeroPadding2D(((0, 0), margins_px), name="maps")(maps)
    logits = layers.GlobalAveragePooling2D(name="logits")(maps)
    outputs = {"probabilities": layers.Softmax(name="probabilities")(logits), "maps": maps}
    return keras.Model({"page": page}, outputs, name="strip_cnn")


def _bands(page: "keras.KerasTensor", chosen: StripCnnOptions, *, keras: "types.ModuleType") -> "keras.KerasTensor":
    """(n, height, width, 1) -> (n, rows, width, band height): the columns of each row's band, from top to bottom."""
    layers = keras.layers
    height_px = page.shape[1]
    reach_px = round(chosen.reach * height_px)
    padded = layers.ZeroPadding2D(((reach_px, reach_px), (0, 0)), name="stem_margin")(page)
    bands = []
    for row in range(chosen.rows):
        top_px = round((chosen.first_row + row * chosen.row_distance) * height_px)  # of the padded page
        cut = layers.Cropping2D(((top_px, height_px - top_px), (0, 0)), name=f"stem_band_{row}")(padded)
        bands.append(layers.Permute((3, 2, 1), name=f"stem_columns_{row}")(cut))
    return layers.Concatenate(axis=1, name="stem_bands")(bands) if len(bands) > 1 else bands[0]


def _edges(bands: "keras.KerasTensor", *, keras: "types.ModuleType") -> "keras.KerasTensor":
    """(n, rows, width, band height) -> (n, rows, width, 2): height of the upper edge and depth of the lower one.

    Both are taken from their mean over the row, so that it does not matter how high the row lies in its band.
    """
    layers = keras.layers
    height_px = bands.shape[3]
    ink = layers.ReLU(max_value=1.0, name="stem_ink")(layers.Rescaling(*_INK, name="stem_contrast")(bands))
    ruler = np.linspace(1, _FOOT, height_px, dtype=np.float32)
    edges = []
    for name, heights in (("upper", ruler), ("lower", ruler[::-1])):
        lay = layers.DepthwiseConv2D(1, use_bias=False, trainable=False, name=f"stem_{name}_ruler")
        laid = lay(ink)
        lay.set_weights([heights.reshape(lay.kernel.shape)])
        edges.append(keras.ops.max(laid, axis=-1, keepdims=True))
    edge = layers.Concatenate(name="stem_edges")(edges)
    mean = layers.AveragePooling2D((1, edge.shape[2]), name="stem_mean")(edge)
    # No norm here: as int8 it multiplies the error of rounding by five (.034 to .18 of the signal).
    return layers.Subtract(name="stem_level")([edge, mean])


def _convolve(
    features: "keras.KerasTensor", filters: int, kernel: int, name: str, *, stride: int = 1, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    layers = keras.layers
    conv = layers.Conv2D(filters, (1, kernel), strides=(1, stride), padding="same", use_bias=False, name=f"{name}_conv")
    return layers.ReLU(name=f"{name}_relu")(
        layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(conv(features))
    )


def _cells(
    features: "keras.KerasTensor", chosen: StripCnnOptions, *, keras: "types.ModuleType"
) -> tuple["keras.KerasTensor", tuple[int, int]]:
    """(n, rows, time, c) -> (n, rows * columns, time of a lead, c), and how much was cut off left and right."""
    time, filters = features.shape[2:]
    left = round(chosen.left * time)
    length = int((chosen.right - chosen.left) * time / chosen.columns)
    right = time - left - chosen.columns * length
    inner = keras.layers.Cropping2D(((0, 0), (left, right)), name="block_2_leads")(features)
    shape = (chosen.rows * chosen.columns, length, filters)
    return keras.layers.Reshape(shape, name="block_2_cells")(inner), (left, right)


def _own_maps(cells: "keras.KerasTensor", chosen: StripCnnOptions, *, keras: "types.ModuleType") -> "keras.KerasTensor":
    """(n, cells, time, c) -> (n, cells, time, 4): what each lead says, its features scaled and shifted as its own.

    Scale and shift are a depthwise layer over leads times features, so that they are int8 like all else.
    """
    layers = keras.layers
    n_cells, time = cells.shape[1:3]
    filters = scaled(_OWN, chosen.width)
    own = layers.Conv2D(filters, 1, name="block_3_own_conv")(cells)
    own = layers.Permute((2, 1, 3), name="block_3_own_time_first")(own)
    own = layers.Reshape((1, time, n_cells * filters), name="block_3_own_flat")(own)
    own = layers.DepthwiseConv2D(1, name="block_3_own_scale")(own)
    own = layers.Reshape((time, n_cells, filters), name="block_3_own_leads")(own)
    own = layers.Permute((2, 1, 3), name="block_3_own_cells")(own)
    own = layers.BatchNormalization(momentum=MOMENTUM, name="block_3_own_norm")(own)
    own = layers.ReLU(name="block_3_own_relu")(own)
    own = layers.Dropout(chosen.dropout, name="head_own_dropout")(own)
    return layers.Conv2D(N_CLASSES, 1, name="head_own_maps")(own)


def _joint_maps(
    cells: "keras.KerasTensor", chosen: StripCnnOptions, *, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """(n, cells, time, c) -> (n, cells, time, 4): what all leads say together, the same for each of them."""
    layers = keras.layers
    n_cells = cells.shape[1]
    joint = layers.DepthwiseConv2D((n_cells, 1), depth_multiplier=2, use_bias=False, name="block_3_across_conv")(cells)
    joint = layers.BatchNormalization(momentum=MOMENTUM, name="block_3_across_norm")(joint)
    joint = layers.ReLU(name="block_3_across_relu")(joint)
    joint = layers.SpatialDropout2D(chosen.dropout, name="block_3_across_dropout")(joint)
    joint = _convolve(joint, scaled(_JOINT, chosen.width), 3, "block_3_joint", keras=keras)
    joint = layers.Dropout(chosen.dropout, name="head_joint_dropout")(joint)
    maps = layers.Conv2D(N_CLASSES, 1, name="head_joint_maps")(joint)
    return layers.UpSampling2D((n_cells, 1), name="head_joint_everywhere")(maps)


def _require(chosen: StripCnnOptions, width_px: int, channels: int) -> None:
    require_width(chosen.width, family="strip_cnn")
    last = chosen.first_row + (chosen.rows - 1) * chosen.row_distance
    if channels != 1 or width_px % _SHRINKS:
        raise SettingsError(
            f"model strip_cnn on {channels} channels of {width_px} px: one channel, and a width that {_SHRINKS} divides"
        )
    if not (chosen.rows >= 1 and chosen.columns >= 1 and 0 <= chosen.first_row <= last <= 1):
        raise SettingsError(
            f"model strip_cnn: {chosen.rows} rows from {chosen.first_row:g} to {last:g} in {chosen.columns} columns; "
            "at least one of each, rows within 0 to 1 of the page's height"
        )
    if not (0 < chosen.reach <= 0.5 and 0 <= chosen.left < chosen.right <= 1):
        raise SettingsError(
            f"model strip_cnn: reach {chosen.reach:g}, leads from {chosen.left:g} to {chosen.right:g}; "
            "reach above 0 to 0.5, left below right, both within 0 to 1"
        )
    lead_px = (chosen.right - chosen.left) * width_px / chosen.columns
    if lead_px < _SHRINKS:
        raise SettingsError(
            f"model strip_cnn: leads of {lead_px:.0f} px; they must be {_SHRINKS} px wide; use wider pages"
        )
