"""A model card's figures, made again from its recipe and its weights."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelError
from ..models.denoiser import Denoiser
from .dataset import open_objects
from .recipe import ImageRecipe, TrainingRecipe, load_recipe
from .simulate import RECIPE_FILE, read_image_recipe, simulate
from .validation import validation_table

ROUNDING_DB = 0.02  # figures are kept to 0.01 dB, and bfloat16 rounds differently on other processors


def figures_again(denoiser: Denoiser, data: Path, processes: int) -> dict[str, float]:
    """The validation table of the card, computed anew on the objects that were held out of the training.

    They are made in ``data``, in the folder of their set, where they are not there yet. Raises ModelError for a card whose
    recipe is not one of ours.
    """
    card = denoiser.card
    if card.objects is None:
        raise ModelError(f"{card.name}: the card does not say which objects were held out of its training")
    recipe = TrainingRecipe.model_validate_json(card.recipe)
    folder = data / recipe.images
    made = (folder / RECIPE_FILE).exists()
    images = read_image_recipe(folder) if made else load_recipe(ImageRecipe, recipe.images).in_full()
    held_out = range(card.objects - recipe.held_out_objects, card.objects)
    for _ in simulate(folder, images, processes, held_out):
        pass
    denoiser.network.compute_dtype = recipe.compute_dtype
    return validation_table(open_objects(folder, held_out), recipe, denoiser.network)


def disagreements(kept: dict[str, float], again: dict[str, float]) -> list[str]:
    """The names of the figures that differ by more than rounding, or that only one of the two has."""
    names = dict.fromkeys([*kept, *again])
    return [
        name for name in names
        if name not in kept or name not in again or abs(kept[name] - again[name]) > ROUNDING_DB
    ]  # fmt: skip
