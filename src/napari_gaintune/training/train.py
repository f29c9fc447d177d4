"""Train a network: ``python -m napari_gaintune.training.train RECIPE --data DIR --out DIR [--resume]``."""

# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..models.catalogue import WEIGHTS_FOLDER, save_model
from .dataset import SimulatedSet, open_set
from .recipe import Recipe, load_recipe
from .supervised import averaged_network, resume_or_start, steps_for, train
from .validation import VALIDATION_DOSE_E_PER_PX, ValidationSet

PRINT_EVERY = 20


def card_fields(recipe: Recipe, data: SimulatedSet, minutes: float, validation_db: dict[str, float]) -> dict[str, Any]:
    """What the model card says of a network trained by this command."""
    low, high = data.pixel_size_range_nm
    return {
        "name": recipe.name,
        "architecture": recipe.architecture,
        "options": recipe.options,
        "modality": "HRTEM",
        "intensity_unit": "electrons",
        "dose_range_e_per_px": recipe.dose_range_e_per_px,
        "pixel_size_range_nm": (round(low, 4), round(high * (2 if recipe.binned_share else 1), 4)),
        "trained_on": (
            f"{data.images} simulated 300 kV HRTEM images of {len(data.training)} specimens (multislice, seed "
            f"{data.seed}): Pt, Pd and Ni particles on CeO2, ZrO2 and SrTiO3, bare crystals and particles, some under "
            "carbon; no gold and no MgO"
        ),
        "objective": "squared error to the clean expected electrons, fresh Poisson noise (supervised)",
        "recipe": recipe.model_dump_json(),
        "validation": {name: round(value, 3) for name, value in validation_db.items()},
        "licence": "BSD-3-Clause",
        "note": (
            f"PSNR in dB, peak 1, unclamped, on {len(data.held_out)} held-out simulated specimens at "
            f"{VALIDATION_DOSE_E_PER_PX} electrons per pixel in the vacuum; trained for {minutes:.0f} minutes on a CPU"
        ),
    }


def main(arguments: list[str] | None = None) -> None:
    """The command; see the module's first line."""
    parser = argparse.ArgumentParser(prog="python -m napari_gaintune.training.train", description=__doc__)
    parser.add_argument("recipe", help="a recipe's name, or the path of a YAML file")
    parser.add_argument("--data", type=Path, required=True, help="the folder that `simulate` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FOLDER, help="folder of the finished model")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, where there is one")
    parser.add_argument("--minutes", type=float, help="choose the number of steps to fit; else the recipe's")
    options = parser.parse_args(arguments)
    recipe = load_recipe(options.recipe)
    data = open_set(options.data, recipe.held_out_waves)
    if options.minutes and not (options.resume and any(options.out.glob("*.safetensors"))):
        recipe = recipe.model_copy(update={"steps": steps_for(recipe, data, options.minutes)})
    state, recipe = resume_or_start(recipe, options.out, options.resume)
    validation = ValidationSet.draw(data)
    figures = validation.baselines()
    print(f"{recipe.name}: {data.images} images, steps {state.step} to {recipe.steps}; baselines in dB:", figures)
    for report in train(state, data, recipe, options.out):
        if report.step % PRINT_EVERY == 0 or report.validation_db is not None:
            score = "" if report.validation_db is None else f", validation {report.validation_db:.3f} dB"
            line = f"step {report.step}/{report.steps}, loss {report.loss:.4f}, {report.seconds_left / 60:.1f} min left"
            print(line + score, flush=True)
    network = averaged_network(state, recipe)
    figures = {"network": validation.score(network)} | figures
    card = save_model(network, card_fields(recipe, data, state.seconds / 60, figures), options.weights)
    print(f"wrote {options.weights / card.name}.safetensors;", figures, flush=True)


if __name__ == "__main__":
    main()
