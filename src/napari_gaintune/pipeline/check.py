"""Whether a result can be trusted, by what was measured alone: its residual, other frames of the scene, its columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError, SettingError
from ..evaluation.bootstrap import fits_blocks
from ..evaluation.column_support import ColumnSupport, column_support
from ..evaluation.columns import shows_columns
from ..evaluation.other_frames import FEWEST_FRAMES, UnsupervisedError, unsupervised_error
from ..evaluation.residual import ResidualCheck, check_residual
from ..image import ArraySeries, Float32, FrameSeries, check_frame, with_pixel_size
from ..io import read_recipe, series_from
from ..io.output_path import SUFFIXES
from ..models.prediction import Halt, go_on
from ..noise.intensity import IntensityScale
from .api import Result
from .frames import selection_of
from .provenance import Made, made_frames
from .save import chosen_axes
from .witnesses import Witnesses

SHARED_FROM = 0.05  # of neighbours' residuals; what a network leaves of independent noise stays well below
WORTH_TELLING = 0.02  # of chi square: a network that sees a pixel keeps a little of its noise

NO_GAIN = (
    "detector_gain = 0: the result does not say how many counts an electron makes; give the detector gain, and the offset "
    "where an unexposed pixel does not read 0 (napari-gaintune noise measures both)"
)
OF_ERROR = "The error is by other frames of the scene: what moves or changes in it counts as error."
LEARNED_ELSEWHERE = (
    "The network was adapted to frames of the whole series, or before: what the other frames say is not quite independent "
    "of them."
)


@dataclass(frozen=True)
class Check:
    """What the measured counts say of the denoised frame ``frame``; all in electrons per pixel.

    ``image`` is that frame, (h, w) float32, and ``pixel_size_nm`` the side of its pixels (None: not known). ``error`` is
    None where fewer than two other frames show the scene. ``columns`` are those that the image shows, by the counts of
    ``other_frames`` other frames, and ``columns_here`` the same ones, in the same order, by the frame's own counts, which
    support what a network has made of their noise: only what they speak against is told. None where there are no such
    counts, or no column could be seen at this pixel size. ``sentences`` say what it means.
    """

    frame: int
    image: Float32 = field(repr=False)
    pixel_size_nm: float | None
    residual: ResidualCheck
    other_frames: int
    error: UnsupervisedError | None
    columns: ColumnSupport | None = field(repr=False)
    columns_here: ColumnSupport | None = field(repr=False)
    sentences: tuple[str, ...]

    @property
    def witnessed(self) -> ColumnSupport | None:
        """The columns by the best witnesses there are."""
        return self.columns or self.columns_here

    def in_words(self) -> str:
        """The figures and the sentences, for a small place."""
        residual = self.residual
        words = [f"Frame {self.frame}: chi square {residual.chi_square:.3f} (noise alone: 1 ± {residual.limit:.3f})"]
        if self.error:
            upsnr, low, high = self.error.psnr_db()
            words.append(f"uPSNR {upsnr:.1f} dB, peak 1 e⁻/px (95 %: {low:.1f} to {high:.1f}), by other frames")
        sentences = [sentence for sentence in self.sentences if sentence != OF_ERROR]
        return "\n".join([*(f"{line}." for line in words), *sentences])


def check(
    noisy: Any,
    denoised: Any,
    frame: int | None = None,
    detector_gain: float = 0.0,
    detector_offset: float = 0.0,
    read_noise_sd: float = 0.0,
    pixel_size_nm: float = 0.0,
) -> Check:
    """Check one denoised frame by what was measured alone; see ``Check`` for what comes out.

    ``noisy`` is the recording, ``denoised`` what was made of it, in the recording's unit: what ``denoise`` takes (arrays,
    layers, signals, paths), or the ``Result`` that it returns. ``frame`` counts from 0 in the recording; None: the first
    that was denoised. Of a series in time up to 20 frames on either side are looked at, aligned by whole pixels and made
    as bright; those that objective next-frame has learned from are no witnesses and left out. One frame is in memory at a
    time.

    ``detector_gain`` is in counts per electron, 0 takes what the result's recipe says, offset included; offset and read
    noise are in counts, and ``pixel_size_nm`` 0 is the recording's own, or what it was denoised with. Raises ImageError
    where the frames do not fit each other or hold NaN, SettingError for a frame that is not there, a negative setting, or no
    detector gain where none is known.
    """
    for name, value in (
        ("detector_gain", detector_gain),
        ("read_noise_sd", read_noise_sd),
        ("pixel_size_nm", pixel_size_nm),
    ):
        if not 0 <= value < np.inf:
            raise SettingError(f"{name} = {value:g}; it must be 0 or more")
    result, recipe = _opened(denoised)
    recording = _calibrated(series_from(noisy), pixel_size_nm, recipe)
    made = _made(recording, result, recipe, frame)
    if detector_gain:
        made = replace(made, scale=IntensityScale(detector_offset, detector_gain), is_estimated=False)
    image = check_frame(result.frame(made.position), f"{result.name}, frame {made.position}")
    return check_frame_of(recording, image, made, read_noise_sd)


def check_by_recipe(
    noisy: FrameSeries, image: Float32, frame: int, recipe: dict[str, Any], halt: Halt = go_on
) -> Check:
    """The same for ``image``, (h, w) in the recording's unit, which was made of frame ``frame`` as ``recipe`` says.

    ``halt`` is called before each frame that is read, and raises where nobody wants the result any more. Raises ImageError
    where the recipe does not say how the frame was made.
    """
    made = [one for one in made_frames(recipe) if one.frame == frame]
    if not made:
        raise ImageError(f"frame {frame}: the result's recipe does not say how it was made; denoise it again")
    return check_frame_of(_calibrated(noisy, 0.0, recipe), image, made[0], 0.0, halt)


def _calibrated(noisy: FrameSeries, pixel_size_nm: float, recipe: dict[str, Any] | None) -> FrameSeries:
    """With the pixel size that is given now, or was given when it was denoised."""
    return with_pixel_size(noisy, pixel_size_nm or (recipe["settings"]["pixel_size_nm"] if recipe else 0.0))


def _opened(denoised: Any) -> tuple[FrameSeries, dict[str, Any] | None]:
    """A result's frames, and its recipe where it has one."""
    if isinstance(denoised, Result):
        shape, calibration = chosen_axes(denoised.source, [report.frame for report in denoised.frames])
        return ArraySeries(denoised.image.reshape(shape), "result", calibration), denoised.provenance
    is_tiff = isinstance(denoised, (str, Path)) and str(denoised).lower().endswith(SUFFIXES)
    return series_from(denoised), read_recipe(denoised) if is_tiff else None


def _made(recording: FrameSeries, result: FrameSeries, recipe: dict[str, Any] | None, frame: int | None) -> Made:
    """How the frame in question was made; of a result without a recipe frame by frame. Raises SettingError."""
    if recipe:
        frames = made_frames(recipe)
        was = tuple(recipe["input"]["shape"])
        if was != tuple(recording.shape):
            raise ImageError(
                f"{recording.name}: shape {tuple(recording.shape)}, and the result was made of a recording of {was}; "
                "give that one"
            )
    elif len(result) == len(recording):
        frames = [Made(index, index) for index in range(len(result))]
    else:
        raise ImageError(
            f"{len(result)} denoised frames of {len(recording)}, and no recipe to say which; give the recording's own "
            "frames only, or a result of this program"
        )
    found = [made for made in frames if frame is None or made.frame == frame]
    if not found:
        selection = selection_of([made.frame for made in frames], len(recording))
        raise SettingError(f"frame = {frame}: the frames that were denoised are {selection}; choose one of these")
    return found[0]


def check_frame_of(
    noisy: FrameSeries, denoised: Float32, made: Made, read_noise_sd: float = 0.0, halt: Halt = go_on
) -> Check:
    """The same for a frame, (h, w) in the series' unit, of which is known how it was made."""
    scale = made.scale
    if scale is None:
        raise SettingError(NO_GAIN)
    if not 0 <= made.frame < len(noisy):
        raise ImageError(
            f"{noisy.name}: it has {len(noisy)} frames, and the result is of frame {made.frame}; give its own recording"
        )
    read_noise_e = read_noise_sd / scale.per_unit
    counts = check_frame(noisy.frame(made.frame), f"{noisy.name}, frame {made.frame}", made.nonfinite)
    seen, claimed = scale.to_model(counts), scale.to_model(denoised)
    residual = check_residual(seen, claimed, read_noise_e)
    others = Witnesses.of(noisy, made, scale, seen, halt)
    error, no_error = _error(claimed, others)
    columns = here = None
    size = noisy.calibration.pixel_size_nm
    pixel_nm = float(np.sqrt(size[0] * size[1])) if size else None
    if pixel_nm and shows_columns(pixel_nm):
        here = column_support(claimed, seen, pixel_nm, read_noise_e)
        if others.count:
            mean, number = others.mean(claimed)
            columns = column_support(claimed, mean, pixel_nm, read_noise_e, frames=number, places_px=here.places_px)
    told = [*_of_residual(residual, made.is_estimated), no_error or OF_ERROR, *_of_columns(columns, here)]
    if others.count and made.learned_elsewhere:
        told.append(LEARNED_ELSEWHERE)
    return Check(made.frame, claimed, pixel_nm, residual, others.count, error, columns, here, tuple(told))


def _error(claimed: Float32, others: Witnesses) -> tuple[UnsupervisedError | None, str]:
    """By other frames; or None, and why."""
    if others.count < FEWEST_FRAMES:
        return (
            None,
            f"The error of the result cannot be measured: that needs two other frames of the scene, not {others.count}.",
        )
    if not fits_blocks(claimed.shape):
        return None, "The error of the result cannot be measured: that needs a frame of 128 px or more."
    try:
        return unsupervised_error(claimed, others), ""
    except ImageError as error:
        return None, f"The error of the result cannot be measured: {error}."


def _of_residual(found: ResidualCheck, gain_is_estimated: bool) -> list[str]:
    off, along = found.chi_square - 1, max(found.correlation.along_x[0], found.correlation.along_y[0], key=abs)
    sentences = []
    if abs(off) <= max(found.limit, WORTH_TELLING):
        sentences.append("What was taken away has the variance of counted electrons.")
    elif off > 0:
        sentences.append(
            f"What was taken away varies {off:.0%} more than counted electrons do: part of the scene is in it, the detector "
            "gain is larger than it was taken for, or the detector adds noise."
        )
    else:
        sentences.append(
            f"What was taken away varies {-off:.0%} less than counted electrons do: part of the noise is in the result, the "
            "detector gain is smaller than it was taken for, or the detector spreads an electron over several pixels."
        )
    if gain_is_estimated:
        sentences.append(
            "The detector gain was estimated from this frame's noise, so that the figure is near 1 whatever was taken away, "
            "and electrons, and with them uPSNR, are a guess: give the detector gain."
        )
    if along > SHARED_FROM:
        sentences.append(
            "Neighbouring pixels of it are alike: the detector's noise is correlated, or part of the scene was taken away."
        )
    return sentences


def _of_columns(by_others: ColumnSupport | None, here: ColumnSupport | None) -> list[str]:
    if here is None:
        return ["No columns of atoms are looked for: that needs a pixel size of 0.053 nm or less."]
    told = [f"The result shows {len(here.places_px)} columns of atoms."]
    if by_others is not None:
        told.append(
            f"The other frames can tell {by_others.is_told.sum()} of them, and speak against "
            f"{by_others.is_invented.sum()}: invented, shown too strong, or not there at other times. By chance some "
            f"{by_others.chance_of_error[by_others.is_told].sum():.0f} would be called wrong if all were there."
        )
    if by_others is None or here.is_invented.any():
        told.append(
            f"The frame's own counts can tell {here.is_told.sum()}, and speak against {here.is_invented.sum()}. For the "
            "others they prove nothing: a column made of this frame's noise is supported by it."
        )
    return told
