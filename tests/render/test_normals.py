import numpy as np
import trimesh

from isofield.render.normals import ODD, _places, corner_normals, flat_normals


def soup(mesh):
    return mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)


def test_a_sphere_is_smooth_even_as_a_soup():
    mesh = trimesh.creation.icosphere(4)
    expected = mesh.vertices[mesh.faces]
    for vertices, faces in ((mesh.vertices, mesh.faces), soup(mesh)):
        normals = corner_normals(np.asarray(vertices), np.asarray(faces))
        assert (np.einsum("fkd,fkd->fk", normals, expected) > 0.9999).all()


def test_a_box_keeps_its_edges():
    mesh = trimesh.creation.box()
    normals = corner_normals(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    assert np.allclose(normals, flat_normals(np.asarray(mesh.vertices), np.asarray(mesh.faces)))


def test_a_cylinder_is_round_around_and_sharp_at_its_rims():
    mesh = trimesh.creation.cylinder(radius=1, height=2, sections=64)
    normals = corner_normals(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    cap = np.abs(mesh.face_normals[:, 2]) > 0.5
    assert np.allclose(np.abs(normals[cap][..., 2]), 1)
    radial = mesh.vertices[mesh.faces[~cap]] * [1, 1, 0]
    assert (np.einsum("fkd,fkd->fk", normals[~cap], radial) > 0.998).all()


def test_faces_without_area_do_not_spoil_their_neighbours():
    mesh = trimesh.creation.icosphere(2)
    faces = np.concatenate([mesh.faces, [[0, 0, 1], [5, 5, 5]]])
    normals = corner_normals(np.asarray(mesh.vertices), faces)
    assert np.isfinite(normals).all()
    assert np.allclose(normals[:-2], corner_normals(np.asarray(mesh.vertices), np.asarray(mesh.faces)))


def test_places_are_told_apart_by_what_is_faster_or_by_their_rows(monkeypatch):
    corners = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, -0.0, 1) for z in (-1, 0, 1)], np.float64)
    twice = np.concatenate([corners, corners[::-1] + 0.0])
    for odd in (ODD, np.zeros(3, np.uint64)):
        monkeypatch.setattr("isofield.render.normals.ODD", odd)
        place = _places(twice)
        assert len(np.unique(place)) == 27
        assert np.array_equal(place[:27], place[27:][::-1])
