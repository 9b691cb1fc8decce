"""Heads: what the basis promises, and how hair, clothes and age lie on it."""

import numpy as np
import pytest
import trimesh

from isofield.data import resource
from isofield.mesh.audit import audit
from isofield.mesh.distance import MeshDistance
from isofield.synthesis.heads.basis import (
    BASE,
    CHEST,
    SCALP,
    load_basis,
    normals,
    ripples,
    scalp,
    shoulders,
    smoothstep,
)
from isofield.synthesis.heads.face import EXPRESSIONS, Face, above_foot, aged, shaped
from isofield.synthesis.heads.hair import FOR_MEN, FOR_WOMEN, STYLES, Hair, hair
from isofield.synthesis.heads.head import Head

GROWN = [style for style in STYLES if style != "bald"]
OFTEN = ("crop", "mohawk", "bob", "ponytail")


@pytest.fixture(scope="module")
def surface() -> MeshDistance:
    basis = load_basis()
    return MeshDistance(basis.closed(basis.mean), basis.faces)


def test_the_bust_is_closed_with_a_flat_foot():
    basis = load_basis()
    vertices = basis.closed(basis.mean)
    found = audit(trimesh.Trimesh(vertices, basis.faces, process=False))
    assert found.watertight
    assert found.manifold
    assert found.euler == 2
    assert found.volume > 0
    assert vertices[:, 1].min() == BASE
    assert len(load_basis.__wrapped__().identity) == 60  # type: ignore[attr-defined]
    assert resource("head_basis.npz").stat().st_size < 2_500_000


@pytest.mark.parametrize(("seen", "centre"), [(scalp, SCALP), (shoulders, CHEST)])
def test_places_lie_where_their_rays_leave_the_skin(seen, centre, surface):
    basis = load_basis()
    places = seen()
    points = places.on(basis.closed(basis.mean), basis.faces)
    away = points - centre
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    assert np.einsum("rtd,rtd->rt", away, places.directions).min() > 0.999
    between = centre + 0.5 * (points - centre)
    assert (surface.signed(between.reshape(-1, 3)) < 0).mean() > 0.97, "nothing of the skin is passed on the way"


def test_every_style_of_hair_can_be_drawn_and_there_are_more_than_nine():
    assert set(FOR_MEN) | set(FOR_WOMEN) == set(STYLES)
    drawn = [Head.sample(np.random.default_rng(seed)) for seed in range(150)]
    assert len({head.hair.style for head in drawn}) > 15
    assert {head.face.expression for head in drawn} == set(EXPRESSIONS)
    assert {head.face.beard for head in drawn} == {"none", "stubble", "moustache", "goatee", "full"}
    assert {head.glasses for head in drawn} == {"none", "round", "square"}
    assert {head.hat for head in drawn} == {"none", "beanie", "cap"}
    assert len({head.collar for head in drawn}) == 5
    assert min(head.face.age for head in drawn) < 14
    assert max(head.face.age for head in drawn) > 70


def test_children_have_no_beard_and_the_old_turn_grey():
    faces = [Face.sample(np.random.default_rng(seed), 60) for seed in range(300)]
    assert all(face.beard == "none" and not face.lipstick for face in faces if face.age < 15)

    def greyness(chosen: list[Face]) -> float:
        return float(np.mean([np.ptp(face.hair) for face in chosen]))

    assert greyness([f for f in faces if f.age > 75]) < 0.5 * greyness([f for f in faces if f.age < 40])


@pytest.mark.parametrize("style", [pytest.param(s, marks=[pytest.mark.slow] * (s not in OFTEN)) for s in GROWN])
def test_hair_grows_out_of_the_skin_and_stays_outside_where_it_hangs(style, surface):
    basis = load_basis()
    drawn = Hair(style, *map(float, STYLES[style]), 0.0, 0.4, 60.0, np.full(3, 60.0))
    group = hair(basis, drawn, basis.mean, np.full(3, 200.0), np.random.default_rng(0))
    assert group is not None
    shell = group.parts[0].solid
    found = audit(trimesh.Trimesh(shell.vertices, shell.faces, process=False))
    assert found.watertight
    assert found.manifold
    assert found.volume > 0
    distance = surface.signed(shell.vertices)
    assert distance.min() < -0.1, "its lining lies within the skin"
    assert 0.1 < distance.max() < 12
    face = np.array([[0.0, 0.0, 13.0], [2.5, 0.0, 11.5], [0.0, -4.0, 12.0]])
    assert (MeshDistance(shell.vertices, shell.faces).signed(face) > 0.5).all(), "the face is free"


def test_age_warps_space_smoothly_and_leaves_adults_alone():
    points = np.random.default_rng(0).uniform(-12, 14, (500, 3))
    assert np.array_equal(aged(points, 30.0), points)
    step = 1e-4
    slope = (aged(points + np.array([0, step, 0]), 7.0) - aged(points, 7.0))[:, 1] / step
    assert 0.5 < slope.min() < slope.max() < 1.5, "nothing is folded over"
    basis = load_basis()
    face = Face.sample(np.random.default_rng(1), 60)
    assert np.isfinite(shaped(basis, face)).all()


def test_every_chest_ends_above_the_foot():
    height = np.linspace(-40, 10, 400)
    moved = above_foot(np.stack([0 * height, height, 0 * height], 1))[:, 1]
    assert (np.diff(moved) > 0).all(), "nothing is folded over"
    assert moved.min() > BASE + 0.5
    assert np.array_equal(moved[height > BASE + 3], height[height > BASE + 3])
    basis = load_basis()
    for seed in range(30):
        vertices = shaped(basis, Face.sample(np.random.default_rng(seed), 60))
        assert basis.closed(vertices)[:, 1].min() == BASE


def test_long_hair_ends_on_the_shoulders_and_falls_behind(surface):
    basis = load_basis()
    drawn = Hair("long", 1.1, 1.1, 21.0, 0.0, 0.0, 0.2, 0.0, 0.4, 60.0, np.full(3, 60.0))
    group = hair(basis, drawn, basis.mean, np.full(3, 200.0), np.random.default_rng(0))
    assert group is not None
    vertices = group.parts[0].solid.vertices
    aside = np.abs(vertices[:, 0]) > 6
    assert BASE < vertices[~aside, 1].min() < -16
    ends = vertices[aside & (vertices[:, 2] > -4), 1].min()
    assert -17 < ends < -8


def test_noise_and_steps_are_what_they_say():
    points = np.random.default_rng(0).normal(size=(2000, 3))
    noise = ripples(np.random.default_rng(1), points, 2.0)
    near = ripples(np.random.default_rng(1), points + 1e-4, 2.0)
    assert np.abs(noise).max() < 3
    assert np.abs(near - noise).max() < 1e-2
    assert smoothstep(1, 2, np.array([0.0, 1.0, 1.5, 2.0, 3.0])).tolist() == [0, 0, 0.5, 1, 1]
    vertices, faces = np.eye(3), np.array([[0, 1, 2]])
    assert normals(vertices, faces) == pytest.approx(np.full((3, 3), 3**-0.5))
