"""Damaged and malicious .glb, .gltf and .dae files, and what .obj files refer to."""

import base64
import json
import struct
import zlib

import numpy as np
from corpus import Case, Good, case, refused
from hostile_shapes import BOX, L_FACES, L_POINTS, dae, glb, glb_with, gltf, gltf_json, obj

GOOD = Good()
DOCUMENT, BLOB = gltf_json()
ACCESSORS, VIEWS = DOCUMENT["accessors"], DOCUMENT["bufferViews"]
SPARSE = {
    "count": 1,
    "indices": {"bufferView": 1, "componentType": 5123},
    "values": {"bufferView": 0},
}


def position(**changes: object) -> bytes:
    return glb_with(accessors=[{**ACCESSORS[0], **changes}, ACCESSORS[1]])


def index(**changes: object) -> bytes:
    return glb_with(accessors=[ACCESSORS[0], {**ACCESSORS[1], **changes}])


def view(**changes: object) -> bytes:
    return glb_with(bufferViews=[{**VIEWS[0], **changes}, VIEWS[1]])


def points(values: np.ndarray) -> bytes:
    return glb(blob=values.astype("<f4").tobytes() + BLOB[96:])


def many(instances: int, rows: int) -> bytes:
    """Nodes that all show one mesh of many vertices without data: a few kilobytes that stand for gigabytes."""
    zeros = {"componentType": 5126, "count": rows, "type": "VEC3"}
    nodes = [{"mesh": 0}] * instances
    return glb_with(nodes=nodes, scenes=[{"nodes": list(range(instances))}], accessors=[zeros, ACCESSORS[1]])


def png(width: int, height: int) -> bytes:
    """A white picture; a large one is a bomb of a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress((b"\0" + b"\xff" * width) * min(height, 64))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def textured(picture: str, material: str = "m.mtl") -> dict[str, str]:
    head = f"mtllib {material}\nvt 0 0\nvt 1 1\nusemtl m\n"
    body = obj().replace("f 1 2 4", "f 1/1 2/2 4/1")
    return {"a.obj": head + body, "m.mtl": f"newmtl m\nKd 1 0 0\nmap_Kd {picture}\n"}


def pictured(source: dict) -> bytes:
    """The box with a texture from this image entry."""
    primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 2}, "indices": 1, "material": 0}
    texcoord = {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC2"}
    return glb_with(
        meshes=[{"primitives": [primitive]}],
        accessors=[*ACCESSORS, texcoord],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        textures=[{"source": 0}],
        images=[source],
    )


def inline(picture: bytes) -> dict:
    return {"uri": "data:image/png;base64," + base64.b64encode(picture).decode()}


DEEP = json.dumps(DOCUMENT)[:-1] + ', "extras": ' + "[" * 100_000 + "]" * 100_000 + "}"
GLTF = (
    case("glb", "empty", b"", refused("empty")),
    case("glb", "only-magic", b"glTF", refused("truncated")),
    case("glb", "cut", glb()[:-40], refused("truncated")),
    case("glb", "length-too-large", glb(length=10_000), refused("truncated", "10000")),
    case("glb", "length-too-small", glb(length=100), refused("no binary chunk")),
    case("glb", "version-1", b"glTF\1\0\0\0" + glb()[8:], refused("version 1")),
    case("glb", "chunk-too-long", glb()[:12] + struct.pack("<I", 4_000_000_000) + glb()[16:], refused("byte 12")),
    case("glb", "broken-json", glb().replace(b'"scene"', b'"scene\0', 1), refused("json")),
    case("glb", "json-is-a-list", glb(document=[]), refused("object")),
    case("glb", "deep-json", DEEP, refused("nested"), file="deep-json.gltf"),
    case("glb", "no-meshes", glb_with(meshes=[]), refused("meshes")),
    case("glb", "nothing-in-scene", glb_with(nodes=[{}]), refused("no triangles")),
    case("glb", "mesh-index-out-of-range", glb_with(nodes=[{"mesh": 7}]), refused("7")),
    case("glb", "mesh-index-negative", glb_with(nodes=[{"mesh": -1}]), refused("-1")),
    case("glb", "accessor-count-huge", position(count=4_000_000_000), refused("early"), bomb=True),
    case("glb", "accessor-count-negative", position(count=-8), refused("-8")),
    case("glb", "accessor-count-float", position(count=8.5), refused("8.5")),
    case("glb", "accessor-out-of-view", position(byteOffset=90), refused("early")),
    case("glb", "accessor-type-unknown", position(type="VEC9"), refused("VEC9")),
    case("glb", "accessor-type-scalar", position(type="SCALAR"), refused("POSITION")),
    case("glb", "component-type-unknown", position(componentType=1), refused("componentType")),
    case("glb", "stride-huge", view(byteStride=1 << 40), refused("early")),
    case("glb", "stride-negative", view(byteStride=-12), refused("-12")),
    case("glb", "view-out-of-buffer", view(byteLength=1 << 40), refused("truncated")),
    case("glb", "view-offset-negative", view(byteOffset=-4), refused("-4")),
    case("glb", "index-out-of-range", glb(blob=BLOB[:-2] + b"\x63\0"), refused("vertex 99 of 8")),
    case("glb", "nan", points(np.where(np.arange(24).reshape(8, 3) == 9, np.nan, BOX)), refused("finite", "vertex 3")),
    case("glb", "sparse-bomb", position(count=900_000_000, bufferView=None, sparse=SPARSE), refused(), bomb=True),
    case("glb", "sparse-index-out-of-range", position(sparse={**SPARSE, "indices": {"bufferView": 0, "byteOffset": 20, "componentType": 5125}}), refused("1082130432")),
    case("glb", "zeros-bomb", many(500, 9_000_000), refused("vertices"), bomb=True),
    case("glb", "node-loop", glb_with(nodes=[{"mesh": 0, "children": [0]}]), refused("loop")),
    case("glb", "node-loop-of-two", glb_with(nodes=[{"mesh": 0, "children": [1]}, {"children": [0]}]), refused("loop")),
    case("glb", "node-child-missing", glb_with(nodes=[{"mesh": 0, "children": [9]}]), refused("9")),
    case("glb", "node-scale-huge", glb_with(nodes=[{"mesh": 0, "scale": [1e300] * 3}]), refused("too large")),
    case("glb", "node-scale-zero", glb_with(nodes=[{"mesh": 0, "scale": [0, 0, 0]}]), refused("one point")),
    case("glb", "node-scale-nan", glb().replace(b'"mesh": 0', b'"mesh": 0, "scale": [NaN, 1, 1]').replace(b"NaN", b"1e999"), refused()),
    case("glb", "node-matrix-short", glb_with(nodes=[{"mesh": 0, "matrix": [1, 2, 3]}]), refused("matrix")),
    case("glb", "draco", glb_with(extensionsRequired=["KHR_draco_mesh_compression"]), refused("KHR_draco")),
    case("glb", "network", gltf("http://127.0.0.1:9/box.bin"), refused("http://", "outside"), file="a.gltf"),
    case("glb", "network-picture", pictured({"uri": "https://127.0.0.1:9/a.png"}), refused("https://")),
    case("glb", "file-uri", gltf("file:///etc/passwd"), refused("outside"), file="a.gltf"),
    case("glb", "path-escape", gltf("../secret.txt"), refused("outside"), file="a.gltf"),
    case("glb", "path-escape-encoded", gltf("%2e%2e/secret.txt"), refused("outside"), file="a.gltf"),
    case("glb", "path-absolute", gltf("/etc/passwd"), refused("outside"), file="a.gltf"),
    case("glb", "buffer-missing", gltf("box.bin"), refused("box.bin", "missing"), file="a.gltf"),
    case("glb", "buffer-is-itself", gltf("a.gltf"), refused(), file="a.gltf"),
    case("glb", "buffer-uri-is-a-number", gltf().replace('"data:', '5, "was": "data:'), refused(), file="a.gltf"),
    case("glb", "data-uri-damaged", gltf().replace("base64,", "base64,!!!!"), refused("base64"), file="a.gltf"),
    case("glb", "picture-damaged", pictured(inline(png(4, 4)[:50])), refused("picture")),
    case("glb", "picture-bomb", pictured(inline(png(60_000, 60_000))), refused("picture"), bomb=True),
    case("glb", "good", glb(), GOOD),
    case("glb", "good-data-uri", gltf(), GOOD, file="a.gltf"),
    case("glb", "good-file-beside", {"a.gltf": gltf("the%20box.bin"), "the box.bin": BLOB}, GOOD, arguments=("inspect", "{}/a.gltf", "--json")),
    case("glb", "good-byte-order-mark", "﻿" + gltf(), GOOD, file="a.gltf"),
    case("glb", "good-mirrored", glb_with(nodes=[{"mesh": 0, "scale": [-1, 1, 1]}]), GOOD),
    case("glb", "good-two-instances", glb_with(nodes=[{"mesh": 0}, {"mesh": 0, "translation": [9, 0, 0]}], scenes=[{"nodes": [0, 1]}]), Good(48.0, 16, 24)),
    case("glb", "good-unknown-chunk", glb()[:8] + struct.pack("<I", len(glb()) + 12) + glb()[12:] + struct.pack("<I4s4s", 4, b"XTRA", b"abcd"), GOOD),
    case("glb", "good-picture", pictured(inline(png(4, 4))), Good(color="texture")),
)  # fmt: skip

LAUGHS = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "../secret.txt">]>'
TREE = "".join(
    f'<node id="n{k}"><instance_node url="#n{k + 1}"/><instance_node url="#n{k + 1}"/></node>' for k in range(40)
)
PICTURE = """<library_images><image id="i"><init_from>{}</init_from></image></library_images>
<library_effects><effect id="e"><profile_COMMON><technique><lambert><diffuse><texture texture="i" texcoord="u"/></diffuse>
</lambert></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="m"><instance_effect url="#e"/></material></library_materials>"""
BOUND = """<node><instance_geometry url="#g"><bind_material><technique_common><instance_material symbol="s" target="#m"/>
</technique_common></bind_material></instance_geometry></node>"""
DAE = (
    case("dae", "empty", b"", refused("empty")),
    case("dae", "cut", dae()[:500], refused("line")),
    case("dae", "billion-laughs", dae(head=LAUGHS + "]>").replace("<library_geo", "<a>&j;</a><library_geo"), refused("entities"), bomb=True),
    case("dae", "billion-laughs-late", dae(head=LAUGHS.replace("<!DOC", "<!--" + " " * 9000 + "--><!DOC") + "]>"), refused("entities"), bomb=True),
    case("dae", "billion-laughs-utf16", dae(head=LAUGHS.replace('"1.0"', '"1.0" encoding="utf-16"') + "]>").encode("utf-16"), refused("entities"), bomb=True),
    case("dae", "external-entity", dae(head=EXTERNAL).replace("<library_geo", "<a>&e;</a><library_geo", 1), refused("entities")),
    case("dae", "nodes-without-end", dae(nodes='<node id="n"><instance_node url="#n"/><instance_geometry url="#g"/></node>'), refused("nested")),
    case("dae", "nodes-doubling", dae(nodes='<node><instance_node url="#n0"/></node>', library=f'<library_nodes>{TREE}<node id="n40"/></library_nodes>'), refused("nodes")),
    case("dae", "index-out-of-range", dae().replace("<p>0 1 3", "<p>0 1 300"), refused("300")),
    case("dae", "index-negative", dae().replace("<p>0 1 3", "<p>0 1 -3"), refused("-3")),
    case("dae", "words-for-numbers", dae().replace("4.0 0.0 3.0", "four 0.0 3.0"), refused("four")),
    case("dae", "decimal-comma", dae().replace("4.0 0.0 3.0", "4,0 0,0 3,0"), refused("4,0")),
    case("dae", "nan", dae().replace("4.0 0.0 3.0", "NaN 0.0 3.0"), refused("finite")),
    case("dae", "missing-geometry", dae().replace('url="#g"', 'url="#other"'), refused("other")),
    case("dae", "stride-zero", dae().replace('stride="3"', 'stride="0"'), refused("stride")),
    case("dae", "offset-huge", dae().replace('offset="0"', 'offset="4000000000"'), refused(), bomb=True),
    case("dae", "path-escape", dae(materials=PICTURE.format("../secret.txt"), nodes=BOUND), GOOD),
    case("dae", "network-picture", dae(materials=PICTURE.format("http://127.0.0.1:9/a.png"), nodes=BOUND), GOOD),
    case("dae", "good", dae(), GOOD),
    case("dae", "good-concave-two-scenes", dae(L_POINTS, [f for f in L_FACES if len(f) == 4][:1] * 0 or [(0, 1, 2)]), Good(None, 3, 1, False)),
)  # fmt: skip

MTL = (
    case("mtl", "path-escape", textured("../secret.txt"), GOOD, file="a.obj"),
    case("mtl", "path-absolute", textured("/etc/passwd"), GOOD, file="a.obj"),
    case("mtl", "library-escape", textured("x.png", "../secret.txt"), GOOD, file="a.obj"),
    case("mtl", "library-absolute", textured("x.png", "/etc/passwd"), GOOD, file="a.obj"),
    case("mtl", "network", textured("http://127.0.0.1:9/a.png"), GOOD, file="a.obj"),
    case("mtl", "picture-missing", textured("x.png"), GOOD, file="a.obj"),
    case("mtl", "picture-damaged", {**textured("x.png"), "x.png": png(4, 4)[:50]}, refused("x.png"), file="a.obj"),
    case("mtl", "picture-bomb", {**textured("x.png"), "x.png": png(60_000, 60_000)}, refused("x.png"), file="a.obj", bomb=True),
    case("mtl", "picture-is-text", {**textured("x.png"), "x.png": "no picture"}, refused("x.png"), file="a.obj"),
    case("mtl", "words-for-colours", {**textured("x.png"), "m.mtl": "newmtl m\nKd red green blue\n"}, refused("m.mtl", "line 2"), file="a.obj"),
    case("mtl", "nothing-after-keyword", {**textured("x.png"), "m.mtl": "newmtl\nmap_Kd\n"}, GOOD, file="a.obj"),
    case("mtl", "binary", {**textured("x.png"), "m.mtl": bytes(range(256))}, GOOD, file="a.obj"),
    case("mtl", "good-picture", {**textured("my picture.png"), "my picture.png": png(4, 4)}, Good(color="texture"), file="a.obj"),
)  # fmt: skip
SCENES: tuple[Case, ...] = (*GLTF, *DAE, *MTL)
