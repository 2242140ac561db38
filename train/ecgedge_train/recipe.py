"""A recipe: one TOML file that states everything a model is trained with. An unknown key is an error."""

import hashlib
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from ecgedge.errors import SettingsError
from ecgedge.plain import from_plain

RUN_RECIPE = "recipe.toml"
"""What a run calls the recipe that it was made with; the recipes of teachers lie beside it under their own names."""


@dataclass(frozen=True, slots=True)
class PoolRecipe:
    """What is trained on."""

    features: tuple[str, ...]
    """Names from `ecgedge.rhythm` and `ecgedge.templates`, in the order of the model's input."""
    virtual_copies: int = 16
    """Virtual patients made of each real one."""
    real_share: float = 0.2
    """How often real records are drawn, as a share of how often their virtual copies are."""
    class_shares: tuple[float, ...] = (4.0, 1.0, 2.0, 0.3, 0.0)
    """How often beats of N, S, V, F, and detections that are no beat, are drawn; only ratios count."""
    detected_share: float = 0.0
    """Share of the virtual copies whose R-peaks come from our own detector instead of the reference."""
    crowd_power: float = 0.5
    """A patient's share within a class grows with the number of its beats to this power: 0 all alike, 1 all beats."""
    noise: str = "nstdb"
    """Where the noise of virtual patients comes from: `nstdb`, or `invented` (random walk and white noise)."""
    fibrillating: tuple[str, ...] = ("203",)
    """Records in atrial fibrillation, in which no early beats may be invented."""


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """How a network is trained."""

    model: str
    """Name in `MODELS`."""
    seeds: tuple[int, ...]
    """One network for each."""
    epochs: int = 15
    beats_per_epoch: int = 60_000
    """Beats drawn, with replacement."""
    batch: int = 512
    learning_rate: float = 2e-3
    """At the start; falls to 0 as a cosine."""
    weight_decay: float = 1e-2
    label_smoothing: float = 0.03


@dataclass(frozen=True, slots=True)
class TeacherRecipe:
    """A larger model whose answers are learnt from: it is trained first, on the same patients and no others."""

    recipe: str
    """Name of a file beside this one, with the same `[pool]` and seed."""
    share: float = 1.0
    """Of what the networks are to say; what the teachers leave is the reference class."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One reproducible model."""

    name: str
    pool: PoolRecipe
    members: tuple[FitRecipe, ...]
    """Networks whose logits are averaged, in one graph."""
    seed: int = 0
    """Of the virtual patients."""
    class_bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Added to the logits of N, S, V, F after training; chosen out of fold."""
    teachers: tuple[TeacherRecipe, ...] = ()
    """None, to learn from the reference classes alone."""
    text: str = ""
    """The recipe as it was written; filled in by `read_recipe`."""
    sha256: str = ""
    """Of the recipe's file; filled in by `read_recipe`."""
    teacher_recipes: tuple["Recipe", ...] = ()
    """What the teachers' files say; filled in by `read_recipe`."""

    @property
    def stamp(self) -> str:
        """Checksums of all files that the weights depend on."""
        return "-".join((self.sha256, *(teacher.sha256 for teacher in self.teacher_recipes)))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe, and those of its teachers.

    Raises
    ------
    SettingsError
        A file is missing or no TOML, a key is unknown or missing, a value has the wrong type, a teacher does not fit.
    """
    recipe = _read_one(path)
    for teacher in recipe.teachers:
        if Path(teacher.recipe).name != teacher.recipe or teacher.recipe == RUN_RECIPE:
            raise SettingsError(f"{path}: teacher {teacher.recipe}: give the name of a file beside this one")
    teachers = tuple(_read_one(path.parent / teacher.recipe) for teacher in recipe.teachers)
    for teacher, recipe_of_it in zip(recipe.teachers, teachers, strict=True):
        _check_teacher(recipe, recipe_of_it, where=f"{path}: teacher {teacher.recipe}")
    if not 0 <= sum(teacher.share for teacher in recipe.teachers) <= 1:
        raise SettingsError(f"{path}: the shares of the teachers add up to more than 1, or are negative; lower them")
    return replace(recipe, teacher_recipes=teachers)


def _read_one(path: Path) -> Recipe:
    try:
        content = path.read_bytes()
        raw = tomllib.loads(content.decode())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read as a recipe ({error}); see train/recipes/beat.toml") from None
    for key in ("text", "sha256", "teacher_recipes"):
        if key in raw:
            raise SettingsError(f"{path}: {key} is computed, not set; remove the key")
    raw |= {"text": content.decode(), "sha256": hashlib.sha256(content).hexdigest()}
    try:
        recipe = from_plain(Recipe, raw, where=str(path), defaults=True)
    except ValueError as error:
        raise SettingsError(f"{error} (a recipe that works: train/recipes/beat.toml)") from None
    if not any(member.seeds for member in recipe.members):
        raise SettingsError(f"{path}: no member has a seed; at least one network must be trained; add seeds")
    return recipe


def _check_teacher(recipe: Recipe, teacher: Recipe, *, where: str) -> None:
    if teacher.teachers:
        raise SettingsError(f"{where}: has teachers itself; name one that learns from the reference alone")
    if (teacher.pool, teacher.seed) != (recipe.pool, recipe.seed):
        raise SettingsError(f"{where}: has another [pool] or seed; both must see the same beats; make them equal")
