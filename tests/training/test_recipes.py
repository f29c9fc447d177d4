"""Recipes are valid, say what is wrong with a broken one, and keep validation apart from training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from napari_gaintune.errors import SettingError
from napari_gaintune.training.recipe import RECIPES_FOLDER, ImageRecipe, TrainingRecipe, load_recipe
from napari_gaintune.training.scenes import HrtemScene, StemScene, TemScene
from napari_gaintune.training.scenes.tem import OBJECTS
from napari_gaintune.training.specimen import SpecimenRecipe
from napari_gaintune.training.supervised import new_state

pytest.importorskip("yaml")

IMAGES = sorted(path.stem for path in (RECIPES_FOLDER / "images").glob("*.yaml"))
MODELS = sorted(path.stem for path in (RECIPES_FOLDER / "models").glob("*.yaml"))


@pytest.mark.parametrize("name", IMAGES)
def test_every_recipe_of_images_is_valid_in_both_settings(name: str) -> None:
    recipe = load_recipe(ImageRecipe, name)
    assert recipe.name == name
    assert recipe.as_reduced().images <= recipe.in_full().images
    assert recipe.as_reduced().scene == recipe.in_full().scene


@pytest.mark.parametrize("name", MODELS)
def test_every_recipe_of_a_model_is_valid_in_both_settings(name: str) -> None:
    recipe = load_recipe(TrainingRecipe, name)
    assert recipe.name == name
    assert recipe.images in IMAGES
    for setting in (recipe.in_full(), recipe.as_reduced()):
        network = new_state(setting, torch.device("cpu")).network
        assert 4 * sum(p.numel() for p in network.parameters()) < 6e6  # bytes of a shipped file


def test_validation_at_low_magnification_shares_no_kind_of_object_with_training() -> None:
    training, validation = (load_recipe(ImageRecipe, name).scene for name in ("tem", "tem-validation"))
    assert isinstance(training, TemScene)
    assert isinstance(validation, TemScene)
    assert set(training.objects).isdisjoint(validation.objects)
    assert set(training.objects) | set(validation.objects) == set(OBJECTS)


@pytest.mark.parametrize("name", ["hrtem", "stem"])
def test_validation_shares_no_material_and_no_shape_with_training(name: str) -> None:
    training, validation = _specimens(name), _specimens(f"{name}-validation")
    assert _crystals(training).isdisjoint(_crystals(validation))
    assert set(training.shapes).isdisjoint(validation.shapes)


def _specimens(name: str) -> SpecimenRecipe:
    scene = load_recipe(ImageRecipe, name).scene
    assert isinstance(scene, HrtemScene | StemScene)
    return scene.specimens


def _crystals(specimens: SpecimenRecipe) -> set[str]:
    """And the elements of films, where there are any."""
    films = set(specimens.amorphous) if specimens.covered_share or "film" in specimens.kinds else set()
    return films | set(specimens.metals) | set(specimens.supports) | set(specimens.crystals) | set(specimens.sheets)


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "name: x\nscene: {kind: tem}\nimages: 3\ncolour: red",
        "name: x\nscene: {kind: sculpture}\nimages: 3",
        "name: x\nscene: {kind: tem, objects: [rods, pots]}\nimages: 3",
        "name: x\nscene: {kind: tem, objects: []}\nimages: 3",
    ],
)
def test_a_broken_recipe_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=r"broken.yaml: not a valid recipe"):
        load_recipe(ImageRecipe, str(path))


SPECIMENS = {"kinds": {"particle": 1.0}, "metals": {"Pt": 1.0}}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metals": {"Xx": 1.0}}, "Xx: no such crystal; choose from"),
        ({"shapes": {"ball": 1.0}}, "ball: no such shape; choose from polyhedron"),
        ({"kinds": {}}, "at least 1 item"),
        ({"kinds": {"particle": 0.0}}, "give 0 or more to each, and more than 0 to one"),
        ({"metals": {"Pt": 2.0, "Au": -1.0}}, "give 0 or more to each"),
        ({"metals": {}}, "particle specimens are made of metals, and none are given"),
        ({"kinds": {"sheet": 1.0}}, "sheet specimens are made of sheets"),
        ({"thickness_range_nm": (4.0, 2.0)}, "4 to 2: give two values above 0, the lower one first"),
        ({"width_range_nm": (0.0, 2.0)}, "0 to 2: give two values above 0"),
        ({"covered_share": 2.0}, "less than or equal to 1"),
    ],
)
def test_specimens_that_cannot_be_drawn_are_refused(wrong: dict[str, object], said: str) -> None:
    SpecimenRecipe.model_validate(SPECIMENS)
    with pytest.raises(ValidationError, match=said):
        SpecimenRecipe.model_validate(SPECIMENS | wrong)


@pytest.mark.parametrize("name", ["pixel_size_range_nm", "zoom_range", "contrast_range"])
@pytest.mark.parametrize("limits", [(0.0, 1.0), (-0.01, 0.03), (0.03, 0.01), (0.01, float("inf"))])
def test_a_range_whose_logarithm_is_drawn_from_is_above_zero(name: str, limits: tuple[float, float]) -> None:
    recipe = load_recipe(TrainingRecipe, "unet-hrtem").model_dump()
    with pytest.raises(ValidationError, match=f"{name}(.|\n)*give two values above 0, the lower one first"):
        TrainingRecipe.model_validate(recipe | {name: limits})


def test_a_file_that_is_not_yaml_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("name: [x")
    with pytest.raises(SettingError, match=r"broken.yaml: not YAML \(.*\); mend it there$"):
        load_recipe(ImageRecipe, str(path))


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(SettingError, match=r"no-such-recipe.*there are .*hrtem"):
        load_recipe(ImageRecipe, "no-such-recipe")
    with pytest.raises(SettingError, match=r"there are .*unet-hrtem"):
        load_recipe(TrainingRecipe, "hrtem")


def test_a_reduced_setting_that_is_not_valid_is_refused() -> None:
    recipe = load_recipe(ImageRecipe, "tem").model_copy(update={"reduced": {"images": 0}})
    with pytest.raises(SettingError, match="tem: not a valid recipe"):
        recipe.as_reduced()
