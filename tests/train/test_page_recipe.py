"""Recipes of page models: read strictly, every fault named with its file."""

from pathlib import Path

import pytest

from ecgedge.errors import SettingsError
from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.page_images import PageImageSettings
from ecgedge_train.models.page_models import PAGE_MODELS
from ecgedge_train.pages.augment_leads import LeadAugmentation
from ecgedge_train.pages.recipe import UnfreezeStage, read_page_recipe, task_of

LEADS = """
task = "page"
name = "toy"
members = 2
[model]
family = "lead_cnn"
width = 0.5
[inputs]
kind = "leads"
full_scale_mv = 1.0
[augment]
gain = 0.2
[fit]
epochs = 7
unfreeze = [{ epoch = 0, train_from = "head" }, { epoch = 3, train_from = "stem" }]
[calibrate]
inner_folds = 4
[distil]
teachers = 3
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "toy.toml"
    path.write_text(text)
    return path


def test_a_recipe_is_read_with_its_defaults(tmp_path: Path) -> None:
    found = read_page_recipe(written(tmp_path, LEADS))
    assert (found.name, found.family, found.members, dict(found.options)) == ("toy", "lead_cnn", 2, {"width": 0.5})
    assert found.pipeline.inputs == LeadArraySettings(full_scale_mv=1.0)
    assert found.pipeline.layouts == ("3x4+1",)
    assert found.augment == LeadAugmentation(gain=0.2)
    assert found.fit.unfreeze == (UnfreezeStage(0, "head"), UnfreezeStage(3, "stem"))
    assert found.distil is not None and found.distil.teachers == 3
    assert found.text == LEADS and len(found.sha256) == 64


def test_an_image_recipe_without_augmentation(tmp_path: Path) -> None:
    text = LEADS.replace('kind = "leads"\nfull_scale_mv = 1.0', 'kind = "image"\nwidth_px = 64\nheight_px = 32')
    found = read_page_recipe(written(tmp_path, text.replace("[augment]\ngain = 0.2\n", "")))
    assert found.pipeline.inputs == PageImageSettings(width_px=64, height_px=32)
    assert found.augment is None


def test_the_task_tells_recipes_apart(tmp_path: Path) -> None:
    assert task_of(written(tmp_path, LEADS)) == "page"
    assert task_of(written(tmp_path, 'name = "beat"')) == "beat"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs = 7", "epoch = 7", "did you mean 'epochs'"),
        ("epochs = 7", "epochs = 0", r"fit.epochs is 0; it must lie between 1"),
        ("gain = 0.2", "gian = 0.2", "did you mean 'gain'"),
        ('kind = "leads"', 'kind = "beats"', "choose leads or image"),
        ("full_scale_mv", "full_scale", "did you mean 'full_scale_mv'"),
        ('[model]\nfamily = "lead_cnn"', "[models]", r"no table \[model\]"),
        ("width = 0.5", "width = [1, 2]", "model.width"),
        ("inner_folds = 4", "inner_folds = 1", "calibrate.inner_folds is 1"),
        ("inner_folds = 4", "inner_share = 0.9", "calibrate.inner_share is 0.9"),
        ("teachers = 3", "teachers = 0", "distil.teachers is 0"),
        ("epochs = 7", "epochs = 7\nclass_copies = [1, 2]", "class_copies, how many is 2"),
        ("inner_folds = 4", "inner_share = 0.0\n[hold_out]\nfold = 5", "hold_out.fold is 5"),
        ('task = "page"', 'task = "beat"', "task 'beat'"),
        ("members = 2", "members = ", "cannot be read as a recipe"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in LEADS
    with pytest.raises(SettingsError, match=said) as error:
        read_page_recipe(written(tmp_path, LEADS.replace(old, new)))
    assert "toy.toml" in str(error.value) and "\n" not in str(error.value).replace("\\n", "")


SHIPPED = sorted((Path(__file__).parents[2] / "train/recipes").glob("page*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_recipes_can_be_read(path: Path) -> None:
    found = read_page_recipe(path)
    assert found.name == path.stem and found.family in PAGE_MODELS
    assert (found.hold_out.folds, found.hold_out.seed, found.hold_out.fold) == (5, 0, 4)


def test_patience_needs_pages_held_back(tmp_path: Path) -> None:
    text = LEADS.replace("epochs = 7", "epochs = 7\npatience = 2").replace("inner_folds = 4", "inner_share = 0.0")
    with pytest.raises(SettingsError, match="patience needs pages held back"):
        read_page_recipe(written(tmp_path, text))
