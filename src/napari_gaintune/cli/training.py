"""``napari-gaintune simulate`` and ``napari-gaintune train``: the models of the catalogue, made again or made anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tqdm import tqdm

from .flags import Switch
from .interrupts import Interrupts
from .outcome import DONE, FAILED, INTERRUPTED, complain

Output = Annotated[Path, Parameter(name=["--output", "-o"])]


def simulate(recipe: str, *, output: Output, reduced: Switch = False, processes: int = 0) -> int:
    """Make the clean images that a model is trained on or judged by. Needs the extra 'train'.

    Stopped at any moment, the same command goes on where it was. An object of a recipe is the same images on every run.

    Parameters
    ----------
    recipe
        A recipe's name, such as hrtem, stem, tem, natural or piecewise, or the path of a YAML file.
    output
        The folder of the sets; the images go into a folder of it with the recipe's name.
    reduced
        As many images as two processor cores make in a quarter of an hour.
    processes
        How many processor cores to use; 0: all of them.
    """
    from ..training.recipe import ImageRecipe, load_recipe
    from ..training.simulate import simulate as run

    chosen = load_recipe(ImageRecipe, recipe)
    chosen = chosen.as_reduced() if reduced else chosen.in_full()
    folder = output / chosen.name
    reports = run(folder, chosen, processes or os.cpu_count() or 1)
    with Interrupts() as asked, tqdm(desc=chosen.name, total=chosen.images, unit="image", smoothing=0.02) as bar:
        for report in reports:
            if not bar.n:  # what was there before has no part in the speed
                bar.initial = bar.n = report.images_done - chosen.images_per_object
            bar.update(report.images_done - bar.n)
            if asked():
                return complain(f"stopped; the same command goes on from {report.images_done} images", INTERRUPTED)
    print(folder)
    return DONE


def figures(*models: str, data: Path, processes: int = 0, write: Switch = False) -> int:
    """Make the figures of model cards again, from weights and recipe, and compare. Needs the extra 'train'.

    Exit code 1 if one differs by more than 0.02 dB from what the card says; with --write the card is given the new ones.

    Parameters
    ----------
    models
        Names, or paths of .safetensors files; none: all that are installed.
    data
        The folder of the sets; held-out objects that are not there are made in it.
    processes
        How many processor cores make them; 0: all.
    write
        Replace the figures of the card.
    """
    from ..models.catalogue import find_weights, list_models, load_denoiser, save_card
    from ..training.figures import disagreements, figures_again

    wrong = []
    for name in models or [card.name for card in list_models()]:
        denoiser = load_denoiser(name)
        kept, again = denoiser.card.validation, figures_again(denoiser, data, processes or os.cpu_count() or 1)
        different = disagreements(kept, again)
        for figure in dict.fromkeys([*kept, *again]):
            both = "  ".join(f"{table[figure]:7.2f}" if figure in table else "      -" for table in (kept, again))
            print(f"{denoiser.card.name}: {figure:36s} {both} dB{'  DIFFERS' if figure in different else ''}")
        if write:
            again_card = denoiser.card.model_copy(update={"validation": again})
            save_card(again_card, find_weights(name).with_suffix(".json"))
        else:
            wrong += [f"{denoiser.card.name}, {figure}" for figure in different]
    return complain(f"these figures differ: {'; '.join(wrong)}", FAILED) if wrong else DONE


def train(
    recipe: str,
    *,
    data: Path,
    output: Output,
    resume: Switch = False,
    reduced: Switch = False,
    minutes: float = 0.0,
    photographs: Path | None = None,
    begin_with: str | None = None,
    device: str = "auto",
    checkpoint_seconds: float = 120.0,
) -> int:
    """Train a model. Needs the extra 'train'.

    Checkpoints are written as it goes. After a kill at any moment, --resume goes on from it and ends with the same
    weights, bit for bit on one machine with the same number of threads.

    Parameters
    ----------
    recipe
        A recipe's name, such as unet-hrtem, or the path of a YAML file.
    data
        The folder that `simulate` was given with -o.
    output
        The folder of the checkpoint, and of the finished model: NAME.safetensors and its card, NAME.json.
    resume
        Go on from the checkpoint where there is one.
    reduced
        The recipe's reduced setting, for two processor cores.
    minutes
        Choose the number of steps that fit into so many minutes on this machine; 0: the recipe's.
    photographs
        A folder of pictures (PNG, TIFF, JPEG) that are trained on beside the simulated ones, as grey values from 0 to 1.
    begin_with
        Begin at the recipe's last restart, with this model, which the steps before it made: a name, or a .safetensors file.
    device
        auto, cpu, cuda or cuda:1.
    checkpoint_seconds
        The time between two checkpoints, and between two validations.
    """
    from ..models.device import choose_device
    from ..training.recipe import TrainingRecipe, load_recipe
    from ..training.run import TrainingRun

    chosen = load_recipe(TrainingRecipe, recipe)
    chosen = chosen.as_reduced() if reduced else chosen.in_full()
    run = TrainingRun(
        chosen, data, output, choose_device(device),
        resume=resume, minutes=minutes, is_reduced=reduced, photographs=photographs, begin_with=begin_with,
    )  # fmt: skip
    run.describe(print)
    with (
        Interrupts() as asked,
        tqdm(desc=chosen.name, total=run.recipe.steps, initial=run.state.step, unit="step") as bar,
    ):
        for report in run.train(checkpoint_seconds):
            bar.update(report.step - bar.n)
            bar.set_postfix_str(f"loss {report.loss:.3f}, waiting for data {report.waiting_share:.1%}")
            if report.validation_db is not None:
                bar.write(f"step {report.step}: validation {report.validation_db:.2f} dB")
            if asked():
                run.save()
                return complain(f"stopped at step {report.step}; --resume goes on from there", INTERRUPTED)
    card = run.finish()
    for figure, value in card.validation.items():
        print(f"{figure:40s} {value:6.2f} dB")
    print(output / f"{card.name}.safetensors")
    return DONE
