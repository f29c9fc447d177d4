"""A training from its recipe to the model and its card."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ..errors import SettingError
from ..models.card import ModelCard
from ..models.catalogue import save_model
from .checkpoint import save_checkpoint
from .dataset import open_set, with_photographs
from .recipe import TrainingRecipe
from .simulate import read_image_recipe
from .supervised import (
    CHECKPOINT,
    TrainingReport,
    averaged_network,
    begin_at_restart,
    resume_or_start,
    steps_for,
    train,
)
from .validation import ValidationSet, levels, validation_table


class TrainingRun:
    """Trains ``recipe`` on the sets in ``data`` into ``folder``; everything is checked before the first step.

    With ``minutes`` above 0 the number of steps is what fits into them, without restarts. ``photographs`` is a folder of
    pictures that join the simulated ones, ``begin_with`` the model that the steps before the recipe's last restart made.
    A resumed run keeps the steps that its minutes gave, whatever minutes are given then. Raises SettingError where the
    images are missing, or ``folder`` holds a checkpoint and neither ``resume`` nor an empty folder was asked for.
    """

    def __init__(
        self, recipe: TrainingRecipe, data: Path, folder: Path, device: torch.device, *,
        resume: bool, minutes: float = 0.0, is_reduced: bool = False, photographs: Path | None = None,
        begin_with: str | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.is_reduced, self.device, self.begun_with = folder, is_reduced, device, begin_with
        self.images = read_image_recipe(data / recipe.images)
        self.data = open_set(data / recipe.images, recipe.held_out_objects)
        if photographs is not None:
            simulated = self.data.images
            self.data = with_photographs(self.data, photographs, recipe.crop_px)
            recipe = recipe.model_copy(update={"photographs": self.data.images - simulated})
        there = (folder / CHECKPOINT).exists()
        if minutes > 0 and begin_with:
            raise SettingError("minutes and begin_with do not go together; the recipe's steps say how long it goes on")
        if minutes > 0 and recipe.meta:
            raise SettingError(
                "minutes cannot shorten meta-learning, which has two parts; leave it out, or edit the recipe"
            )
        if there and not resume:
            raise SettingError(f"{folder / CHECKPOINT} is there; go on from it with --resume, or give another folder")
        if minutes > 0 and not there:
            steps = steps_for(recipe, self.data, minutes, device)
            # so many minutes are one schedule
            recipe = recipe.model_copy(update={"steps": steps, "restarts": (), "minutes": minutes})
        if begin_with and not there:
            self.state, self.recipe = begin_at_restart(recipe, begin_with, device)
        else:
            self.state, self.recipe = resume_or_start(recipe, folder, resume, device)
        if begin_with and not self.recipe.restarts:
            raise SettingError(f"{folder / CHECKPOINT} was not begun with a model; leave --begin-with out")
        if minutes > 0 and not self.recipe.minutes:
            raise SettingError(
                f"{folder / CHECKPOINT} was begun with {self.recipe.steps} steps and not with minutes; leave --minutes out"
            )
        self._same_objects()

    def _same_objects(self) -> None:
        """With others the batches would be others, and what is held out may have been trained on."""
        there = len(self.data.training) + len(self.data.held_out) - self.recipe.photographs
        if self.state.objects not in (0, there):
            raise SettingError(
                f"{self.images.name}: {there} objects, but the training began with {self.state.objects}; give a folder "
                "with as many, or begin anew in an empty folder"
            )
        if self.state.trained_on not in ("", self.data.digest):
            raise SettingError(
                f"{self.images.name}: its objects, or the photographs, are not those that the training began with; give "
                "that set, or begin anew in an empty folder"
            )
        self.state.objects, self.state.trained_on = there, self.data.digest

    def describe(self, say: Callable[[str], object]) -> None:
        """What is trained on what, and the figures that the network has to beat."""
        recipe, level = self.recipe, levels(self.recipe)[0]
        parameters = sum(p.numel() for p in self.state.network.parameters()) / 1e6
        say(
            f"{recipe.name}: {recipe.architecture}, {parameters:.2f} million weights; {self.data.images} images of "
            f"{self.data.name}; steps {self.state.step} to {recipe.steps} on {self.device}"
        )
        baselines = ValidationSet.draw(self.data, level).baselines()
        say(f"at {level.name}: " + ", ".join(f"{name} {value:.2f} dB" for name, value in baselines.items()))

    def train(self, seconds_between_checkpoints: float = 120.0) -> Iterator[TrainingReport]:
        """Train to the last step; see ``supervised.train``."""
        return train(self.state, self.data, self.recipe, self.folder, seconds_between_checkpoints)

    def save(self) -> None:
        """Write the checkpoint now."""
        save_checkpoint(self.folder / CHECKPOINT, self.state, self.recipe)

    def finish(self) -> ModelCard:
        """Validate the averaged weights and write NAME.safetensors and NAME.json into the folder."""
        network = averaged_network(self.state, self.recipe)
        table = validation_table(self.data, self.recipe, network)
        recipe, noise = self.recipe, self.recipe.noise
        setting = "reduced setting" if self.is_reduced else "full setting"
        where = (
            torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else f"a CPU ({platform.machine()})"
        )
        since = f" from step {recipe.restarts[-1]} on" if self.begun_with else ""
        photographs = f" and {recipe.photographs} photographs" if recipe.photographs else ""
        fields = {
            "name": recipe.name,
            "architecture": recipe.architecture,
            "options": recipe.options,
            "modality": recipe.modality,
            "intensity_unit": recipe.intensity_unit,
            "dose_range_e_per_px": noise.dose_range_e_per_px,
            "pixel_size_range_nm": recipe.pixel_size_range_nm,
            "crop_px": recipe.crop_px,
            "objects": len(self.data.training) + len(self.data.held_out) - recipe.photographs,
            "trained_on": (
                f"{self.data.images - recipe.photographs} simulated images of "
                f"{len(self.data.training) - recipe.photographs} objects (recipe {self.images.name}, seed "
                f"{self.images.seed}){photographs}, {recipe.steps} steps of {recipe.batch} crops"
            ),
            "objective": f"error to the clean image{_beside(recipe)}, fresh noise for each crop (supervised)",
            "recipe": json.dumps(recipe.model_dump(mode="json")),
            "validation": table,
            "licence": "BSD-3-Clause",
            "note": (
                f"{setting}, {self.state.seconds / 60:.0f} minutes on {where}{since}. Figures: mean PSNR of "
                f"{len(self.data.held_out)} objects of the same recipe that were not trained on, 256 px crops, peak 1"
            ),
        }
        return save_model(network.to("cpu"), fields, self.folder)


def _beside(recipe: TrainingRecipe) -> str:
    level = " and to the noise level" if "noise-level" in recipe.losses else ""
    told_again = " and of the noisy image told again" if "second-task" in recipe.losses else ""
    learned = ", meta-auxiliary and meta-transfer learning" if recipe.meta else ""
    return level + told_again + learned
