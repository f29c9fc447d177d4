"""Transfer: a pre-trained denoiser learns the noise of one microscope from pairs, and is kept as a model (Kim 2020)."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..adaptation.config import AdaptationConfig, ParametersName, checked
from ..adaptation.crops import Frames, crop_size, held_out_blocks
from ..adaptation.grid import Cell, check_cell
from ..adaptation.loop import CROP_MARGIN_PX, Step, adapt
from ..adaptation.objectives.referenced import ErrorToReference
from ..adaptation.parameters import choice_of, tuned
from ..errors import ModelError, OutputError, SettingError
from ..models.additions import add_model, check_name
from ..models.card import ModelCard
from ..models.catalogue import PROGRAM_SUFFIX, load_denoiser, save_model, user_folder
from ..models.device import choose_device, memory_errors_named
from ..models.networks import Network
from ..models.prediction import predict
from .pairs import Pair, find_pairs, load_pairs
from .transfer_config import TransferConfig

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Transferred:
    """How a transfer ended: mean squared errors to the references where they were held out, in the model's unit squared.

    ``card`` is that of the new model, None where no step was clearly better than the start and nothing was written.
    """

    card: ModelCard | None
    path: Path
    steps_run: int
    best_step: int
    error_before: float
    error_after: float


class TransferJob:
    """A transfer from the pairs in ``folder`` to a new model ``output``, which is listed with the others afterwards.

    Building a job reads the pairs and checks all that can be known before the first step. Raises ImageError for pairs
    that do not go together, SettingError, ModelError and DeviceError for settings, OutputError for a file that is there.
    """

    def __init__(self, folder: Path, output: Path, config: TransferConfig) -> None:
        self.folder, self.output, self.config = folder.expanduser(), output.expanduser(), config
        _check_place(self.output)
        self.device = choose_device(config.device)
        self.denoiser = load_denoiser(config.model)
        network, unit = self.denoiser.network, self.denoiser.card.intensity_unit
        if self.denoiser.card.is_program:
            raise ModelError(
                f"{self.denoiser.card.name}: a transfer writes weights of one of our architectures, and this is a "
                "TorchScript program; adapt it by denoise --parameters all-weights --save-adapted, or train it anew"
            )
        _check_parameters(config.parameters, network, unit)
        files = find_pairs(self.folder)
        self.pairs = load_pairs(files, self.denoiser, config)

    def run(self, stop: Callable[[], bool] = lambda: False) -> Generator[Step, None, Transferred]:
        """Yields every step; returns how it ended. ``stop`` is read before every step, and what is best then is kept."""
        chance = torch.Generator().manual_seed(self.config.seed)
        noisy, clean = [pair.noisy for pair in self.pairs], [pair.clean for pair in self.pairs]
        held_out = self._held_out(chance)
        frames, last = Frames(noisy, clean, held_out, CROP_MARGIN_PX), Step(0, None, 0.0, 0)
        with memory_errors_named(self.device):
            self.denoiser.place(self.device, torch.float32)
            network = self.denoiser.network
            before = held_out_error(network, self.pairs, held_out)
            with tuned(self.denoiser, self.config.parameters) as handle:
                for last in adapt(handle, frames, ErrorToReference(), self._schedule(), chance, stop):
                    yield last
                network = handle.merged()
            after = held_out_error(network, self.pairs, held_out)
        # the loop judges by a few crops: what it keeps must be better over all that is held out, too
        is_better = last.best_step > 0 and after < before
        card = self._keep(network, last, before, after) if is_better else None
        return Transferred(card, self.output, last.step, last.best_step, before, after)

    def _held_out(self, chance: torch.Generator) -> list[Tensor]:
        """For each pair; the frames of a file show one place, so that what one may not learn from no other may."""
        by_file: dict[int, Tensor] = {}
        for pair in self.pairs:
            if pair.file not in by_file:
                by_file[pair.file] = held_out_blocks(pair.noisy.shape, chance)  # a pixel between others is no test
        return [by_file[pair.file] for pair in self.pairs]

    def _schedule(self) -> AdaptationConfig:
        names = ("parameters", "steps", "learning_rate", "crops_per_step", "seed")
        settings = {name: getattr(self.config, name) for name in names}
        smallest_px = min(min(pair.noisy.shape) for pair in self.pairs)  # crops of a step are stacked: all of one size
        settings["crop_size_px"] = min(crop_size(self.config.crop_size_px, self.denoiser.network), smallest_px)
        return checked(AdaptationConfig, settings | {"pace": "plain", "stopping": "best"})

    def _keep(self, network: Network, last: Step, before: float, after: float) -> ModelCard:
        old, config = self.denoiser.card, self.config
        fields = old.model_dump(exclude={"sha256", "validation"}) | {
            "name": self.output.stem,
            "trained_on": f"{old.trained_on}; then, as a transfer of {old.name}, {len(self.pairs)} pairs of frames in "
            f"{self.folder.resolve().name}, step {last.best_step} of {last.step}",
            "objective": f"{old.objective}; then squared error to references, moving {config.parameters}",
            "recipe": json.dumps({"transfer": config.model_dump(), "of": old.name, "sha256": old.sha256}),
            "note": f"mean squared error to the references where they were held out: {before:.4g} before the transfer, "
            f"{after:.4g} after ({old.intensity_unit} squared); they hold the references' own noise, too",
        }
        _check_place(self.output)  # once more: the steps took their time
        card = save_model(network.to("cpu"), fields, self.output.parent)
        is_listed = self.output.parent.resolve() == user_folder().resolve()
        return card if is_listed else add_model(self.output, {})


def transfer(folder: str | Path, output: str | Path, **settings: Any) -> Transferred:
    """Teach a pre-trained denoiser the noise of a microscope by pairs of frames, and keep it as a model of one's own.

    ``folder`` holds noisy/ and clean/, with the same file names in both; ``output`` is a new .safetensors file, beside
    which its card is written; the model stands in the list under the file's name. ``settings`` are the fields of
    ``TransferConfig``. Raises ImageError, SettingError, ModelError, DeviceError or OutputError before any work.
    """
    job = TransferJob(Path(folder), Path(output), checked(TransferConfig, settings))
    steps = job.run()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            transferred: Transferred = end.value
            return transferred


def held_out_error(network: Network, pairs: list[Pair], held_out: list[Tensor]) -> float:
    """The mean squared error to the references in the blocks held out, over all pixels of all pairs."""
    errors = [
        (predict(network, pair.noisy) - pair.clean)[there].double().square()
        for pair, there in zip(pairs, held_out, strict=True)
    ]
    return float(torch.cat(errors).mean())


def _check_place(output: Path) -> None:
    if output.suffix != SUFFIX or not output.parent.is_dir():
        raise OutputError(f"{output}: give a file in a folder that exists, with a name that ends in {SUFFIX}")
    check_name(output.stem, overwrite=False)
    stems = (output.with_suffix(""), user_folder() / output.stem)
    for path in [stem.with_name(stem.name + suffix) for stem in stems for suffix in (SUFFIX, PROGRAM_SUFFIX, ".json")]:
        if path.exists():
            raise OutputError(f"{path}: exists already, and a model is never replaced; choose another name")
    try:
        user_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{user_folder()}: no folder for models of your own can be there ({error}); mend that"
        ) from error


def _check_parameters(parameters: ParametersName, network: Network, unit: str) -> None:
    if choice_of(parameters).of_frame or parameters == "heads":
        raise SettingError(
            f"parameters = {parameters!r}: what moves belongs to a frame, or to a second task, and makes no model; choose "
            "ain, channel-gains, last-layer, first-layer or all-weights"
        )
    check_cell(Cell(parameters, is_blind=network.is_blind, has_ain=bool(network.noise_parts), intensity_unit=unit))
