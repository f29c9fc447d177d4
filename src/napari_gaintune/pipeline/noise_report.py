"""The noise report of a recording: what its detector does, and what that means for denoising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter

from ..errors import NoiseModelError
from ..image import Array, FrameSeries, check_frame
from ..noise.correlation import NoiseCorrelation, noise_correlation
from ..noise.level import noise_sd
from ..noise.photon_transfer import PhotonTransfer, PhotonTransferCurve, photon_transfer_of_frame
from .range_check import hot_pixel_notes

SCENE_PX = 15  # what varies over more than this counts as scene in a single frame
SURE_FROM_SE = 0.05  # a gain less certain than 5 % is better left to be estimated with the offset known
CORRELATED_FROM = 0.02  # less than this changes no result, however surely it is measured
COUNTED_WITHIN_SE = 3.0  # the gain of a series; detail makes that of a single frame wrong by more than its error says:
COUNTED_WITHIN = 0.5
OFFSET_FROM_SE = 2.0  # an offset that cannot be told from 0 is none
OFFSET_FROM = 0.1  # of the mean: what a single frame can tell of an offset is coarse


@dataclass(frozen=True)
class Recommendation:
    """Settings that suit the noise: the objective, and what to repair before ("" for nothing)."""

    objective: str
    repair: str


@dataclass(frozen=True)
class NoiseReport:
    """All findings; ``detector`` is None where noise does not tell it, and a sentence says why.

    ``is_counted``: electrons were counted one by one, and ``detector`` is that of counts, without an error.
    """

    frames: int
    detector: PhotonTransfer | None
    is_counted: bool
    dose_e_per_square_angstrom: float | None
    correlation: NoiseCorrelation
    sentences: tuple[str, ...]
    recommended: Recommendation

    @property
    def detector_is_sure(self) -> bool:
        """Whether gain and offset are good enough to denoise by: counted, or from a series and within a few per cent."""
        return self.is_counted or is_sure(self.detector, self.frames)

    @property
    def has_offset(self) -> bool:
        """Whether the offset can be told from 0."""
        return (
            self.detector is not None and abs(self.detector.detector_offset) > OFFSET_FROM_SE * self.detector.offset_se
        )


def is_sure(detector: PhotonTransfer | None, frames: int) -> bool:
    """A single frame's detail passes for noise, and a gain less certain than that is better left to be estimated."""
    return frames > 1 and detector is not None and detector.gain_se <= SURE_FROM_SE * detector.slope


def noise_report(series: FrameSeries) -> NoiseReport:
    """Measure the noise of a series (3 frames or more: from their differences) or of its first frame.

    Three frames are in memory at a time. Raises ImageError for frames that are not finite, NoiseModelError for frames
    that are too small or hold no noise.
    """
    many = len(series) > 2
    curve, correlations, previous, whole = PhotonTransferCurve(), [], None, True
    for index in range(len(series) if many else 1):
        frame = check_frame(series.frame(index), f"{series.name}, frame {index}").astype(np.float64)
        whole = whole and bool((frame == np.rint(frame)).all())
        if not many:
            correlations.append(noise_correlation(frame - uniform_filter(frame, SCENE_PX)))
        elif previous is not None:
            correlations.append(noise_correlation((frame - previous) / np.sqrt(2)))
        if many:
            curve.add(frame)
        previous = frame
    last = _last(previous)
    try:
        detector, refused = curve.fit() if many else photon_transfer_of_frame(last), ""
    except NoiseModelError as error:
        detector, refused = None, str(error)
    hot = hot_pixel_notes(last.astype(np.float32), noise_sd(last.astype(np.float32)))
    return _report(series, len(series) if many else 1, detector, whole, [refused, *hot], pooled(correlations))


def pooled(parts: Sequence[NoiseCorrelation]) -> NoiseCorrelation:
    """The mean of several maps' correlations; the limit shrinks with the root of their number."""
    return replace(
        parts[0],
        along_x=tuple(float(v) for v in np.mean([p.along_x for p in parts], axis=0)),
        along_y=tuple(float(v) for v in np.mean([p.along_y for p in parts], axis=0)),
        limit=parts[0].limit / float(np.sqrt(len(parts))),
        row_noise_sd=float(np.sqrt(np.mean([p.row_noise_sd**2 for p in parts]))),
        column_noise_sd=float(np.sqrt(np.mean([p.column_noise_sd**2 for p in parts]))),
        noise_sd=float(np.sqrt(np.mean([p.noise_sd**2 for p in parts]))),
    )


def _last(frame: Array | None) -> Array:
    if frame is None:
        raise NoiseModelError("the series has no frame; give one or more")
    return frame


def _detector_sentence(measured: PhotonTransfer, is_counted: bool, frames: int) -> str:
    if is_counted:
        of = f" (measured: gain {measured.detector_gain:.3f} ± {measured.gain_se:.2g})" if frames > 1 else ""
        return f"Whole numbers whose variance is their mean: counted electrons, gain 1 and offset 0{of}."
    if frames == 1:
        return "Gain, offset and dose of a single frame are a hint: its detail, and shared charge, change them." + (
            f" An unexposed pixel may read {measured.detector_offset:.2g}: measure gain and offset (docs/noise.md) and "
            "give both to denoise, which else takes the offset as 0."
            if measured.detector_offset > OFFSET_FROM * measured.mean
            else ""
        )
    if not is_sure(measured, frames):
        return "Bright and dark places differ too little: take gain, offset and dose as a hint, not as settings."
    return "The noise grows with the mean as that of counted electrons: gain and offset can be given to denoise."


def _neighbours_sentence(correlation: NoiseCorrelation, frames: int) -> str:
    if frames == 1:
        return (
            "One frame: its detail counts as noise here, and looks like correlation. What neighbours share is not judged; "
            "denoise does it by what the network takes away, and a series of the same scene tells it here."
        )
    if _is_correlated(correlation):
        return (
            "Neighbouring pixels share noise: blind-spot and SURE would keep it, resampling keeps what the pre-trained "
            "network keeps. next-frame, which auto takes for frames in time, does not mind: another frame has other noise."
        )
    return "Neighbouring pixels have independent noise, as blind-spot, SURE and resampling assume."


def _is_correlated(correlation: NoiseCorrelation) -> bool:
    threshold = max(CORRELATED_FROM, 2 * correlation.limit)
    return max(map(abs, correlation.along_x + correlation.along_y)) > threshold


def _report(
    series: FrameSeries,
    frames: int,
    measured: PhotonTransfer | None,
    is_whole: bool,
    remarks: list[str],
    correlation: NoiseCorrelation,
) -> NoiseReport:
    size = series.calibration.pixel_size_nm
    counted = None
    if measured and is_whole:
        counted = measured.as_counts(COUNTED_WITHIN_SE * measured.gain_se if frames > 1 else COUNTED_WITHIN)
    detector = counted or measured
    dose = detector.dose_e_per_px / (100 * size[0] * size[1]) if detector and size else None
    lines = bool(correlation.row_noise_sd or correlation.column_noise_sd)
    sentences = (
        _detector_sentence(measured, counted is not None, frames) if measured else "",
        *remarks,
        "Frames are compared as they lie: if the scene drifts, it counts as correlated noise here; align by whole pixels."
        if frames > 1
        else "",
        _neighbours_sentence(correlation, frames),
        "Whole rows or columns share an offset: subtract it before denoising, or stripes stay; where they are strong, auto "
        "does not adapt to them."
        if lines
        else "Rows and columns share no offset.",
    )
    repair = "row-offsets" if correlation.row_noise_sd else "column-offsets" if correlation.column_noise_sd else ""
    recommended = Recommendation("auto", repair)
    told = tuple(sentence for sentence in sentences if sentence)
    return NoiseReport(frames, detector, counted is not None, dose, correlation, told, recommended)
