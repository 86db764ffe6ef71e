"""The remote backend of an Embedder: a server or a provider, or a chain of them."""

from __future__ import annotations

import ctypes
import os

from . import _native, _vectors
from .errors import Unsupported

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

# Arguments of Embedder that no remote backend has, with their defaults.
_NATIVE_ONLY = (("pooling", None), ("chunk_overlap", None), ("max_tokens", 0), ("max_memory", 0), ("threads", None),
                ("truncation", "sentence-transformers"), ("pool", None), ("cache", None), ("revision", None))


class Remote:
    """A backend by its name, opened with the arguments of an Embedder."""

    def __init__(self, name: str, arguments: Dict[str, Any]) -> None:
        for option, default in _NATIVE_ONLY:
            if arguments[option] != default:
                raise Unsupported("unsupported", f"{option}: the remote backend {name} has no such option; leave it out, or "
                                  "use a native model")
        self._name = name
        self._arguments = arguments
        self._info: Optional[Dict[str, Any]] = None
        self._opened: Optional[_native.Handle] = None
        self._open()

    def encode(self, packed: _native.Texts, keep: Any, given: Dict[str, Any], dimensions: Optional[int], precision: str,
               long_texts: Optional[str], found: Optional[bytearray],
               cancel: Optional[_native.Cancel]) -> Tuple[bytearray, int]:
        """As Embedder._encode_native."""
        if dimensions != self._arguments["dimensions"]:
            raise Unsupported("unsupported", "dimensions: a remote backend has them from when it was opened; set them in "
                              "Embedder(...)")
        if precision in ("int8", "uint8"):
            raise Unsupported("unsupported", f"precision {precision}: only native backends have the range of a model's "
                              "components; use binary or ubinary")
        if long_texts is None and self._arguments["long_texts"] != "truncate":
            long_texts = self._arguments["long_texts"]
        if packed.count == 0:
            return _vectors.room(0, self.dimensions, precision)
        options = _native.options(_native.EncodeOptions, long_texts=long_texts, **given)
        vectors, shape = self._vectors(packed, options, found, keep, cancel)
        if precision == "float32":
            return vectors, shape[1]
        return _vectors.codes_of(_native.writable(vectors), shape, precision)

    @property
    def info(self) -> Dict[str, Any]:
        if self._info is None:
            with self._open() as handle:
                self._info = _native.run(lambda: _native.library().thimble_backend_describe(handle), None, _native.take_json)
        return dict(self._info or {})

    @property
    def dimensions(self) -> int:
        """Length of a vector; where nobody says it, that of one."""
        if self._arguments["dimensions"] and not (self._info or {}).get("dimensions"):
            return int(self._arguments["dimensions"])
        known = int(self.info["dimensions"])
        if known:
            return known
        packed, keep = _native.pack(["dimensions"])
        options = _native.options(_native.EncodeOptions, prompt_name=self._arguments["prompt_name"])
        return self._vectors(packed, options, None, keep, None)[1][1]

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _vectors(self, packed: _native.Texts, options: _native.EncodeOptions, found: Optional[bytearray], keep: Any,
                 cancel: Optional[_native.Cancel]) -> Tuple[bytearray, Tuple[int, int]]:
        # Closing a backend ends its calls: this one counts as a user of it until it has ended.
        with self._open() as handle:
            return _native.run(lambda: _native.library().thimble_backend_encode(
                handle, ctypes.byref(packed), ctypes.byref(options), _native.writable(found)),
                (packed, keep, options, found), _native.take_vectors, cancel=cancel)

    def _open(self) -> _native.Handle:
        """The backend of this process: connections are not shared with the one that it was forked from."""
        opened = self._opened
        if opened is None or opened.process != os.getpid():
            lib = _native.library()
            given = _native.options(
                _native.BackendOptions, model=self._arguments["model"], dtype=self._arguments["dtype"],
                base_url=self._arguments["base_url"], dimensions=self._arguments["dimensions"])
            address, text = ctypes.c_void_p(), _native.Text()
            code = lib.thimble_backend_open(_native.encode_name(self._name, "backend"), ctypes.byref(given),
                                            ctypes.byref(address), ctypes.byref(text))
            _native.check(code, text)
            opened = self._opened = _native.Handle(address.value or 0, lib.thimble_backend_close, "backend", forks=False)
        return opened
