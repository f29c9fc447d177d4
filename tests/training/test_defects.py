"""Whole columns are missing or added, and only where a recipe asks for it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.training import defects
from napari_gaintune.training.specimen import SpecimenRecipe
from napari_gaintune.training.structures import random_specimen


@pytest.fixture
def lattice() -> np.ndarray:
    """40 x 40 columns of 25 atoms, 2 angstrom apart, off any round figure."""
    x, y, z = np.meshgrid(2.0 * np.arange(40), 2.0 * np.arange(40), 2.0 * np.arange(25), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1) + 0.123


def test_atoms_above_each_other_are_one_column(lattice: np.ndarray, rng: np.random.Generator) -> None:
    shaken = lattice + rng.uniform(-1e-6, 1e-6, lattice.shape)
    columns = defects.column_numbers(shaken)
    assert (columns.reshape(1600, 25) == columns.reshape(1600, 25)[:, :1]).all()
    assert len(np.unique(columns)) == 1600


def test_vacancies_take_whole_columns_or_an_end_of_them(lattice: np.ndarray, rng: np.random.Generator) -> None:
    gone = defects.vacant(rng, lattice, share=0.1).reshape(1600, 25)
    touched = gone.any(axis=1)
    # five standard deviations of 1600 draws
    assert touched.mean() == pytest.approx(0.1, abs=5 * np.sqrt(0.1 * 0.9 / 1600))
    assert gone[touched].all(axis=1).mean() == pytest.approx(0.6, abs=5 * np.sqrt(0.6 * 0.4 / touched.sum()))
    assert (np.diff(gone.astype(int), axis=1) <= 0).all()  # from the lower end up
    assert gone[touched].mean(axis=1).min() >= 0.2 - 1 / 25


def test_what_is_adsorbed_stands_just_beside_the_crystal(lattice: np.ndarray, rng: np.random.Generator) -> None:
    depth = 40.0 - lattice[:, 0]  # a face across x: two rows of 40 columns lie within 2.3 of it
    there = defects.adsorbed(rng, lattice, depth, share=0.5)
    assert ((depth[there] <= 0) & (depth[there] > -2.3)).all()
    columns = defects.column_numbers(lattice)
    filled = np.unique(columns[there])
    assert len(filled) == pytest.approx(40, abs=5 * np.sqrt(80 * 0.25))
    heights = [np.sort(lattice[there & (columns == column), 2]) for column in filled]
    assert all(np.allclose(np.diff(height), 2.0) for height in heights)  # rows without gaps
    assert len({len(height) for height in heights}) > 3  # of several lengths


def test_a_share_of_specimens_has_them_and_none_by_default() -> None:
    pytest.importorskip("ase")
    recipe = SpecimenRecipe(
        kinds={"crystal": 1},
        metals={"Pt": 1},
        crystals={"SrTiO3": 1},
        width_range_nm=(2.5, 3),
        thickness_range_nm=(2, 3),
    )

    def records(share: float) -> list[bool]:
        asked = recipe.model_copy(update={"column_defect_share": share})
        specimens = [random_specimen(np.random.default_rng([seed, 3]), asked) for seed in range(8)]
        return ["column_defects" in specimen.record for specimen in specimens]

    assert not any(records(0.0))
    assert all(records(1.0))
