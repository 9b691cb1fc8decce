"""The z-buffer compiled for processors by numba; the torch code of `rasterize` is its plain twin and its definition.

Annotations of shapes are checked by wrapping functions, which numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from numba import njit

MARGIN = 1e-6  # pixels around a face's box, against rounding


@njit(nogil=True, cache=True)
@no_type_check
def project(vertices, eye, rotation, intrinsics, local, pixels):
    """local (v, 3) <- vertices in camera axes; pixels (v, 2) <- where they project to, unless they lie behind."""
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0] - eye[0], vertices[i, 1] - eye[1], vertices[i, 2] - eye[2]
        for k in range(3):
            local[i, k] = x * rotation[0, k] + y * rotation[1, k] + z * rotation[2, k]
        a, b, c = local[i, 0], local[i, 1], local[i, 2]
        if c > 0:
            pixels[i, 0] = (intrinsics[0, 0] * a + intrinsics[0, 1] * b) / c + intrinsics[0, 2]
            pixels[i, 1] = (intrinsics[1, 0] * a + intrinsics[1, 1] * b) / c + intrinsics[1, 2]


@njit(inline="always")
@no_type_check
def _edges(local, i, j, k, rays, edges):
    """edges (3, 3) <- coefficients of the edge functions in (x, y, 1), positive inside; returns |determinant|."""
    ax, ay, az = local[i, 0], local[i, 1], local[i, 2]
    bx, by, bz = local[j, 0], local[j, 1], local[j, 2]
    cx, cy, cz = local[k, 0], local[k, 1], local[k, 2]
    n00, n01, n02 = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    n10, n11, n12 = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    n20, n21, n22 = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    determinant = ax * n00 + ay * n01 + az * n02
    sign = 1.0 if determinant > 0 else (-1.0 if determinant < 0 else 0.0)
    for m in range(3):
        edges[0, m] = (n00 * rays[0, m] + n01 * rays[1, m] + n02 * rays[2, m]) * sign
        edges[1, m] = (n10 * rays[0, m] + n11 * rays[1, m] + n12 * rays[2, m]) * sign
        edges[2, m] = (n20 * rays[0, m] + n21 * rays[1, m] + n22 * rays[2, m]) * sign
    return abs(determinant)


@njit(inline="always")
@no_type_check
def _clipped_box(corners, ends, intrinsics, near, box):
    """box (4,) <- least and largest pixel coordinates of the part of a face beyond the near plane."""
    box[0], box[1], box[2], box[3] = np.inf, np.inf, -np.inf, -np.inf
    for k in range(3):
        start, end = corners[k], corners[(k + 1) % 3]
        if start[2] >= near:
            _widen(ends[k, 0], ends[k, 1], box)
        if (start[2] < near) != (end[2] < near):
            t = (near - start[2]) / (end[2] - start[2])
            x, y = start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])
            u = (intrinsics[0, 0] * x + intrinsics[0, 1] * y) / near + intrinsics[0, 2]
            v = (intrinsics[1, 0] * x + intrinsics[1, 1] * y) / near + intrinsics[1, 2]
            _widen(u, v, box)


@njit(inline="always")
@no_type_check
def _widen(u, v, box):
    box[0], box[1], box[2], box[3] = min(box[0], u), min(box[1], v), max(box[2], u), max(box[3], v)


@njit(inline="always")
@no_type_check
def _plain_box(pixels, i, j, k, box):
    box[0] = min(pixels[i, 0], pixels[j, 0], pixels[k, 0])
    box[1] = min(pixels[i, 1], pixels[j, 1], pixels[k, 1])
    box[2] = max(pixels[i, 0], pixels[j, 0], pixels[k, 0])
    box[3] = max(pixels[i, 1], pixels[j, 1], pixels[k, 1])


@njit(nogil=True, cache=True)
@no_type_check
def draw(local, pixels, faces, intrinsics, rays, near, nearest, front):
    """nearest (h, w) float32 <- distance along the axis, from infinity; front (h, w) <- the face there, from -1."""
    height, width = front.shape
    box, edges, corners, ends = np.empty(4), np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 2))
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if local[i, 2] >= near and local[j, 2] >= near and local[k, 2] >= near:
            _plain_box(pixels, i, j, k, box)
        else:
            for axis in range(3):
                corners[0, axis], corners[1, axis], corners[2, axis] = local[i, axis], local[j, axis], local[k, axis]
            for axis in range(2):
                ends[0, axis], ends[1, axis], ends[2, axis] = pixels[i, axis], pixels[j, axis], pixels[k, axis]
            _clipped_box(corners, ends, intrinsics, near, box)
        left, top = max(np.ceil(box[0] - 0.5 - MARGIN), 0.0), max(np.ceil(box[1] - 0.5 - MARGIN), 0.0)
        right, bottom = (
            min(np.floor(box[2] - 0.5 + MARGIN), width - 1.0),
            min(np.floor(box[3] - 0.5 + MARGIN), height - 1.0),
        )
        if not (left <= right and top <= bottom):
            continue
        determinant = _edges(local, i, j, k, rays, edges)
        for row in range(int(top), int(bottom) + 1):
            y = row + 0.5
            for column in range(int(left), int(right) + 1):
                x = column + 0.5
                u = edges[0, 0] * x + edges[0, 1] * y + edges[0, 2]
                v = edges[1, 0] * x + edges[1, 1] * y + edges[1, 2]
                w = edges[2, 0] * x + edges[2, 1] * y + edges[2, 2]
                if u >= 0 and v >= 0 and w >= 0 and u + v + w > 0:
                    z = determinant / (u + v + w)
                    if z >= near and np.float32(z) < nearest[row, column]:
                        nearest[row, column] = z
                        front[row, column] = f


@njit(nogil=True, cache=True)
@no_type_check
def look_closer(local, faces, rays, front, barycentric, depth):
    """barycentric (h, w, 3) and depth along the ray (h, w) of each pixel that sees a face."""
    edges, point = np.empty((3, 3)), np.empty(3)
    for row in range(front.shape[0]):
        for column in range(front.shape[1]):
            f = front[row, column]
            if f < 0:
                continue
            _edges(local, faces[f, 0], faces[f, 1], faces[f, 2], rays, edges)
            x, y, total = column + 0.5, row + 0.5, 0.0
            point[:] = 0
            for k in range(3):
                weight = edges[k, 0] * x + edges[k, 1] * y + edges[k, 2]
                total += weight
                barycentric[row, column, k] = weight
                for axis in range(3):
                    point[axis] += weight * local[faces[f, k], axis]
            for k in range(3):
                barycentric[row, column, k] /= total
            depth[row, column] = np.sqrt(point[0] ** 2 + point[1] ** 2 + point[2] ** 2) / total
