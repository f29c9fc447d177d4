"""The noise report of a recording: what its detector does, and what that means for denoising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter

from ..errors import NoiseModelError
from ..image import Array, FrameSeries, check_frame
from ..noise.correlation import NoiseCorrelation, noise_correlation
from ..noise.photon_transfer import PhotonTransfer, PhotonTransferCurve, photon_transfer_of_frame

SCENE_PX = 15  # what varies over more than this counts as scene in a single frame
SURE_FROM_SE = 0.05  # a gain less certain than 5 % is better left to be estimated with the offset known
CORRELATED_FROM = 0.02  # less than this changes no result, however surely it is measured


@dataclass(frozen=True)
class Recommendation:
    """Settings that suit the noise: the objective, and what to repair before ("" for nothing)."""

    objective: str
    repair: str


@dataclass(frozen=True)
class NoiseReport:
    """All findings; ``detector`` is None where noise does not tell it, and a sentence says why."""

    frames: int
    detector: PhotonTransfer | None
    dose_e_per_square_angstrom: float | None
    correlation: NoiseCorrelation
    sentences: tuple[str, ...]
    recommended: Recommendation

    @property
    def detector_is_sure(self) -> bool:
        """Whether gain and offset are good enough to denoise by: from a series, and within a few per cent."""
        return is_sure(self.detector, self.frames)


def is_sure(detector: PhotonTransfer | None, frames: int) -> bool:
    """A single frame's detail passes for noise, and a gain less certain than that is better left to be estimated."""
    return frames > 1 and detector is not None and detector.gain_se <= SURE_FROM_SE * detector.slope


def noise_report(series: FrameSeries) -> NoiseReport:
    """Measure the noise of a series (3 frames or more: from their differences) or of its first frame.

    Three frames are in memory at a time. Raises ImageError for frames that are not finite, NoiseModelError for frames
    that are too small or hold no noise.
    """
    many = len(series) > 2
    curve, correlations, previous = PhotonTransferCurve(), [], None
    for index in range(len(series) if many else 1):
        frame = check_frame(series.frame(index), f"{series.name}, frame {index}").astype(np.float64)
        if not many:
            correlations.append(noise_correlation(frame - uniform_filter(frame, SCENE_PX)))
        elif previous is not None:
            correlations.append(noise_correlation((frame - previous) / np.sqrt(2)))
        if many:
            curve.add(frame)
        previous = frame
    try:
        detector = curve.fit() if many else photon_transfer_of_frame(_last(previous))
        refused = ""
    except NoiseModelError as error:
        detector, refused = None, str(error)
    return _report(series, len(series) if many else 1, detector, refused, pooled(correlations))


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


def _detector_sentence(detector: PhotonTransfer | None, frames: int) -> str:
    if frames == 1:
        return "Gain, offset and dose of a single frame are a hint: its detail, and shared charge, change them."
    if not is_sure(detector, frames):
        return "Bright and dark places differ too little: take gain, offset and dose as a hint, not as settings."
    return "The noise grows with the mean as that of counted electrons: gain and offset can be given to denoise."


def _report(
    series: FrameSeries, frames: int, detector: PhotonTransfer | None, refused: str, correlation: NoiseCorrelation
) -> NoiseReport:
    size = series.calibration.pixel_size_nm
    dose = detector.dose_e_per_px / (100 * size[0] * size[1]) if detector and size else None
    threshold = max(CORRELATED_FROM, 2 * correlation.limit)
    correlated = max(map(abs, correlation.along_x + correlation.along_y)) > threshold
    lines = bool(correlation.row_noise_sd or correlation.column_noise_sd)
    sentences = (
        refused or _detector_sentence(detector, frames),
        "Frames are compared as they lie: if the scene drifts, it counts as correlated noise here; align by whole pixels."
        if frames > 1
        else "One frame: its detail counts as noise here; a series of the same scene tells more.",
        "Neighbouring pixels share noise, and all objectives take it as independent: blind-spot and SURE would keep it, "
        "resampling keeps what the pre-trained network keeps."
        if correlated
        else "Neighbouring pixels have independent noise, as blind-spot, SURE and resampling assume.",
        "Whole rows or columns share an offset: subtract it before denoising, or stripes stay; where they are strong, auto "
        "does not adapt to them."
        if lines
        else "Rows and columns share no offset.",
    )
    repair = "row-offsets" if correlation.row_noise_sd else "column-offsets" if correlation.column_noise_sd else ""
    recommended = Recommendation("resampling" if correlated and not lines else "auto", repair)
    return NoiseReport(frames, detector, dose, correlation, sentences, recommended)
