"""Turns texts into vectors."""

from __future__ import annotations

import ctypes
import os

from . import _native, _vectors
from ._remote import Remote
from .errors import InvalidArgument, NotFound, Unsupported
from .pool import ModelPool, pool_for

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple, TypeVar, Union

    from ._vectors import Array
    from .pool import Path

    T = TypeVar("T")

_MOCKS = ("mock", "mock-hashed")


class Embedder:
    """A model that turns texts into vectors.

    ``model`` is a name (``"all-MiniLM-L6-v2"``), the path of a folder or of a ``.safetensors`` file, ``"mock"`` or
    ``"mock-hashed"``. A name or folder that is on this machine but not converted is converted at first use; with
    THIMBLE_DOWNLOAD=1 in the environment a model that is not is pulled. ``backend`` is None or ``"native"`` for the
    engine in this process, or a remote one such as ``"openai:text-embedding-3-small"`` or ``"tei:http://localhost"``,
    for which ``model`` may be None; the default is THIMBLE_BACKEND in the environment. ``dtype`` is ``"q8"`` by default;
    the path of a file has its own, and refuses another.

    The other arguments are those of the command line: ``threads`` of one call (default THIMBLE_THREADS, or the
    processors that the process may use, at most 8), ``max_memory`` in private bytes of one call (``16000000`` or
    ``"16MB"``; default 0, none), ``max_tokens`` and ``truncation`` the limit of a text, ``cache`` a file of vectors that
    were computed before, and defaults for `encode`. Embedders of a process share their models, unless they get a
    ``pool`` of their own, whose ``threads``, ``call_max_memory``, ``max_tokens``, ``truncation`` and ``cache`` then apply.

    Thread-safe. Works after ``os.fork``. Pickled as its arguments: another process loads the model again, whose
    weights the processes share.
    """

    def __init__(self, model: Optional[Path] = None, *, dtype: Optional[str] = None, revision: Optional[str] = None,
                 backend: Optional[str] = None, base_url: Optional[str] = None, threads: Optional[int] = None,
                 max_memory: Union[int, str] = 0, max_tokens: int = 0, truncation: str = "sentence-transformers",
                 pooling: Optional[str] = None, normalize: Optional[bool] = None, dimensions: Optional[int] = None,
                 prompt_name: Optional[str] = None, long_texts: str = "truncate",
                 chunk_overlap: Optional[int] = None, cache: Optional[Path] = None,
                 pool: Optional[ModelPool] = None) -> None:
        max_memory = _native.size(max_memory, "max_memory")
        self._arguments: Dict[str, Any] = {
            "model": _native.path_text(model, "model"), "dtype": dtype, "revision": revision,
            "backend": backend, "base_url": base_url, "threads": threads, "max_memory": max_memory,
            "max_tokens": max_tokens, "truncation": truncation, "pooling": pooling, "normalize": normalize,
            "dimensions": dimensions, "prompt_name": prompt_name, "long_texts": long_texts,
            "chunk_overlap": chunk_overlap, "cache": _native.path_text(cache, "cache"), "pool": pool,
        }
        _check_dimensions(dimensions)
        if chunk_overlap is not None and _native.whole_number(chunk_overlap, "chunk_overlap") < 0:
            raise InvalidArgument("invalid_argument", f"chunk_overlap: expected at least 0, found {chunk_overlap}")
        self._info: Optional[Dict[str, Any]] = None
        self._described = ""  # The info of a native model as JSON.
        self._remote: Optional[Remote] = None
        self._pool: Optional[ModelPool] = None
        self._closed = False
        chosen = backend or os.environ.get("THIMBLE_BACKEND") or "native"
        self._name = _full_name(self._arguments["model"], revision)
        if chosen in _MOCKS:
            self._name = chosen
        self._backend: Optional[str] = None if chosen in _MOCKS or chosen == "native" else chosen
        if self._backend is not None:
            self._remote = Remote(self._backend, self._arguments)
            return
        if base_url is not None:
            raise Unsupported("unsupported", "base_url: only remote backends have one; set backend too")
        check_named(self._name)
        self._pool = pool_for(pool, threads=threads, max_memory=max_memory, max_tokens=max_tokens, truncation=truncation,
                              cache=self._arguments["cache"])
        self._described = open_or_pull(self._describe, self._name, dtype, self._pool.folder)

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
        return self._arrays(texts, prompt_name, dimensions, precision, normalize, long_texts)[0]

    def encode_buffer(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None,
                      dimensions: Optional[int] = None, precision: str = "float32", normalize: Optional[bool] = None,
                      long_texts: Optional[str] = None) -> memoryview[Any]:
        """As `encode`, but without numpy: a memoryview [texts][dimensions], of one string [dimensions].

        Its format is ``"f"``, ``"b"`` or ``"B"`` by ``precision``; for ``"float16"`` it is ``"H"``, the bits of the
        numbers. numpy, struct, array, and databases take it as it is. ``view[i:i + 1]`` has vector i.
        """
        vectors, shape, _ = self._encode(texts, prompt_name, dimensions, precision, normalize, long_texts)
        return _vectors.as_view(vectors, shape, precision)

    def encode_with_reports(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None,
                            dimensions: Optional[int] = None, precision: str = "float32",
                            normalize: Optional[bool] = None,
                            long_texts: Optional[str] = None) -> "Tuple[Array, Array]":
        """The vectors as `encode`, and for each text a row (tokens, truncated, chunks) of an array of uint64, where
        2**64 - 1 is what a provider does not say."""
        return self._arrays(texts, prompt_name, dimensions, precision, normalize, long_texts, reports=True)

    def encode_stream(self, texts: Iterable[str], *, batch_texts: int = 256, prompt_name: Optional[str] = None,
                      dimensions: Optional[int] = None, precision: str = "float32",
                      normalize: Optional[bool] = None, long_texts: Optional[str] = None) -> "Iterator[Array]":
        """The vectors of any number of texts, an array for each ``batch_texts`` of them; takes no text before the
        vectors of those before it were taken. The other arguments are those of `encode`."""
        if isinstance(texts, str):
            raise TypeError("texts: expected an iterable of strings, found a string")
        if _native.whole_number(batch_texts, "batch_texts") < 1:
            raise InvalidArgument("invalid_argument", f"batch_texts: expected at least 1, found {batch_texts}")
        return self._stream(iter(_native.iterable(texts, "texts")), batch_texts, (prompt_name, dimensions, precision, normalize, long_texts))

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
            yield self._arrays(batch, *options, first_index=first)[0]
            first += len(batch)

    async def aencode(self, texts: Union[str, Iterable[str]], *, prompt_name: Optional[str] = None,
                      dimensions: Optional[int] = None, precision: str = "float32",
                      normalize: Optional[bool] = None, long_texts: Optional[str] = None) -> "Array":
        """As `encode`, for asyncio: on a thread, and cancelled with the task that awaits it."""
        cancel = _native.Cancel()
        return await in_thread(lambda: self._arrays(texts, prompt_name, dimensions, precision, normalize, long_texts,
                                                    cancel=cancel)[0], cancel)

    def encode_tokens(self, text: str) -> "Array":
        """The vectors of the tokens of a text, special tokens included, neither pooled nor normalised: an array
        [tokens][token dimensions]."""
        packed, keep = _native.pack_one(text, "text")
        tokens, shape = self._run("encode_tokens", ctypes.byref(packed), keep=(packed, keep), take=_native.take_vectors)
        return _vectors.as_array(tokens, shape, "float32")

    def _arrays(self, texts: Union[str, Iterable[str]], prompt_name: Optional[str], dimensions: Optional[int],
                precision: str, normalize: Optional[bool], long_texts: Optional[str], **how: Any) -> Tuple[Array, Array]:
        numpy = _vectors.import_numpy()
        vectors, shape, reports = self._encode(texts, prompt_name, dimensions, precision, normalize, long_texts, **how)
        array = _vectors.as_array(vectors, shape, precision)
        return array, None if reports is None else numpy.ndarray((*shape[:-1], 3), "uint64", reports)  # type: ignore

    def _encode(self, texts: Union[str, Iterable[str]], prompt_name: Optional[str], dimensions: Optional[int],
                precision: str, normalize: Optional[bool], long_texts: Optional[str], *, first_index: int = 0,
                cancel: Optional[_native.Cancel] = None,
                reports: bool = False) -> Tuple[bytearray, Tuple[int, ...], Optional[bytearray]]:
        """The vectors, their shape, and the reports."""
        single = isinstance(texts, str)
        packed, keep = _native.pack([texts] if isinstance(texts, str) else _native.sequence(texts), "texts", first_index)
        _vectors.check_precision(precision)
        if dimensions is None:
            dimensions = self._arguments["dimensions"]
        _check_dimensions(dimensions)
        found = bytearray(packed.count * 3 * ctypes.sizeof(ctypes.c_uint64)) if reports else None
        given = dict(
            prompt_name=self._arguments["prompt_name"] if prompt_name is None else prompt_name,
            normalize=_native.choice(self._arguments["normalize"] if normalize is None else normalize, "normalize"),
            first_index=first_index)
        compute = self._encode_native if self._remote is None else self._open_remote().encode
        vectors, columns = compute(packed, keep, given, dimensions, precision, long_texts, found, cancel)
        return vectors, (columns,) if single else (packed.count, columns), found

    def _encode_native(self, packed: _native.Texts, keep: Any, given: Dict[str, Any], dimensions: Optional[int],
                       precision: str, long_texts: Optional[str], found: Optional[bytearray],
                       cancel: Optional[_native.Cancel]) -> Tuple[bytearray, int]:
        self._native_pool("encode")
        if dimensions is not None and dimensions > self.dimensions:
            self._describe(self._name, dimensions)  # Refuses more than the model has before there is memory for them.
        vectors, columns = _vectors.room(packed.count, dimensions if dimensions is not None else self.dimensions, precision)
        options = self._options(dimensions=dimensions, precision=precision,
                                long_texts=self._arguments["long_texts"] if long_texts is None else long_texts,
                                **given)
        self._run("encode", ctypes.byref(packed), ctypes.byref(options), _native.writable(vectors), len(vectors),
                  _native.writable(found), keep=(packed, keep, options, vectors, found), cancel=cancel)
        return vectors, columns

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
                  take: Callable[[Any, str], Any], max_tokens: Optional[int] = None) -> Any:
        packed, keep = _native.pack(texts)
        options = _native.options(
            _native.TokenizeOptions, truncate=_native.choice(truncate, "truncate"), special_tokens=_native.choice(special_tokens, "special_tokens"),
            prompt_name=self._arguments["prompt_name"] if prompt_name is None else prompt_name, max_tokens=max_tokens)
        return self._run("tokenize", ctypes.byref(packed), ctypes.byref(options), keep=(packed, keep, options), take=take)

    # ---- What it is ----

    @property
    def info(self) -> Dict[str, Any]:
        """What ``thimble info --json`` says of the model, and ``effective_max_tokens`` and ``num_scores``; of a remote
        backend ``name``, ``model``, ``fingerprint``, ``dimensions``, ``max_tokens`` and ``prompt_names``."""
        if not self._described:
            return self._open_remote().info
        if self._info is None:
            self._info = _native.take_json(None, self._described)
        return dict(self._info or {})

    @property
    def model(self) -> str:
        """The model as it was named, with its revision."""
        return self._name or self._backend or ""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return _native.number_in(self._described, "dimensions") if self._described else self._open_remote().dimensions

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

    def percentile(self, cosine: float) -> Optional[float]:
        """How many of 100 pairs of unrelated texts are less alike for this model than two whose cosine this is. None where
        nobody knows it: for vectors that are cut or pooled in another way than the model's own, for mocks and remote
        backends, and for a model file from an older converter."""
        number = _native.real_number(cosine, "cosine")
        self._check_open()
        if self._pool is None:
            return None
        options = self._options(dimensions=self._arguments["dimensions"])
        found = self._run("percentile", ctypes.byref(options), number, keep=options, take=_native.take_text)
        return float(found) if found else None

    def plan(self) -> Dict[str, int]:
        """The memory of a call: see `thimble.plan`."""
        return self._native_pool("plan").plan(self._name, dtype=self._arguments["dtype"])

    def close(self) -> None:
        """Calls that run end as they would; later ones fail. The model is unloaded when nobody uses it."""
        self._closed = True
        if self._remote is not None:
            self._remote.close()

    def __enter__(self) -> "Embedder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        return _restore, (type(self), self._arguments)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    # ---- How ----

    def _native_pool(self, what: str) -> ModelPool:
        self._check_open()
        if self._pool is None:
            raise Unsupported("unsupported", f"{what}: the remote backend {self._backend} cannot; use a native model")
        return self._pool

    def _open_remote(self) -> Remote:
        self._check_open()
        assert self._remote is not None
        return self._remote

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidArgument("invalid_argument", f"the embedder of {self.model} was closed; make another one")

    def _run(self, what: str, *arguments: Any, **how: Any) -> Any:
        """Runs the job of thimble_pool_WHAT for the model."""
        return self._native_pool(what)._run(f"thimble_pool_{what}", self._name, self._arguments["dtype"], *arguments, **how)

    def _options(self, **values: Any) -> _native.EncodeOptions:
        overlap = self._arguments["chunk_overlap"]
        return _native.options(_native.EncodeOptions, pooling=self._arguments["pooling"],
                               chunk_overlap=-1 if overlap == 0 else overlap, **values)

    def _describe(self, name: str, dimensions: Optional[int] = None) -> str:
        options = self._options(dimensions=dimensions or self._arguments["dimensions"],
                                normalize=_native.choice(self._arguments["normalize"], "normalize"),
                                prompt_name=self._arguments["prompt_name"], long_texts=self._arguments["long_texts"])
        described: str = self._native_pool("describe")._run(
            "thimble_pool_describe", name, self._arguments["dtype"], ctypes.byref(options), keep=options)
        return described


def _restore(kind: Any, arguments: Dict[str, Any]) -> Any:
    given = dict(arguments)
    return kind(given.pop("model"), **given)


def _check_dimensions(dimensions: Optional[int]) -> None:
    if dimensions is not None and _native.whole_number(dimensions, "dimensions") < 1:
        raise InvalidArgument("invalid_argument", f"dimensions: expected at least 1, found {dimensions}")


def check_named(name: str) -> None:
    if not name:
        raise InvalidArgument("invalid_argument", "model: expected a name or a path; thimble.models() lists those on this "
                              "machine")


def _full_name(model: Optional[str], revision: Optional[str]) -> str:
    if model is None:
        return ""
    if revision is None:
        return model
    if "@" in os.path.basename(model):
        raise InvalidArgument("invalid_argument", f"revision: {model!r} has one; leave one of them out")
    return f"{model}@{revision}"


def open_or_pull(open_model: Callable[[str], T], name: str, dtype: Optional[str], folder: Optional[str]) -> T:
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


async def in_thread(work: Callable[[], T], cancel: _native.Cancel) -> T:
    """What work() gives on a thread of the running loop; cancelled when the task is."""
    import asyncio

    try:
        return await asyncio.get_running_loop().run_in_executor(None, work)
    except asyncio.CancelledError:
        cancel.cancel()
        raise
