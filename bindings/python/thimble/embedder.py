"""Turns texts into vectors."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from . import _native
from .errors import InvalidArgument, NotFound, Unsupported
from .pool import ModelPool, Path, shared_pool

if TYPE_CHECKING:
    import numpy
    import numpy.typing

    Array = numpy.typing.NDArray[Any]

_MOCKS = ("mock", "mock-hashed")
# Each precision with the dtype of numpy and the components of an element.
_PRECISIONS: Dict[str, Tuple[str, int]] = {
    "float32": ("float32", 1), "float16": ("float16", 1), "int8": ("int8", 1), "uint8": ("uint8", 1),
    "binary": ("int8", 8), "ubinary": ("uint8", 8),
}


class Embedder:
    """A model that turns texts into vectors.

    ``model`` is a name (``"all-MiniLM-L6-v2"``), the path of a folder or of a ``.safetensors`` file, ``"mock"`` or
    ``"mock-hashed"``. A name or folder that is on this machine but not converted is converted at first use; with
    THIMBLE_DOWNLOAD=1 in the environment a model that is not is pulled. ``backend`` is None or ``"native"`` for the
    engine in this process, or a remote one such as ``"openai:text-embedding-3-small"`` or ``"tei:http://localhost"``,
    for which ``model`` may be None; the default is THIMBLE_BACKEND in the environment.

    The other arguments are those of the command line: ``threads`` of one call (default THIMBLE_THREADS, or the
    processors that the process may use, at most 8), ``max_memory`` in private bytes of one call (default 0, none),
    ``max_tokens`` and ``truncation`` the limit of a text, ``cache`` a file of vectors that were computed before, and
    defaults for `encode`. Embedders of a process share their models, unless they get a ``pool`` of their own, whose
    ``threads``, ``call_max_memory``, ``max_tokens``, ``truncation`` and ``cache`` then apply.

    Thread-safe. Works after ``os.fork``. Pickled as its arguments: another process loads the model again, whose
    weights the processes share.
    """

    def __init__(self, model: Optional[Path] = None, *, dtype: str = "q8", revision: Optional[str] = None,
                 backend: Optional[str] = None, base_url: Optional[str] = None, threads: Optional[int] = None,
                 max_memory: int = 0, max_tokens: int = 0, truncation: str = "sentence-transformers",
                 pooling: Optional[str] = None, normalize: Optional[bool] = None, dimensions: Optional[int] = None,
                 prompt_name: Optional[str] = None, long_texts: str = "truncate",
                 chunk_overlap: Optional[int] = None, cache: Optional[Path] = None,
                 pool: Optional[ModelPool] = None) -> None:
        self._arguments: Dict[str, Any] = {
            "model": _native.path_text(model, "model"), "dtype": dtype, "revision": revision,
            "backend": backend, "base_url": base_url, "threads": threads, "max_memory": max_memory,
            "max_tokens": max_tokens, "truncation": truncation, "pooling": pooling, "normalize": normalize,
            "dimensions": dimensions, "prompt_name": prompt_name, "long_texts": long_texts,
            "chunk_overlap": chunk_overlap, "cache": _native.path_text(cache, "cache"), "pool": pool,
        }
        _native.whole_number(max_memory, "max_memory")
        _check_dimensions(dimensions)
        if pool is not None and not isinstance(pool, ModelPool):
            raise TypeError(f"pool: expected a ModelPool, found {type(pool).__name__}")
        self._info: Optional[Dict[str, Any]] = None
        self._remote: Optional[Tuple[int, _native.Handle]] = None
        self._pool: Optional[ModelPool] = None
        self._closed = False
        chosen = backend or os.environ.get("THIMBLE_BACKEND") or "native"
        self._name = _full_name(self._arguments["model"], revision)
        if chosen in _MOCKS:
            self._name = chosen
        self._backend: Optional[str] = None if chosen in _MOCKS or chosen == "native" else chosen
        if self._backend is not None:
            self._check_remote()
            self._open_remote()
            return
        if base_url is not None:
            raise Unsupported("unsupported", "base_url: only remote backends have one; set backend too")
        if not self._name:
            raise InvalidArgument("invalid_argument", "model: expected a name or a path; thimble.models() lists those on "
                                  "this machine")
        self._pool = pool if pool is not None else shared_pool(
            threads=threads, call_max_memory=max_memory, max_tokens=max_tokens, truncation=truncation,
            cache=self._arguments["cache"])
        if pool is not None and (threads is not None or max_memory or max_tokens or cache is not None
                                 or truncation != "sentence-transformers"):
            raise InvalidArgument("invalid_argument", "threads, max_memory, max_tokens, truncation and cache are those of "
                                  "the pool; set them there")
        self._info = open_or_pull(self._describe, self._name, dtype, self._pool.folder)

    # ---- Vectors ----

    def encode(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None,
               dimensions: Optional[int] = None, precision: str = "float32", normalize: Optional[bool] = None,
               long_texts: Optional[str] = None) -> "Array":
        """The vectors of texts, as a numpy array [texts][dimensions]; of one string, a vector.

        ``prompt_name`` names the prompt before each text ("" for none), ``dimensions`` cuts vectors, and
        ``long_texts`` says what happens to a text that is too long: ``"truncate"``, ``"error"`` or ``"chunk"`` (the
        mean of windows). ``precision`` is ``"float32"``, ``"float16"``, or gives codes as sentence-transformers has
        them: ``"int8"``, ``"uint8"``, ``"binary"`` (int8) and ``"ubinary"`` (uint8), the last two with a bit for a
        component. The bits of a vector depend on nothing but the text, the model and these options.

        Ctrl-C ends the call within 100 ms. The GIL is not held.
        """
        return self._encode(texts, prompt_name, dimensions, precision, normalize, long_texts)[0]

    def encode_with_reports(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None,
                            dimensions: Optional[int] = None, precision: str = "float32",
                            normalize: Optional[bool] = None,
                            long_texts: Optional[str] = None) -> "Tuple[Array, Array]":
        """The vectors as `encode`, and for each text a row (tokens, truncated, chunks) of an array of uint64, where
        2**64 - 1 is what a provider does not say."""
        return self._encode(texts, prompt_name, dimensions, precision, normalize, long_texts, reports=True)

    def encode_stream(self, texts: Iterable[str], *, batch_texts: int = 256, prompt_name: Optional[str] = None,
                      dimensions: Optional[int] = None, precision: str = "float32",
                      normalize: Optional[bool] = None, long_texts: Optional[str] = None) -> "Iterator[Array]":
        """The vectors of any number of texts, an array for each ``batch_texts`` of them; takes no text before the
        vectors of those before it were taken. The other arguments are those of `encode`."""
        if isinstance(texts, str):
            raise TypeError("texts: expected an iterable of strings, found a string")
        if batch_texts < 1:
            raise InvalidArgument("invalid_argument", f"batch_texts: expected at least 1, found {batch_texts}")
        return self._stream(iter(texts), batch_texts, (prompt_name, dimensions, precision, normalize, long_texts))

    def _stream(self, texts: Iterator[str], batch_texts: int, options: Tuple[Any, ...]) -> "Iterator[Array]":
        first = 0
        while True:
            batch: List[str] = []
            for text in texts:
                batch.append(text)
                if len(batch) == batch_texts:
                    break
            if not batch:
                return
            yield self._encode(batch, *options, first_index=first)[0]
            first += len(batch)

    async def aencode(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None,
                      dimensions: Optional[int] = None, precision: str = "float32",
                      normalize: Optional[bool] = None, long_texts: Optional[str] = None) -> "Array":
        """As `encode`, for asyncio: on a thread, and cancelled with the task that awaits it."""
        cancel = _native.Cancel()
        vectors: Array = await in_thread(lambda: self._encode(texts, prompt_name, dimensions, precision, normalize, long_texts,
                                                    cancel=cancel)[0], cancel)
        return vectors

    def encode_tokens(self, text: str) -> "Array":
        """The vectors of the tokens of a text, special tokens included, neither pooled nor normalised: an array
        [tokens][token dimensions]."""
        packed, keep = _native.pack([text], "text")
        tokens: Array = self._native_pool("encode_tokens")._run(
            "thimble_pool_encode_tokens", self._name, self._arguments["dtype"], ctypes.byref(packed),
            keep=(packed, keep), take=_native.take_vectors)
        return tokens

    def _encode(self, texts: Union[str, Iterable[str]], prompt_name: Optional[str], dimensions: Optional[int],
                precision: str, normalize: Optional[bool], long_texts: Optional[str], *, first_index: int = 0,
                cancel: Optional[_native.Cancel] = None, reports: bool = False) -> "Tuple[Array, Array]":
        import numpy

        single = isinstance(texts, str)
        packed, keep = _native.pack([texts] if isinstance(texts, str) else _native.sequence(texts))
        if precision not in _PRECISIONS:
            raise InvalidArgument("invalid_argument", f"precision: expected one of {', '.join(_PRECISIONS)}, found "
                                  f"{precision!r}")
        if dimensions is None:
            dimensions = self._arguments["dimensions"]
        _check_dimensions(dimensions)
        found = numpy.zeros((packed.count, 3), dtype=numpy.uint64) if reports else None
        given = dict(
            prompt_name=self._arguments["prompt_name"] if prompt_name is None else prompt_name,
            normalize=_native.choice(self._arguments["normalize"] if normalize is None else normalize),
            first_index=first_index)
        if self._backend is not None:
            vectors = self._encode_remote(packed, keep, given, dimensions, precision, long_texts, found, cancel)
        else:
            vectors = self._encode_native(packed, keep, given, dimensions, precision, long_texts, found, cancel)
        return vectors[0] if single else vectors, found[0] if single and found is not None else found  # type: ignore

    def _encode_native(self, packed: _native.Texts, keep: Any, given: Dict[str, Any], dimensions: Optional[int],
                       precision: str, long_texts: Optional[str], found: Any,
                       cancel: Optional[_native.Cancel]) -> "Array":
        import numpy

        pool = self._native_pool("encode")
        kind, each = _PRECISIONS[precision]
        columns = dimensions if dimensions is not None else self.dimensions
        vectors = numpy.empty((packed.count, (columns + each - 1) // each), dtype=kind)
        options = self._options(dimensions=dimensions, precision=precision,
                                long_texts=self._arguments["long_texts"] if long_texts is None else long_texts,
                                **given)
        pool._run("thimble_pool_encode", self._name, self._arguments["dtype"], ctypes.byref(packed),
                  ctypes.byref(options), vectors.ctypes.data, vectors.nbytes,
                  None if found is None else found.ctypes.data, keep=(packed, keep, options, vectors, found),
                  cancel=cancel)
        return vectors

    def _encode_remote(self, packed: _native.Texts, keep: Any, given: Dict[str, Any], dimensions: Optional[int],
                       precision: str, long_texts: Optional[str], found: Any,
                       cancel: Optional[_native.Cancel]) -> "Array":
        import numpy

        if dimensions != self._arguments["dimensions"]:
            raise Unsupported("unsupported", "dimensions: a remote backend has them from when it was opened; set them in "
                              "Embedder(...)")
        if precision in ("int8", "uint8"):
            raise Unsupported("unsupported", f"precision {precision}: only native backends have the range of a model's "
                              "components; use binary or ubinary")
        if long_texts is None and self._arguments["long_texts"] != "truncate":
            long_texts = self._arguments["long_texts"]
        if packed.count == 0:
            return numpy.empty((0, self.dimensions), dtype=numpy.float32)
        options = _native.options(_native.EncodeOptions, long_texts=long_texts, **given)
        lib = _native.library()

        def start() -> Optional[int]:
            with self._open_remote() as handle:
                job: Optional[int] = lib.thimble_backend_encode(
                    handle, ctypes.byref(packed), ctypes.byref(options), None if found is None else found.ctypes.data)
                return job

        vectors: Array = _native.run(start, (packed, keep, options, found), _native.take_vectors, cancel=cancel)
        return vectors if precision == "float32" else quantize(vectors, precision)

    # ---- Tokens ----

    def count_tokens(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None) -> Any:
        """The number of tokens that each text has, prompt and special tokens included, before any truncation: a list;
        of one string, a number."""
        single = isinstance(texts, str)
        counts = self._tokenize([texts] if isinstance(texts, str) else _native.sequence(texts), prompt_name, False, True,
                                _native.take_counts)
        return counts[0] if single else counts

    def tokenize(self, text: str, *, prompt_name: Optional[str] = None, truncate: bool = True,
                 special_tokens: bool = True) -> List[int]:
        """The ids of a text as `encode` sees it."""
        if not isinstance(text, str):
            raise TypeError(f"text: expected a string, found {type(text).__name__}; tokenize_batch takes several")
        return self.tokenize_batch([text], prompt_name=prompt_name, truncate=truncate, special_tokens=special_tokens)[0]

    def tokenize_batch(self, texts: Iterable[str], *, prompt_name: Optional[str] = None, truncate: bool = True,
                       special_tokens: bool = True) -> List[List[int]]:
        """The same for each of several texts."""
        if isinstance(texts, str):
            raise TypeError("texts: expected an iterable of strings, found a string; tokenize takes one")
        ids: List[List[int]] = self._tokenize(_native.sequence(texts), prompt_name, truncate, special_tokens,
                                              _native.take_ids)
        return ids

    def _tokenize(self, texts: Iterable[str], prompt_name: Optional[str], truncate: bool, special_tokens: bool,
                  take: Callable[[Any, str], Any]) -> Any:
        packed, keep = _native.pack(texts)
        options = _native.options(
            _native.TokenizeOptions, truncate=_native.choice(truncate), special_tokens=_native.choice(special_tokens),
            prompt_name=self._arguments["prompt_name"] if prompt_name is None else prompt_name)
        return self._native_pool("tokenize")._run(
            "thimble_pool_tokenize", self._name, self._arguments["dtype"], ctypes.byref(packed), ctypes.byref(options),
            keep=(packed, keep, options), take=take)

    # ---- What it is ----

    @property
    def info(self) -> Dict[str, Any]:
        """What ``thimble info --json`` says of the model, and ``effective_max_tokens`` and ``num_scores``; of a remote
        backend ``name``, ``model``, ``fingerprint``, ``dimensions``, ``max_tokens`` and ``prompt_names``."""
        if self._info is None:
            self._info = self._describe_remote()
        return dict(self._info)

    @property
    def model(self) -> str:
        """The model as it was named, with its revision."""
        return self._name or self._backend or ""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        if self._backend is not None and not (self._info or {}).get("dimensions"):
            if self._arguments["dimensions"]:
                return int(self._arguments["dimensions"])
            if not self.info["dimensions"]:  # Unknown before a first vector.
                return len(self.encode("dimensions"))
        return int(self.info["dimensions"])

    @property
    def max_tokens(self) -> int:
        """Limit of a text in tokens; 0 if unknown."""
        info = self.info
        return int(info.get("effective_max_tokens", info["max_tokens"]))

    @property
    def fingerprint(self) -> str:
        """Identity of the vector space, 32 hexadecimal digits; empty for a mock."""
        return str(self.info["fingerprint"])

    @property
    def prompts(self) -> Dict[str, str]:
        """The model's prompts by name."""
        return {key[len("prompt."):]: value for key, value in self.info.items() if key.startswith("prompt.")}

    def plan(self) -> Dict[str, int]:
        """The memory of a call: see `thimble.plan`."""
        return self._native_pool("plan").plan(self._name, dtype=self._arguments["dtype"])

    def close(self) -> None:
        """Calls that run end as they would; later ones fail. The model is unloaded when nobody uses it."""
        self._closed = True
        remote, self._remote = self._remote, None
        if remote is not None and remote[0] == os.getpid():
            remote[1].close()

    def __enter__(self) -> "Embedder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_remote", None) is not None:
            self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        return _restore, (type(self), self._arguments)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    # ---- How ----

    def _native_pool(self, what: str) -> ModelPool:
        if self._closed:
            raise InvalidArgument("invalid_argument", f"the embedder of {self.model} was closed; make another one")
        if self._pool is None:
            raise Unsupported("unsupported", f"{what}: the remote backend {self._backend} cannot; use a native model")
        return self._pool

    def _options(self, **values: Any) -> _native.EncodeOptions:
        overlap = self._arguments["chunk_overlap"]
        return _native.options(_native.EncodeOptions, pooling=self._arguments["pooling"],
                               chunk_overlap=-1 if overlap == 0 else overlap, **values)

    def _describe(self, name: str) -> Dict[str, Any]:
        options = self._options(dimensions=self._arguments["dimensions"],
                                normalize=_native.choice(self._arguments["normalize"]),
                                prompt_name=self._arguments["prompt_name"], long_texts=self._arguments["long_texts"])
        info: Dict[str, Any] = self._native_pool("info")._run(
            "thimble_pool_describe", name, self._arguments["dtype"], ctypes.byref(options), keep=options,
            take=_native.take_json)
        return info

    def _check_remote(self) -> None:
        for name, default in (("pooling", None), ("chunk_overlap", None), ("max_tokens", 0), ("max_memory", 0),
                              ("threads", None), ("truncation", "sentence-transformers"), ("pool", None),
                              ("cache", None), ("revision", None)):
            if self._arguments[name] != default:
                raise Unsupported("unsupported", f"{name}: the remote backend {self._backend} has no such option; leave it "
                                  "out, or use a native model")

    def _open_remote(self) -> _native.Handle:
        """The backend of this process: connections are not shared with the one that it was forked from."""
        if self._closed:
            raise InvalidArgument("invalid_argument", f"the embedder of {self.model} was closed; make another one")
        remote = self._remote
        if remote is None or remote[0] != os.getpid():
            lib = _native.library()
            given = _native.options(
                _native.BackendOptions, model=self._arguments["model"], dtype=self._arguments["dtype"],
                base_url=self._arguments["base_url"], dimensions=self._arguments["dimensions"])
            address, text = ctypes.c_void_p(), _native.Text()
            code = lib.thimble_backend_open(_native.encode_name(self._backend, "backend"), ctypes.byref(given),
                                            ctypes.byref(address), ctypes.byref(text))
            _native.check(code, text)
            remote = (os.getpid(), _native.Handle(address.value or 0, lib.thimble_backend_close, "backend"))
            self._remote = remote
        return remote[1]

    def _describe_remote(self) -> Dict[str, Any]:
        def start() -> Optional[int]:
            with self._open_remote() as handle:
                job: Optional[int] = _native.library().thimble_backend_describe(handle)
                return job

        info: Dict[str, Any] = _native.run(start, None, _native.take_json)
        return info


def _restore(kind: Any, arguments: Dict[str, Any]) -> Any:
    given = dict(arguments)
    return kind(given.pop("model"), **given)


def _check_dimensions(dimensions: Optional[int]) -> None:
    if dimensions is not None and _native.whole_number(dimensions, "dimensions") < 1:
        raise InvalidArgument("invalid_argument", f"dimensions: expected at least 1, found {dimensions}")


def _full_name(model: Optional[str], revision: Optional[str]) -> str:
    if model is None:
        return ""
    if revision is None:
        return model
    if "@" in os.path.basename(model):
        raise InvalidArgument("invalid_argument", f"revision: {model!r} has one; leave one of them out")
    return f"{model}@{revision}"


def open_or_pull(open_model: Callable[[str], Dict[str, Any]], name: str, dtype: str,
                 folder: Optional[str]) -> Dict[str, Any]:
    """What open_model(name) gives. A model that is not there is made of what is on this machine first, or pulled with
    THIMBLE_DOWNLOAD=1."""
    try:
        return open_model(name)
    except NotFound as error:
        if name.endswith(".safetensors"):
            raise
        from .functions import pull

        download = os.environ.get("THIMBLE_DOWNLOAD", "") not in ("", "0", "false")
        try:
            pull(name, dtype=dtype, folder=folder, local_files_only=not download, unstated_pooling=True)
        except NotFound:
            if download:
                raise
            raise error from None
        return open_model(name)


def quantize(vectors: "Array", precision: str, start: float = 0.0, end: float = 0.0) -> "Array":
    """Codes of vectors [texts][dimensions]: as the ``precision`` of `Embedder.encode`. ``start`` and ``end`` are the
    range of ``"int8"`` and ``"uint8"``."""
    import numpy

    if precision not in _PRECISIONS:
        raise InvalidArgument("invalid_argument", f"precision: expected one of {', '.join(_PRECISIONS)}, found "
                              f"{precision!r}")
    vectors = numpy.ascontiguousarray(vectors, dtype=numpy.float32)
    kind, each = _PRECISIONS[precision]
    codes = numpy.empty((vectors.shape[0], (vectors.shape[1] + each - 1) // each), dtype=kind)
    text = _native.Text()
    code = _native.library().thimble_quantize(
        vectors.ctypes.data, vectors.shape[0], vectors.shape[1], _native.encode_name(precision, "precision"), start, end,
        codes.ctypes.data, codes.nbytes, ctypes.byref(text))
    _native.check(code, text)
    return codes


async def in_thread(work: Callable[[], Any], cancel: _native.Cancel) -> Any:
    """What work() gives on a thread of the running loop; cancelled when the task is."""
    import asyncio

    try:
        return await asyncio.get_running_loop().run_in_executor(None, work)
    except asyncio.CancelledError:
        cancel.cancel()
        raise
