"""Models by name: loaded on demand, one copy for all users, unloaded when idle, within one budget."""

from __future__ import annotations

import ctypes
import os

from . import _native
from .errors import InvalidArgument, OutOfMemory

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple, Union

    from .embedder import Embedder
    from .reranker import Reranker

    Path = Union[str, "os.PathLike[str]"]


class ModelPool:
    """Models by name, one copy of each for all that use the pool.

    ``folder`` is that of named models (default ``THIMBLE_HOME`` or the user's cache). ``max_memory`` is the budget in
    private bytes, a number or ``"1.5GiB"``, by default THIMBLE_MAX_MEMORY, or half of what the process may use;
    ``max_models`` a limit of loaded models. A model that nobody uses for ``unload_after`` seconds is unloaded (None:
    never). A call waits ``max_wait`` seconds for memory or its turn before it fails with `Overloaded`. ``threads``,
    ``max_tokens``, ``truncation`` and ``call_max_memory`` are those of each call; ``threads`` is by default
    THIMBLE_THREADS, or the processors that the process may use, at most 8. ``cache`` is a file of vectors that were
    computed before, made with ``cache_bytes`` (0: the default) if it is not there; vectors do not depend on it.

    Thread-safe; works after ``os.fork``; pickled as its arguments, so that it is another pool in another process.
    """

    # What the user calls the limit of a call: `max_memory` where an Embedder has a pool without the user's doing.
    _limit_name = "call_max_memory"

    def __init__(self, folder: Optional[Path] = None, max_memory: Union[int, str] = 0, max_models: int = 0,
                 unload_after: Optional[float] = 30.0, *, max_wait: float = 30.0, load: str = "map",
                 verify: bool = False, threads: Optional[int] = None, max_tokens: int = 0,
                 truncation: str = "sentence-transformers", call_max_memory: Union[int, str] = 0,
                 cache: Optional[Path] = None, cache_bytes: Union[int, str] = 0) -> None:
        max_memory = _native.size(max_memory, "max_memory")
        call_max_memory = _native.size(call_max_memory, "call_max_memory")
        cache_bytes = _native.size(cache_bytes, "cache_bytes")
        self._arguments: Dict[str, Any] = {
            "folder": _native.path_text(folder, "folder"), "max_memory": max_memory,
            "max_models": max_models, "unload_after": unload_after, "max_wait": max_wait, "load": load,
            "verify": verify, "threads": threads, "max_tokens": max_tokens, "truncation": truncation,
            "call_max_memory": call_max_memory, "cache": _native.path_text(cache, "cache"),
            "cache_bytes": cache_bytes,
        }
        if threads is None:
            threads = _threads_of_environment()
        if not max_memory and os.environ.get("THIMBLE_MAX_MEMORY"):
            max_memory = _native.size(os.environ["THIMBLE_MAX_MEMORY"], "THIMBLE_MAX_MEMORY")
        given = _native.options(
            _native.PoolOptions, folder=self._arguments["folder"], max_memory=max_memory, max_models=max_models,
            unload_after_ms=-1 if unload_after is None else _milliseconds(unload_after, "unload_after", 1),
            max_wait_ms=_milliseconds(max_wait, "max_wait", -1), load=load, verify=_native.flag(verify, "verify"), threads=threads,
            call_max_memory=call_max_memory, max_tokens=max_tokens, truncation=truncation,
            cache=self._arguments["cache"], cache_bytes=cache_bytes)
        address, text = ctypes.c_void_p(), _native.Text()
        lib = _native.library()
        code = lib.thimble_pool_open(ctypes.byref(given), ctypes.byref(address), ctypes.byref(text))
        _native.check(code, text)
        self._handle = _native.Handle(address.value or 0, lib.thimble_pool_close, "pool", forks=True)

    @property
    def folder(self) -> Optional[str]:
        """The folder of models; None for the default."""
        folder: Optional[str] = self._arguments["folder"]
        return folder

    def embedder(self, model: str, **options: Any) -> "Embedder":
        """An `Embedder` that uses this pool."""
        from .embedder import Embedder

        return Embedder(model, pool=self, **options)

    def reranker(self, model: str, **options: Any) -> "Reranker":
        """A `Reranker` that uses this pool."""
        from .reranker import Reranker

        return Reranker(model, pool=self, **options)

    def stats(self) -> Dict[str, Any]:
        """``max_memory``, ``used_memory``, ``peak_memory`` in bytes, ``loads``, ``unloads``, ``refusals``,
        ``cache`` if there is one (``hits``, ``misses``, ``writes``), and ``models``, a list of dicts with ``name``,
        ``dtype``, ``mapped_bytes``, ``private_bytes``, ``leases``, ``uses``, ``pinned`` and ``idle_ms``."""
        with self._handle as handle:
            stats: Dict[str, Any] = _native.read_json(_native.library().thimble_pool_stats, handle)
            return stats

    def plan(self, model: Path, *, dtype: Optional[str] = None) -> Dict[str, int]:
        """The memory of a call with the model, before it takes any: see `thimble.plan`."""
        plan: Dict[str, int] = self._run("thimble_pool_plan", model, dtype, take=_native.take_json)
        return plan

    def pin(self, model: Path, *, dtype: Optional[str] = None) -> None:
        """Loads the model and keeps it loaded until `unpin` or `unload`."""
        self._run("thimble_pool_pin", model, dtype, 1)

    def unpin(self, model: Path, *, dtype: Optional[str] = None) -> None:
        """Lets a pinned model go when it is idle."""
        self._run("thimble_pool_pin", model, dtype, 0)

    def unload(self, model: Path, *, dtype: Optional[str] = None) -> None:
        """Waits until nothing uses the model, and unloads it."""
        self._run("thimble_pool_unload", model, dtype)

    def close(self) -> None:
        """Unloads all models that no call uses. Calls that run end as they would; later ones fail."""
        self._handle.close()

    def __enter__(self) -> "ModelPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        return _restore, (self._arguments,)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._arguments.items() if value)
        return f"ModelPool({given})"

    def _run(self, name: str, model: Path, dtype: Optional[str], *arguments: Any, keep: Any = None,
             take: Any = _native.take_text, cancel: Optional[_native.Cancel] = None) -> Any:
        """Runs the job of the function thimble_pool_* of that name."""
        function = getattr(_native.library(), name)
        names = _native.encode_name(model, "model"), _native.encode_name(dtype, "dtype")

        def start() -> Optional[int]:
            with self._handle as handle:
                job: Optional[int] = function(handle, *names, *arguments)
                return job

        try:
            return _native.run(start, keep, take, cancel=cancel)
        except OutOfMemory as error:
            message = error.message.replace("`call_max_memory`", f"`{self._limit_name}`")
            raise OutOfMemory(error.code, message) from None


def _threads_of_environment() -> Optional[int]:
    value = os.environ.get("THIMBLE_THREADS")
    if not value:
        return None
    if not (value.isascii() and value.isdigit()) or int(value) < 1:
        raise InvalidArgument("invalid_argument", f"THIMBLE_THREADS: expected 1 to 64, found {value!r}")
    return int(value)


def _milliseconds(seconds: float, what: str, zero: int) -> int:
    """`zero` for 0, whose meaning in C is the default."""
    number = _native.real_number(seconds, what, "a number of seconds")
    if not 0 <= number < 2**53:
        raise InvalidArgument("invalid_argument", f"{what}: expected a number of seconds, 0 or more, found {number}")
    return max(int(number * 1000), 1) if number > 0 else zero


_shared: Dict[Tuple[Any, ...], ModelPool] = {}


def shared_pool(**arguments: Any) -> ModelPool:
    """The pool of this process that all who give these arguments share."""
    key = tuple(sorted(arguments.items()))
    try:
        pool = _shared.get(key)
    except TypeError:  # One that no dict takes, which a pool refuses by its name.
        return ModelPool(**arguments)
    if pool is None or pool._handle.closed:
        made = ModelPool(**arguments)
        with _native.lock:
            pool = _shared.get(key)
            if pool is None or pool._handle.closed:
                pool = _shared[key] = made
    return pool


def pool_for(pool: Optional[ModelPool], **arguments: Any) -> ModelPool:
    """The pool of the user, or the shared one for arguments of an Embedder, of which `max_memory` is the limit of a call.
    InvalidArgument for those that the user gave beside a pool."""
    if pool is None:
        shared = shared_pool(call_max_memory=arguments.pop("max_memory"), **arguments)
        shared._limit_name = "max_memory"
        return shared
    if not isinstance(pool, ModelPool):
        raise TypeError(f"pool: expected a ModelPool, found {type(pool).__name__}")
    given = ", ".join(name for name, value in arguments.items() if value not in (None, 0, "sentence-transformers"))
    if given:
        raise InvalidArgument("invalid_argument", f"{given}: calls have that of their pool; set it in ModelPool(...), where "
                              "max_memory of a call is call_max_memory")
    return pool


def _restore(arguments: Dict[str, Any]) -> ModelPool:
    return shared_pool(**arguments)
