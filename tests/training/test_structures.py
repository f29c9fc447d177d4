"""Atomic models have the right crystals in them, lie in their box, and are decided by their seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_gaintune.training import crystals, shapes, structures
from napari_gaintune.training.specimen import SpecimenRecipe
from napari_gaintune.training.structures import BUILDERS

pytest.importorskip("ase")

DENSITIES = {  # g/cm3
    "Pt": 21.45, "Pd": 12.0, "Ni": 8.91, "Au": 19.30, "CeO2": 7.22, "MgO": 3.58, "TiO2": 4.25, "anatase": 3.89,
    "SrTiO3": 5.12, "BaTiO3": 6.02, "LaAlO3": 6.52, "CsPbBr3": 4.75, "Si": 2.33, "SOD": 1.66, "LTA": 1.41,
    "graphite": 2.26, "MoS2": 5.00, "WSe2": 9.35, "Fe": 7.87, "W": 19.26, "Co": 8.84, "Ru": 12.37, "ZnO": 5.67,
    "GaN": 6.09, "Al2O3": 3.99, "Fe3O4": 5.20,
}  # fmt: skip
TURNED = [(name, way) for name, crystal in crystals.CRYSTALS.items() for way in crystals.ORIENTATIONS[crystal.system]]
RECIPE = SpecimenRecipe(
    kinds=dict.fromkeys(BUILDERS, 1),
    metals={"Pt": 1, "Co": 1},
    supports={"CeO2": 1, "TiO2": 1},
    crystals={"SrTiO3": 1, "SOD": 1},
    sheets={"graphite": 1, "MoS2": 1},
    shapes=dict.fromkeys(shapes.SHAPES, 1),
    width_range_nm=(2.5, 4),
    thickness_range_nm=(2, 4),
)


def specimen_of(kind: str, seed: int = 0) -> structures.Specimen:
    recipe = RECIPE.model_copy(update={"kinds": {kind: 1}})
    return structures.random_specimen(np.random.default_rng([seed, 7]), recipe)


@pytest.mark.parametrize(("name", "orientation"), TURNED)
def test_a_turned_cell_has_the_density_of_the_material(name: str, orientation: str) -> None:
    cell = crystals.unit_cell(name, orientation)
    density = cell.get_masses().sum() / cell.get_volume() * 1.66054  # unified mass units per cubic angstrom to g/cm3
    assert density == pytest.approx(DENSITIES[name], rel=0.01)  # tabulated to three figures


@pytest.mark.parametrize(("name", "orientation"), TURNED)
def test_no_atom_of_a_cell_hangs_on_the_last_bit(name: str, orientation: str) -> None:
    """On a face an atom is at 0 of the cell; at 1 - 1e-16 the next processor would draw another specimen."""
    places = crystals.unit_cell(name, orientation).get_scaled_positions(wrap=False)
    assert (places >= 0).all()
    assert (places < 1 - 1e-6).all()


@pytest.mark.parametrize(("name", "orientation"), TURNED)
def test_an_orientation_is_a_right_handed_frame(name: str, orientation: str) -> None:
    axes = crystals.axes_of(name, orientation)
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "nearest", "neighbours"),
    [("Pt", 0.2775, 12), ("Fe", 0.2482, 8), ("Co", 0.2507, 12), ("Si", 0.2352, 4), ("ZnO", 0.198, 4)],
)
def test_atoms_have_the_neighbours_of_their_structure(name: str, nearest: float, neighbours: int) -> None:
    """Counted deep in a block; ZnO's four bonds differ by 1 %, cobalt's twelve by 0.5 %."""
    for orientation in crystals.ORIENTATIONS[crystals.CRYSTALS[name].system]:
        block = crystals.unit_cell(name, orientation).repeat((7, 7, 7))
        centre = block.positions.mean(axis=0)
        deep = block.positions[np.argsort(np.linalg.norm(block.positions - centre, axis=1))[:4]]
        counts = [len(found) - 1 for found in cKDTree(block.positions).query_ball_point(deep, 10.3 * nearest)]
        assert counts == [neighbours] * 4


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_specimen_lies_in_its_box(kind: str) -> None:
    for seed in range(4):
        specimen = specimen_of(kind, seed)
        lengths = specimen.atoms.cell.lengths()
        assert specimen.record["kind"] == kind
        assert lengths[0] == lengths[1] == pytest.approx(10 * specimen.width_nm)
        assert (specimen.atoms.positions >= 0).all()
        assert (specimen.atoms.positions <= lengths).all()
        assert 0 <= specimen.record["tilt_deg"] <= RECIPE.largest_tilt_deg
        assert len(specimen.atoms) == specimen.record["atoms"] > 30


@pytest.mark.parametrize("kind", ["supported", "plan-view", "particle", "crystal", "sheet"])
def test_no_atom_of_one_part_sits_inside_another(kind: str) -> None:
    for seed in range(4):
        recipe = RECIPE.model_copy(update={"kinds": {kind: 1}, "covered_share": 0.0})
        atoms = structures.random_specimen(np.random.default_rng([seed, 8]), recipe).atoms
        # parts stand 0.19 nm apart, atoms of graphite 0.142, of SOD 0.158; shifts of 0.009 nm at most per coordinate
        nearest = min(cKDTree(atoms.positions).query(atoms.positions, 2)[0][:, 1])
        assert nearest > 1.42 - 5 * 0.09 * np.sqrt(2) - 0.3  # a tilt's shear shortens a bond by tan(4 deg) of itself


def test_a_support_lies_below_its_particle_s_contact() -> None:
    recipe = RECIPE.model_copy(
        update={"kinds": {"supported": 1}, "metals": {"Pt": 1}, "supports": {"CeO2": 1}, "covered_share": 0.0}
    )
    for seed in range(20):
        specimen = structures.random_specimen(np.random.default_rng([seed, 9]), recipe)
        if specimen.record["turn_deg"] == 0 and specimen.record["tilt_deg"] == 0:
            metal = specimen.atoms.positions[specimen.atoms.numbers == 78]
            oxide = specimen.atoms.positions[specimen.atoms.numbers != 78]
            assert metal[:, 1].mean() > oxide[:, 1].mean()
            return
    raise AssertionError("no seed gives an upright specimen")


def test_the_same_seed_gives_the_same_atoms() -> None:
    for kind in BUILDERS:
        one, two = specimen_of(kind), specimen_of(kind)
        assert np.array_equal(one.atoms.positions, two.atoms.positions)
        assert one.record == two.record


def test_a_twin_keeps_nearest_neighbours_at_their_distance() -> None:
    points = crystals.unit_cell("Pt", "[1-10], (111) surface").repeat((5, 3, 6)).positions
    points -= points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    normal = np.array([0.0, 1.0, 0.0])  # (111) is the surface of this orientation
    both = shapes.twinned(points, normal, offset=0.0)
    nearest = cKDTree(both).query(both, 2)[0][:, 1]
    assert nearest == pytest.approx(3.924 / np.sqrt(2), abs=1e-6)
    above, below = both[both[:, 1] > 1e-6], both[both[:, 1] < -1e-6]
    assert len(above) == len(below)


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_a_shape_holds_its_centre_and_about_its_radius(shape: str) -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(-2.5, 2.5, (20000, 3))
    for _ in range(10):
        depth = shapes.SHAPES[shape](rng, np.concatenate([np.zeros((1, 3)), points]), np.eye(3), 1.0)
        assert depth[0] > 0.5
        distance = np.linalg.norm(points, axis=1)[depth[1:] > 0]
        assert 0.6 < distance.max() < 2.0


def test_rough_takes_from_the_top_layer_and_adds_on_it() -> None:
    depth = np.linspace(-5, 5, 10001)
    kept = shapes.rough(np.random.default_rng(1), depth, missing=0.5, added=0.2, layer=2.0)
    assert kept[depth > 2].all()
    assert not kept[depth < -2].any()
    # 2000 sites each; five standard deviations of a share
    assert kept[(depth > 0) & (depth <= 2)].mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2000))
    assert kept[(depth <= 0) & (depth > -2)].mean() == pytest.approx(0.2, abs=5 * 0.4 / np.sqrt(2000))


def test_scattered_points_keep_their_distance(rng: np.random.Generator) -> None:
    box = np.array([20.0, 20.0, 10.0])
    points = shapes.scattered_points(rng, box, count=360, nearest=1.3)
    assert len(points) == 360
    assert cKDTree(points).query(points, 2)[0][:, 1].min() >= 1.3
