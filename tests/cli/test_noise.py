"""The noise report on the command line, of simulated detectors."""

import json
import shlex

import numpy as np
import pytest

from napari_gaintune.cli.main import main

ROWS_SD = 20.0


def recording(path, count, row_sd=0.0):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:192, :192] / 192
    dose = 4 + 3 * np.sin(2 * np.pi * y) * np.sin(4 * np.pi * x)
    frames = 12.0 * rng.poisson(dose, (count, 192, 192)) + 100 + rng.normal(0, row_sd, (count, 192, 1))
    np.save(path, frames.astype(np.float32))
    return str(path)


def test_a_series_gives_its_detector_and_no_warning(tmp_path, capsys):
    assert main(["noise", recording(tmp_path / "series.npy", 12), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 12
    assert report["detector"]["detector_gain"] == pytest.approx(12, rel=0.05)
    assert report["recommended"] == {"objective": "auto", "repair": ""}


def test_row_noise_is_reported_with_its_repair(tmp_path, capsys):
    assert main(["noise", recording(tmp_path / "rows.npy", 6, ROWS_SD), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    # 5 standard errors of 5 * 192 draws, of which neighbours share a frame
    assert report["correlation"]["row_noise_sd"] == pytest.approx(ROWS_SD, rel=0.15)
    assert report["recommended"] == {"objective": "auto", "repair": "row-offsets"}


@pytest.mark.parametrize("counts", [1, 97])
def test_the_report_of_one_frame_is_rough_and_can_be_read(counts, tmp_path, capsys):
    """12 counts per electron, and 1164, which are not to be read as 1.2e+03."""
    frame = np.load(recording(tmp_path / "frame.npy", 1))
    np.save(tmp_path / "frame.npy", counts * frame)
    assert main(["noise", str(tmp_path / "frame.npy")]) == 0
    page = capsys.readouterr().out
    about, gain = page.split(" counts per electron")[0].split()[-2:]
    assert about == "about"
    assert float(gain) == pytest.approx(counts * 12, rel=0.2)
    assert gain.isdigit()
    assert "±" not in page.split("correlation")[0]
    assert "e⁻/px" in page
    assert "napari-gaintune denoise" in page
    assert "--detector-gain" not in page  # one frame does not tell it well enough


def test_a_sure_detector_is_part_of_the_recommended_command(tmp_path, capsys):
    file = recording(tmp_path / "a series.npy", 12)
    assert main(["noise", file]) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    _, _, image, *_ = words = shlex.split(command)
    assert image == file
    assert float(words[words.index("--detector-gain") + 1]) == pytest.approx(12, rel=0.05)


def test_a_pixel_size_that_is_given_tells_the_dose_per_area(tmp_path, capsys):
    file = recording(tmp_path / "series.npy", 12)
    assert main(["noise", file, "--pixel-size-nm", "0.02", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    # 0.02 nm squared are 0.04 square angstrom
    assert report["dose_e_per_square_angstrom"] == pytest.approx(report["detector"]["dose_e_per_px"] / 0.04)
    assert main(["noise", file, "--pixel-size-nm", "0.02"]) == 0
    assert "--pixel-size-nm 0.02" in capsys.readouterr().out.splitlines()[-1]
    assert main(["noise", file, "--pixel-size-nm", "nan"]) == 2
    assert "pixel size nan nm; give" in capsys.readouterr().err


def test_counted_electrons_are_told_and_need_no_offset(tmp_path, capsys):
    """Of half an electron per pixel: the fitted gain is uncertain by some per cent, the dose by three times that."""
    y, x = np.mgrid[:256, :256]
    dose = 0.43 * (1 + 0.35 * np.cos(2 * np.pi * x / 12) * np.cos(2 * np.pi * y / 14))
    frames = np.random.default_rng(0).poisson(np.broadcast_to(dose, (5, 256, 256)))
    for kind, frame in (("series", frames), ("frame", frames[0])):
        np.save(tmp_path / f"{kind}.npy", frame.astype(np.uint16))
        assert main(["noise", str(tmp_path / f"{kind}.npy")]) == 0
        page = capsys.readouterr().out
        assert "counted electrons" in page
        # of the mean of 256**2 pixels, without the border
        assert float(page.split(" e⁻/px")[0].split()[-1]) == pytest.approx(frame.mean(), rel=0.01)
        assert "--detector-gain 1" in page
        assert "--detector-offset" not in page
    np.save(tmp_path / "scaled.npy", (2 * frames).astype(np.uint16))
    assert main(["noise", str(tmp_path / "scaled.npy")]) == 0
    assert "counted electrons, gain 1" not in capsys.readouterr().out


def test_an_offset_that_cannot_be_told_from_none_is_not_recommended(tmp_path, capsys):
    frames = np.load(recording(tmp_path / "series.npy", 12)) - 100
    np.save(tmp_path / "series.npy", frames)
    assert main(["noise", str(tmp_path / "series.npy")]) == 0
    page = capsys.readouterr().out
    assert "--detector-gain" in page
    assert "--detector-offset" not in page


def test_one_frame_of_a_crystal_with_an_offset_asks_for_both_and_does_not_judge_its_neighbours(tmp_path, capsys):
    y, x = np.mgrid[:256, :256]
    lattice = 1 + 0.35 * np.cos(2 * np.pi * x / 12) * np.cos(2 * np.pi * y / 14)
    np.save(tmp_path / "frame.npy", (12 * np.random.default_rng(0).poisson(4 * lattice) + 100).astype(np.uint16))
    assert main(["noise", str(tmp_path / "frame.npy")]) == 0
    page = capsys.readouterr().out
    assert "An unexposed pixel may read" in page
    assert "not judged" in page
    assert "--objective" not in page


def test_hot_pixels_and_small_frames_are_told_as_they_are(tmp_path, capsys):
    frame = np.random.default_rng(0).poisson(0.45, (64, 64)).astype(np.float32)
    frame[5, 7] = 500
    np.save(tmp_path / "small.npy", frame)
    assert main(["noise", str(tmp_path / "small.npy")]) == 0
    page = capsys.readouterr().out
    assert "1 hot pixel, the first at row 5, column 7" in page
    assert "64 x 64 px" in page
