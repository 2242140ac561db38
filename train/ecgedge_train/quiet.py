"""Keras without its back end's notes on this processor: they would bury what a user wants to read."""

import logging

from ecgedge.chatter import without_chatter
from ecgedge.extras import require

CHATTER = (
    b"I0000",
    b"W0000",
    b"E0000 ",
    b"WARNING: All log messages",
    b"To enable the following",
    b"fully_quantize",
    b"INFO",
    b"WARNING:absl:For model inputs containing unsupported operations",
)
"""How the lines begin that TensorFlow and its converter write to stderr in C++; warnings of ours never begin so."""


def start_keras() -> None:
    """Import Keras and run one operation, after which it is quiet.

    Raises
    ------
    MissingDependency
        Keras or TensorFlow is not installed.
    """
    require("keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every model after the fifth
    with without_chatter(*CHATTER):
        import keras

        keras.ops.zeros((1,))
