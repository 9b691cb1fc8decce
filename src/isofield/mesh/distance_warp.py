"""The exact signed distance on a GPU: the twin of `MeshDistance`, by NVIDIA Warp (extra `[gpu]`)."""

from functools import cache
from types import ModuleType
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float, Shaped

from isofield.errors import IsofieldError
from isofield.frame import UnitFrame
from isofield.mesh.distance import CHUNK, Closest

FAR = 1e18  # beyond every distance of the unit frame; its square is still a float32


class WarpMeshDistance:
    """`MeshDistance` on the best device that Warp finds, or on the one named ("cuda:0", "cpu").

    The same answers by the same rule, the winding number at one half. Warp calculates in float32, so the mesh is
    brought into its unit frame first and results are taken back in float64: errors are about 1e-7 of the mesh's size,
    wherever it lies. Warp overlooks faces without area.
    """

    def __init__(
        self, vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"], device: str | None = None
    ):
        self._warp = _import_warp()
        self.device = _device(self._warp, device)
        self.vertices = np.ascontiguousarray(vertices, np.float64)
        self.faces = np.ascontiguousarray(faces, np.int64)
        self._frame = UnitFrame.of(self.vertices)
        with self._warp.ScopedLogLevel(self._warp.LOG_ERROR), self._warp.ScopedDevice(self.device):
            self._mesh = self._warp.Mesh(
                self._warp.array(self._frame.to_unit(self.vertices).astype(np.float32), dtype=self._warp.vec3),
                self._warp.array(self.faces.astype(np.int32).ravel(), dtype=self._warp.int32),
                support_winding_number=True,  # without it Warp votes by rays, and says nothing
            )

    def closest(self, points: Shaped[np.ndarray, "n 3"]) -> Closest:
        """Unsigned distance, nearest face and nearest surface point of each query."""
        points = np.asarray(points, np.float64)
        face = np.empty(len(points), np.int32)
        weight = np.empty((len(points), 2), np.float32)
        self._launch(_kernels(self._warp)[0], points, face, weight)
        if (face < 0).any():
            raise IsofieldError("no face is nearest to some point: the mesh has no area, or a point is not finite")
        u, v = weight.T.astype(np.float64)
        nearest = np.einsum("nk,nkc->nc", np.stack([u, v, 1 - u - v], 1), self.vertices[self.faces[face]])
        return Closest(np.linalg.norm(points - nearest, axis=1), face.astype(np.int64), nearest)

    def winding_number(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """1 inside a closed outward-facing mesh, 0 outside; in between where the mesh has holes."""
        out = np.empty(len(points), np.float32)
        self._launch(_kernels(self._warp)[1], points, out)
        return out.astype(np.float64)

    def sign(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """-1 inside, +1 outside."""
        return np.where(self.winding_number(points) > 0.5, -1.0, 1.0)

    def signed(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Signed distance, negative inside, in the units of the vertices."""
        return self.sign(points) * self.closest(points).distance

    def _launch(self, kernel: Any, points: np.ndarray, *outputs: np.ndarray) -> None:
        """Run the kernel over the points, chunk by chunk, and fill the outputs."""
        warp, unit = self._warp, self._frame.to_unit(points).astype(np.float32)
        with warp.ScopedLogLevel(warp.LOG_ERROR), warp.ScopedDevice(self.device):
            for i in range(0, len(unit), CHUNK):
                chunk = warp.array(unit[i : i + CHUNK], dtype=warp.vec3)
                results = [warp.array(out[i : i + CHUNK]) for out in outputs]
                warp.launch(kernel, dim=len(chunk), inputs=[self._mesh.id, chunk], outputs=results)
                for out, result in zip(outputs, results, strict=True):
                    out[i : i + CHUNK] = result.numpy()


def _import_warp() -> ModuleType:
    try:
        import warp
    except ImportError as error:
        raise IsofieldError("the distance on a GPU needs Warp: pip install 'isofield[gpu]'") from error
    return warp


def _device(warp: ModuleType, name: str | None) -> str:
    with warp.ScopedLogLevel(warp.LOG_ERROR):
        try:
            return str(warp.get_device(name) if name else warp.get_preferred_device())
        except (ValueError, RuntimeError) as error:
            raise IsofieldError(f"Warp finds no device {name!r} here; it has {warp.get_devices()}") from error


@cache
def _kernels(warp: ModuleType) -> tuple[Any, Any]:
    """The kernels (closest point, winding number), compiled at their first launch."""

    @warp.func_native("out.data[i] = wp::mesh_query_winding_number(mesh, point, 2.0f);")
    @no_type_check
    def write_winding(mesh: warp.uint64, point: warp.vec3, out: warp.array(dtype=warp.float32), i: warp.int32): ...

    @warp.kernel(enable_backward=False)
    @no_type_check
    def closest(
        mesh: warp.uint64,
        points: warp.array(dtype=warp.vec3),
        face: warp.array(dtype=warp.int32),
        weight: warp.array2d(dtype=warp.float32),
    ):
        i = warp.tid()
        query = warp.mesh_query_point_no_sign(mesh, points[i], FAR)
        face[i] = -1
        if query.result:
            face[i] = query.face
            weight[i, 0] = query.u
            weight[i, 1] = query.v

    @warp.kernel(enable_backward=False)
    @no_type_check
    def winding(mesh: warp.uint64, points: warp.array(dtype=warp.vec3), out: warp.array(dtype=warp.float32)):
        i = warp.tid()
        write_winding(mesh, points[i], out, i)

    return closest, winding
