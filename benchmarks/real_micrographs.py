"""The whole program on real micrographs: the command line end to end, the score where there is one, and a picture.

    python benchmarks/real_micrographs.py --data ../shared --output real-output [--steps 100] [--model blindspot-hrtem ...]
    xvfb-run python benchmarks/real_micrographs.py --data ../shared --output real-output --dock

The low-dose TEM pair: exposure 1 is denoised, exposure 2 is the judge. Figures are paired differences to the best Gaussian
blur (its sigma chosen by exposure 2, an oracle), in counts squared, below 0 is better, with a block bootstrap's standard
error. The ABF-STEM series has no second exposure: it is denoised and drawn. With --dock the same from the dock in
a napari window: a picture of the window, and whether its pixels are those of the command line.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tifffile

from napari_gaintune.evaluation.baselines import best_gaussian_blur, flat_mean
from napari_gaintune.evaluation.two_exposures import paired_difference
from napari_gaintune.image import Array
from napari_gaintune.io import open_series
from napari_gaintune.pipeline.figure import Panel, side_by_side

OBJECTIVES = ("blind-spot", "resampling", "sure")
TAKEN_BY_AUTO = {"unet-hrtem": "resampling", "blindspot-hrtem": "blind-spot", "dncnn-hrtem": "resampling"}


def main() -> None:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    em = options.data / "data" / "em"
    if options.dock:
        for name in ("lowdose_tem_exposure1.tif", "stem_abf_5frames.hspy"):
            from_the_dock(em / name, options)
        return
    low_dose(em, options)
    stem(em, options)


def low_dose(em: Path, options: argparse.Namespace) -> None:
    """Exposure 1 denoised in every way, judged by exposure 2."""
    first, second = (tifffile.imread(em / f"lowdose_tem_exposure{k}.tif").astype(np.float64) for k in (1, 2))
    blur, sigma_px = best_gaussian_blur(first, second)
    print(f"low-dose TEM pair: paired difference to the best Gaussian blur (sigma {sigma_px:.2f} px), counts squared")
    print(f"  {'flat mean':38s} {paired_difference(flat_mean(first), blur, second)}")
    grey = grey_range(blur)
    panels = [panel("exposure 1", "", first), Panel("best blur", f"sigma {sigma_px:.1f} px", blur, grey)]
    for model in options.model:
        start = denoised(em / "lowdose_tem_exposure1.tif", options, model, "auto", 0)
        score = paired_difference(start, blur, second)
        print(f"  {model + ', pre-trained':38s} {score}")
        panels.append(Panel(model, f"pre-trained, {score}", start, grey))
        for objective in OBJECTIVES:
            result = denoised(em / "lowdose_tem_exposure1.tif", options, model, objective, options.steps)
            score = paired_difference(result, blur, second)
            gain = paired_difference(result, start, second)
            print(f"  {model + ', ' + objective:38s} {score}   to its start: {gain}", flush=True)
            if objective == TAKEN_BY_AUTO.get(model):
                panels.append(Panel(f"{model}, GainTuned", f"{objective}, {score}", result, grey))
    panels.append(panel("exposure 2", "the judge", second))
    footer = (
        "Real low-dose TEM, denoised images in one grey range. To the best blur, counts squared; below 0 is better."
    )
    save(panels, footer, None, options)


def stem(em: Path, options: argparse.Namespace) -> None:
    """The ABF-STEM series: the first frame of it, denoised."""
    source = em / "stem_abf_5frames.hspy"
    series = open_series(source)
    size = series.calibration.pixel_size_nm
    panels = [panel("ABF-STEM, frame 0", "", series.frame(0))]
    for model in options.model:
        try:
            result = denoised(source, options, model, "auto", options.steps, "--frames", "0:1")
        except subprocess.CalledProcessError as refused:
            print(f"ABF-STEM series, {model}: {refused.stderr.strip().splitlines()[-1]}")
            continue
        panels.append(panel(model, f"auto, {options.steps} steps", np.squeeze(result)))
    print(
        f"ABF-STEM series: {len(series)} frames {series.shape[-2:]}, pixel size {size} nm, denoised; no truth, no score"
    )
    save(panels, "Real ABF-STEM; trained on HRTEM, so outside the models' range.", size[1] if size else None, options)


def from_the_dock(source: Path, options: argparse.Namespace) -> None:
    """A layer of the file's frames, denoised by the dock with the first model and objective auto."""
    import napari
    from qtpy.QtWidgets import QApplication

    series = open_series(source)
    calibration = series.calibration
    frames = np.stack([series.frame(index) for index in range(len(series))]).reshape(series.shape)
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    units = [unit or "pixel" for unit in calibration.units]
    viewer.add_image(frames, name=source.stem, scale=calibration.scale, units=units, colormap="gray")
    _, dock = viewer.window.add_plugin_dock_widget("napari-gaintune", "GainTuning denoiser")
    dock.form.set_value("model", options.model[0])
    dock.form.set_value("steps", options.steps)
    dock.form.set_value("frames", "0:1")
    dock.run()
    while dock.panel.run_button.text() != "Run":
        QApplication.processEvents()
        time.sleep(0.01)
    viewer.reset_view()
    settled = time.monotonic() + 1
    while time.monotonic() < settled:
        QApplication.processEvents()
    viewer.screenshot(str(options.output / f"{source.stem}_dock.png"), canvas_only=False, flash=False)
    expected = denoised(source, options, options.model[0], "auto", options.steps, "--frames", "0:1")
    result = np.asarray(dock.denoised().data)
    same = np.array_equal(result.reshape(expected.shape), expected)
    print(f"{source.name} from the dock: {dock.panel.status.text()!r}, pixels those of the command line: {same}")
    viewer.close()


def denoised(source: Path, options: argparse.Namespace, model: str, objective: str, steps: int, *more: str) -> Array:
    """Through the command line, as a user would; read back from its OME-TIFF."""
    out = options.output / f"{source.stem}_{model}_{objective}_{steps}.ome.tif"
    command = [sys.executable, "-m", "napari_gaintune", "denoise", str(source), "-o", str(out), "--overwrite"]
    command += ["--model", model, "--objective", objective, "--steps", str(steps), *more]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return tifffile.imread(out)


def panel(title: str, caption: str, image: Array) -> Panel:
    return Panel(title, caption, image, grey_range(image))


def grey_range(image: Array) -> tuple[float, float]:
    low, high = np.percentile(image, (0.5, 99.5))
    return float(low), float(high)


def save(panels: list[Panel], footer: str, pixel_size_nm: float | None, options: argparse.Namespace) -> None:
    path = options.output / ("stem.png" if pixel_size_nm else "low_dose.png")
    side_by_side(panels, footer, pixel_size_nm).save(path)
    print(f"picture: {path}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("real-output"))
    parser.add_argument("--model", nargs="+", default=["unet-hrtem", "blindspot-hrtem", "dncnn-hrtem"])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--dock", action="store_true", help="from the dock instead; needs a screen")
    return parser.parse_args()


if __name__ == "__main__":
    main()
