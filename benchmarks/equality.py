"""Are the vertices those of dense marching cubes at 256^3? Every lattice point is asked: a minute or more a mesh.

python benchmarks/equality.py [--resolution 256]
"""

import argparse
import time

from common import ROOT, table, write_result
from extraction import SHARED, difference, exact_field
from isofield.meshing.extract import extract

BUNDLED = ROOT / "src" / "isofield" / "data"
PATHS = [
    *(BUNDLED / name for name in ("featuretype.stl", "octagonal_pocket.ply", "spot.obj", "torus.obj", "penguin.obj")),
    *(SHARED / name for name in ("classic/koala_low_resolution.obj", "classic/round.stl", "classic/quadknot.obj")),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=256)
    resolution, rows = parser.parse_args().resolution, []
    for path in (path for path in PATHS if path.exists()):
        begun = time.process_time()
        field = exact_field(path)
        found = extract(field, resolution)
        largest = difference(field, resolution, found.vertices_unit)
        ratio = round(found.dense_queries / found.queries, 1)
        rows.append([path.stem, len(found.mesh.vertices), ratio, largest, round(time.process_time() - begun, 1)])
        print(rows[-1], flush=True)
        columns = ["mesh", "vertices", "times fewer queries", "largest difference to dense", "CPU-s, dense included"]
        notes = ["Exact distances; lengths in the unit frame. Infinity would say that the number of vertices differs."]
        title = f"Extraction against dense marching cubes at {resolution}^3"
        write_result("equality", title, [table("Equality", columns, rows)], notes)


if __name__ == "__main__":
    main()
