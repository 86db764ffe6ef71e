#!/usr/bin/env python3
"""Prints the polynomials of src/kernels/math-inl.h and their largest errors. Needs numpy.

Each fit is a weighted least-squares fit at Chebyshev nodes, reweighted towards the largest errors until it is nearly
minimax; errors are then taken in float32 arithmetic order-of-evaluation-free (float64) on a fine grid.
"""

import math

import numpy as np

erfc = np.vectorize(math.erfc)


def nodes(low, high, count=4000):
    x = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return low + (high - low) * (x + 1) / 2


def fit(basis, target, weight, rounds=200):
    """Coefficients minimising the largest of weight * |basis c - target|."""
    emphasis = np.ones(len(target))
    best, best_error = None, np.inf
    for _ in range(rounds):
        scale = np.sqrt(emphasis) * weight
        c = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)[0]
        error = weight * np.abs(basis @ c - target)
        if error.max() < best_error:
            best, best_error = c, error.max()
        emphasis *= 0.3 + error / error.max()
        emphasis /= emphasis.mean()
    return best, best_error


def show(name, coefficients, error):
    values = ", ".join(f"{np.float32(c):.9g}f" for c in coefficients)
    print(f"{name}: largest error {error:.2g}\n  {values}")


def exp2_fit(degree):
    """2^f on [-1/2, 1/2] with constant term 1, relative error."""
    f = nodes(-0.5, 0.5)
    y = np.exp2(f)
    basis = np.stack([f**i for i in range(1, degree + 1)], 1)
    return fit(basis, y - 1, 1 / y)


def gelu_fit(pieces, clamp):
    """-a Phi(-a) in pieces of a quarter around a = i / 4, quadratic in a; from `clamp` on it is held, and should be 0."""
    columns, errors = [], []
    for i in range(pieces):
        a = nodes(max(0, (i - 0.5) / 4), min((i + 0.5) / 4, clamp), 1000)
        y = -a * 0.5 * erfc(a / math.sqrt(2))
        if i == pieces - 1:
            a, y = np.append(a, clamp), np.append(y, 0)
        c, error = fit(np.stack([a**0, a, a * a], 1), y, np.ones(len(a)))
        columns.append(c)
        errors.append(error)
    return np.array(columns), max(errors)


def erfc_fit(degree):
    """log(erfc(z) exp(z^2) / t) as a polynomial in t = 1 / (1 + z / 2), z in [0, 4.2]; relative error of erfc."""
    z = nodes(0, 4.2)
    t = 1 / (1 + z / 2)
    basis = np.stack([t**i for i in range(degree + 1)], 1)
    return fit(basis, np.log(erfc(z)) + z * z - np.log(t), np.ones(len(z)))


show("exp2, degree 3, relative", *exp2_fit(3))
show("exp2, degree 7, relative", *exp2_fit(7))
coefficients, error = gelu_fit(16, 3.87)
for power in range(3):
    show(f"gelu, 16 quadratic pieces, power {power}", coefficients[:, power], error)
show("erfc, degree 10, relative", *erfc_fit(10))
