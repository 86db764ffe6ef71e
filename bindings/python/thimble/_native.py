"""libthimble_c through ctypes: its library, what it takes and gives, and how a job is waited for.

The library is the file beside this one, or the one that THIMBLE_LIBRARY names. It is loaded at first use.
"""

from __future__ import annotations

import atexit
import ctypes
import operator
import os
import struct
import sys
from _thread import RLock, allocate_lock  # As threading's, without the module.
from ctypes import byref, c_char_p, c_float, c_int32, c_size_t, c_uint64, c_void_p

from ._declarations import (
    FUNCTIONS, BackendOptions, ConvertOptions, EncodeOptions, Ids, PoolOptions, Progress, PullOptions, RankOptions, Text, Texts,
    TokenizeOptions,
)
from .errors import InvalidArgument, make_error

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Type, TypeVar, Union

    R = TypeVar("R")
    S = TypeVar("S", bound=ctypes.Structure)


__all__ = [
    "BackendOptions", "ConvertOptions", "EncodeOptions", "Ids", "PoolOptions", "Progress", "PullOptions", "RankOptions", "Text",
    "Texts", "TokenizeOptions",
]

# Python sees signals when a call returns: a wait for a job returns this often.
_SLICE_MS = 50

_library: Optional[ctypes.CDLL] = None


def library_path() -> str:
    """The file of the library; THIMBLE_LIBRARY, or what is beside this file."""
    given = os.environ.get("THIMBLE_LIBRARY")
    if given:
        return given
    name = {"win32": "thimble_c.dll", "darwin": "libthimble_c.dylib"}.get(sys.platform, "libthimble_c.so")
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)


def library() -> Any:
    """The library, loaded once."""
    global _library
    if _library is None:
        path = library_path()
        try:
            loaded = ctypes.CDLL(path)
            for name, (result, arguments) in FUNCTIONS.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError) as error:  # The latter for a function that it lacks, as older ones do.
            raise ImportError(f"thimble: cannot load {path}: {error}; install the package again, or set THIMBLE_LIBRARY "
                              "to a libthimble_c of a build of the same version") from None
        _library = loaded
    return _library


def encode_text(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes U+FFFD, two that belong together their character."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def path_text(value: Optional[Union[str, "os.PathLike[str]"]], what: str) -> Optional[str]:
    """A name or path as a string; None stays None."""
    name: Any = os.fspath(value) if isinstance(value, os.PathLike) else value
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{what}: expected a string, found {type(value).__name__}")
    return name


def encode_name(value: Optional[Union[str, "os.PathLike[str]"]], what: str) -> Optional[bytes]:
    """A string that ends with a zero in C; None stays None."""
    name = path_text(value, what)
    if name is None:
        return None
    if "\0" in name:
        raise InvalidArgument("invalid_argument", f"{what}: expected a string without zeros, found {name!r}")
    return os.fsencode(name) if os.sep in name else encode_text(name)


def options(kind: Type[S], **values: Any) -> S:
    """A struct of options: strings become bytes, a None stays the default."""
    made = kind()
    setattr(made, "struct_size", ctypes.sizeof(kind))
    types = {field[0]: field[1] for field in kind._fields_}
    for name, value in values.items():
        if value is None:
            continue
        if types[name] is c_char_p:  # ctypes would take a number for an address.
            setattr(made, name, encode_name(value, name))
            continue
        value = whole_number(value, name)
        if value < 0 and name not in ("unload_after_ms", "max_wait_ms", "chunk_overlap", "normalize", "max_retries",
                                      "truncate", "special_tokens", "calibrate"):
            raise InvalidArgument("invalid_argument", f"{name}: expected at least 0, found {value}")
        setattr(made, name, value)
        if getattr(made, name) != value:  # ctypes drops the bits that do not fit.
            raise InvalidArgument("invalid_argument", f"{name}: {value} is too large")
    return made


def whole_number(value: Any, what: str) -> int:
    """An int of whatever is one, such as those of numpy."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what}: expected a whole number, found {type(value).__name__}") from None


def real_number(value: Any, what: str, of: str = "a number") -> float:
    """A float of whatever is a number, such as those of numpy."""
    try:
        return ctypes.c_double(value).value
    except TypeError:
        raise TypeError(f"{what}: expected {of}, found {type(value).__name__}") from None


def size(value: Any, what: str) -> int:
    """Bytes, of a number or of a string as the command line takes it: "16MB", "1.5GiB"."""
    if not isinstance(value, str):
        number = whole_number(value, what)
        if 0 <= number <= ctypes.c_size_t(-1).value:
            return number
    else:
        import re  # Here: it takes longer to import than the rest of the package.

        found = re.fullmatch(r"(\d{1,20})(?:\.(\d{1,9})(?= *[kmgtpe]))? *(?:([kmgtpe])(i?)b?|b)?", value.strip(),
                             re.ASCII | re.IGNORECASE)
        if found is not None:
            whole, decimals, unit, binary = found[1], found[2] or "", found[3], found[4]
            power = "kmgtpe".index(unit.lower()) + 1 if unit else 0
            number = int(whole + decimals) * int((1024 if binary else 1000) ** power) // int(10 ** len(decimals))
            if 0 < number <= ctypes.c_size_t(-1).value:
                return number
    raise InvalidArgument("invalid_argument", f"{what}: expected bytes or a size such as '16MB' or '1.5GiB', found {value!r}")


def choice(value: Optional[bool], what: str) -> int:
    """A thimble_choice."""
    return 0 if value is None else 1 if flag(value, what, "True, False or None") else -1


def flag(value: bool, what: str, expected: str = "True or False") -> int:
    """1 or 0."""
    if value not in (0, 1):
        raise TypeError(f"{what}: expected {expected}, found {value!r}")
    return int(value)


def pack(texts: Iterable[str], what: str = "texts", first_index: int = 0) -> Tuple[Texts, Any]:
    """The texts as C takes them, and what must stay alive meanwhile. `first_index` is that of the first text in messages."""
    data = bytearray()  # It grows text by text: Ctrl-C would wait for a copy of all.
    ends = [0]
    for i, text in enumerate(texts, first_index):
        if not isinstance(text, str):
            raise TypeError(f"{what}[{i}]: expected a string, found {type(text).__name__}")
        data += encode_text(text)
        ends.append(len(data))
    data += b"\0"  # Without a byte there is no address.
    start = ctypes.c_char.from_buffer(data)
    offsets = struct.pack(f"{len(ends)}Q", *ends)
    return Texts(ctypes.addressof(start), offsets, len(ends) - 1), (start, offsets)


def pack_one(text: str, what: str) -> Tuple[Texts, Any]:
    """The same for one text."""
    if not isinstance(text, str):
        raise TypeError(f"{what}: expected a string, found {type(text).__name__}")
    return pack([text], what)


def check(code: int, text: Text) -> str:
    """What the library gave, or its error."""
    value = ctypes.string_at(text.data, text.size) if text.data else b""
    library().thimble_text_free(byref(text))
    if code != 0:
        raise make_error(code, value.decode("utf-8", "replace"))
    return value.decode("utf-8", "replace")


def read_json(function: Callable[..., int], *arguments: Any) -> Any:
    """The JSON that a function without a job gives."""
    text = Text()
    return take_json(None, check(function(*arguments, byref(text)), text))


class Cancel:
    """Lets another thread cancel a job."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._job: Optional[int] = None
        self.cancelled = False

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            if self._job is not None:
                library().thimble_job_cancel(self._job)

    def _set(self, job: Optional[int]) -> None:
        with self._lock:
            self._job = job
            if self.cancelled and job is not None:
                library().thimble_job_cancel(job)


# What jobs that have not ended write to and read from.
_alive: Dict[object, Any] = {}
# Jobs whose caller was interrupted, by the key of what they use; and in which process.
_abandoned: Dict[object, Tuple[int, int]] = {}


def _reap(wait_ms: int = 0) -> None:
    for key in list(_abandoned):
        taken = _abandoned.pop(key, None)  # From other threads that reap.
        if taken is None:
            continue
        job, process = taken
        if process == os.getpid() and library().thimble_job_wait(job, wait_ms):
            library().thimble_job_free(job)
            _alive.pop(key, None)
        else:
            _abandoned[key] = taken


def run(start: Callable[[], Optional[int]], keep: Any, take: Callable[[Any, str], R],
        progress: Optional[Callable[[Progress], None]] = None, cancel: Optional[Cancel] = None) -> R:
    """Starts a job, waits for it, and returns take(job, text). `keep` stays alive until the job has ended, also when
    Ctrl-C ends the wait: the job is then cancelled, and nobody waits for it."""
    if _abandoned:
        _reap()
    lib = library()
    key = object()
    _alive[key] = keep
    job: Optional[int] = None
    ended = False
    try:
        try:
            job = start()
        except InvalidArgument:  # Of what was closed. After others, such as Ctrl-C, the job may run.
            _alive.pop(key, None)
            raise
        if cancel is not None:
            cancel._set(job)
        state = Progress()
        while not lib.thimble_job_wait(job, _SLICE_MS):
            if progress is not None:
                lib.thimble_job_progress(job, byref(state))
                progress(state)
        ended = True
        text = Text()
        code = lib.thimble_job_result(job, byref(text))
        return take(job, check(code, text))
    finally:
        if cancel is not None:
            cancel._set(None)
        if ended:
            lib.thimble_job_free(job)
            _alive.pop(key, None)
        elif job is not None:
            lib.thimble_job_cancel(job)
            _abandoned[key] = (job, os.getpid())


def take_text(job: Any, text: str) -> str:
    return text


def take_json(job: Any, text: str) -> Any:
    import json  # Here: with re, it takes as long to import as the rest of the package.

    return json.loads(text) if text else None


def number_in(text: str, name: str) -> int:
    """The number of that name in a JSON object of the library, without the module json. What is looked for is in no
    string, where a backslash is before each quote."""
    return int(text.partition(f'"{name}":')[2].replace("}", ",").partition(",")[0])


def take_ids(job: Any, text: str) -> List[List[int]]:
    """The ids of each text."""
    offsets, count = c_void_p(), c_size_t()
    address = library().thimble_job_ids(job, byref(offsets), byref(count))
    bounds = (c_uint64 * (count.value + 1)).from_address(offsets.value or 0)
    ids = (c_int32 * bounds[count.value]).from_address(address)
    return [ids[bounds[i]:bounds[i + 1]] for i in range(count.value)]


def take_counts(job: Any, text: str) -> List[int]:
    """The number of ids of each text."""
    offsets, count = c_void_p(), c_size_t()
    library().thimble_job_ids(job, byref(offsets), byref(count))
    bounds = (c_uint64 * (count.value + 1)).from_address(offsets.value or 0)
    return [bounds[i + 1] - bounds[i] for i in range(count.value)]


def take_vectors(job: Any, text: str) -> Tuple[bytearray, Tuple[int, int]]:
    """A copy of the vectors, floats [rows][columns], and these two."""
    rows, columns = c_size_t(), c_size_t()
    address = library().thimble_job_vectors(job, byref(rows), byref(columns))
    size = rows.value * columns.value * ctypes.sizeof(c_float)
    vectors = bytearray(size)
    ctypes.memmove(writable(vectors), address, size)
    return vectors, (rows.value, columns.value)


def writable(buffer: Optional[bytearray]) -> Any:
    """The buffer as C takes it: its address, as long as what is returned lives."""
    return byref(ctypes.c_char.from_buffer(buffer)) if buffer else None


class Handle:
    """A handle of the library. It is closed when nobody is in its `with` any more, also by the garbage collector; in a process that
    was forked from its own only if `forks`."""

    def __init__(self, address: int, close: Callable[[int], None], what: str, forks: bool) -> None:
        self._what = what
        self._address = address
        self._close = close
        self.process = 0 if forks else os.getpid()
        self._users = 0
        self._closed = False

    def __enter__(self) -> int:
        with lock:
            closed = self._closed
            if not closed:
                self._users += 1
        if closed:
            raise InvalidArgument("invalid_argument", f"the {self._what} was closed; make another one")
        return self._address

    def __exit__(self, *_: object) -> None:
        with lock:
            self._users -= 1
            last = self._closed and self._users == 0
        if last:
            self._end()

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if sys.is_finalizing():  # The process ends, and takes everything.
            return
        with lock:
            last = not self._closed and self._users == 0
            self._closed = True
        if last:
            self._end()

    def __del__(self) -> None:
        self.close()

    def _end(self) -> None:
        if self.process in (0, os.getpid()):
            self._close(self._address)


# Of what the threads of the process share. A finalizer may run while its thread holds it.
lock = RLock()


def _after_fork() -> None:
    global lock
    lock = RLock()
    _alive.clear()
    _abandoned.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _finish() -> None:
    """What was interrupted, and cancelled then, ends before the process does."""
    _reap(2000)


def sequence(texts: Any, what: str = "texts") -> Sequence[str]:
    """A list or tuple of what the caller gave."""
    return texts if isinstance(texts, (list, tuple)) else list(iterable(texts, what))


def iterable(texts: Any, what: str) -> Iterable[str]:
    """What the caller gave, if it may have texts one after the other."""
    if isinstance(texts, (bytes, bytearray)) or not (hasattr(texts, "__iter__") or hasattr(texts, "__getitem__")):
        raise TypeError(f"{what}: expected a string or an iterable of strings, found {type(texts).__name__}")
    # Iterating over these gives keys, names of columns, or rows.
    if isinstance(texts, dict) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"{what}: expected a string or an iterable of strings, found {type(texts).__name__}; pass one "
                        "column or row of it")
    given: Iterable[str] = texts
    return given
