import json
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from sets import cameras, colmap_folder, eg3d_folder, nerf_folder, odd_camera, pictures, views_of

from isofield.errors import InputError
from isofield.views import colmap, eg3d, nerf
from isofield.views.read import read_cameras, read_views, scan
from isofield.views.store import Folder
from isofield.views.write import write_views


def same_cameras(found, expected, tolerance=1e-6):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.camera_to_world - other.camera_to_world).max() < tolerance
        assert np.abs(one.intrinsics - other.intrinsics).max() < tolerance * other.width
        assert (one.width, one.height) == (other.width, other.height)


def through_eg3d(views, folder):
    content = json.loads(eg3d.text_of(views, eg3d.World()))
    return eg3d.read(Folder(folder), content)[0]


def through_nerf(views, folder):
    return nerf.read(Folder(folder), {"transforms.json": json.loads(nerf.text_of(views))})[0]


def through_colmap(views, folder):
    for name, text in colmap.text_of(views).items():
        (folder / name).write_text(text)
    return colmap.read(Folder(folder), "")[0]


def test_cameras_survive_all_three_formats_in_any_order(tmp_path):
    expected = [*cameras(5), odd_camera()]
    views = views_of(expected)
    for view in views:
        Image.new("RGB", (view.camera.width, view.camera.height)).save(tmp_path / view.name)
    for path in ((through_eg3d, through_nerf, through_colmap), (through_colmap, through_eg3d, through_nerf)):
        for step in path:
            views = step(views, tmp_path)
            same_cameras([view.camera for view in views], expected)


def test_one_set_in_three_layouts_and_a_zip_loads_as_the_same(tmp_path):
    expected = cameras()
    images, masks = pictures(expected)
    first = read_views(eg3d_folder(tmp_path / "eg3d"))
    write_views(first, tmp_path / "set.zip")
    sets = [
        first,
        read_views(tmp_path / "set.zip"),
        read_views(nerf_folder(tmp_path / "nerf")),
        read_views(tmp_path / "nerf" / "transforms.json"),
        read_views(colmap_folder(tmp_path / "colmap")),
    ]
    for found in sets:
        same_cameras([view.camera for view in found.views], expected)
        for index, image in enumerate(images):
            assert np.array_equal(found.picture(index), image)
    assert np.array_equal(sets[2].mask(0), masks[0])
    assert sets[0].mask(0) is None
    assert [found.kind for found in sets] == ["EG3D", "EG3D", "NeRF", "NeRF", "COLMAP"]
    assert first.shapes() == {"thing": [0, 1, 2, 3, 4, 5]}


def test_the_label_of_a_picture_by_hand(tmp_path):
    # an eye at (0, 0, 2.7) that looks along -z: EG3D's frontal face
    label = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1, 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]
    Image.new("RGB", (64, 64)).save(tmp_path / "img.png")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["img.png", label]]}))
    camera = read_views(tmp_path).views[0].camera
    (pixel, above), depth = camera.project(np.array([[0, 0, 0], [0, 0.1, 0]]))
    assert np.allclose(pixel, 32)
    assert above[1] < 30
    assert depth[0] == pytest.approx(2.7)
    assert np.allclose(eg3d.label_of(camera), label)


def test_a_blender_frame_by_hand(tmp_path):
    # an eye at (0, -4, 0) above the ground of a world with z up, looking along +y: OpenGL's camera axes
    pose = [[1, 0, 0, 0], [0, 0, -1, -4], [0, 1, 0, 0], [0, 0, 0, 1]]
    Image.new("RGB", (100, 50)).save(tmp_path / "a.png")
    content = {"camera_angle_x": np.pi / 2, "frames": [{"file_path": "./a", "transform_matrix": pose}]}
    (tmp_path / "transforms_train.json").write_text(json.dumps(content))
    camera = read_views(tmp_path).views[0].camera
    pixels, depth = camera.project(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]))
    assert np.allclose(depth, 4)
    assert np.allclose(pixels, [[50, 25], [62.5, 25], [50, 12.5]])  # focal 50 px; x to the right, z up


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def label(number, *path):
    """A change of one entry of dataset.json."""

    def change(content):
        entry = content["labels"][number]
        *way, value = path
        for step in way[:-1]:
            entry = entry[step]
        entry[way[-1]] = value

    return change


EG3D_FAULTS = [
    (label(2, 1, [1.0] * 24), r"label 2 .*has 24 numbers, not 25"),
    (label(1, 1, 3, "x"), r"label 1 .*holds 'x', which is no finite number"),
    (label(3, 0, "thing/absent.png"), r"label 3: thing/absent\.png is not there"),
    (label(3, 0, "thing/000.png"), r"thing/000\.png has a second label"),
    (lambda c: c["labels"].pop(4), r"thing/004\.png: has no label"),
    (lambda c: c["labels"].clear(), r"holds no labels"),
    (lambda c: c.pop("labels"), r"holds no labels"),
    (label(0, {"a": 1}), None),
    (label(2, 1, 10, 5.0), r"label 2 .*is no rotation"),
    (lambda c: c["labels"][0][1].__setitem__(slice(0, 3), [-x for x in c["labels"][0][1][0:3]]), r"mirrored \(determ"),
    (
        lambda c: c["labels"][1][1].__setitem__(slice(0, 11), [2 * x for x in c["labels"][1][1][:11]]),
        r"label 1 .*is scaled by 2",
    ),
    (
        lambda c: c["labels"][1][1].__setitem__(
            slice(0, 16), np.array(c["labels"][1][1][:16]).reshape(4, 4).T.reshape(-1).tolist()
        ),
        r"transposed",
    ),
    (lambda c: c["labels"][5][1].__setitem__(slice(16, 22), [136, 0, 16, 0, 136, 16]), r"are in pixels.*divide them"),
    (label(5, 1, 16, 0.0), r"focal length is 0 picture widths"),
    (lambda c: c.update(world={"radius": -1}), r"world's radius is -1"),
]


@pytest.mark.parametrize(("change", "line"), [fault for fault in EG3D_FAULTS if fault[1]])
def test_a_faulty_eg3d_folder_fails_with_one_clear_line(tmp_path, change, line):
    folder = eg3d_folder(tmp_path / "set", images=[np.zeros((32, 32, 3), np.uint8)] * 6)
    edit(folder / "dataset.json", change)
    with pytest.raises(InputError) as caught:
        read_views(folder)
    assert re.search(line, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


NERF_FAULTS = [
    (lambda c: c.pop("camera_angle_x"), "neither fl_x nor camera_angle_x"),
    (lambda c: c.update(camera_angle_x=50), r"camera_angle_x is 50, beyond pi .*; write it in radians"),
    (lambda c: c["frames"][1].pop("file_path"), "frame 1: has no file_path"),
    (lambda c: c["frames"][1].update(file_path="./train/r_9"), r"r_9\.png is not there"),
    (lambda c: c["frames"][1].update(file_path="../../etc/passwd"), "lies outside of the set"),
    (lambda c: c["frames"][1].update(file_path="./train/r_0"), "comes a second time"),
    (lambda c: c["frames"][2].pop("transform_matrix"), "transform_matrix has 0 numbers, not 16"),
    (lambda c: c["frames"][2]["transform_matrix"][0].__setitem__(0, None), "None, which is no finite number"),
    (lambda c: c["frames"][2]["transform_matrix"][3].__setitem__(3, 2), "ends in the row"),
    (lambda c: c["frames"].clear(), "holds no frames"),
    (lambda c: c.update(k1=0.1), r"lens is distorted \(k1 = 0.1\).*; undistort"),
    (lambda c: c.update(w=64, h=64), "its picture is 32 x 32, the file says 64 x 64"),
    (lambda c: c.update(fl_x="wide"), "'wide', which is no finite number"),
]


@pytest.mark.parametrize(("change", "line"), NERF_FAULTS)
def test_a_faulty_nerf_folder_fails_with_one_clear_line(tmp_path, change, line):
    folder = nerf_folder(tmp_path / "set", cameras(3, 32))
    edit(folder / "transforms.json", change)
    with pytest.raises(InputError, match=line):
        read_views(folder)


COLMAP_FAULTS = [
    ("cameras.txt", "PINHOLE", "FISHEYE", "model FISHEYE is no pinhole; undistort"),
    ("cameras.txt", "PINHOLE 32 32", "OPENCV 32 32 0.1", "has 5 numbers, not 8"),
    ("cameras.txt", "PINHOLE 32 32", "PINHOLE 64 32", "0.png is 32 x 32, its camera says 64 x 32"),
    ("images.txt", " 1 0.png", " 7 0.png", "camera 7 is not in cameras.txt"),
    ("images.txt", " 1 0.png", " 1 9.png", "9.png is not there"),
    ("images.txt", "1 ", "1 x", "is no picture|is no number"),
    ("images.txt", "1 ", "1 3.0 ", "quaternion has length|is not in cameras.txt"),
]


@pytest.mark.parametrize(("file", "old", "new", "line"), COLMAP_FAULTS)
def test_a_faulty_colmap_folder_fails_with_one_clear_line(tmp_path, file, old, new, line):
    folder = colmap_folder(tmp_path / "set", cameras(3, 32))
    path = folder / "sparse/0" / file
    path.write_text(path.read_text().replace(old, new, 1) if file == "cameras.txt" else swap(path, old, new))
    with pytest.raises(InputError, match=line):
        read_views(folder)


def swap(path, old, new):
    lines = path.read_text().splitlines()
    row = next(number for number, line in enumerate(lines) if old in line and line.endswith(".png"))
    lines[row] = lines[row].replace(old, new, 1)
    return "\n".join(lines) + "\n"


def test_a_binary_colmap_model_is_told_how_to_become_text(tmp_path):
    (tmp_path / "sparse/0").mkdir(parents=True)
    (tmp_path / "sparse/0/images.bin").write_bytes(b"\0")
    with pytest.raises(InputError, match="model_converter --output_type TXT"):
        read_views(tmp_path)


@pytest.mark.parametrize(
    ("content", "line"), [(b"", "no readable picture"), (b"no picture", "not a picture of any kind")]
)
def test_a_picture_that_is_none_is_named(tmp_path, content, line):
    folder = eg3d_folder(tmp_path / "set")
    (folder / "thing/003.png").write_bytes(content)
    with pytest.raises(InputError, match=line) as caught:
        read_views(folder)
    assert "thing/003.png" in str(caught.value)
    views, faults = scan(folder)
    assert (len(views), len(faults)) == (5, 1)


def test_a_truncated_picture_is_noticed_when_it_is_read(tmp_path):
    folder = eg3d_folder(tmp_path / "set")
    content = (folder / "thing/003.png").read_bytes()
    (folder / "thing/003.png").write_bytes(content[: len(content) // 2])
    views = read_views(folder)
    with pytest.raises(InputError, match=r"003\.png: is no readable picture"):
        views.picture(3)


def test_other_things_are_no_sets(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4nothing")
    (tmp_path / "note.txt").write_text("hello")
    for name, line in (
        ("empty", "holds no dataset.json"),
        ("broken.zip", "is no readable zip"),
        ("note.txt", "is no set"),
    ):
        with pytest.raises(InputError, match=line):
            read_views(tmp_path / name)
    (tmp_path / "dataset.json").write_text('{"labels": [')
    with pytest.raises(InputError, match="line 1, column 13"):
        read_views(tmp_path)


def test_a_compressed_zip_is_told_how_to_be_packed(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dataset.json", "{}" * 50)
    with pytest.raises(InputError, match="zip -0 -r"):
        read_views(tmp_path / "set.zip")


def test_a_zip_of_a_folder_with_its_name_inside_is_the_same_set(tmp_path):
    folder = eg3d_folder(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path))
    assert len(read_views(tmp_path / "set.zip")) == 6


def test_cameras_alone_are_read_for_any_size(tmp_path):
    expected = [camera.resized(64, 64) for camera in cameras()]
    eg3d_folder(tmp_path / "eg3d")
    nerf_folder(tmp_path / "nerf")
    for path in ("eg3d", "eg3d/dataset.json", "nerf/transforms.json"):
        same_cameras(read_cameras(tmp_path / path, 64, 64), expected)
