"""A mesh, its exact distance field, and closed meshes of that field's level sets, in the mesh's own place and units."""

import isofield
from isofield.data import bundled

mesh = isofield.read_mesh(bundled("fish_holes.obj"))  # torn open in several places
field = isofield.ExactField.of(mesh)

for level in (0.0, 0.05):  # the surface itself, and one grown by 5 % of the radius
    result = isofield.extract(field, resolution=64, level=level)
    audit = isofield.audit(result.mesh)
    print(f"level {level}: closed {audit.watertight}, volume {audit.volume:.4f}, {len(result.mesh.faces):,} triangles")
    isofield.write_mesh(result.mesh, f"fish_{level}.ply")
