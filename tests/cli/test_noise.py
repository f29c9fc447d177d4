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
