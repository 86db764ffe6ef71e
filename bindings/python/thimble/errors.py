"""The errors of thimble: each is also the builtin kind that callers expect."""

from __future__ import annotations

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Dict, Tuple, Type


class ThimbleError(Exception):
    """What failed, where, what was expected and found, and what to do.

    ``code`` is the word that thimble has for the kind of failure in every language, such as ``"not_found"``.
    """

    code: str = "error"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[Type["ThimbleError"], Tuple[str, str]]:
        return type(self), (self.code, self.message)


class InvalidArgument(ThimbleError, ValueError):
    """The caller passed something that can never work."""


class NotFound(ThimbleError, LookupError, FileNotFoundError):
    """The named file or model does not exist."""


class Corrupt(ThimbleError):
    """A file contradicts itself or its format."""


class Unsupported(ThimbleError):
    """Well formed, but not supported by this build."""


class IoError(ThimbleError, OSError):
    """The system or the network refused or failed."""


class OutOfMemory(ThimbleError, MemoryError):
    """Memory or the budget is not sufficient."""


class Overloaded(ThimbleError):
    """Busy; the same call may succeed later."""


# By the number of a thimble_code.
KINDS: Dict[int, Tuple[Type[ThimbleError], str]] = {
    1: (InvalidArgument, "invalid_argument"),
    2: (NotFound, "not_found"),
    3: (Corrupt, "corrupt"),
    4: (Unsupported, "unsupported"),
    5: (IoError, "io"),
    6: (OutOfMemory, "out_of_memory"),
    7: (Overloaded, "overloaded"),
}


def make_error(number: int, message: str) -> ThimbleError:
    kind, code = KINDS.get(number, (ThimbleError, "error"))
    return kind(code, message)
