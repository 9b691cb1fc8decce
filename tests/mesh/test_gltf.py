"""glTF: scenes, transforms, colour spaces, textures, and files that lie about their data."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.color import color_kind, surface_colors, to_srgb
from isofield.mesh.gltf import _matrix, _transform_uv
from isofield.mesh.read import read_mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")


class Document:
    """Collects accessors and writes a .gltf with everything inside."""

    def __init__(self, **more):
        self.json = {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
            "images": [],
            "textures": [],
            **more,
        }
        self.blob = b""

    def view(self, data: bytes, **more) -> int:
        self.json["bufferViews"].append({"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data), **more})
        self.blob += data + bytes(-len(data) % 4)
        return len(self.json["bufferViews"]) - 1

    def accessor(self, rows, dtype, kind, **more) -> int:
        rows = np.asarray(rows, dtype)
        component = {"<f4": 5126, "<u2": 5123, "u1": 5121, "i1": 5120, "<u4": 5125}[dtype]
        entry = {"bufferView": self.view(rows.tobytes()), "componentType": component, "count": len(rows), "type": kind}
        self.json["accessors"].append(entry | more)
        return len(self.json["accessors"]) - 1

    def texture(self, pixels: np.ndarray) -> int:
        file = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
        self.json["images"].append({"bufferView": self.view(file.getvalue()), "mimeType": "image/png"})
        self.json["textures"].append({"source": len(self.json["images"]) - 1})
        return len(self.json["textures"]) - 1

    def save(self, path):
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.blob).decode()
        self.json["buffers"] = [{"byteLength": len(self.blob), "uri": uri}]
        path.write_text(json.dumps(self.json))
        return path


def one_triangle(attributes=None, material=None, **node) -> Document:
    document = Document(nodes=[{"mesh": 0, **node}], scenes=[{"nodes": [0]}], scene=0)
    primitive = {"attributes": {"POSITION": document.accessor(CORNERS, "<f4", "VEC3")}}
    for name, arguments in (attributes or {}).items():
        primitive["attributes"][name] = document.accessor(*arguments[0], **arguments[1])
    if material is not None:
        document.json["materials"] = [material]
        primitive["material"] = 0
    document.json["meshes"] = [{"primitives": [primitive]}]
    return document


def colors_of(mesh) -> np.ndarray:
    return surface_colors(mesh, np.zeros(3, int), np.asarray(mesh.triangles[0]))


def test_node_transforms_multiply_in_double_precision(tmp_path):
    """Rotation about z by 90 degrees, scaled and moved, below a parent that moves by 1e9."""
    document = one_triangle(rotation=[0, 0, np.sqrt(0.5), np.sqrt(0.5)], scale=[2, 3, 4], translation=[0.25, 0, 0])
    document.json["nodes"].append({"children": [0], "translation": [1e9, 0, 0]})
    document.json["scenes"] = [{"nodes": [1]}]
    mesh = read_mesh(document.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(mesh.vertices - [1e9, 0, 0], [[0.25, 0, 0], [0.25, 2, 0], [-2.75, 0, 0]], atol=3e-7)


def test_matrix_of_a_node_is_column_major():
    matrix = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(_matrix({"matrix": matrix.T.reshape(-1).tolist()}), matrix)


def test_mirrored_nodes_keep_faces_outward(tmp_path):
    plain = read_mesh(one_triangle().save(tmp_path / "a.gltf"))
    mirrored = read_mesh(one_triangle(scale=[1, 1, -1]).save(tmp_path / "b.gltf"))
    np.testing.assert_allclose(plain.face_normals, [[0, 0, 1]])
    np.testing.assert_allclose(mirrored.face_normals, [[0, 0, -1]])


def test_instances_are_repeated(tmp_path):
    document = one_triangle()
    document.json["nodes"].append({"mesh": 0, "translation": [5, 0, 0]})
    document.json["scenes"] = [{"nodes": [0, 1]}]
    mesh = read_mesh(document.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(mesh.triangles[1] - mesh.triangles[0], np.tile([5.0, 0, 0], (3, 1)))


def test_base_colour_is_linear(tmp_path):
    """Linear 0.2140 is sRGB 0.5; a dark linear 0.001 must not be lost in eight linear bits."""
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0.21404114, 0.001, 1.0, 1.0]}}
    mesh = read_mesh(one_triangle(material=material).save(tmp_path / "a.gltf"))
    assert color_kind(mesh) == "face"
    np.testing.assert_allclose(colors_of(mesh), np.tile([0.5, 0.01292, 1.0], (3, 1)), atol=0.5 / 255)


@pytest.mark.parametrize(("dtype", "top"), [("<f4", 1), ("<u2", 65535), ("u1", 255)])
def test_vertex_colours_are_linear(tmp_path, dtype, top):
    linear = np.array([[1, 0, 0], [0, 0.21404114, 0], [0, 0, 0.5]])
    rows = (linear * top if dtype == "<f4" else np.rint(linear * top), dtype, "VEC3")
    document = one_triangle({"COLOR_0": (rows, {} if dtype == "<f4" else {"normalized": True})})
    if dtype == "u1":  # rows must be padded to four bytes in a real file; three are legal to read
        document.json["accessors"][-1]["byteOffset"] = 0
    mesh = read_mesh(document.save(tmp_path / "a.gltf"))
    assert color_kind(mesh) == "vertex"
    np.testing.assert_allclose(colors_of(mesh), to_srgb(linear), atol=(0.51 if dtype != "u1" else 1.5) / 255)


def test_texture_corners_factor_and_vertex_colours_multiply(tmp_path):
    """2 x 2 texels; uv at texel centres. Upper left in the file is uv (0, 0)."""
    texels = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]])
    uv = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75]]
    expected = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 1.0]])
    attributes = {"TEXCOORD_0": ((uv, "<f4", "VEC2"), {})}
    for factor, tint in ((1.0, 1.0), (0.25, 1.0), (1.0, 0.5), (0.25, 0.5)):
        material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "baseColorFactor": [factor] * 3 + [1]}}
        tinted = attributes | {"COLOR_0": ((np.full((3, 3), tint), "<f4", "VEC3"), {})}
        document = one_triangle(tinted if tint < 1 else attributes, material)
        document.texture(texels)
        mesh = read_mesh(document.save(tmp_path / "a.gltf"))
        assert color_kind(mesh) == "texture"
        np.testing.assert_allclose(colors_of(mesh), to_srgb(expected * factor * tint), atol=1 / 255)
        np.testing.assert_allclose(colors_of(mesh.copy()), colors_of(mesh))


def test_parts_of_all_kinds_keep_their_colours_in_one_mesh(tmp_path):
    """One textured, one plain, one with vertex colours: as exact together as alone."""
    document = one_triangle({"TEXCOORD_0": (([[0.5, 0.5]] * 3, "<f4", "VEC2"), {})})
    document.texture(np.full((2, 2, 3), [10, 200, 30]))
    primitives = document.json["meshes"][0]["primitives"]
    primitives[0]["material"] = 0
    primitives.append({"attributes": {"POSITION": primitives[0]["attributes"]["POSITION"]}, "material": 1})
    vertex_colored = {"COLOR_0": document.accessor(np.full((3, 3), 0.5), "<f4", "VEC3")}
    primitives.append({"attributes": {"POSITION": primitives[0]["attributes"]["POSITION"], **vertex_colored}})
    document.json["materials"] = [
        {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}},
        {"pbrMetallicRoughness": {"baseColorFactor": [0.1, 0.2, 0.3, 1]}},
    ]
    mesh = read_mesh(document.save(tmp_path / "a.gltf"))
    found = surface_colors(mesh, np.arange(3), mesh.triangles_center)
    plain, half = to_srgb(np.array([0.1, 0.2, 0.3])), to_srgb(np.full(3, 0.5))
    np.testing.assert_allclose(found, [np.array([10, 200, 30]) / 255, plain, half], atol=1 / 255)
    np.testing.assert_array_equal(surface_colors(mesh.copy(), np.arange(3), mesh.triangles_center), found)


def test_texture_transform_turns_the_coordinates_as_the_extension_says():
    """Rotation counter-clockwise in a frame whose v points down: u' = c u + s v."""
    uv = np.array([[1.0, 0.0], [0.0, 1.0]])
    turned = _transform_uv(uv, {"rotation": np.pi / 2, "offset": [0.5, 0], "scale": [2, 3]})
    np.testing.assert_allclose(turned, [[0.5, -2], [3.5, 0]], atol=1e-12)


def test_strips_fans_quantised_positions_and_sparse_values(tmp_path):
    document = one_triangle()
    square = [[0, 0, 0], [127, 0, 0], [0, 127, 0], [127, 127, 0]]
    padded = np.pad(np.array(square, "i1"), ((0, 0), (0, 1)))
    view = document.view(padded.tobytes(), byteStride=4)
    document.json["accessors"].append(
        {"bufferView": view, "componentType": 5120, "normalized": True, "count": 4, "type": "VEC3"}
    )
    at = document.view(np.array([3], "<u2").tobytes())
    new = document.view(np.array([127, 127, 127, 0], "i1").tobytes())
    document.json["accessors"][-1]["sparse"] = {
        "count": 1, "indices": {"bufferView": at, "componentType": 5123}, "values": {"bufferView": new}
    }  # fmt: skip
    quantised = len(document.json["accessors"]) - 1
    document.json["meshes"] = [{"primitives": [{"attributes": {"POSITION": quantised}, "mode": 5}]}]
    mesh = read_mesh(document.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(mesh.vertices, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [2, 1, 3]])
    document.json["meshes"][0]["primitives"][0]["mode"] = 6
    np.testing.assert_array_equal(read_mesh(document.save(tmp_path / "a.gltf")).faces, [[0, 1, 2], [0, 2, 3]])


def test_points_are_a_cloud_and_beside_triangles_nothing(tmp_path):
    document = one_triangle()
    primitives = document.json["meshes"][0]["primitives"]
    primitives.append(primitives[0] | {"mode": 0})
    assert len(read_mesh(document.save(tmp_path / "a.gltf")).vertices) == 3
    del primitives[0]
    with pytest.raises(InputError, match="point cloud"):
        read_mesh(document.save(tmp_path / "a.gltf"))


def spoiled(**changes) -> Document:
    document = one_triangle()
    for path, value in changes.items():
        *keys, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        target = document.json
        for key in keys:
            target = target[key]
        target[last] = value
    return document


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"accessors__0__count": 4}, "too early"),
        ({"accessors__0__count": -4}, "no index or count"),
        ({"accessors__0__bufferView": -1}, "no index or count"),
        ({"bufferViews__0__byteLength": 99}, "truncated"),
        ({"meshes__0__primitives__0__attributes__POSITION": 7}, "no readable gltf"),
        ({"nodes__0__children": [0]}, "loop"),
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "KHR_draco_mesh_compression"),
        ({"accessors__0": {"componentType": 5126, "count": 10**9, "type": "VEC3"}}, "without data"),
        ({"scenes__0__nodes": []}, "no triangles"),
    ],
)
def test_documents_that_lie_are_refused(tmp_path, changes, fault):
    with pytest.raises(InputError, match=fault):
        read_mesh(spoiled(**changes).save(tmp_path / "a.gltf"))


@pytest.mark.parametrize("uri", ["gone.bin", "../../etc/passwd", "https://example.org/a.bin"])
def test_buffers_elsewhere_are_not_opened(tmp_path, uri):
    document = one_triangle()
    path = document.save(tmp_path / "a.gltf")
    document.json["buffers"][0]["uri"] = uri
    path.write_text(json.dumps(document.json))
    with pytest.raises(InputError, match=r"missing|outside"):
        read_mesh(path)


def test_indices_beyond_the_vertices(tmp_path):
    document = one_triangle()
    document.json["meshes"][0]["primitives"][0]["indices"] = document.accessor([0, 1, 3], "<u4", "SCALAR")
    with pytest.raises(InputError, match="vertex 3 of 3"):
        read_mesh(document.save(tmp_path / "a.gltf"))
