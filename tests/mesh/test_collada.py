"""COLLADA: transforms, polygons, colours."""

import numpy as np
import pytest
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.color import color_kind, surface_colors
from isofield.mesh.read import read_mesh

DAE = """<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<library_images><image id="pic"><init_from>pic.png</init_from></image></library_images>
<library_effects>
 <effect id="plain"><profile_COMMON><technique sid="c"><lambert><diffuse><color>0 1 0 1</color></diffuse></lambert>
 </technique></profile_COMMON></effect>
 <effect id="textured"><profile_COMMON>
  <newparam sid="surf"><surface type="2D"><init_from>pic</init_from></surface></newparam>
  <newparam sid="samp"><sampler2D><source>surf</source></sampler2D></newparam>
  <technique sid="c"><lambert><diffuse><texture texture="samp" texcoord="UV"/></diffuse></lambert></technique>
 </profile_COMMON></effect>
</library_effects>
<library_materials>
 <material id="m0"><instance_effect url="#plain"/></material>
 <material id="m1"><instance_effect url="#textured"/></material>
</library_materials>
<library_geometries><geometry id="g"><mesh>
 <source id="p"><float_array id="pa" count="12">0 0 0 1 0 0 1 1 0 0 1 0</float_array>
  <technique_common><accessor source="#pa" count="4" stride="3"/></technique_common></source>
 <source id="t"><float_array id="ta" count="2">0.5 0.5</float_array>
  <technique_common><accessor source="#ta" count="1" stride="2"/></technique_common></source>
 <vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
 <polylist material="a" count="1"><input semantic="VERTEX" source="#v" offset="0"/>
  <vcount>4</vcount><p>0 1 2 3</p></polylist>
 <triangles material="b" count="1"><input semantic="VERTEX" source="#v" offset="0"/>
  <input semantic="TEXCOORD" source="#t" offset="1" set="0"/><p>0 0 2 0 3 0</p></triangles>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node><translate>10 0 0</translate><node>
 <rotate>0 0 1 90</rotate><scale>2 2 2</scale>
 <instance_geometry url="#g"><bind_material><technique_common>
  <instance_material symbol="a" target="#m0"/><instance_material symbol="b" target="#m1"/>
 </technique_common></bind_material></instance_geometry></node></node></visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#s"/></scene></COLLADA>"""


def test_scene_polygons_materials_and_textures(tmp_path):
    Image.new("RGB", (3, 3), (0, 0, 255)).save(tmp_path / "pic.png")
    (tmp_path / "a.dae").write_text(DAE)
    mesh = read_mesh(tmp_path / "a.dae")
    square = np.array([[10, 0, 0], [10, 2, 0], [8, 2, 0], [8, 0, 0]])  # turned by 90 degrees, doubled, then moved
    np.testing.assert_allclose(mesh.triangles, square[[[0, 1, 2], [0, 2, 3], [0, 2, 3]]], atol=1e-12)
    assert color_kind(mesh) == "texture"
    colors = surface_colors(mesh, np.arange(3), mesh.triangles_center)
    np.testing.assert_allclose(colors, [[0, 1, 0], [0, 1, 0], [0, 0, 1]], atol=1 / 255)


@pytest.mark.parametrize(
    "text",
    [
        DAE.replace("<p>0 1 2 3</p>", "<p>0 1 2 9</p>"),
        DAE.replace('url="#g"', 'url="#h"'),
        DAE[:900],
        '<!DOCTYPE a [<!ENTITY b "c">]><COLLADA/>',
        "not xml",
    ],
)
def test_damaged_documents(tmp_path, text):
    (tmp_path / "a.dae").write_text(text)
    with pytest.raises(InputError):
        read_mesh(tmp_path / "a.dae")
