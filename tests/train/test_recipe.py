"""Recipes: the shipped one is whole, and a mistake is named with its remedy."""

from pathlib import Path

import pytest

from ecgedge.errors import SettingsError
from ecgedge.rhythm import RhythmContext
from ecgedge.templates import SHAPE_FEATURES
from ecgedge_train.models import MODELS
from ecgedge_train.recipe import read_recipe

BEAT = Path(__file__).parents[2] / "train/recipes/beat.toml"


def changed(folder: Path, old: str, new: str) -> Path:
    text = BEAT.read_text()
    assert old in text
    path = folder / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_shipped_recipe_names_things_that_exist() -> None:
    import numpy as np

    recipe = read_recipe(BEAT)
    known = {*RhythmContext().feed(np.array([np.nan]), np.array([0.8])), *SHAPE_FEATURES}
    assert set(recipe.pool.features) <= known
    assert len(set(recipe.pool.features)) == len(recipe.pool.features)
    assert {one.model for one in recipe.members} <= set(MODELS)
    assert len(recipe.sha256) == 64


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("virtual_copies = ", "virtual_copy = ", "unknown key 'virtual_copy'; did you mean 'virtual_copies'"),
        ("[[members]]", "[[limbs]]", "unknown key 'limbs'"),
        ('name = "beat"', "name = 7", "name is 7; it must be of type str"),
        ('name = "beat"', "", "'name'"),
        ('name = "beat"', 'name = "beat"\nsha256 = "x"', "sha256 is computed"),
        ("epochs = 15", "epochs = 'many'", "it must be of type int"),
        ("seeds = [1, 2, 3]", "seeds = 7", "seeds is 7; it must be of type list"),
        ("real_share = ", "real_share = true #", "it must be of type float"),
        ('name = "beat"', "name = beat", "cannot be read as a recipe"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_recipe(changed(tmp_path, old, new))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")


TAUGHT = '\n[[teachers]]\nrecipe = "beat.toml"\nshare = 0.8\n'


def test_a_teacher_is_read_with_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    (tmp_path / "beat.toml").write_text(BEAT.read_text())
    path.write_text(BEAT.read_text() + TAUGHT)
    recipe, teacher = read_recipe(path), read_recipe(BEAT)
    assert recipe.teacher_recipes == (teacher,)
    assert recipe.stamp == f"{recipe.sha256}-{teacher.sha256}"
    assert teacher.stamp == teacher.sha256


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"beat.toml"', '"nobody.toml"', "nobody.toml: cannot be read"),
        ("share = 0.8", "share = 1.2", "add up to more than 1"),
        ("share = 0.8", "share = -0.2", "negative"),
        ("virtual_copies = 16", "virtual_copies = 8", "another [pool] or seed"),
        ("seed = 7", "seed = 8", "another [pool] or seed"),
        ('"beat.toml"', '"taught.toml"', "has teachers itself"),
        ('"beat.toml"', '"../beat.toml"', "give the name of a file"),
        ('"beat.toml"', '"recipe.toml"', "give the name of a file"),
        ('name = "beat"', 'name = "beat"\nteacher_recipes = []', "teacher_recipes is computed"),
    ],
)
def test_a_teacher_that_does_not_fit_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = BEAT.read_text() + TAUGHT
    assert old in text
    (tmp_path / "beat.toml").write_text(BEAT.read_text())
    (tmp_path / "taught.toml").write_text(text)
    (tmp_path / "small.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(SettingsError) as caught:
        read_recipe(tmp_path / "small.toml")
    assert said in str(caught.value) and "\n" not in str(caught.value)
