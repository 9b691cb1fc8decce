"""Small things to look at."""

import hashlib
import json

import numpy as np
import pytest
import trimesh

from isofield.fields.exact import ExactField
from isofield.mesh.write import write_mesh
from isofield.runs import open_run


def ball(radius: float = 1.0, center: tuple = (0, 0, 0), detail: int = 3) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(detail)
    return trimesh.Trimesh(mesh.vertices * radius + center, mesh.faces, process=False)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Balls: unit, larger (1.1), moved and seen .ply, cloud and half .xyz; runs: `run`, `scanned` (of half.xyz)."""
    folder = tmp_path_factory.mktemp("view")
    write_mesh(ball(), folder / "unit.ply")
    write_mesh(ball(1.1, (5, 0, 0)), folder / "moved.ply")
    write_mesh(ball(1.1), folder / "larger.ply")
    seen = ball()
    seen.vertex_attributes["seen"] = (seen.vertices[:, 0] > 0).astype(np.uint8)
    (folder / "seen.ply").write_bytes(seen.export(file_type="ply"))
    np.savetxt(folder / "cloud.xyz", ball().vertices)
    fine = ball(detail=4).vertices
    np.savetxt(folder / "half.xyz", fine[fine[:, 0] > 0])
    write_run(folder / "run", folder / "unit.ply")
    write_run(folder / "scanned", folder / "half.xyz")
    return folder


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Less to draw than for people."""
    monkeypatch.setattr("isofield.viewer.drawn.FACES", 3000)
    monkeypatch.setattr("isofield.viewer.scene.SLICE_PIXELS", 80)
    monkeypatch.setattr("isofield.viewer.run.HEIGHT", 160)


def write_run(folder, source) -> None:
    field = ExactField.of(ball())
    config = {"input": source.name, "input_sha256": hashlib.sha256(source.read_bytes()).hexdigest(), "seed": 0}
    with open_run(folder, config) as run:
        run.save(1, field.spec(), field.tensors())
    (folder / "report.json").write_text(json.dumps({"input": str(source)}))
