#!/usr/bin/env python3
"""Prints the polynomials of src/kernels/math-inl.h and their largest errors. Needs numpy.

Each fit is a weighted least-squares fit at Chebyshev nodes, reweighted towards the largest errors until it is nearly
minimax; errors are then taken in float32 arithmetic order-of-evaluation-free (float64) on a fine grid.
"""

import math

import numpy as np

erf = np.vectorize(math.erf)
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


def gelu_fit(degree, clamp):
    """(Phi(x) - 1/2) / x as a polynomial in x^2 on [0, clamp]; the error is that of x Phi(x)."""
    x = nodes(0, clamp)
    basis = np.stack([x ** (2 * i) for i in range(degree)], 1)
    return fit(basis, 0.5 * erf(x / math.sqrt(2)) / x, x * x)


def erfc_fit(degree):
    """log(erfc(z) exp(z^2) / t) as a polynomial in t = 1 / (1 + z / 2), z in [0, 4.2]; relative error of erfc."""
    z = nodes(0, 4.2)
    t = 1 / (1 + z / 2)
    basis = np.stack([t**i for i in range(degree + 1)], 1)
    return fit(basis, np.log(erfc(z)) + z * z - np.log(t), np.ones(len(z)))


show("exp2, degree 3, relative", *exp2_fit(3))
show("exp2, degree 7, relative", *exp2_fit(7))
for clamp in (3.6, 3.9, 4.2):
    show(f"gelu, 7 terms, clamped at {clamp}", *gelu_fit(7, clamp))
show("erfc, degree 10, relative", *erfc_fit(10))
