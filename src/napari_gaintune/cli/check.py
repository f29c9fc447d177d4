"""``napari-gaintune check``."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .flags import AsJson, Switch

if TYPE_CHECKING:
    from ..evaluation.column_support import ColumnSupport
    from ..pipeline.check import Check


def check(
    noisy: Path,
    denoised: Path,
    /,
    *,
    frame: int | None = None,
    detector_gain: float = 0.0,
    detector_offset: float = 0.0,
    read_noise_sd: float = 0.0,
    pixel_size_nm: float = 0.0,
    picture: Path | None = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> None:
    """Check a denoised frame by what was measured: its residual, other frames of the scene, each column of atoms it shows.

    No clean image is needed, and the result may be of another program, too.

    Parameters
    ----------
    noisy
        The recording, a file or a folder with one image per frame, as for napari-gaintune denoise.
    denoised
        The result: frame by frame the same field, in the same unit.
    frame
        Which frame of the recording, counted from 0; without it the first one that was denoised.
    detector_gain
        Counts per electron; 0: what the result's recipe says (estimated from the frame, where denoise was given none: chi
        square then tells nothing). A result of another program needs it.
    detector_offset
        Counts where no electron arrived, beside a detector gain.
    read_noise_sd
        Standard deviation of the read noise in counts.
    pixel_size_nm
        Side of a pixel in nm, where the file does not say it or is wrong; 0: the file's.
    picture
        A new .png: the denoised frame with a circle around every column, blue where the other frames support it, thick and
        orange where they speak against it (of a frame alone, its own counts), thin and white where that cannot be told.
    overwrite
        Replace the picture if it is there.
    as_json
        Print everything as JSON, each column with its place.
    """
    from ..io import check_output
    from ..pipeline.check import check as run
    from ..pipeline.check_picture import draw

    if picture is not None:
        check_output(picture, denoised, overwrite, "the picture is a PNG", (".png",))
    found = run(noisy, denoised, frame, detector_gain, detector_offset, read_noise_sd, pixel_size_nm)
    print(json.dumps(as_data(found), indent=2, allow_nan=False) if as_json else as_text(found))
    if picture is not None:
        draw(found, picture, overwrite)


def as_data(found: Check) -> dict[str, Any]:
    """The findings as plain values, without the image."""
    support = {"columns": found.columns, "columns_here": found.columns_here}
    return {
        "frame": found.frame,
        "residual": asdict(found.residual),
        "other_frames": found.other_frames,
        "error": asdict(found.error) if found.error else None,
        "upsnr_db": dict(zip(("mean", "low", "high"), map(finite, found.error.psnr_db()), strict=True))
        if found.error
        else None,
        **{name: columns_as_data(one) if one else None for name, one in support.items()},
        "sentences": list(found.sentences),
    }


def columns_as_data(support: ColumnSupport) -> list[dict[str, Any]]:
    """A record for each column."""
    values = zip(
        *(
            array.tolist()
            for array in (
                support.places_px, support.contrast, support.standard_error, support.log_likelihood_ratio, support.is_told,
                support.is_invented,
            )
        ),
        strict=True,
    )  # fmt: skip
    names = ("place_px", "contrast", "standard_error", "log_likelihood_ratio", "is_told", "is_invented")
    return [{name: finite(value) for name, value in zip(names, one, strict=True)} for one in values]


def finite(value: Any) -> Any:
    """JSON knows no infinity: None."""
    return None if isinstance(value, float) and not isfinite(value) else value


def as_text(found: Check) -> str:
    """A line per finding, then the sentences."""
    residual = found.residual
    lines = [
        f"frame          {found.frame}",
        f"chi square     {residual.chi_square:.3f}  (noise alone: 1 ± {residual.limit:.3f})",
    ]
    for axis, values in (("x", residual.correlation.along_x), ("y", residual.correlation.along_y)):
        told = " ".join(f"{value:+.3f}" for value in values)
        lines.append(f"correlation {axis}  {told}  (white: ± {residual.correlation.limit:.3f})")
    if found.error:
        upsnr, low, high = found.error.psnr_db()
        error = found.error
        lines += [
            f"other frames   {found.other_frames}",
            f"uMSE           {error.mean:.3g} e⁻²/px²  (95 %: {error.low:.3g} to {error.high:.3g})",
            f"uPSNR          {upsnr:.1f} dB, peak 1 e⁻/px  (95 %: {low:.1f} to {high:.1f})",
        ]
    return "\n".join([*lines, "", *found.sentences])
