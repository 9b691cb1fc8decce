"""Triplanes' look-ups and decoder compiled for processors by numba; `triplane` has their plain twins and definitions.

Texels are (b * 3 * h * w, c) float32: those of a place lie together. Points are (b * n, 3), scene by scene. Each kernel
does a range of its work and holds no lock, so that Python's threads share it out: look-ups by points, the gradient of
the texels by planes. No two threads ever add to one number, and sums run in a fixed order whatever their count.
The loops over features become vector instructions only where nothing in them can raise an error: hence numpy's model.
Annotations of shapes are checked by wrapping functions, which numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from numba import njit

_F = np.float32
_ZERO, _HALF, _ONE, _TWO, _THIRD = _F(0), _F(0.5), _F(1), _F(2), _F(1 / 3)
_SIXTEENTH, _MOST = _F(1 / 16), _F(24)
_EXP = (_F(1 / 6), _F(1 / 24), _F(1 / 120))
_LOG = (
    _F(0.999999806), _F(-0.499974054), _F(0.332754798), _F(-0.244954628),
    _F(0.177452412), _F(-0.107681707), _F(0.0440896265), _F(-0.00853920675),
)  # fmt: skip
_SIN = (_F(3.141592637), _F(-5.167709685), _F(2.55006972), _F(-0.598242104), _F(0.0775603441))


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _locate(value, size):
    """Lower texel, higher texel, and the place between them, of a coordinate in [-1, 1]."""
    x = (min(max(value, -_ONE), _ONE) * _HALF + _HALF) * np.float32(size - 1)
    low = max(0, min(int(x), size - 2))  # from below too: what is no number has no integer
    return low, min(low + 1, size - 1), x - np.float32(low)


@njit(inline="always")
@no_type_check
def _axes(plane):
    """Of columns and rows: xy, xz, yz."""
    return (1 if plane == 2 else 0), (1 if plane == 0 else 2)


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _texels_about(points, p, plane, count, height, width):
    """Rows of the four texels round point p in a plane, and its place between columns and between rows."""
    column, row = _axes(plane)
    x0, x1, u = _locate(points[p, column], width)
    y0, y1, v = _locate(points[p, row], height)
    first = (p // count * 3 + plane) * height
    return (
        (first + y0) * width + x0,
        (first + y0) * width + x1,
        (first + y1) * width + x0,
        (first + y1) * width + x1,
        u,
        v,
    )


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _shares_about(points, p, plane, count, height, width):
    """Rows of the four texels round point p in a plane, and their shares of the mean of three planes."""
    a, b, c, d, u, v = _texels_about(points, p, plane, count, height, width)
    s, t = (_ONE - v) * _THIRD, v * _THIRD
    return a, b, c, d, (_ONE - u) * s, u * s, (_ONE - u) * t, u * t


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _seen(texels, points, p, count, height, width, out):
    """The first entries of out (c or more) <- means of the three planes' features at point p."""
    a, b, c, d, wa, wb, wc, wd = _shares_about(points, p, 0, count, height, width)
    e, f, g, h, we, wf, wg, wh = _shares_about(points, p, 1, count, height, width)
    i, j, m, n, wi, wj, wm, wn = _shares_about(points, p, 2, count, height, width)
    for k in range(texels.shape[1]):
        out[k] = (
            ((wa * texels[a, k] + wb * texels[b, k]) + (wc * texels[c, k] + wd * texels[d, k]))
            + ((we * texels[e, k] + wf * texels[f, k]) + (wg * texels[g, k] + wh * texels[h, k]))
            + ((wi * texels[i, k] + wj * texels[j, k]) + (wm * texels[m, k] + wn * texels[n, k]))
        )


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _sine(x):
    """sin(pi x) for x in [-1/2, 1/2]: the odd polynomial with the least relative error, 5e-9."""
    q = x * x
    return x * (_SIN[0] + q * (_SIN[1] + q * (_SIN[2] + q * (_SIN[3] + q * _SIN[4]))))


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _code(points, p, octaves, out, first):
    """out[first:] <- point p, sin(2^k pi p), cos(2^k pi p) for k < octaves; those of twice the angle from the last."""
    for axis in range(3):
        place = out[first + axis] = points[p, axis]
        turn = place - _TWO * np.floor(place * _HALF + _HALF)  # all have period 2
        sine, cosine = _sine(max(min(turn, _ONE - turn), -_ONE - turn)), _sine(_HALF - abs(turn))
        for k in range(octaves):
            out[first + 3 + 3 * k + axis] = sine
            out[first + 3 + 3 * (octaves + k) + axis] = cosine
            sine, cosine = _TWO * sine * cosine, _ONE - _TWO * sine * sine


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _exp(x):
    """exp of what is not positive, to 1e-6: the sixteenth power of a polynomial."""
    y = max(x, -_MOST) * _SIXTEENTH
    e = _ONE + y * (_ONE + y * (_HALF + y * (_EXP[0] + y * (_EXP[1] + y * _EXP[2]))))
    e *= e
    e *= e
    e *= e
    return e * e


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _softplus(x):
    """log(1 + exp(x)); log(1 + e) / e, for e in [0, 1], is the polynomial with the least relative error: 2e-7."""
    e = _exp(-abs(x))
    low, high = _LOG[:4], _LOG[4:]
    series = high[0] + e * (high[1] + e * (high[2] + e * high[3]))
    return max(x, _ZERO) + e * (low[0] + e * (low[1] + e * (low[2] + e * (low[3] + e * series))))


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def features(texels, points, count, height, width, out, start, stop):
    """out[start:stop] (., c) <- means of the three planes' features; count: points of a scene."""
    for p in range(start, stop):
        _seen(texels, points, p, count, height, width, out[p])


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def inputs(texels, points, count, height, width, octaves, least, rise, first, out, start, stop):
    """out[start:stop] <- features, with octaves code, 1 (for biases), and least + rise |p|, of the points from
    `first` + start on."""
    ones = out.shape[1] - 2
    for p in range(start, stop):
        x, y, z = points[first + p]
        _seen(texels, points, first + p, count, height, width, out[p])
        if octaves:
            _code(points, first + p, octaves, out[p], texels.shape[1])
        out[p, ones] = _ONE
        out[p, ones + 1] = least + rise * np.sqrt(x * x + y * y + z * z)


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def hidden_layers(last, tint, given, seen, hidden, value, start, stop):
    """hidden (., w and more) <- softplus of what is given, of that after w with tint times the value; value (.,), and
    the last of seen, <- the latter raised by last (w,) times the hidden before."""
    for p in range(start, stop):
        before, after, total = given[p, : len(last)], hidden[p, : len(last)], seen[p, seen.shape[1] - 1]
        for j in range(len(last)):
            after[j] = _softplus(before[j])
            total += last[j] * after[j]
        value[p] = seen[p, seen.shape[1] - 1] = total
        before, after = given[p, len(last) :], hidden[p, len(last) :]
        for j in range(len(tint)):
            after[j] = _softplus(before[j] + total * tint[j])


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def through_hidden_layers(last, tint, hidden, pull, gradient, start, stop):
    """gradient <- that with respect to what `hidden_layers` was given for hidden, pull <- with respect to its value,
    from those of what it made: of hidden after w, in gradient, and of the value, in pull."""
    for p in range(start, stop):
        total, own, by_own = pull[p], hidden[p, len(last) :], gradient[p, len(last) :]
        for j in range(len(tint)):
            by_own[j] *= _ONE - _exp(-own[j])
            total += tint[j] * by_own[j]
        pull[p], own, by_own = total, hidden[p, : len(last)], gradient[p, : len(last)]
        for j in range(len(last)):
            by_own[j] = total * last[j] * (_ONE - _exp(-own[j]))


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def sigmoid(bias, out, start, stop):
    """out (., k) <- 1 / (1 + exp(-out - bias))."""
    for p in range(start, stop):
        for j in range(out.shape[1]):
            x = out[p, j] + bias[j]
            e = _exp(-abs(x))
            out[p, j] = (_ONE if x > _ZERO else e) / (_ONE + e)


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def through_sigmoid(made, upstream, gradient, start, stop):
    """gradient (., k) <- that with respect to what `sigmoid` was given, from what it made and the one of that."""
    for p in range(start, stop):
        for j in range(made.shape[1]):
            gradient[p, j] = upstream[p, j] * (made[p, j] * (_ONE - made[p, j]))


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def texel_gradient(points, upstream, count, height, width, out, start, stop):
    """out <- gradient with respect to the texels of planes [start, stop) of b * 3, given that of the features."""
    channels = out.shape[1]
    for number in range(start, stop):
        scene, plane = number // 3, number % 3
        out[number * height * width : (number + 1) * height * width] = 0
        for p in range(scene * count, (scene + 1) * count):
            a, b, c, d, wa, wb, wc, wd = _shares_about(points, p, plane, count, height, width)
            for f in range(channels):
                out[a, f] += wa * upstream[p, f]
            for f in range(channels):
                out[b, f] += wb * upstream[p, f]
            for f in range(channels):
                out[c, f] += wc * upstream[p, f]
            for f in range(channels):
                out[d, f] += wd * upstream[p, f]


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
@no_type_check
def point_gradient(texels, points, upstream, count, height, width, out, start, stop):
    """out[start:stop] (., 3) <- gradient with respect to these points, given that of their features."""
    channels = texels.shape[1]
    for p in range(start, stop):
        out[p, 0] = out[p, 1] = out[p, 2] = 0
        for plane in range(3):
            column, row = _axes(plane)
            a, b, c, d, u, v = _texels_about(points, p, plane, count, height, width)
            da = db = dc = dd = np.float32(0)
            for f in range(channels):
                pull = upstream[p, f]
                da += pull * texels[a, f]
                db += pull * texels[b, f]
                dc += pull * texels[c, f]
                dd += pull * texels[d, f]
            if -_ONE <= points[p, column] <= _ONE:
                out[p, column] += ((_ONE - v) * (db - da) + v * (dd - dc)) * (np.float32(width - 1) * _HALF * _THIRD)
            if -_ONE <= points[p, row] <= _ONE:
                out[p, row] += ((_ONE - u) * (dc - da) + u * (dd - db)) * (np.float32(height - 1) * _HALF * _THIRD)
