"""Which part of a model learns: blocks, by the beginning of their layers' names, frozen from the first one on.

Every image family names its layers `stem_...`, `block_N_...`, `last_...`; what follows is the head, which always
learns. Knows nothing of epochs: the schedule is the recipe's.
"""

import re
from typing import TYPE_CHECKING

from ecgedge.errors import SettingsError

if TYPE_CHECKING:
    import keras

HEAD = "head"
"""Freezes everything but the head."""
RULER = "_ruler"
"""Ends the name of a layer that is laid by hand and never learns."""
_BLOCK = re.compile(r"stem|block_\d+|last")


def block_of(layer_name: str) -> str:
    """Name of the block that a layer belongs to; `head` for all others."""
    found = _BLOCK.match(layer_name)
    return found.group() if found else HEAD


def blocks_of(model: "keras.Model") -> tuple[str, ...]:
    """Blocks in the order in which a page passes them, `head` last."""
    blocks = dict.fromkeys(block_of(layer.name) for layer in model.layers)
    blocks.pop(HEAD, None)
    return (*blocks, HEAD)


def train_from(model: "keras.Model", block: str) -> None:
    """Let a block and all after it learn, and freeze what lies before; compile the model after it.

    A frozen batch norm also keeps its means and variances.

    Raises
    ------
    SettingsError
        The model has no such block.
    """
    blocks = blocks_of(model)
    if block not in blocks:
        raise SettingsError(f"{model.name} has no block {block!r} to train from; choose one of {', '.join(blocks)}")
    learning = blocks[blocks.index(block) :]
    for layer in model.layers:
        layer.trainable = block_of(layer.name) in learning and not layer.name.endswith(RULER)
