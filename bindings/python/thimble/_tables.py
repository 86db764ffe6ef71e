"""What thimble.bulk and thimble.fleet share: files and columns of pyarrow, and options."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Sequence

from .errors import Corrupt, InvalidArgument

# Options of an Embedder that no vector depends on, beside its fingerprint.
FREE_OPTIONS = frozenset(("threads", "max_memory", "cache", "pool", "backend", "base_url", "dtype"))
_SHOWN_NAMES = 10


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Corrupt, with the name of the file, for the errors of pyarrow, which lack it."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.startswith("pyarrow"):
            raise Corrupt("corrupt", f"{path}: {error}") from error
        raise


def check_column(where: str, names: Sequence[str], name: str) -> None:
    """InvalidArgument unless `names` of the columns has `name`, once."""
    if names.count(name) > 1:
        raise InvalidArgument("invalid_argument", f"{where}: {names.count(name)} columns are called {name!r}; rename them")
    if name not in names:
        there = ", ".join([repr(one) for one in names[:_SHOWN_NAMES]] + ["..."] * (len(names) > _SHOWN_NAMES)) or "none"
        raise InvalidArgument("invalid_argument", f"{where}: column {name!r} not found; there are {there}")


def strings(where: str, column: Any, first: int = 0) -> List[Any]:
    """The values of a column of pyarrow; Corrupt, naming the row, for a text that is not UTF-8, which pyarrow does not check."""
    try:
        values: List[Any] = column.to_pylist()
        return values
    except UnicodeDecodeError:
        for row, value in enumerate(column):
            try:
                value.as_py()
            except UnicodeDecodeError as error:
                raise Corrupt("corrupt", f"{where}: row {first + row + 1}: expected UTF-8, found the byte "
                              f"0x{error.object[error.start]:02X} at byte {error.start} of the text; convert it") from None
        raise


def vector_column(vectors: Any, mask: Optional[Any] = None) -> Any:
    """The FixedSizeListArray of an array [rows][components]; null where the mask of pyarrow, if any, is true."""
    import pyarrow

    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.reshape(-1)), vectors.shape[1], mask=mask)
