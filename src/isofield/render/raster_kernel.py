"""The z-buffer compiled for processors by numba; the torch code of `rasterize` is its plain twin and its definition.

Annotations of shapes are checked by wrapping functions, which numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from numba import njit

MARGIN = 1e-6  # pixels around a face's box, against rounding


@njit(nogil=True, cache=True)
@no_type_check
def project(vertices, eye, rotation, intrinsics, near, local, seen):
    """local (v, 3) <- vertices in camera axes; seen (v, 3) <- column, row and distance along the axis of those that do
    not lie behind; returns whether all lie beyond the near plane."""
    all_beyond = True
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0] - eye[0], vertices[i, 1] - eye[1], vertices[i, 2] - eye[2]
        a = x * rotation[0, 0] + y * rotation[1, 0] + z * rotation[2, 0]
        b = x * rotation[0, 1] + y * rotation[1, 1] + z * rotation[2, 1]
        c = x * rotation[0, 2] + y * rotation[1, 2] + z * rotation[2, 2]
        local[i, 0], local[i, 1], local[i, 2] = a, b, c
        if c > 0:
            seen[i, 0] = (intrinsics[0, 0] * a + intrinsics[0, 1] * b) / c + intrinsics[0, 2]
            seen[i, 1] = (intrinsics[1, 0] * a + intrinsics[1, 1] * b) / c + intrinsics[1, 2]
            seen[i, 2] = c
        if not c >= near:
            all_beyond = False
    return all_beyond


@njit(inline="always")
@no_type_check
def _areas(seen, i, j, k):
    """Coefficients in (column, row, 1) of the three edge functions, whose values of two faces at the edge that they
    share are exact opposites, and their sign within the face."""
    ax, ay, bx, by, cx, cy = seen[i, 0], seen[i, 1], seen[j, 0], seen[j, 1], seen[k, 0], seen[k, 1]
    sign = 1.0 if (bx - ax) * (cy - ay) >= (cx - ax) * (by - ay) else -1.0
    u = (by - cy, cx - bx, bx * cy - cx * by)
    v = (cy - ay, ax - cx, cx * ay - ax * cy)
    w = (ay - by, bx - ax, ax * by - bx * ay)
    return u, v, w, sign


@njit(nogil=True, cache=True)
@no_type_check
def draw(seen, faces, nearest, front):
    """nearest (h, w) float32 <- distance along the axis, from infinity; front (h, w) <- the face there, from -1.

    For vertices that all lie beyond the near plane: edge functions of the picture, and from them weights in space.
    """
    last_row, last_column = front.shape[0] - 1.0, front.shape[1] - 1.0
    for f in range(len(faces)):
        i, j, k = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])
        left = max(np.ceil(min(seen[i, 0], seen[j, 0], seen[k, 0]) - 0.5 - MARGIN), 0.0)
        right = min(np.floor(max(seen[i, 0], seen[j, 0], seen[k, 0]) - 0.5 + MARGIN), last_column)
        top = max(np.ceil(min(seen[i, 1], seen[j, 1], seen[k, 1]) - 0.5 - MARGIN), 0.0)
        bottom = min(np.floor(max(seen[i, 1], seen[j, 1], seen[k, 1]) - 0.5 + MARGIN), last_row)
        if not ((left <= right) & (top <= bottom)):
            continue
        a, b, c = seen[i, 2], seen[j, 2], seen[k, 2]
        least = min(a, b, c)
        if left == right and top == bottom and least > nearest[np.uint32(top), np.uint32(left)]:
            continue
        (ux, uy, u1), (vx, vy, v1), (wx, wy, w1), sign = _areas(seen, i, j, k)
        for row in range(np.uint32(top), np.uint32(bottom) + 1):
            y = row + 0.5
            for column in range(np.uint32(left), np.uint32(right) + 1):
                x = column + 0.5
                u, v, w = (ux * x + uy * y + u1) * sign, (vx * x + vy * y + v1) * sign, (wx * x + wy * y + w1) * sign
                if min(u, v, w) >= 0 and least <= nearest[row, column]:
                    u, v, w = u * b * c, v * c * a, w * a * b
                    total = u + v + w
                    if total > 0:
                        z = np.float32((u * a + v * b + w * c) / total)
                        if z < nearest[row, column]:
                            nearest[row, column] = z
                            front[row, column] = f


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
def _plain_box(seen, i, j, k, box):
    box[0] = min(seen[i, 0], seen[j, 0], seen[k, 0])
    box[1] = min(seen[i, 1], seen[j, 1], seen[k, 1])
    box[2] = max(seen[i, 0], seen[j, 0], seen[k, 0])
    box[3] = max(seen[i, 1], seen[j, 1], seen[k, 1])


@njit(nogil=True, cache=True)
@no_type_check
def draw_clipped(local, seen, faces, intrinsics, rays, near, nearest, front):
    """`draw` for vertices anywhere, by homogeneous edge functions."""
    height, width = front.shape
    box, edges, corners, ends = np.empty(4), np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 2))
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if local[i, 2] >= near and local[j, 2] >= near and local[k, 2] >= near:
            _plain_box(seen, i, j, k, box)
        else:
            for axis in range(3):
                corners[0, axis], corners[1, axis], corners[2, axis] = local[i, axis], local[j, axis], local[k, axis]
            for axis in range(2):
                ends[0, axis], ends[1, axis], ends[2, axis] = seen[i, axis], seen[j, axis], seen[k, axis]
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
def look_closer(local, seen, faces, front, barycentric, depth):
    """barycentric (h, w, 3) and depth along the ray (h, w) of each pixel that sees a face, as `draw` found it."""
    for row in range(front.shape[0]):
        for column in range(front.shape[1]):
            f = front[row, column]
            if f < 0:
                continue
            i, j, k = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])
            edge_u, edge_v, edge_w, sign = _areas(seen, i, j, k)
            a, b, c, x, y = seen[i, 2], seen[j, 2], seen[k, 2], column + 0.5, row + 0.5
            u = (edge_u[0] * x + edge_u[1] * y + edge_u[2]) * sign * b * c
            v = (edge_v[0] * x + edge_v[1] * y + edge_v[2]) * sign * c * a
            w = (edge_w[0] * x + edge_w[1] * y + edge_w[2]) * sign * a * b
            depth[row, column] = _weighted(local, i, j, k, u, v, w, row, column, barycentric)


@njit(nogil=True, cache=True)
@no_type_check
def look_closer_clipped(local, faces, rays, front, barycentric, depth):
    """`look_closer` for what `draw_clipped` found."""
    edges = np.empty((3, 3))
    for row in range(front.shape[0]):
        for column in range(front.shape[1]):
            f = front[row, column]
            if f < 0:
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            _edges(local, i, j, k, rays, edges)
            x, y = column + 0.5, row + 0.5
            u = edges[0, 0] * x + edges[0, 1] * y + edges[0, 2]
            v = edges[1, 0] * x + edges[1, 1] * y + edges[1, 2]
            w = edges[2, 0] * x + edges[2, 1] * y + edges[2, 2]
            depth[row, column] = _weighted(local, i, j, k, u, v, w, row, column, barycentric)


@njit(inline="always")
@no_type_check
def _weighted(local, i, j, k, u, v, w, row, column, barycentric):
    """barycentric <- the shares of three weights; returns the length of the point that they make."""
    share = 1 / (u + v + w)
    u, v, w = u * share, v * share, w * share
    barycentric[row, column, 0], barycentric[row, column, 1], barycentric[row, column, 2] = u, v, w
    x = u * local[i, 0] + v * local[j, 0] + w * local[k, 0]
    y = u * local[i, 1] + v * local[j, 1] + w * local[k, 1]
    z = u * local[i, 2] + v * local[j, 2] + w * local[k, 2]
    return np.sqrt(x * x + y * y + z * z)
