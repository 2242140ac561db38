"""Several networks, trained apart, shipped as one: a flat graph whose towers' logits are averaged.

Networks that see the same patients err differently on new ones; their mean was better than each in the folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ecgedge_train.fit import FloatArray, History, Lesson, fit, predict_pool
from ecgedge_train.models import build_model, prefix_of
from ecgedge_train.pool import Pool, draw_shares, targets
from ecgedge_train.recipe import Recipe

Advance = Callable[[str, float], None]
"""Called after each epoch with the name of the network and its loss."""


@dataclass(frozen=True)
class Ensemble:
    """A trained model, ready to be converted."""

    model: keras.Model
    history: dict[str, History]
    """Network -> a row per epoch."""


def count_epochs(recipe: Recipe) -> int:
    """Epochs over all networks of a recipe, those of its teachers included."""
    own = sum(len(member.seeds) * member.epochs for member in recipe.members)
    return own + sum(count_epochs(teacher) for teacher in recipe.teacher_recipes)


def train_ensemble(
    pool: Pool,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    advance: Advance = lambda _name, _loss: None,
    called: str = "",
) -> Ensemble:
    """Train the teachers, if any, then every member for every of its seeds, and join them.

    Parameters
    ----------
    pool : scaled
    folder : where checkpoints are kept and looked for
    called : begins the name of every network
    """
    said = taught_targets(pool, recipe, folder=folder, advance=advance)
    lesson = Lesson(pool, draw_shares(pool, recipe.pool), said)
    models: list[tuple[str, keras.Model]] = []
    history: dict[str, History] = {}
    for member in recipe.members:
        for seed in member.seeds:
            name = f"{called}{member.model}-{seed}"
            model, history[name] = fit(
                lesson,
                member,
                seed=seed,
                checkpoint=folder and folder / name,
                advance=lambda loss, name=name: advance(name, loss),  # type: ignore[misc]
            )
            models.append((member.model, model))
    joined = join(models, n_features=pool.features.shape[1], n_window=pool.beat.shape[2])
    return Ensemble(with_bias(joined, recipe.class_bias), history)


def taught_targets(pool: Pool, recipe: Recipe, *, folder: Path | None, advance: Advance) -> FloatArray:
    """What the networks are to say, (n, 4) float32: the teachers' answers by their shares, the rest the reference.

    A teacher sees the patients of this pool only; in a fold, none of those held out.
    """
    said = (1.0 - sum(teacher.share for teacher in recipe.teachers)) * targets(pool)
    for number, (teacher, its_recipe) in enumerate(zip(recipe.teachers, recipe.teacher_recipes, strict=True)):
        trained = train_ensemble(pool, its_recipe, folder=folder, advance=advance, called=f"teacher{number}-")
        said += teacher.share * predict_pool(trained.model, pool)
    return said.astype(np.float32)


def join(models: Sequence[tuple[str, keras.Model]], *, n_features: int, n_window: int) -> keras.Model:
    """One model out of single-tower ones, given with the names of their families."""
    joined = build_model([name for name, _ in models], n_features, n_window, keras=keras)
    for number, (_, model) in enumerate(models):
        for layer in model.layers:
            if layer.weights:
                twin = joined.get_layer(layer.name.replace(prefix_of(0), prefix_of(number), 1))
                twin.set_weights(layer.get_weights())
    return joined


def with_bias(model: keras.Model, class_bias: tuple[float, ...]) -> keras.Model:
    """Add to the logits of every tower, so that int8 rounds what is decided and not what is corrected afterwards."""
    for layer in model.layers:
        if layer.name.endswith("logits"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, _added(bias, class_bias)])
    return model


def _added(bias: NDArray[np.float32], class_bias: tuple[float, ...]) -> NDArray[np.float32]:
    return bias + np.asarray(class_bias, np.float32)
