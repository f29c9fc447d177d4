"""Real recordings, where they are at hand (see the fixture ``shared_data``)."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile

from napari_gaintune.io import SeriesWriter, open_series


@pytest.mark.parametrize("number", [1, 2])
def test_low_dose_exposures(shared_data, number):
    path = shared_data / "data" / "em" / f"lowdose_tem_exposure{number}.tif"
    if not path.is_file():
        pytest.skip(f"real data: no file {path}")
    series = open_series(path)
    assert (series.shape, series.dtype) == ((512, 512), np.uint16)
    np.testing.assert_array_equal(series.frame(0), tifffile.imread(path))
    # the unit's short name is in Shift-JIS; the resolution tags say 72 dpi
    assert series.calibration.pixel_size_nm == pytest.approx((2.98845675, 2.98845675))


def test_scanned_series_and_its_round_trip(shared_data, tmp_path):
    path = shared_data / "data" / "em" / "stem_abf_5frames.hspy"
    if not path.is_file():
        pytest.skip(f"real data: no file {path}")
    with h5py.File(path) as file:
        (experiment,) = file["Experiments"].values()
        recorded = experiment["data"][:]
    with open_series(path) as series:
        assert (series.shape, series.dtype, series.calibration.axes) == ((5, 512, 512), np.uint16, "ZYX")
        assert series.calibration.pixel_size_nm == pytest.approx((0.0092023984, 0.0092023984))
        with SeriesWriter(tmp_path / "out.ome.tif", series.shape, series.calibration, source=series) as writer:
            for i in range(len(series)):
                np.testing.assert_array_equal(series.frame(i), recorded[i])
                writer.write(series.frame(i))
        result = open_series(tmp_path / "out.ome.tif")
        assert result.calibration == series.calibration
    np.testing.assert_array_equal([result.frame(i) for i in range(5)], recorded)
