"""Solids are closed, face outward, and have the volume that geometry says."""

import numpy as np
import pytest
import trimesh

from isofield.mesh.audit import audit
from isofield.synthesis import solids
from isofield.synthesis.solids import (
    about,
    ball,
    bar,
    circle,
    curve,
    loft,
    loft_colors,
    plate,
    revolve,
    revolve_ring,
    ribbon,
    rounded_box,
    rounded_rectangle,
    superellipse,
    sweep,
    tube,
)
from isofield.synthesis.wings import airfoil, fin, wheel, wing

TURN = np.linspace(0, 2 * np.pi, 60)
HELIX = np.stack([np.cos(TURN), 0.3 * TURN, np.sin(TURN)], 1)
SECTIONS = [(0.0, 0.0, 0.0, 1.0, 0.1), (3.0, 0.2, -0.5, 0.5, 0.1)]
MADE = {
    "box": rounded_box((1, 2, 3), 0.1, 2, 3),
    "box of one bevel": rounded_box((1, 2, 3), 0.1),
    "ball": ball((1, 2, 3)),
    "cone": revolve([(1.0, 0.0), (0.0, 2.0)]),
    "shade": revolve_ring([(1, 0), (1.1, 0), (0.6, 1), (0.5, 1)]),
    "helix": tube(HELIX, 0.1),
    "bar": bar((0, 0, 0), (1, 2, 3), 0.2, 0.1, 0.5),
    "plate": plate(superellipse(2, 1, 3), 0.0, 0.2, 0.05),
    "sharp plate": plate(rounded_rectangle(2, 1, 0.2), 0.0, 0.2),
    "ribbon": ribbon(curve([(0, 0), (0.1, 1), (1, 1.5)], 20), 0.5, 0.02),
    "wing": wing(SECTIONS),
    "fin": fin(SECTIONS),
    "wheel": wheel(0.5, 0.2),
}


def mesh_of(solid: solids.Solid) -> trimesh.Trimesh:
    return trimesh.Trimesh(solid.vertices, solid.faces, process=False)


@pytest.mark.parametrize("name", MADE)
def test_solids_are_one_closed_piece_that_faces_outward(name):
    found = audit(mesh_of(MADE[name]))
    assert found.watertight
    assert found.manifold
    assert found.components == 1
    assert found.volume > 0
    assert found.euler == (0 if name == "shade" else 2)


def test_volumes_are_those_of_the_closed_forms():
    box = audit(mesh_of(rounded_box((2, 3, 4), 0.25, 40))).volume
    inner, r = np.array([1.5, 2.5, 3.5]), 0.25
    faces, edges = 2 * (inner[0] * inner[1] + inner[1] * inner[2] + inner[2] * inner[0]), 4 * inner.sum()
    assert box == pytest.approx(inner.prod() + r * faces + np.pi * r**2 / 4 * edges + 4 / 3 * np.pi * r**3, rel=1e-4)
    prism = 60 / 2 * np.sin(2 * np.pi / 60)  # area of a regular polygon with 60 corners
    assert audit(mesh_of(revolve([(2, 0), (2, 5)], 60))).volume == pytest.approx(prism * 4 * 5)
    hoop = audit(mesh_of(revolve_ring(0.1 * circle(60) + [2, 0], 400))).volume
    assert hoop == pytest.approx(2 * np.pi**2 * 2 * 0.1**2, rel=3e-3)  # Pappus
    outline = rounded_rectangle(2, 1, 0.2, 30)
    assert audit(mesh_of(plate(outline, 0, 0.3))).volume == pytest.approx(0.3 * (2 - (4 - np.pi) * 0.04), rel=1e-4)


def test_a_sweep_keeps_its_section_square_to_the_path():
    solid = sweep(HELIX, circle(16), 0.05)
    rings = solid.vertices[: 16 * 60].reshape(60, 16, 3)
    step = np.gradient(HELIX, axis=0)[1:-1]
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    out = rings[1:-1] - HELIX[1:-1, None]
    assert np.abs(np.linalg.norm(out, axis=2) - 0.05).max() < 1e-12
    assert np.abs(np.einsum("nmd,nd->nm", out, step)).max() < 1e-4


def test_the_box_axes_of_a_bar_follow_it():
    solid = bar((0, 0, 0), (1, 2, 3), 0.2, 0.1)
    along = solid.vertices @ solid.axes.T
    assert np.allclose(solid.axes @ solid.axes.T, np.eye(3))
    assert np.ptp(along, axis=0) == pytest.approx([0.2, 0.1, np.sqrt(14)], rel=0.01)


def test_mirroring_keeps_the_outside_outside():
    solid = MADE["wing"].mapped(np.diag([-1.0, 1.0, 1.0]))
    assert audit(mesh_of(solid)).volume == pytest.approx(audit(mesh_of(MADE["wing"])).volume)


def test_turns_are_counter_clockwise():
    assert np.allclose(about(1, 90) @ [0, 0, 1], [1, 0, 0])
    assert np.allclose(about((0, 2, 0), 90), about(1, 90))
    assert np.allclose(about((1, 1, 1), 120) @ [1, 0, 0], [0, 1, 0])


def test_colours_of_a_loft_follow_its_faces():
    rings = np.stack([np.concatenate([circle(6) * r, np.full((6, 1), z)], 1) for z, r in ((0, 1), (1, 2), (2, 1))])
    bands = np.arange(2 * 6 * 3).reshape(2, 6, 3).astype(float)
    solid, colors = loft(rings), loft_colors(bands, np.array([[100.0] * 3, [200.0] * 3]))
    assert len(colors) == len(solid.faces)
    z = solid.vertices[solid.faces].mean(1)[:, 2]
    for color, at in zip(colors, z, strict=True):
        assert at == {100.0: 0, 200.0: 2}[color[0]] if color[0] >= 100 else (color[0] < 18) == (at < 1)


def test_an_airfoil_is_as_thick_as_it_says_and_blunt_behind():
    outline = airfoil(41)
    assert np.ptp(outline[:, 1]) == pytest.approx(1.0, abs=0.02)
    behind = outline[outline[:, 0] > 1 - 1e-9]
    assert len(behind) == 2
    assert np.ptp(behind[:, 1]) > 0.01
