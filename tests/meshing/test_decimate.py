import numpy as np
import pytest
import trimesh
from twin import faults

from isofield.errors import InputError
from isofield.fields.analytic import Sphere, Torus
from isofield.meshing.decimate import decimate
from isofield.meshing.extract import extract


def test_fewer_faces_same_shape() -> None:
    mesh = extract(Torus(), 64).mesh
    small = decimate(mesh, 1000)
    assert len(small.faces) <= 1000
    assert faults(small.vertices, small.faces) == []
    assert small.euler_number == 0
    assert small.volume == pytest.approx(2 * np.pi**2 * 0.5 * 0.2**2, rel=0.02)


def test_colours_are_kept() -> None:
    shape = Sphere(0.3).colored(1, 0, 0).translate((-0.4, 0, 0)) | Sphere(0.3).colored(0, 0, 1).translate((0.4, 0, 0))
    small = decimate(extract(shape, 48).mesh, 400)
    expected = np.where(small.vertices[:, :1] < 0, (255, 0, 0, 255), (0, 0, 255, 255))
    assert np.array_equal(np.asarray(small.visual.vertex_colors), expected)


@pytest.mark.parametrize("faces", [4, 8, 20])
def test_it_backs_off_rather_than_break_the_mesh(faces: int) -> None:
    small = decimate(extract(Torus(0.5, 0.15), 40).mesh, faces)
    assert faults(small.vertices, small.faces) == []
    assert small.volume > 0


def test_a_mesh_that_is_small_enough_is_returned_as_it_is() -> None:
    mesh = extract(Sphere(), 16).mesh
    assert decimate(mesh, 10**6) is mesh


def test_too_few_faces() -> None:
    with pytest.raises(InputError, match="at least 4"):
        decimate(trimesh.creation.icosphere(), 3)
