"""libthimble_c through ctypes: what include/thimble/thimble_c.h declares, and how a job is waited for.

The library is the file beside this one, or the one that THIMBLE_LIBRARY names. It is loaded at first use.
"""

from __future__ import annotations

import atexit
import ctypes
import operator
import os
import struct
import sys
from _thread import allocate_lock  # As threading's, without the module.
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p

from .errors import InvalidArgument, make_error

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Type, TypeVar, Union

    R = TypeVar("R")
    S = TypeVar("S", bound=ctypes.Structure)


class Text(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class Texts(ctypes.Structure):
    _fields_ = [("data", c_char_p), ("offsets", c_char_p), ("count", c_size_t)]


class Progress(ctypes.Structure):
    _fields_ = [("stage", c_int32), ("bytes", c_uint64), ("total_bytes", c_uint64), ("share", c_double)]


class PoolOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("folder", c_char_p), ("max_memory", c_size_t), ("max_models", c_size_t),
        ("unload_after_ms", c_int64), ("max_wait_ms", c_int64), ("load", c_char_p), ("verify", c_int32),
        ("threads", c_int32), ("call_max_memory", c_size_t), ("max_tokens", c_size_t), ("truncation", c_char_p),
        ("cache", c_char_p), ("cache_bytes", c_uint64),
    ]


class EncodeOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("pooling", c_char_p), ("prompt_name", c_char_p), ("long_texts", c_char_p),
        ("precision", c_char_p), ("dimensions", c_size_t), ("chunk_overlap", c_int64), ("first_index", c_size_t),
        ("normalize", c_int32), ("timeout_ms", c_int32),
    ]


class RankOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("prompt_name", c_char_p), ("long_texts", c_char_p), ("first_index", c_size_t),
        ("raw_scores", c_int32),
    ]


class TokenizeOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("prompt_name", c_char_p), ("truncate", c_int32), ("special_tokens", c_int32),
    ]


class BackendOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("model", c_char_p), ("dtype", c_char_p), ("base_url", c_char_p),
        ("encoding", c_char_p), ("space", c_char_p), ("dimensions", c_size_t), ("request_texts", c_size_t),
        ("concurrency", c_size_t), ("cache_bytes", c_size_t), ("max_retries", c_int64),
    ]


class PullOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("dtype", c_char_p), ("revision", c_char_p), ("folder", c_char_p),
        ("name", c_char_p), ("pooling", c_char_p), ("normalize", c_int32), ("force", c_int32),
        ("local_files_only", c_int32), ("unstated_pooling", c_int32),
    ]


class ConvertOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("dtype", c_char_p), ("name", c_char_p), ("known_as", c_char_p),
        ("pooling", c_char_p), ("calibration_file", c_char_p), ("normalize", c_int32), ("calibrate", c_int32),
        ("unstated_pooling", c_int32), ("threads", c_int32),
    ]


_TEXTS, _TEXT = POINTER(Texts), POINTER(Text)
_JOB = c_void_p
# Each function with what it returns and takes.
_FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "thimble_version": (c_char_p, []),
    "thimble_text_free": (None, [_TEXT]),
    "thimble_main": (c_int, [c_int, c_void_p, c_void_p]),
    "thimble_job_wait": (c_int, [_JOB, c_int64]),
    "thimble_job_cancel": (None, [_JOB]),
    "thimble_job_result": (c_int, [_JOB, _TEXT]),
    "thimble_job_progress": (None, [_JOB, POINTER(Progress)]),
    "thimble_job_vectors": (c_void_p, [_JOB, POINTER(c_size_t), POINTER(c_size_t)]),
    "thimble_job_ids": (c_void_p, [_JOB, POINTER(c_void_p), POINTER(c_size_t)]),
    "thimble_job_free": (None, [_JOB]),
    "thimble_pool_open": (c_int, [POINTER(PoolOptions), POINTER(c_void_p), _TEXT]),
    "thimble_pool_close": (None, [c_void_p]),
    "thimble_pool_encode": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS, POINTER(EncodeOptions), c_void_p, c_size_t,
                                   c_void_p]),
    "thimble_pool_encode_tokens": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS]),
    "thimble_pool_rank": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS, _TEXTS, POINTER(RankOptions), c_void_p,
                                 c_size_t]),
    "thimble_pool_tokenize": (_JOB, [c_void_p, c_char_p, c_char_p, _TEXTS, POINTER(TokenizeOptions)]),
    "thimble_pool_describe": (_JOB, [c_void_p, c_char_p, c_char_p, POINTER(EncodeOptions)]),
    "thimble_pool_plan": (_JOB, [c_void_p, c_char_p, c_char_p]),
    "thimble_pool_unload": (_JOB, [c_void_p, c_char_p, c_char_p]),
    "thimble_pool_pin": (_JOB, [c_void_p, c_char_p, c_char_p, c_int32]),
    "thimble_pool_stats": (c_int, [c_void_p, _TEXT]),
    "thimble_quantize": (c_int, [c_void_p, c_size_t, c_size_t, c_char_p, c_float, c_float, c_void_p, c_size_t, _TEXT]),
    "thimble_backend_open": (c_int, [c_char_p, POINTER(BackendOptions), POINTER(c_void_p), _TEXT]),
    "thimble_backend_close": (None, [c_void_p]),
    "thimble_backend_encode": (_JOB, [c_void_p, _TEXTS, POINTER(EncodeOptions), c_void_p]),
    "thimble_backend_describe": (_JOB, [c_void_p]),
    "thimble_pull": (_JOB, [c_char_p, POINTER(PullOptions)]),
    "thimble_convert": (_JOB, [c_char_p, c_char_p, POINTER(ConvertOptions)]),
    "thimble_verify": (_JOB, [c_char_p, c_char_p, c_char_p]),
    "thimble_models": (c_int, [c_char_p, _TEXT]),
    "thimble_remove": (c_int, [c_char_p, c_char_p, c_char_p, _TEXT]),
    "thimble_known_models": (c_int, [_TEXT]),
    "thimble_memory": (c_int, [c_int32, _TEXT]),
}

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
        except OSError as error:
            raise ImportError(f"thimble: cannot load {path}: {error}; install the package again, or set THIMBLE_LIBRARY "
                              "to a libthimble_c of a build") from None
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
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


def choice(value: Optional[bool]) -> int:
    """A thimble_choice."""
    if value is not None and not hasattr(value, "__and__"):  # bool, and that of numpy
        raise TypeError(f"expected True, False or None, found {value!r}")
    return 0 if value is None else 1 if value else -1


def pack(texts: Iterable[str], what: str = "texts") -> Tuple[Texts, Any]:
    """The texts as C takes them, and what must stay alive meanwhile."""
    parts: List[bytes] = []
    ends = [0]
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{what}[{i}]: expected a string, found {type(text).__name__}")
        part = encode_text(text)
        parts.append(part)
        ends.append(ends[-1] + len(part))
    data = b"".join(parts)
    offsets = struct.pack(f"{len(ends)}Q", *ends)
    return Texts(data, offsets, len(parts)), (data, offsets)


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
    for key, (job, process) in list(_abandoned.items()):
        if process == os.getpid() and library().thimble_job_wait(job, wait_ms) and _abandoned.pop(key, None):
            library().thimble_job_free(job)
            _alive.pop(key, None)


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
        job = start()
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
    """A handle of the library, which is closed when the last call that uses it has started."""

    def __init__(self, address: int, close: Callable[[int], None], what: str) -> None:
        self._what = what
        self._address = address
        self._close = close
        self._users = 0
        self._closed = False

    def __enter__(self) -> int:
        with _lock:
            if self._closed:
                raise InvalidArgument("invalid_argument", f"the {self._what} was closed; make another one")
            self._users += 1
            return self._address

    def __exit__(self, *_: object) -> None:
        with _lock:
            self._users -= 1
            last = self._closed and self._users == 0
        if last:
            self._close(self._address)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if sys.is_finalizing():  # The process ends, and takes everything.
            return
        with _lock:
            last = not self._closed and self._users == 0
            self._closed = True
        if last:
            self._close(self._address)


_lock = allocate_lock()


def _after_fork() -> None:
    global _lock
    _lock = allocate_lock()
    _alive.clear()
    _abandoned.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _finish() -> None:
    """What was interrupted ends before the process does."""
    for job, process in list(_abandoned.values()):
        if process == os.getpid():
            library().thimble_job_cancel(job)
    _reap(2000)


def sequence(texts: Any, what: str = "texts") -> Sequence[str]:
    """A list or tuple of what the caller gave."""
    if isinstance(texts, (list, tuple)):
        return texts
    if isinstance(texts, (bytes, bytearray)) or not (hasattr(texts, "__iter__") or hasattr(texts, "__getitem__")):
        raise TypeError(f"{what}: expected a string or an iterable of strings, found {type(texts).__name__}")
    # Iterating over these gives keys, names of columns, or rows.
    if isinstance(texts, dict) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"{what}: expected a string or an iterable of strings, found {type(texts).__name__}; pass one "
                        "column or row of it")
    return list(texts)
