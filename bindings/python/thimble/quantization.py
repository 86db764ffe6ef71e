"""Fewer bits for each component of vectors, with the names and results of sentence_transformers.quantization."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Optional

from ._arrays import to_numpy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


def _ranges(embeddings: NDArray[Any], precision: str, calibration: Optional[NDArray[Any]]) -> NDArray[Any]:
    import numpy as np

    if calibration is None:
        if embeddings.ndim == 1 or len(embeddings) == 1:
            raise ValueError(
                f"precision={precision!r} takes the range of each component from the vectors, and there is one vector. "
                "Call quantize_embeddings with `ranges` or `calibration_embeddings` of many vectors, or use "
                "thimble.Embedder.encode(precision='int8'), whose ranges are part of the model."
            )
        if len(embeddings) < 100:
            logger.warning(
                "precision=%r takes the range of each component from only %d vectors; `ranges` or "
                "`calibration_embeddings` of more of them are steadier.",
                precision,
                len(embeddings),
            )
        calibration = embeddings
    return np.stack([np.min(calibration, axis=0), np.max(calibration, axis=0)])


def quantize_embeddings(
    embeddings: Any,
    precision: str,
    ranges: Optional[NDArray[Any]] = None,
    calibration_embeddings: Optional[NDArray[Any]] = None,
) -> NDArray[Any]:
    """Vectors (n, d) or (d,) of floats in another precision, as a numpy array.

    "int8" and "uint8" divide the range of each component into 256 steps: `ranges`, of shape (2, d), has the least and
    the greatest value of each, which otherwise come from `calibration_embeddings` or from `embeddings` themselves.
    "binary" (int8) and "ubinary" (uint8) keep the sign of each component, eight in a byte.
    ValueError for another precision, and for a range that would have to come from one vector.
    """
    import numpy as np

    values = to_numpy(embeddings)[0]
    if precision not in PRECISIONS:
        raise ValueError(f"Precision {precision!r} is not supported, must be one of {list(PRECISIONS)}")
    if isinstance(embeddings, list) and not embeddings:
        return values
    if values.dtype in (np.int8, np.uint8):
        raise ValueError("quantize_embeddings takes vectors of floats; these are int8 or uint8 already.")
    if precision == "float32":
        return values.astype(np.float32)
    if precision in ("binary", "ubinary"):
        bits = np.packbits(values > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    if values.ndim == 2 and len(values) == 0:
        return np.zeros(values.shape, dtype=precision)
    if ranges is None:
        calibration = None if calibration_embeddings is None else to_numpy(calibration_embeddings)[0]
        ranges = _ranges(values, precision, calibration)
    ranges = np.asarray(ranges, dtype=np.float32)
    steps = (ranges[1] - ranges[0]) / 255
    codes: NDArray[Any] = np.clip(np.floor((values - ranges[0]) / np.where(steps == 0, 1, steps)), 0, 255)
    return codes.astype(np.uint8) if precision == "uint8" else (codes - 128).astype(np.int8)
