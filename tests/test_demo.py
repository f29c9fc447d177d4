"""The demonstration with a small network: its figures, its files, and what it must not replace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_gaintune import denoise
from napari_gaintune.adaptation.config import checked
from napari_gaintune.cli.main import main
from napari_gaintune.errors import OutputError
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.examples import example_path, example_truth
from napari_gaintune.io import open_series, read_recipe
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.demo import FILES, SETTINGS, Demo, DemoReport, Stage, check_folder
from napari_gaintune.pipeline.reports import FrameReport

from .pipeline.conftest import small_model

CHOSEN = [0, 13, 26, 39]
FAST = {
    "frames": "::13", "steps": 12, "learning_rate": 0.02, "series": "shared", "crop_size_px": 64, "seed": 3,
    "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"), "dncnn bias-free")


@pytest.fixture(scope="module")
def config(model: str) -> DenoiseConfig:
    return checked(DenoiseConfig, FAST | {"model": model})


@pytest.fixture(scope="module")
def done(config: DenoiseConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The folder of a demonstration, and all it reported."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "demo-output"
    return folder, list(Demo(folder, config).run())


def test_its_settings_are_settings() -> None:
    assert checked(DenoiseConfig, SETTINGS).seed == SETTINGS["seed"]


def test_it_does_the_main_job_on_the_example(done: tuple[Path, list[Any]], model: str) -> None:
    folder, reports = done
    expected = denoise(example_path(), model=model, **FAST)
    np.testing.assert_array_equal(tifffile.imread(folder / FILES[0]), expected.image)
    assert read_recipe(folder / FILES[0]) == expected.provenance
    pretrained = denoise(example_path(), model=model, **FAST | {"steps": 0})
    assert all(frame.adapted for frame in expected.frames)
    assert not np.array_equal(expected.image, pretrained.image)
    found, given = open_series(folder / FILES[0]).calibration, open_series(example_path()).calibration
    assert found.pixel_size_nm == given.pixel_size_nm
    assert found.scale[0] == pytest.approx(13 * given.scale[0])
    assert [record["frame"] for record in expected.provenance["frames"]] == CHOSEN
    assert [report.title for report in reports if isinstance(report, Stage)] == ["pre-trained", "GainTuned"]
    assert sum(isinstance(report, FrameReport) for report in reports) == 2 * len(expected.image)


def test_its_scores_are_those_of_the_files(done: tuple[Path, list[Any]]) -> None:
    folder, reports = done
    end = reports[-1]
    assert isinstance(end, DemoReport)
    assert [path.name for path in end.files] == list(FILES)
    assert all(path.is_file() for path in end.files)
    told = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    scores = {score["image"]: score for score in told["scores"]}
    assert list(scores) == [
        "noisy", "flat (mean)", "Gaussian blur", "Bragg filter", "averaged reference", "pre-trained", "GainTuned"
    ]  # fmt: skip
    truth = example_truth()[CHOSEN]
    noisy, tuned = tifffile.imread(example_path())[CHOSEN], tifffile.imread(folder / FILES[0])
    for name, images in (("noisy", noisy), ("GainTuned", tuned)):
        expected = np.mean([psnr(image, clean) for image, clean in zip(images, truth, strict=True)])
        assert scores[name]["psnr_db"] == pytest.approx(expected)
    # counts of n electrons have variance n; the average of the 39 others has a 39th of it, more where few overlap
    vacuum_db = -10 * np.log10(truth.mean())
    assert scores["noisy"]["psnr_db"] == pytest.approx(vacuum_db, abs=0.1)
    assert scores["averaged reference"]["psnr_db"] == pytest.approx(vacuum_db + 10 * np.log10(39), abs=0.3)
    assert scores["noisy"]["psnr_db"] < scores["flat (mean)"]["psnr_db"] < scores["Gaussian blur"]["psnr_db"]
    assert scores["Gaussian blur"]["psnr_db"] < scores["Bragg filter"]["psnr_db"]


def test_the_picture_has_room_for_five_frames(done: tuple[Path, list[Any]]) -> None:
    height, width = example_truth().shape[1:]
    with Image.open(done[0] / "comparison.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 5 * 2 * width
        assert picture.height > 2 * height


def test_again_it_replaces_its_own_files_with_the_same_pixels(
    done: tuple[Path, list[Any]], config: DenoiseConfig
) -> None:
    folder = done[0]
    (folder / "notes.txt").write_text("mine")
    before = tifffile.imread(folder / FILES[0]).tobytes(), (folder / FILES[1]).read_bytes()
    list(Demo(folder, config).run())
    assert (tifffile.imread(folder / FILES[0]).tobytes(), (folder / FILES[1]).read_bytes()) == before
    assert {path.name for path in folder.iterdir()} == {*FILES, "notes.txt"}
    assert (folder / "notes.txt").read_text() == "mine"
    check_folder(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_file_of_the_same_name_that_is_not_its_own_is_left_alone(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if kind == "file":
        path.write_text('{"program": "another"}')
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    assert main(["demo", "--output", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {path}: ")
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_changed_file_of_an_earlier_demonstration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"program": "napari-gaintune demo", "files": {"comparison.png": "0123"}}')
    check_folder(tmp_path)
    (tmp_path / "comparison.png").write_bytes(b"drawn over")
    with pytest.raises(OutputError, match=r"comparison\.png: was not made by the demonstration, or was changed"):
        check_folder(tmp_path)


def test_a_file_is_not_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    for output in (path, path / "demo-output"):
        assert main(["demo", "--output", str(output)]) == 2
        assert "is a file, not a folder" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_stopped_it_writes_nothing(config: DenoiseConfig, tmp_path: Path) -> None:
    seen: list[Any] = []
    for report in Demo(tmp_path / "out", config).run(stop=lambda: len(seen) > 5):
        seen.append(report)
    assert not any(isinstance(report, DemoReport) for report in seen)
    assert list(tmp_path.iterdir()) == []
