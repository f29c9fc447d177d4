"""A simulated set as random crops, scaled and turned, with noise drawn for each."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from skimage.io import imread
from skimage.util import img_as_float32
from torch import Tensor
from torch.nn import functional as F

from ..errors import SettingError
from ..noise.models import Correlated, Gaussian, KnownNoise, Poisson, PoissonGaussian
from .recipe import NoiseRecipe, Range, TrainingRecipe
from .simulate import read_image_recipe

Stack = npt.NDArray[np.float16]
EMPHASIS_WIDTH = 1.25  # doses of the emphasis lie within this factor of its centre
LARGEST_ENLARGEMENT = 1.35  # a crop enlarged more than that is smoother than any micrograph
LOWEST_INTENSITY = 1e-3  # contrast that is raised must not reach below zero
BATCHES_AHEAD = 6
PHOTOGRAPHS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
SMALLEST_SD = 0.5 / 255  # no picture has less noise than this


@dataclass(frozen=True)
class SimulatedObject:
    """One file of a set: images (n, h, w) float16 left on disk, and their pixel size in nm, None for pictures."""

    images: Stack
    pixel_size_nm: float | None


@dataclass(frozen=True)
class SimulatedSet:
    """The objects of a set, those that are trained on and the last few, which are not.

    ``digest`` is of what the objects are and how they were imaged, and of photographs' pixels: of no other set the same.
    """

    training: list[SimulatedObject]
    held_out: list[SimulatedObject]
    name: str
    digest: str = ""

    @property
    def images(self) -> int:
        """How many training images there are."""
        return sum(len(entry.images) for entry in self.training)


@dataclass(frozen=True)
class Batch:
    """Clean and noisy crops (b, 1, crop, crop), and what the squared error is divided by (b, 1, 1, 1); float32.

    ``noise_sd`` (b, 1, crop, crop) is the standard deviation of the noise at each pixel. The divisor is the variance of the
    noise in the vacuum, or of the Gaussian noise; of noise that is correlated, what it was before the point spread.
    """

    clean: Tensor
    noisy: Tensor
    divisor: Tensor
    noise_sd: Tensor


def open_set(folder: Path, held_out_objects: int) -> SimulatedSet:
    """What ``simulate`` wrote to ``folder``; the last ``held_out_objects`` of it are kept out of training.

    Raises SettingError if there are no more than those, or if one is missing between others: the last objects would not
    be those that their number says, and a model's card names the held-out ones by how many there are.
    """
    recipe = read_image_recipe(folder)
    records = sorted(path for path in folder.glob("[0-9]*.json"))
    for number, record in enumerate(records):
        if int(record.stem) != number:
            raise SettingError(
                f"{folder}: object {number} is missing and later ones are there, as where the simulation was stopped; "
                f"finish it with: napari-gaintune simulate {recipe.name} --output {folder.parent}"
            )
    if len(records) <= held_out_objects:
        raise SettingError(
            f"{folder}: {len(records)} objects, of which {held_out_objects} are to be held out; make more of them "
            f"with: napari-gaintune simulate {recipe.name}"
        )
    objects = [_open(path) for path in records]
    split = len(objects) - held_out_objects
    facts = hashlib.sha256(b"".join(record.read_bytes() for record in records))
    return SimulatedSet(objects[:split], objects[split:], recipe.name, facts.hexdigest())


def open_objects(folder: Path, objects: Iterable[int]) -> SimulatedSet:
    """Those objects of a set by their numbers, none of them to train on."""
    held_out = [_open(folder / f"{index:05d}.json") for index in objects]
    return SimulatedSet([], held_out, read_image_recipe(folder).name)


def _open(record: Path) -> SimulatedObject:
    facts: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return SimulatedObject(np.load(record.with_suffix(".npy"), mmap_mode="r"), facts["pixel_size_nm"])


def with_photographs(data: SimulatedSet, folder: Path, smallest_px: int) -> SimulatedSet:
    """The set, and every picture in ``folder`` as one more object to train on; colours become grey, values 0..1.

    Raises SettingError if there is none, or one of them has fewer than ``smallest_px`` rows or columns.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PHOTOGRAPHS)
    if not paths:
        raise SettingError(f"{folder}: no photographs there; give a folder of {', '.join(PHOTOGRAPHS)} files")
    pictures = []
    for path in paths:
        picture = img_as_float32(imread(path, as_gray=True))  # type: ignore[no-untyped-call]
        if min(picture.shape) < smallest_px:
            raise SettingError(f"{path}: {picture.shape} pixels, smaller than a crop of {smallest_px}; leave it out")
        pictures.append(SimulatedObject(picture[None].astype(np.float16), None))
    digest = hashlib.sha256(b"".join([data.digest.encode(), *(picture.images.tobytes() for picture in pictures)]))
    name = f"{data.name} and of {len(pictures)} photographs"
    return SimulatedSet(data.training + pictures, data.held_out, name, digest.hexdigest())


def batches(data: SimulatedSet, recipe: TrainingRecipe, first_step: int, workers: int) -> Generator[Batch, None, None]:
    """Batch ``first_step`` and all that follow it to the recipe's last, made ahead of time in ``workers`` threads."""
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        ahead: deque[Future[Batch]] = deque()
        try:
            for step in range(first_step, recipe.steps):
                ahead.append(pool.submit(training_batch, data, recipe, step))
                if len(ahead) > BATCHES_AHEAD + workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for waiting in ahead:
                waiting.cancel()


def training_batch(data: SimulatedSet, recipe: TrainingRecipe, step: int) -> Batch:
    """Batch number ``step``, drawn from (seed, step) alone, so that a resumed training sees the same batches.

    The noise is fresh in every batch, which is legitimate here because the target is the known clean image and no
    second noisy copy of it.
    """
    rng = np.random.default_rng([recipe.seed, step])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    drawn = [_one(data, recipe, rng, generator) for _ in range(recipe.batch)]
    clean, noisy, variance, noise_sd = zip(*drawn, strict=True)
    divisor = torch.tensor(variance).view(-1, 1, 1, 1)
    return Batch(torch.stack(clean)[:, None], torch.stack(noisy)[:, None], divisor, torch.stack(noise_sd)[:, None])


def draw_noise(noise: NoiseRecipe, rng: np.random.Generator) -> tuple[KnownNoise, float, float]:
    """A noise model from the recipe's ranges, the dose to multiply a relative intensity by, and its variance there."""
    sd = float(rng.uniform(*noise.sd_range))
    model: KnownNoise
    if noise.dose_range_e_per_px is None:
        dose, variance = 1.0, max(sd, SMALLEST_SD) ** 2
        model = Gaussian(variance**0.5)
    else:
        dose = _random_dose(noise, noise.dose_range_e_per_px, rng)
        variance = dose + sd**2
        model = PoissonGaussian(read_noise_sd=sd) if sd else Poisson()
    if rng.random() < noise.correlated_share:
        point_spread_px = float(rng.uniform(*noise.point_spread_range_px))
        row_noise_sd = float(rng.uniform(*noise.row_noise_range)) * variance**0.5
        model = Correlated(model, point_spread_px, row_noise_sd)
    return model, dose, variance


def _random_dose(noise: NoiseRecipe, limits: Range, rng: np.random.Generator) -> float:
    centre = noise.emphasis_dose_e_per_px
    if rng.random() < noise.emphasis_share:
        limits = (centre / EMPHASIS_WIDTH, centre * EMPHASIS_WIDTH)
    return float(np.exp(rng.uniform(*np.log(limits))))


def _one(
    data: SimulatedSet, recipe: TrainingRecipe, rng: np.random.Generator, generator: torch.Generator
) -> tuple[Tensor, Tensor, float, Tensor]:
    entry = _any_object(data, recipe, rng)
    image = entry.images[rng.integers(len(entry.images))]
    model, dose, divisor = draw_noise(recipe.noise, rng)
    clean = random_crop(image, entry.pixel_size_nm, recipe, rng) * dose
    return clean, model.sample(clean, generator), divisor, model.variance(clean).sqrt()


def _any_object(data: SimulatedSet, recipe: TrainingRecipe, rng: np.random.Generator) -> SimulatedObject:
    """Photographs are few and simulated pictures many: each kind has its share of the crops. They stand last in the list."""
    simulated = len(data.training) - recipe.photographs
    if recipe.photographs and rng.random() < recipe.photograph_share:
        return data.training[simulated + rng.integers(recipe.photographs)]
    return data.training[rng.integers(simulated)]


def random_crop(
    image: npt.NDArray[np.float16], pixel_size_nm: float | None, recipe: TrainingRecipe, rng: np.random.Generator
) -> Tensor:
    """A crop of (crop, crop) float32: scaled to a random pixel size of the recipe's, turned, its contrast changed."""
    crop_px = recipe.crop_px
    if recipe.pixel_size_range_nm is not None and pixel_size_nm is not None:
        zoom = float(np.exp(rng.uniform(*np.log(recipe.pixel_size_range_nm)))) / pixel_size_nm
    else:
        zoom = float(np.exp(rng.uniform(*np.log(recipe.zoom_range))))
    side = round(crop_px * float(np.clip(zoom, 1 / LARGEST_ENLARGEMENT, min(image.shape) / crop_px)))
    y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape)
    crop = np.asarray(image[y : y + side, x : x + side], dtype=np.float32)
    crop = np.rot90(crop, int(rng.integers(4)))
    crop = np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)
    contrast = float(np.exp(rng.uniform(*np.log(recipe.contrast_range))))
    scaled = scaled_to(torch.from_numpy(crop), crop_px)
    return scaled if contrast == 1 else (1 + contrast * (scaled - 1)).clamp_min(LOWEST_INTENSITY)


def scaled_to(image: Tensor, size_px: int) -> Tensor:
    """A square image (s, s) as (size, size): averaged where it shrinks, interpolated where it grows; never below 0."""
    if image.shape[-1] == size_px:
        return image
    mode = "bicubic" if image.shape[-1] < size_px else "bilinear"
    scaled = F.interpolate(image[None, None], size=(size_px, size_px), mode=mode, antialias=True)[0, 0]
    return scaled.clamp_min(0)
