"""Reading clouds: every format gives back what was written, and whatever else is in a file is refused in one line."""

import struct
import sys
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isofield.cloud.cloud import Cloud
from isofield.cloud.pcd import lzf_decompress
from isofield.cloud.read import looks_like_cloud, read_cloud
from isofield.errors import InputError

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(40, 3)).astype(np.float32)
NORMALS = (POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)).astype(np.float32)
COLORS = RNG.integers(0, 256, (40, 3)).astype(np.uint8)
ROW = [("p", "f4", 3), ("n", "f4", 3), ("c", "u1", 3)]


def ply_bytes(encoding, points=POINTS, promised=None, extra=""):
    table = np.zeros(len(points), ROW)
    table["p"], table["n"], table["c"] = points, NORMALS[: len(points)], COLORS[: len(points)]
    names = ["x", "y", "z", "nx", "ny", "nz", "red", "green", "blue"]
    kinds = ["float"] * 6 + ["uchar"] * 3
    count = len(points) if promised is None else promised
    head = f"ply\nformat {encoding} 1.0\ncomment a cloud\nelement vertex {count}\n"
    head += (
        "".join(f"property {kind} {name}\n" for kind, name in zip(kinds, names, strict=True)) + extra + "end_header\n"
    )
    if encoding == "ascii":
        rows = [" ".join(str(v) for part in row for v in part) for row in table]
        return (head + "\n".join(rows) + "\n").encode()
    order = ">" if "big" in encoding else "<"
    return head.encode() + table.astype(np.dtype(ROW).newbyteorder(order)).tobytes()


def pcd_bytes(encoding, viewpoint="1 2 3 1 0 0 0"):
    packed = (COLORS[:, 0].astype(np.uint32) << 16) | (COLORS[:, 1].astype(np.uint32) << 8) | COLORS[:, 2]
    columns = [*POINTS.T, *NORMALS.T, packed.view(np.float32)]
    head = (
        "# .PCD v.7\nVERSION .7\nFIELDS x y z normal_x normal_y normal_z rgb\nSIZE 4 4 4 4 4 4 4\nTYPE F F F F F F F\n"
        f"COUNT 1 1 1 1 1 1 1\nWIDTH 8\nHEIGHT 5\nVIEWPOINT {viewpoint}\nPOINTS 40\nDATA {encoding}\n"
    ).encode()
    if encoding == "ascii":
        return head + "\n".join(" ".join(repr(float(v)) for v in row) for row in zip(*columns, strict=True)).encode()
    if encoding == "binary":
        return head + np.stack(columns, 1).astype("<f4").tobytes()
    raw = np.stack(columns).astype("<f4").tobytes()
    packed_data = b"".join(bytes([len(raw[i : i + 32]) - 1]) + raw[i : i + 32] for i in range(0, len(raw), 32))
    return head + struct.pack("<II", len(packed_data), len(raw)) + packed_data


def obj_bytes():
    rows = [
        f"v {p[0]} {p[1]} {p[2]} {c[0] / 255} {c[1] / 255} {c[2] / 255}" for p, c in zip(POINTS, COLORS, strict=True)
    ]
    return ("# points\no Cube\n" + "\n".join(rows + [f"vn {n[0]} {n[1]} {n[2]}" for n in NORMALS]) + "\n").encode()


def xyz_bytes():
    table = np.concatenate([POINTS, NORMALS, COLORS], 1)
    return "\n".join(" ".join(f"{v:.17g}" for v in row) for row in table).encode()


def npz_bytes(folder):
    np.savez(folder / "made.npz", points=POINTS, normals=NORMALS, colors=COLORS, sensors=np.array([1.0, 2, 3]))
    return (folder / "made.npz").read_bytes()


FILES = {
    "a.ply": lambda folder: ply_bytes("ascii"),
    "little.ply": lambda folder: ply_bytes("binary_little_endian"),
    "big.ply": lambda folder: ply_bytes("binary_big_endian"),
    "faceless.ply": lambda folder: ply_bytes("ascii", extra="element face 0\nproperty list uchar int vertex_indices\n"),
    "a.pcd": lambda folder: pcd_bytes("ascii"),
    "b.pcd": lambda folder: pcd_bytes("binary"),
    "c.pcd": lambda folder: pcd_bytes("binary_compressed"),
    "a.obj": lambda folder: obj_bytes(),
    "a.xyz": lambda folder: xyz_bytes(),
    "a.npz": npz_bytes,
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_back_points_normals_and_colours(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name](tmp_path))
    assert looks_like_cloud(path)
    cloud = read_cloud(path)
    np.testing.assert_array_equal(cloud.points, POINTS.astype(np.float64))
    np.testing.assert_allclose(cloud.normals, NORMALS, atol=1e-6)
    np.testing.assert_array_equal(cloud.colors, COLORS)
    assert (cloud.source, cloud.dropped) == (str(path), 0)
    if path.suffix in (".pcd", ".npz"):
        np.testing.assert_array_equal(cloud.sensors, np.tile([1.0, 2, 3], (40, 1)))
    else:
        assert cloud.sensors is None


def test_text_columns_are_told_apart(tmp_path):
    path = tmp_path / "a.txt"
    for columns, has in (
        ([POINTS], (False, False)),
        ([POINTS, NORMALS], (True, False)),
        ([POINTS, COLORS], (False, True)),
        ([POINTS, COLORS / 255], (False, True)),
        ([POINTS, NORMALS[:, :1]], (False, False)),
    ):
        np.savetxt(path, np.concatenate(columns, 1), "%.9g", header="x y z and more")
        cloud = read_cloud(path)
        assert (cloud.normals is not None, cloud.colors is not None) == has
        assert cloud.colors is None or np.array_equal(cloud.colors, COLORS)


def test_an_obj_or_ply_with_faces_is_no_cloud(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    face = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    face += "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    (tmp_path / "a.ply").write_text(face)
    (tmp_path / "empty.ply").write_text("ply\nformat ascii 1.0\nend_header\n")
    for name in ("a.obj", "a.ply", "empty.ply", "absent.xyz", "a.stl", ""):
        assert not looks_like_cloud(tmp_path / name)
    with pytest.raises(InputError, match="line 4: has faces"):
        read_cloud(tmp_path / "a.obj")
    with pytest.raises(InputError, match="'face' has lists"):
        read_cloud(tmp_path / "a.ply")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3\n1,5 2,5 3,5\n", "line 2: '1,5 2,5 3,5' has decimal commas; write decimal points"),
        ("1,2,3\n", "line 1: '1,2,3' separates|line 1: '1,2,3' has decimal commas"),
        ("1, 2, 3\n", "line 1: .* has decimal commas|line 1: .* separates"),
        ("1;2;3\n", "line 1: .* semicolons"),
        ("\nx y z\n1 2 3\n", "line 2: 'x y z' is a heading"),
        ("1 2 3\n4 5 6 7\n", "line 2: has 4 numbers instead of 3"),
        ("1 2 3\n4 5 six\n", "line 2: '4 5 six' holds more than numbers"),
        ("1 2\n3 4\n", "line 1: has 2 numbers"),
        ("# nothing\n\n", "holds no points"),
        ("1 2 3\n1 2 3\n", "all its 2 points lie in one place"),
        ("nan nan nan\ninf 0 0\n", "none of its 2 points has finite"),
        ("1e200 0 0\n0 0 0\n", "beyond what can be computed"),
        ("1 2 3\0", "byte 5: is binary data"),
        ("1 2 3 900 0 0\n1 2 4 0 0 0\n", "colours reach from 0 to 900"),
    ],
)
def test_bad_text_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "a.xyz").write_text(text)
    with pytest.raises(InputError, match=said):
        read_cloud(tmp_path / "a.xyz")


def test_rows_that_are_not_finite_are_left_out_and_counted(tmp_path):
    points = POINTS.copy()
    points[3, 1], points[7, 0], points[9] = np.nan, np.inf, -np.inf
    for encoding in ("ascii", "binary_little_endian"):
        (tmp_path / "a.ply").write_bytes(ply_bytes(encoding, points))
        cloud = read_cloud(tmp_path / "a.ply")
        keep = np.isfinite(points).all(1)
        assert cloud.dropped == 3
        np.testing.assert_array_equal(cloud.points, POINTS[keep])
        np.testing.assert_array_equal(cloud.colors, COLORS[keep])


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian"])
@pytest.mark.parametrize("promised", [39, 41, 10**12, -1])
def test_lying_ply_headers(tmp_path, encoding, promised):
    (tmp_path / "a.ply").write_bytes(ply_bytes(encoding, promised=promised))
    with pytest.raises(InputError, match=r"promises|line 4: unreadable"):
        read_cloud(tmp_path / "a.ply")


def test_ply_values_that_do_not_fit_and_missing_coordinates(tmp_path):
    text = ply_bytes("ascii").decode()
    lines = text.splitlines()
    lines[-1] = " ".join([*lines[-1].split()[:8], "256"])
    (tmp_path / "a.ply").write_text("\n".join(lines))
    with pytest.raises(InputError, match=f"line {len(lines)}: its blue is no uint8"):
        read_cloud(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_text(text.replace("float z", "float w"))
    with pytest.raises(InputError, match="have no z"):
        read_cloud(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_text(text.replace("float nx", "float x"))
    with pytest.raises(InputError, match="two properties of one name"):
        read_cloud(tmp_path / "a.ply")


def test_other_elements_of_a_ply_are_passed_over(tmp_path):
    head = "ply\nformat binary_little_endian 1.0\nelement camera 2\nproperty float f\nelement vertex 40\n"
    head += "property float x\nproperty float y\nproperty float z\nelement tail 1\nproperty uchar t\nend_header\n"
    (tmp_path / "a.ply").write_bytes(head.encode() + bytes(8) + POINTS.tobytes() + b"t")
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.ply").points, POINTS)


def test_pcd_headers_that_lie_are_refused(tmp_path):
    path = tmp_path / "a.pcd"
    for old, new, said in (
        (b"POINTS 40", b"POINTS 41", "41 points in 40 places"),
        (b"WIDTH 8", b"WIDTH 9", "40 points in 45 places"),
        (b"SIZE 4 4", b"SIZE 3 4", "type F3"),
        (b"DATA binary", b"DATA zip", "unknown PCD data 'zip'"),
        (b"TYPE", b"TIPE", "line 5: unknown header entry 'TIPE'"),
        (b"WIDTH 8", b"WIDTH eight", "header cannot be read"),
        (b"HEIGHT 5\n", b"", "lacks 'HEIGHT'"),
    ):
        path.write_bytes(pcd_bytes("binary").replace(old, new))
        with pytest.raises(InputError, match=said):
            read_cloud(path)
    path.write_bytes(pcd_bytes("binary")[:-1])
    with pytest.raises(InputError, match="truncated"):
        read_cloud(path)
    path.write_bytes(pcd_bytes("binary") + bytes(28))
    with pytest.raises(InputError, match="1148 follow"):
        read_cloud(path)


def test_a_pcd_viewpoint_at_the_origin_is_not_known(tmp_path):
    (tmp_path / "a.pcd").write_bytes(pcd_bytes("binary", "0 0 0 1 0 0 0"))
    assert read_cloud(tmp_path / "a.pcd").sensors is None


def test_lzf_copies_may_overlap_what_they_write():
    assert lzf_decompress(bytes([0, 65, 0x20 | 0, 0]), 4) == b"AAAA"  # length 1 + 2, distance 1
    assert lzf_decompress(bytes([2, 1, 2, 3, 0xE0, 4, 2]), 16) == bytes([1, 2, 3]) * 5 + b"\1"  # length 7 + 4 + 2
    for damaged in (bytes([0x20, 0]), bytes([0, 65, 0x20, 9]), bytes([5, 1])):
        with pytest.raises((ValueError, IndexError)):
            lzf_decompress(damaged, 6)


def test_npz_is_never_code_and_named_for_what_it_is(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, points=np.array([{"a": 1}], object))
    with pytest.raises(InputError, match="only running code could read"):
        read_cloud(path)
    np.savez(path, pos=np.zeros((4, 4)), neg=np.zeros((4, 4)))
    with pytest.raises(InputError, match="DeepSDF"):
        read_cloud(path)
    np.savez(path, xyz=POINTS)
    with pytest.raises(InputError, match="no array `points`, only xyz"):
        read_cloud(path)
    np.savez(path, points=POINTS[:, :2])
    with pytest.raises(InputError, match=r"shape \(40, 2\)"):
        read_cloud(path)
    np.savez(path, points=POINTS, normals=NORMALS[:3])
    with pytest.raises(InputError, match=r"`normals` has the shape \(3, 3\)"):
        read_cloud(path)
    np.savez(path, points=POINTS.astype("U8"))
    with pytest.raises(InputError, match="holds no numbers"):
        read_cloud(path)
    path.write_text("PK")
    with pytest.raises(InputError, match=r"is no \.npz archive"):
        read_cloud(path)


def test_an_array_that_promises_more_than_it_holds_is_refused(tmp_path):
    path, shape = tmp_path / "a.npz", b"(40, 3)"
    np.savez(path, points=POINTS)
    with zipfile.ZipFile(path) as archive:
        data = archive.read("points.npy").replace(shape + b", }   ", b"(400000, 3), }")
    assert b"400000" in data or shape not in data
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("points.npy", data)
    with pytest.raises(InputError, match="points"):
        read_cloud(path)


@pytest.mark.parametrize("scale", [1e-9, 1e-30, 1e9, 1e30])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_tiny_huge_and_far_clouds_keep_their_numbers(tmp_path, scale, offset):
    points = (POINTS.astype(np.float64) + offset) * scale
    np.savez(tmp_path / "a.npz", points=points)
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.npz").points, points)


def test_folders_missing_and_empty_files(tmp_path):
    (tmp_path / "empty.xyz").touch()
    for name, said in (("", "is a folder"), ("no.xyz", "does not exist"), ("empty.xyz", "is empty")):
        with pytest.raises(InputError, match=said):
            read_cloud(tmp_path / name)


def test_compressed_las_needs_a_package_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "laspy", None)
    for name, point_format in (("a.laz", 2), ("a.las", 2 | 128)):
        (tmp_path / name).write_bytes(b"LASF" + bytes(100) + bytes([point_format]) + bytes(300))
        with pytest.raises(InputError, match=r"needs the package laspy; pip install 'isofield\[las\]'"):
            read_cloud(tmp_path / name)


@pytest.mark.parametrize(("version", "point_format"), [("1.2", 2), ("1.2", 0), ("1.3", 3), ("1.4", 6), ("1.4", 7)])
@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_las_as_another_program_writes_it(tmp_path, version, point_format, suffix):
    laspy = pytest.importorskip("laspy", reason="needs laspy")
    header = laspy.LasHeader(point_format=point_format, version=version)
    header.scales, header.offsets = [0.001] * 3, [100.0, 200, 300]
    data, path = laspy.LasData(header), tmp_path / f"a{suffix}"
    points = np.round(POINTS.astype(np.float64), 3) + np.array([100, 200, 300])
    data.x, data.y, data.z = points.T
    colored = point_format in (2, 3, 7)
    if colored:
        data.red, data.green, data.blue = (COLORS.astype(np.uint16) * 257).T
    data.write(path)
    cloud = read_cloud(path)
    np.testing.assert_allclose(cloud.points, points, atol=1e-9)
    assert np.array_equal(cloud.colors, COLORS) if colored else cloud.colors is None
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError):
        read_cloud(path)


def test_las_coordinates_are_scaled_and_moved_and_colours_narrowed(tmp_path):
    stored = np.array([[0, 0, 0], [1000, -2000, 3000]], "<i4")
    records = [row.tobytes() + bytes(8) + struct.pack("<3H", 65535, 257, 0) for row in stored]
    head = bytearray(227)
    head[:4], head[24:26] = b"LASF", bytes([1, 2])
    struct.pack_into("<HI", head, 94, 227, 229)  # the points begin two bytes behind the header
    struct.pack_into("<BHI", head, 104, 2, 26, 2)
    struct.pack_into("<6d", head, 131, 0.001, 0.001, 0.01, 500_000, 4_000_000, -10)
    (tmp_path / "a.las").write_bytes(bytes(head) + b"??" + b"".join(records))
    cloud = read_cloud(tmp_path / "a.las")
    np.testing.assert_array_equal(cloud.points, [[500_000, 4_000_000, -10], [500_001, 3_999_998, 20]])
    np.testing.assert_array_equal(cloud.colors, [[255, 1, 0]] * 2)


def test_what_a_file_carries_in_vain_is_said(tmp_path):
    path = tmp_path / "a.npz"
    for name, values, said in (
        ("normals", NORMALS * 0, "normals have no direction, so none"),
        ("normals", NORMALS * (np.arange(40) > 2)[:, None], "3 of its 40 normals have no direction"),
        ("sensors", POINTS * np.nan, "sensor positions are not all finite"),
    ):
        np.savez(path, points=POINTS, **{name: values})
        with pytest.warns(UserWarning, match=said):
            read_cloud(path)


def test_numbers_that_differ_beyond_reason_are_damaged_bytes(tmp_path):
    points = POINTS.copy()
    points[3, 1] = 1e20
    (tmp_path / "a.ply").write_bytes(ply_bytes("binary_little_endian", points))
    with pytest.raises(InputError, match="numbers are damaged"):
        read_cloud(tmp_path / "a.ply")
    points[3, 1] = 1e6  # an outlier
    (tmp_path / "a.ply").write_bytes(ply_bytes("binary_little_endian", points))
    assert len(read_cloud(tmp_path / "a.ply")) == 40


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused_never_anything_else(tmp_path, name, data):
    whole = bytearray(FILES[name](tmp_path))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged{(tmp_path / name).suffix}"
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cloud = read_cloud(path)
    except InputError as error:
        said = str(error)
        if str(path) not in said or "\n" in said:
            pytest.fail(said)
    else:
        assert np.isfinite(cloud.points).all()


def test_a_cloud_keeps_its_columns_together():
    cloud = Cloud(POINTS.astype(np.float64), colors=COLORS)
    rows = np.array([4, 2])
    np.testing.assert_array_equal(cloud.take(rows).colors, COLORS[rows])
    with pytest.raises((ValueError, TypeError), match="normals"):
        Cloud(np.zeros((3, 3)), normals=np.zeros((2, 3)))
