"""A recipe: one TOML file that states everything a model is trained with. An unknown key is an error."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ecgedge.errors import SettingsError
from ecgedge.plain import from_plain


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
    text: str = ""
    """The recipe as it was written; filled in by `read_recipe`."""
    sha256: str = ""
    """Of the recipe's file; filled in by `read_recipe`."""


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    SettingsError
        The file is missing or no TOML, a key is unknown or missing, or a value has the wrong type.
    """
    try:
        content = path.read_bytes()
        raw = tomllib.loads(content.decode())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read as a recipe ({error}); see train/recipes/beat.toml") from None
    for key in ("text", "sha256"):
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
