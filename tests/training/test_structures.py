"""Atomic models have the right crystals in them, and repeat without a seam."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_gaintune.training import shapes, structures

pytest.importorskip("ase")

DENSITIES = {"Pt": 21.45, "Pd": 12.02, "Ni": 8.91, "Au": 19.30, "CeO2": 7.22, "MgO": 3.58, "SrTiO3": 5.12, "Si": 2.33}


@pytest.mark.parametrize("orientation", structures.ORIENTATIONS)
@pytest.mark.parametrize("crystal", DENSITIES)
def test_a_turned_cell_has_the_density_of_the_material(crystal: str, orientation: str) -> None:
    cell = structures.unit_cell(crystal, orientation)
    density = cell.get_masses().sum() / cell.get_volume() * 1.66054  # unified mass units per cubic angstrom to g/cm3
    assert density == pytest.approx(DENSITIES[crystal], rel=0.01)  # tabulated to three figures


@pytest.mark.parametrize("orientation", structures.ORIENTATIONS)
def test_an_orientation_is_a_right_handed_frame(orientation: str) -> None:
    axes = np.array([np.array(v) / np.linalg.norm(v) for v in structures.ORIENTATIONS[orientation]])
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("orientation", structures.ORIENTATIONS)
def test_an_untilted_slab_repeats_without_a_seam(orientation: str, rng: np.random.Generator) -> None:
    slab, width_nm, _ = structures.oxide_slab(rng, "CeO2", orientation, 3.0, height=0.6, thickness_nm=2.0)
    # deep inside, where no surface atom is missing, every cerium has its twelve cerium neighbours, across the seam too
    metal = slab.positions[slab.numbers == 58]
    period = 10 * width_nm
    copies = np.concatenate([metal + np.array([shift, 0, 0]) for shift in (-period, 0, period)])
    counts = np.array([len(found) - 1 for found in cKDTree(copies).query_ball_point(metal, 3.85)])  # a / sqrt 2 = 3.826
    deep = (metal[:, 1] > 5) & (metal[:, 1] < 9) & (np.abs(metal[:, 2]) < 4)
    assert deep.sum() > 5
    assert set(counts[deep]) == {12}


def test_the_example_s_kind_is_not_in_the_training_set() -> None:
    drawn = [structures.random_specimen(np.random.default_rng([3, i])) for i in range(30)]
    kinds = {specimen.record["kind"] for specimen in drawn}
    numbers = {int(z) for specimen in drawn for z in specimen.atoms.numbers}
    assert kinds == {"supported", "plan-view", "particle", "crystal"}
    assert numbers.isdisjoint({79, 12})  # gold, magnesium


def test_no_metal_atom_sits_inside_another_atom() -> None:
    for index in range(12):
        specimen = structures.random_specimen(np.random.default_rng([5, index]))
        atoms = specimen.atoms[specimen.atoms.numbers != 6]
        # parts stand 0.19 nm apart; thermal shifts of 0.009 nm at most in each coordinate, five deviations of a pair
        nearest = min(cKDTree(atoms.positions).query(atoms.positions, 2)[0][:, 1])
        assert nearest > 1.9 - 5 * 0.09 * np.sqrt(2)


def test_a_specimen_lies_in_its_box_and_has_no_more_tilt_than_said() -> None:
    for index in range(12):
        specimen = structures.random_specimen(np.random.default_rng([4, index]))
        lengths = specimen.atoms.cell.lengths()
        assert lengths[0] == lengths[1] == pytest.approx(10 * specimen.width_nm)
        assert (specimen.atoms.positions >= 0).all()
        assert (specimen.atoms.positions <= lengths).all()
        assert 0 <= specimen.record["tilt_deg"] <= 4


def test_the_same_seed_gives_the_same_atoms() -> None:
    one, two = (structures.random_specimen(np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(one.atoms.positions, two.atoms.positions)
    assert one.record == two.record


def test_a_twin_keeps_nearest_neighbours_at_their_distance(rng: np.random.Generator) -> None:
    points = structures.unit_cell("Pt", "[1-10], (111) surface").repeat((5, 3, 6)).positions
    points -= points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    normal = np.array([0.0, 1.0, 0.0])  # (111) is the surface of this orientation
    both = shapes.twinned(points, normal, offset=0.0)
    nearest = cKDTree(both).query(both, 2)[0][:, 1]
    assert nearest == pytest.approx(3.924 / np.sqrt(2), abs=1e-6)
    above, below = both[both[:, 1] > 1e-6], both[both[:, 1] < -1e-6]
    assert len(above) == len(below)


def test_scattered_points_keep_their_distance(rng: np.random.Generator) -> None:
    box = np.array([20.0, 20.0, 10.0])
    points = shapes.scattered_points(rng, box, count=360, nearest=1.3)
    assert len(points) == 360
    assert cKDTree(points).query(points, 2)[0][:, 1].min() >= 1.3
