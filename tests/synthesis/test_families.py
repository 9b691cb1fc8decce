"""What holds for every shape of every family."""

from functools import cache

import numpy as np
import pytest
import trimesh

from isofield.frame import MARGIN
from isofield.mesh.audit import audit, linked
from isofield.mesh.distance import MeshDistance
from isofield.synthesis.assemble import assemble
from isofield.synthesis.cars import Car
from isofield.synthesis.chairs import Chair
from isofield.synthesis.document import box, document
from isofield.synthesis.families import FAMILIES
from isofield.synthesis.lamps import Lamp
from isofield.synthesis.parts import Group, Part, Shape, mirrored, walk
from isofield.synthesis.plane_kinds import Plane
from isofield.synthesis.sofas import Sofa
from isofield.synthesis.solids import about, ball, rounded_box
from isofield.synthesis.tables import Table
from isofield.synthesis.touching import touching

SEEDS = [0, 1]
LABELS = dict(zip(FAMILIES, ("head", "car", "chair", "table", "lamp", "sofa", "plane"), strict=True))
NEEDED = {
    "cars": {"hull", "tyre", "head lamp", "tail lamp", "mirror"},
    "chairs": set(),
    "heads": {"skin", "eye"},
    "lamps": set(),
    "planes": {"fuselage", "wing", "fin", "stabiliser"},
    "sofas": {"seat cushion", "back"},
    "tables": {"top"},
}


@cache
def shape_of(family: str, seed: int) -> Shape:
    return FAMILIES[family](np.random.default_rng((7, seed))).in_unit_frame()


def mesh_of(part: Part) -> trimesh.Trimesh:
    return trimesh.Trimesh(part.solid.vertices, part.solid.faces, process=False)


def check(shape: Shape) -> None:
    """Each part is one closed manifold that faces outward; together they are closed, manifold and hold together."""
    for part in shape.parts:
        found = audit(mesh_of(part))
        assert found.watertight, part.label
        assert found.manifold, part.label
        assert found.components == 1, part.label
        assert found.volume > 0, part.label
    whole = audit(assemble(shape.parts))
    assert whole.watertight
    assert whole.manifold
    assert whole.components == len(shape.parts)
    pairs = np.array(touching(shape.parts)).reshape(-1, 2)
    assert linked(pairs[:, 0], pairs[:, 1], len(shape.parts)).max() == 0, "a part hangs in the air"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_are_closed_outward_manifold_and_in_one_piece(family, seed):
    check(shape_of(family, seed))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(2, 50))
def test_fifty_shapes_are_closed_outward_manifold_and_in_one_piece(family, seed):
    check(shape_of(family, seed))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_is_the_same_shape_and_another_seed_another(family):
    one, again, other = (assemble(shape_of(family, seed).parts) for seed in (4, 4, 5))
    assert np.array_equal(one.vertices, again.vertices)
    assert np.array_equal(one.visual.vertex_colors, again.visual.vertex_colors)
    assert len(one.vertices) != len(other.vertices) or not np.array_equal(one.vertices, other.vertices)


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_stand_in_the_unit_frame_and_remember_their_size(family):
    drawn = FAMILIES[family](np.random.default_rng((7, 0)))
    vertices = np.concatenate([part.solid.vertices for part in drawn.in_unit_frame().parts])
    assert np.linalg.norm(vertices, axis=1).max() == pytest.approx(1 / MARGIN, abs=1e-6)
    assert np.abs(vertices.min(0) + vertices.max(0)).max() < 1e-6
    metres = np.concatenate([part.solid.vertices for part in drawn.parts])
    assert drawn.frame().to_user(vertices) == pytest.approx(metres, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_contain_their_parts_and_no_smaller_ones_do(family, seed):
    for part in shape_of(family, seed).parts:
        found = box(part)
        axes = np.array(found["axes"])
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-9)
        local = (part.solid.vertices - found["center"]) @ axes.T
        assert np.abs(local).max(0) == pytest.approx(np.array(found["size"]) / 2, abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_symmetry_takes_each_member_to_the_next(family, seed):
    groups = [group for group in walk(shape_of(family, seed).root) if group.symmetry]
    assert groups or family in ("lamps", "heads")
    for group in groups:
        assert group.symmetry is not None
        matrix, offset = group.symmetry.matrix(), group.symmetry.offset()
        for one, following in zip(group.members, group.members[1:], strict=False):
            for a, b in zip(one.parts, following.parts, strict=True):
                assert a.label == b.label
                assert a.solid.vertices @ matrix.T + offset == pytest.approx(b.solid.vertices, abs=3e-6)
                assert np.array_equal(
                    a.solid.faces, b.solid.faces if np.linalg.det(matrix) > 0 else b.solid.faces[:, ::-1]
                )


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_touch_and_the_others_do_not(family):
    parts = shape_of(family, 1).parts
    pairs = set(touching(parts))
    rng = np.random.default_rng(0)
    surfaces = [MeshDistance(part.solid.vertices, part.solid.faces) for part in parts]
    chosen = rng.permutation([(i, j) for i in range(len(parts)) for j in range(i + 1, len(parts))])[:25]
    for i, j in chosen.tolist():
        nearest = min(
            surfaces[i].signed(parts[j].solid.vertices).min(), surfaces[j].signed(parts[i].solid.vertices).min()
        )
        assert ((i, j) in pairs) == (nearest < 2e-3), (parts[i].label, parts[j].label)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_document_names_every_row_of_the_mesh_once(family):
    shape = shape_of(family, 2)
    found, mesh = document(shape), assemble(shape.parts)
    assert found["label"] == LABELS[family]
    assert NEEDED[family] <= {part["label"] for part in found["parts"]}
    assert len({part["name"] for part in found["parts"]}) == len(found["parts"])
    for key, total in (("vertices", len(mesh.vertices)), ("faces", len(mesh.faces))):
        ends = [part[key] for part in found["parts"]]
        assert [start for start, _ in ends] == [0, *(end for _, end in ends[:-1])]
        assert ends[-1][1] == total
    for part in found["parts"]:
        rows = mesh.faces[slice(*part["faces"])]
        assert rows.min() == part["vertices"][0]
        assert rows.max() == part["vertices"][1] - 1
    assert sorted(leaves(found["tree"])) == list(range(len(found["parts"])))


def leaves(node: dict) -> list[int]:
    return [node["part"]] if "part" in node else [leaf for child in node["children"] for leaf in leaves(child)]


def test_styles_are_many():
    def seen(sample, key: str) -> set:
        return {getattr(sample(np.random.default_rng(seed)), key) for seed in range(120)}

    assert len(seen(Car.sample, "style")) >= 8
    assert len(seen(Chair.sample, "kind")) == 6
    assert len(seen(Chair.sample, "back")) == 6
    assert len(seen(Lamp.sample, "kind")) == 8
    assert len(seen(Plane.sample, "kind")) == 8
    assert len(seen(Table.sample, "base")) >= 9
    assert len(seen(Sofa.sample, "arms")) == 5


def test_thin_structures_are_there():
    thinnest = [min(box(part)["size"]) for seed in range(6) for part in shape_of("lamps", seed).parts]
    assert min(thinnest) < 0.01


def test_colours_meet_on_doubled_vertices_of_a_closed_surface():
    colors = np.tile([200, 10, 10], (12, 1))
    solid = rounded_box((1, 1, 1), 0.1)
    colors = np.where((solid.vertices[solid.faces].mean(1)[:, 0] > 0)[:, None], [200, 10, 10], [10, 10, 200])
    mesh = assemble([Part("cube", solid, colors)])
    assert len(mesh.vertices) > len(solid.vertices)
    assert audit(mesh).watertight
    assert set(map(tuple, mesh.visual.vertex_colors[:, :3].tolist())) == {(200, 10, 10), (10, 10, 200)}


def test_a_symmetry_survives_turning_and_mirroring():
    one = Part("ball", ball(0.1).moved(1, 2, 3), np.full(3, 90.0))
    inner = mirrored("pair", one)
    outer = mirrored("pairs", inner.mapped(about(1, 30), np.array([0.0, 0.0, 5.0])), axis=2)
    groups = [group for group in walk(Group("root", (outer,))) if group.symmetry is not None]
    assert len(groups) == 3
    for group in groups:
        (a, b), symmetry = group.members, group.symmetry
        moved = a.mapped(symmetry.matrix(), symmetry.offset())
        for p, q in zip(moved.parts, b.parts, strict=True):
            assert p.solid.vertices == pytest.approx(q.solid.vertices)
