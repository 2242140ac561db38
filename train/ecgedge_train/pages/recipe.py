"""A recipe of a page model: one TOML file with `task = "page"` that states everything the model is trained with."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ecgedge.errors import EcgedgeError, SettingsError
from ecgedge.labels import REPORT
from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.manifest import Json
from ecgedge.page_images import PageImageSettings
from ecgedge.page_pipeline import PagePipeline
from ecgedge.plain import from_plain
from ecgedge_train.pages.augment_images import ImageAugmentation
from ecgedge_train.pages.augment_leads import LeadAugmentation

Options = Mapping[str, float | int | str | bool]
ProtocolName = Literal["by-number", "leak-free", "as-published"]

TASK = "page"
_EXAMPLE = "a recipe that works: train/recipes/page.toml"


@dataclass(frozen=True, slots=True)
class UnfreezeStage:
    """From an epoch on, a block of the network and all after it learn; what lies before stands still."""

    epoch: int
    train_from: str
    """A block as `models.freezing` names them: `stem`, `block_3`, `last`; `head` for the head alone."""


@dataclass(frozen=True, slots=True)
class PageFit:
    """How one network is trained."""

    epochs: int = 80
    batch: int = 32
    learning_rate: float = 3e-3
    """At its height."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Falls to 0 at the last epoch, or stays."""
    warm_up_epochs: float = 0.0
    """Time in which the rate rises from 0."""
    weight_decay: float = 3e-3
    """Of AdamW; 0 is Adam."""
    loss: Literal["cross-entropy", "focal"] = "cross-entropy"
    focal_gamma: float = 2.0
    label_smoothing: float = 0.05
    class_weights: Literal["none", "sqrt", "balanced"] = "sqrt"
    """Weight of a page: alike, or by its class's rarity, or by the root of that."""
    class_copies: tuple[int, ...] = (1, 1, 1, 1)
    """How often an epoch shows a page of each class, changed anew each time."""
    mixup: float = 0.0
    """Both parameters of the beta distribution by which pairs of pages are mixed (Zhang et al. 2018,
    arXiv 1710.09412); 0 mixes none."""
    patience: int = 0
    """Epochs without a better loss on the pages held back, after which it ends and takes the best; 0: never early."""
    unfreeze: tuple[UnfreezeStage, ...] = ()
    """None: everything learns from the start."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How pages are held back inside the training side, for early stopping, temperature and conformal quantile."""

    inner_folds: int = 0
    """Networks are trained without each of these folds in turn, so that every training page is judged by one that
    has not seen it, and none is lost. 0: a part is held back instead."""
    inner_share: float = 0.15
    """That part, without inner folds; 0 holds nothing back, and nothing is calibrated."""
    coverage: float = 0.9
    """Share of pages whose set of classes shall hold the true one."""
    abstain_below: float = 0.0
    """No answer where the largest calibrated probability is below."""


@dataclass(frozen=True, slots=True)
class Distillation:
    """A student that learns what an ensemble says of the pages as it sees them (Hinton et al. 2015, arXiv
    1503.02531; the same changed page for both: Beyer et al. 2022, 10.1109/CVPR52688.2022.01065)."""

    teachers: int = 4
    """Networks of the ensemble, trained on the same pages as the student and on no others."""
    share: float = 0.7
    """Of the teachers in the student's targets; the rest is the label."""
    temperature: float = 1.0
    """By which the teachers' log-probabilities are divided."""
    epochs: int = 0
    """Of the student; 0: as many as a teacher."""


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Which pages the shipped model must never see."""

    protocol: ProtocolName = "by-number"
    folds: int = 5
    seed: int = 0
    fold: int = 4


@dataclass(frozen=True, slots=True)
class PageRecipe:
    """One reproducible page model."""

    name: str
    family: str
    """Name in `PAGE_MODELS`."""
    options: Options
    """Of the family."""
    pipeline: PagePipeline
    augment: LeadAugmentation | ImageAugmentation | None
    """None: pages are shown as they are."""
    fit: PageFit = PageFit()
    members: int = 1
    """Networks that answer together, in one graph; with distillation, students."""
    calibrate: Calibration = Calibration()
    distil: Distillation | None = None
    hold_out: HoldOut = HoldOut()
    data: str = "ecg_images"
    text: str = ""
    """The recipe as it was written."""
    sha256: str = ""
    """Of the recipe's file."""


@dataclass(frozen=True, slots=True)
class _Top:
    """Keys outside tables."""

    name: str
    data: str = "ecg_images"
    layouts: tuple[str, ...] = ("3x4+1",)
    members: int = 1
    fit: PageFit = field(default_factory=PageFit)
    calibrate: Calibration = field(default_factory=Calibration)
    hold_out: HoldOut = field(default_factory=HoldOut)


def task_of(path: Path) -> str:
    """What a recipe is for: its key `task`, `beat` where it has none.

    Raises
    ------
    SettingsError
        The file is missing or no TOML.
    """
    return str(_read(path).get("task", "beat"))


def read_page_recipe(path: Path) -> PageRecipe:
    """Read a recipe.

    Raises
    ------
    SettingsError
        The file is missing or no TOML, a key is unknown or missing, or a value has the wrong type or range.
    """
    raw = _read(path)
    try:
        recipe = _recipe(raw, where=str(path))
        _check(recipe)
    except (ValueError, EcgedgeError) as error:
        known = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise SettingsError(f"{known} ({_EXAMPLE})") from None
    content = path.read_bytes()
    return replace(recipe, text=content.decode(), sha256=hashlib.sha256(content).hexdigest())


def _read(path: Path) -> dict[str, Json]:
    try:
        raw: dict[str, Json] = tomllib.loads(path.read_bytes().decode())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read as a recipe ({error}); see train/recipes/") from None
    return raw


def _recipe(raw: dict[str, Json], *, where: str) -> PageRecipe:
    raw = dict(raw)
    if (task := raw.pop("task", None)) != TASK:
        raise ValueError(f"task {task!r}; a page model's recipe says task = {TASK!r}")
    model, inputs = _table(raw, "model"), _table(raw, "inputs")
    augment = _table(raw, "augment") if "augment" in raw else None
    distil = _table(raw, "distil") if "distil" in raw else None
    top = from_plain(_Top, raw, where=where, defaults=True)
    kind = inputs.pop("kind", None)
    settings = _settings(kind, inputs, where=f"{where}: inputs")
    return PageRecipe(
        name=top.name,
        family=str(model.pop("family", "")),
        options=_options(model),
        pipeline=PagePipeline(settings, top.layouts),
        augment=None if augment is None else _augmentation(kind, augment, where=f"{where}: augment"),
        fit=top.fit,
        members=top.members,
        calibrate=top.calibrate,
        distil=None if distil is None else from_plain(Distillation, distil, where=f"{where}: distil", defaults=True),
        hold_out=top.hold_out,
        data=top.data,
    )


def _table(raw: dict[str, Json], name: str) -> dict[str, Json]:
    table = raw.pop(name, None)
    if not isinstance(table, dict):
        raise ValueError(f"no table [{name}]; add it")
    return dict(table)


def _options(raw: Mapping[str, Json]) -> Options:
    options: dict[str, float | int | str | bool] = {}
    for key, value in raw.items():
        if not isinstance(value, float | int | str | bool):
            raise ValueError(f"model.{key} is {value!r}; an option is a number, a word, true or false")
        options[key] = value
    return options


def _settings(kind: Json, raw: Mapping[str, Json], *, where: str) -> LeadArraySettings | PageImageSettings:
    if kind == "leads":
        return from_plain(LeadArraySettings, raw, where=where, defaults=True)
    if kind == "image":
        return from_plain(PageImageSettings, raw, where=where, defaults=True)
    raise ValueError(f"inputs.kind is {kind!r}; choose leads or image")


def _augmentation(kind: Json, raw: Mapping[str, Json], *, where: str) -> LeadAugmentation | ImageAugmentation:
    if kind == "leads":
        return from_plain(LeadAugmentation, raw, where=where, defaults=True)
    return from_plain(ImageAugmentation, raw, where=where, defaults=True)


def _check(recipe: PageRecipe) -> None:
    """Ranges that the types do not tell."""
    fit, calibrate, distil = recipe.fit, recipe.calibrate, recipe.distil
    limits = [
        ("fit.epochs", fit.epochs, 1, 100_000),
        ("fit.batch", fit.batch, 1, 4096),
        ("fit.learning_rate", fit.learning_rate, 1e-8, 10),
        ("fit.label_smoothing", fit.label_smoothing, 0, 0.9),
        ("fit.patience", fit.patience, 0, 100_000),
        ("fit.warm_up_epochs", fit.warm_up_epochs, 0, fit.epochs),
        ("members", recipe.members, 1, 64),
        ("calibrate.inner_share", calibrate.inner_share, 0, 0.5),
        ("calibrate.coverage", calibrate.coverage, 0.5, 0.999),
        ("calibrate.abstain_below", calibrate.abstain_below, 0, 1),
        ("hold_out.fold", recipe.hold_out.fold, 0, recipe.hold_out.folds - 1),
        ("fit.class_copies, how many", len(fit.class_copies), len(REPORT.names), len(REPORT.names)),
        *(("fit.class_copies", copies, 0, 1000) for copies in fit.class_copies),
    ]
    if distil is not None:
        limits += [("distil.teachers", distil.teachers, 1, 64), ("distil.share", distil.share, 0, 1)]
        limits += [("distil.temperature", distil.temperature, 0.05, 20)]
    for name, value, low, high in limits:
        if not low <= value <= high:
            raise ValueError(f"{name} is {value:g}; it must lie between {low:g} and {high:g}")
    if calibrate.inner_folds not in (0, *range(2, 21)):
        raise ValueError(f"calibrate.inner_folds is {calibrate.inner_folds}; 0, or 2 to 20")
    if fit.patience and not (calibrate.inner_folds or calibrate.inner_share):
        raise ValueError("fit.patience needs pages held back: set calibrate.inner_share or inner_folds")
