"""``napari-gaintune denoise`` on real files: what is written, what is said, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gaintune.cli.denoise import follow
from napari_gaintune.cli.main import main
from napari_gaintune.cli.progress import Progress
from napari_gaintune.io import open_series, read_recipe
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.reports import FrameReport
from napari_gaintune.pipeline.save import denoise_to_file

FAST = ("--steps", 3, "--crop-size-px", 16, "--precision", "float32")


def denoised(series_path: Path, model: Path, **settings: object) -> np.ndarray:
    """The same through Python."""
    from napari_gaintune import denoise

    fast = {"steps": 3, "crop_size_px": 16, "precision": "float32"}
    return denoise(series_path, model=str(model), **fast | settings).image


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_series_becomes_a_calibrated_float_series_with_its_recipe(
    program: Callable, series_path: Path, tiny_model: Path, tmp_path: Path
) -> None:
    before, out = digest(series_path), tmp_path / "out.ome.tif"
    done = program("denoise", series_path, "-o", out, "--model", tiny_model, *FAST, "--seed", 5)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out}: 5 frames")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [f"frame {i} ({i + 1}/5)" for i in range(5)]
    result = open_series(out)
    assert (result.shape, result.dtype) == ((5, 40, 48), np.float32)
    assert result.calibration.pixel_size_nm == pytest.approx((0.05, 0.05))
    np.testing.assert_array_equal(tifffile.imread(out), denoised(series_path, tiny_model, seed=5))
    recipe = read_recipe(out)
    assert recipe is not None
    assert (recipe["settings"]["seed"], recipe["settings"]["steps"]) == (5, 3)
    assert json.loads(program("recipe", out).stdout) == recipe
    asked_of_counts = program("recipe", series_path)
    assert (asked_of_counts.returncode, asked_of_counts.stdout) == (2, "")
    assert digest(series_path) == before


def test_a_pixel_size_that_is_given_chooses_the_model_and_is_written(
    program: Callable, tmp_path: Path, rng: np.random.Generator
) -> None:
    """A file that says nothing is taken for HRTEM; of 0.5 nm per pixel it is not."""
    bare, out = tmp_path / "bare.npy", tmp_path / "out.ome.tif"
    np.save(bare, rng.poisson(1.0, (128, 128)).astype(np.uint8))
    done = program("denoise", bare, "-o", out, "--steps", 0, "--averaging", "none", "--pixel-size-nm", 0.5)
    assert done.returncode == 0, done.stderr
    assert "model unet-tem, chosen for TEM at low magnification, 0.5 nm/px" in done.stdout
    assert open_series(out).calibration.pixel_size_nm == pytest.approx((0.5, 0.5))


def test_json_is_one_object_and_all_there_is_on_standard_output(
    series_path: Path, tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tif"
    arguments = ("denoise", series_path, "-o", out, "--model", tiny_model, *FAST, "--frames", "1:5:2", "--json")
    assert main([str(argument) for argument in arguments]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["output"] == str(out)
    assert [frame["frame"] for frame in told["frames"]] == [1, 3]
    assert {"best_step", "adapted", "message", "steps_run"} <= set(told["frames"][0])
    assert told["stopped"] is False
    assert told["seconds"] > 0
    assert told["provenance"] == read_recipe(out)
    assert tifffile.imread(out).shape == (2, 40, 48)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    series_path: Path, tiny_model: Path, tmp_path: Path
) -> None:
    images = []
    for number, seed in enumerate((3, 3, 4)):
        out = tmp_path / f"{number}.tif"
        chosen = ("--model", tiny_model, *FAST, "--frames", 0, "--seed", seed, "--stopping", "fixed")
        arguments = ("denoise", series_path, "-o", out, *chosen)
        assert main([str(argument) for argument in arguments]) == 0
        images.append(tifffile.imread(out).tobytes())
    assert images[0] == images[1]
    assert images[0] != images[2]


def test_frames_do_not_depend_on_which_others_are_denoised(series_path: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    arguments = ("denoise", series_path, "-o", out, "--model", tiny_model, *FAST, "--frames", "3:")
    assert main([str(argument) for argument in arguments]) == 0
    np.testing.assert_array_equal(tifffile.imread(out), denoised(series_path, tiny_model)[3:])


def test_an_existing_output_is_replaced_only_when_told(
    series_path: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"years of work")
    arguments = [
        str(a) for a in ("denoise", series_path, "-o", out, "--model", tiny_model, "--frames", 2, "--steps", 0)
    ]
    assert main(arguments) == 2
    assert out.read_bytes() == b"years of work"
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert tifffile.imread(out).shape[-2:] == (40, 48)


def bad_inputs(folder: Path, counts: np.ndarray) -> dict[str, Path]:
    """Every kind of input that is refused, as files."""

    def tif(name: str, array: np.ndarray, **options: object) -> Path:
        tifffile.imwrite(folder / name, array, **options)
        return folder / name

    nan = counts[0].astype(np.float32)
    nan[3, 4] = np.nan
    whole = tif("whole.tif", counts)
    short = folder / "short.tif"
    short.write_bytes(whole.read_bytes()[:-2000])
    (folder / "notes.tif").write_text("this is not a picture")
    (folder / "empty.tif").write_bytes(b"")
    (folder / "notes.txt").write_text("neither is this")
    (folder / "nothing").mkdir()
    np.save(folder / "complex.npy", counts.astype(np.complex64))
    np.save(folder / "line.npy", counts[0, 0])
    np.save(folder / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    return {
        "missing": folder / "missing.tif",
        "folder without images": folder / "nothing",
        "empty": folder / "empty.tif",
        "not a TIFF": folder / "notes.tif",
        "unknown suffix": folder / "notes.txt",
        "cut short": short,
        "complex": folder / "complex.npy",
        "one axis": folder / "line.npy",
        "pickled": folder / "objects.npy",
        "colour": tif("colour.tif", np.zeros((40, 48, 3), np.uint8), photometric="rgb"),
        "NaN": tif("nan.tif", nan),
        "smaller than the receptive field": tif("small.tif", counts[:, :3, :3]),
    }


BAD_INPUTS = (
    "missing", "folder without images", "empty", "not a TIFF", "unknown suffix", "cut short", "complex", "one axis",
    "pickled", "colour", "NaN", "smaller than the receptive field",
)  # fmt: skip


def refused(arguments: tuple[object, ...], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; exit code 2, nothing on standard output, no file left."""
    around = set(out.parent.iterdir()) if out.parent.is_dir() else set()
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert (set(out.parent.iterdir()) if out.parent.is_dir() else set()) == around
    return printed.err


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_a_bad_input_is_one_line_and_leaves_no_file(
    kind: str, counts: np.ndarray, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = bad_inputs(tmp_path, counts)
    assert set(inputs) == set(BAD_INPUTS)
    out = tmp_path / "out.tif"
    error = refused(("denoise", inputs[kind], "-o", out, "--model", tiny_model, *FAST), out, capsys)
    assert inputs[kind].name in error


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("--model", "no-such-model"), "no-such-model"),
        (("--model", "no/such.safetensors"), "no such file"),
        (("--frames", "9"), "5 frames"),
        (("--frames", "5:"), "none of the 5 frames"),
        (("--frames", "first"), "first"),
        (("--detector-offset", "nan"), "--detector-offset nan: input should be a finite"),
        (("--pixel-size-nm", "inf"), "--pixel-size-nm inf: input should be a finite"),
        (("--device", "abacus"), "abacus"),
        (("--device", "cuda:77"), "cuda"),
        (("--dataset", "3"), "dataset 3"),
    ],
)
def test_a_bad_setting_is_one_line_and_leaves_no_file(
    settings: tuple[str, ...], said: str, series_path: Path, tiny_model: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out.tif"
    model = () if "--model" in settings else ("--model", tiny_model)
    assert said in refused(("denoise", series_path, "-o", out, *FAST, *model, *settings), out, capsys)


@pytest.mark.parametrize("name", ["out.png", "out", "missing/out.tif", "series.tif", "link.tif"])
def test_a_bad_output_is_refused_before_any_work(
    name: str, series_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digest(series_path)
    (tmp_path / "link.tif").symlink_to(series_path)
    out = tmp_path / name
    # the model is not there either: the output is looked at first
    refused(("denoise", series_path, "-o", out, "--overwrite", "--model", "no-such-model"), out, capsys)
    assert digest(series_path) == before


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder here that not even the superuser may write to")
def test_a_folder_that_may_not_be_written_is_refused(
    series_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path("/proc/out.tif")
    assert main(["denoise", str(series_path), "-o", str(out), "--model", str(tiny_model)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {out}: ")
    assert printed.err.count("\n") == 1
    assert not out.exists()


def test_a_damaged_model_is_refused(
    series_path: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "model" / "tiny.safetensors"
    copy.parent.mkdir()
    content = bytearray(tiny_model.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    copy.with_suffix(".json").write_bytes(tiny_model.with_suffix(".json").read_bytes())
    out = tmp_path / "out.tif"
    assert "SHA-256" in refused(("denoise", series_path, "-o", out, "--model", copy), out, capsys)


def test_a_bad_frame_in_the_middle_keeps_those_before_it(
    counts: np.ndarray, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = counts.astype(np.float32)
    frames[2, 0, 0] = np.inf
    path, out = tmp_path / "in.npy", tmp_path / "out.tif"
    np.save(path, frames)
    arguments = [str(argument) for argument in ("denoise", path, "-o", out, "--model", tiny_model, *FAST)]
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: in.npy, frame 2")
    assert (
        f"kept: frames 0 to 1 of 5 in {out}; for the rest, once this is mended: --frames 2:, another --output" in error
    )
    np.testing.assert_array_equal(tifffile.imread(out), denoised(path, tiny_model, frames="0:2"))
    assert main([*arguments, "--overwrite", "--nonfinite", "fill"]) == 0
    assert tifffile.imread(out).shape == (5, 40, 48)


def test_a_second_interrupt_brings_the_file_to_its_name_before_it_is_told(
    series_path: Path, tiny_model: Path, tmp_path: Path
) -> None:
    class Impatient(Progress):
        def update(self, report: object) -> None:
            if isinstance(report, FrameReport) and report.frame == 1:
                raise KeyboardInterrupt

    out = tmp_path / "out.tif"
    config = DenoiseConfig(model=str(tiny_model), steps=0)
    reports = denoise_to_file(open_series(series_path), config, out)
    followed = follow(reports, Impatient())
    assert followed.done is None
    assert [frame["frame"] for frame in followed.frames] == [0, 1]
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.tif"]
    assert len(tifffile.imread(out)) == 2
    assert [frame["frame"] for frame in read_recipe(out)["frames"]] == [0, 1]
