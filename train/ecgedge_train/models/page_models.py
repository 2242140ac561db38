"""Families of page models, by name. A family is a function that builds a whole model, maps included."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ecgedge.errors import SettingsError
from ecgedge_train.models.custom_cnn import custom_cnn
from ecgedge_train.models.lead_cnn import lead_cnn
from ecgedge_train.models.mobilenet import mobilenet
from ecgedge_train.models.optimised_cnn import optimised_cnn
from ecgedge_train.models.strip_cnn import strip_cnn

if TYPE_CHECKING:
    import types

    import keras

Options = Mapping[str, float | int | str | bool]


class PageModel(Protocol):
    """Builds a model; `keras` is the Keras to build with.

    Parameters
    ----------
    input_shapes : name of an input -> its shape without the leading axis
    options : of the family, from the recipe; an unknown one is an error

    Returns
    -------
    A functional model whose inputs have those names and whose outputs are a dict: `probabilities` (n, 4) always,
    class-activation maps `maps` and `strip_maps` where the family has them.
    """

    def __call__(
        self, input_shapes: Mapping[str, tuple[int, ...]], options: Options, *, keras: "types.ModuleType"
    ) -> "keras.Model": ...


PAGE_MODELS: dict[str, PageModel] = {
    "custom_cnn": custom_cnn,
    "lead_cnn": lead_cnn,
    "mobilenet": mobilenet,
    "optimised_cnn": optimised_cnn,
    "strip_cnn": strip_cnn,
}


def page_model(family: str) -> PageModel:
    """The family called so.

    Raises
    ------
    SettingsError
        There is none; the message names those there are.
    """
    if family not in PAGE_MODELS:
        raise SettingsError(f"model.family is {family!r}; choose one of {', '.join(sorted(PAGE_MODELS))}")
    return PAGE_MODELS[family]
