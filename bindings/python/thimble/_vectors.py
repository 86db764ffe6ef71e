"""Vectors in memory: their room, and how callers see it, which is as arrays of numpy or without numpy."""

from __future__ import annotations

import ctypes

from . import _native
from .errors import InvalidArgument

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

    import numpy
    import numpy.typing

    Array = numpy.typing.NDArray[Any]

# Each precision with the dtype of numpy, the format of memoryview, which has none for float16, the bytes of an element
# and its components.
_PRECISIONS: Dict[str, Tuple[str, str, int, int]] = {
    "float32": ("float32", "f", 4, 1), "float16": ("float16", "H", 2, 1), "int8": ("int8", "b", 1, 1),
    "uint8": ("uint8", "B", 1, 1), "binary": ("int8", "b", 1, 8), "ubinary": ("uint8", "B", 1, 8),
}


def check_precision(precision: str) -> None:
    if not isinstance(precision, str) or precision not in _PRECISIONS:
        raise InvalidArgument("invalid_argument", f"precision: expected one of {', '.join(_PRECISIONS)}, found "
                              f"{precision!r}")


def room(rows: int, dimensions: int, precision: str) -> Tuple[bytearray, int]:
    """Zeros for that many vectors, and the elements of each."""
    _, _, size, each = _PRECISIONS[precision]
    columns = (int(dimensions) + each - 1) // each
    return bytearray(rows * columns * size), columns


def import_numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise ImportError("numpy is not installed: install it, or call encode_buffer, which does not need it.") from error
    return numpy


def as_array(vectors: bytearray, shape: Tuple[int, ...], precision: str) -> Array:
    array: Array = import_numpy().ndarray(shape, _PRECISIONS[precision][0], vectors)
    return array


def as_view(vectors: bytearray, shape: Tuple[int, ...], precision: str) -> memoryview[Any]:
    _, kind, size, _ = _PRECISIONS[precision]
    view: Any = memoryview(vectors or bytearray(shape[-1] * size))
    # No cast gives a shape with a zero.
    cast: memoryview[Any] = view.cast(kind, shape) if vectors else view.cast(kind, (1, shape[-1]))[:0]
    return cast


def codes_of(vectors: Any, shape: Tuple[int, int], precision: str, start: float = 0.0,
             end: float = 0.0) -> Tuple[bytearray, int]:
    """The room with the codes of floats at an address, and the elements of each vector."""
    codes, columns = room(*shape, precision)
    if not codes:
        return codes, columns
    text = _native.Text()
    code = _native.library().thimble_quantize(
        vectors, *shape, _native.encode_name(precision, "precision"), start, end, _native.writable(codes), len(codes),
        ctypes.byref(text))
    _native.check(code, text)
    return codes, columns


def quantize(vectors: Array, precision: str, start: float = 0.0, end: float = 0.0) -> Array:
    """Codes of vectors [texts][dimensions]: as the ``precision`` of `Embedder.encode`. ``start`` and ``end`` are the
    range of ``"int8"`` and ``"uint8"``, which vectors that are none do not need."""
    check_precision(precision)
    start, end = _native.real_number(start, "start"), _native.real_number(end, "end")
    numpy = import_numpy()
    vectors = numpy.ascontiguousarray(vectors, dtype=numpy.float32)
    if vectors.ndim != 2:
        raise InvalidArgument("invalid_argument", f"vectors: expected an array [texts][dimensions], found one of shape "
                              f"{vectors.shape}")
    rows, dimensions = vectors.shape
    codes, columns = codes_of(vectors.ctypes.data, (rows, dimensions), precision, start, end)
    return as_array(codes, (rows, columns), precision)
