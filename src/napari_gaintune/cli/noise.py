"""``napari-gaintune noise``."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from ..image import with_pixel_size
from .flags import AsJson

if TYPE_CHECKING:
    from ..pipeline.noise_report import NoiseReport


def noise(image: Path, /, *, pixel_size_nm: float = 0.0, dataset: int | None = None, as_json: AsJson = False) -> None:
    """Measure the noise of an image or a series: detector, dose, correlation, and what they mean for denoising.

    Parameters
    ----------
    image
        A file, or a folder with one image per frame, as for napari-gaintune denoise.
    pixel_size_nm
        Side of a pixel in nm, for the dose per area, where the file does not say it or is wrong; 0: the file's.
    dataset
        Which of several images in an .emd or .hspy file, counted from 0.
    as_json
        Print the report as JSON.
    """
    from ..io import open_series
    from ..pipeline.noise_report import noise_report

    if not 0 <= pixel_size_nm < float("inf"):
        raise SettingError(f"pixel size {pixel_size_nm:g} nm; give the side of a pixel in nm, or 0 for the file's")
    with open_series(image, dataset) as series:
        report = noise_report(with_pixel_size(series, pixel_size_nm))
    command = as_command(image, report, pixel_size_nm)
    print(json.dumps(as_data(report), indent=2) if as_json else f"{as_text(report)}\n\n{command}")


def as_data(report: NoiseReport) -> dict[str, Any]:
    """The report as plain values; of the fitted points only the line."""
    data = asdict(report)
    for points in ("block_means", "block_variances"):
        (data["detector"] or {}).pop(points, None)
    return data


def as_text(report: NoiseReport) -> str:
    """A line per finding, then the sentences and the recommended settings."""
    found, noise = report.detector, report.correlation
    lines = [f"frames           {report.frames}"]

    def told(value: float, digits: int, error: float = 0.0) -> str:
        if report.is_counted:
            return f"{value:.3g}"
        # the error of a single frame's fit says nothing of its detail, which passes for noise
        if report.frames == 1:
            return f"about {float(f'{value:.2g}'):g}"
        return f"{value:.{digits}g}" + (f" ± {error:.2g}" if error else "")

    if found:
        lines += [
            f"detector gain    {told(found.detector_gain, 4, found.gain_se / found.variance_share)} counts per electron",
            f"detector offset  {told(found.detector_offset, 4, found.offset_se)} counts",
            f"read noise       {told(found.read_noise_sd, 3)} counts",
            f"dose per pixel   {told(found.dose_e_per_px, 3, found.dose_se)} e⁻/px",
        ]
    if report.dose_e_per_square_angstrom is not None:
        lines.append(f"dose per area    {report.dose_e_per_square_angstrom:.3g} e⁻/Å²")
    for axis, values in (("x", noise.along_x), ("y", noise.along_y)):
        lines.append(
            f"correlation {axis}    " + " ".join(f"{v:+.3f}" for v in values) + f"  (white: ± {noise.limit:.3f})"
        )
    rows, columns = noise.shared_by_lines
    lines += [
        f"row noise        {noise.row_noise_sd:.3g} counts, {rows:.1%} of the noise's variance",
        f"column noise     {noise.column_noise_sd:.3g} counts, {columns:.1%} of the noise's variance",
    ]
    repair = report.recommended.repair
    advice = [f"Subtract the {repair.replace('-', ' ')} before; this program does not do it."] if repair else []
    return "\n".join([*lines, "", *report.sentences, *advice])


def as_command(image: Path, report: NoiseReport, pixel_size_nm: float = 0.0) -> str:
    """The recommended settings as a command to copy; detector gain and offset where they are measured well enough."""
    asked = [f"--pixel-size-nm {pixel_size_nm:g}"] if pixel_size_nm else []
    # no objective: auto suits every report
    if report.detector and report.detector_is_sure:
        asked += [f"--detector-gain {report.detector.detector_gain:.4g}"]
        asked += [f"--detector-offset {report.detector.detector_offset:.4g}"] if report.has_offset else []
    asked += ["--series shared"] if report.frames > 1 else []
    command = " ".join([f"napari-gaintune denoise {shlex.quote(str(image))} -o denoised.ome.tif", *asked])
    return f"Recommended:\n    {command}"
