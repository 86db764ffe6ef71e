"""Models on this machine, how they get there, and memory."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Union

from . import _native
from .errors import InvalidArgument
from .pool import ModelPool

if TYPE_CHECKING:
    from .pool import Path

_STAGES = ("", "waiting", "downloading", "converting")

# Called with a dict: stage ("waiting", "downloading" or "converting"), bytes, total_bytes and share.
ProgressCallback = Callable[[Dict[str, Any]], object]


def plan(model: Path, *, dtype: Optional[str] = None, threads: Optional[int] = 1, max_memory: Union[int, str] = 0,
         max_tokens: int = 0, truncation: str = "sentence-transformers",
         folder: Optional[Path] = None) -> Dict[str, int]:
    """The memory of a call with the model, before it takes any, in bytes and tokens: ``mapped_bytes`` (the file, shared
    by processes), ``fixed_bytes`` and ``scratch_bytes_per_thread`` (private), ``threads``, ``peak_bytes`` (fixed and
    scratch together), ``max_tokens`` and ``tile_tokens``. Without what Python and numpy take."""
    with ModelPool(folder, threads=threads, call_max_memory=_native.size(max_memory, "max_memory"), max_tokens=max_tokens,
                   truncation=truncation) as pool:
        pool._limit_name = "max_memory"
        return pool.plan(model, dtype=dtype)


def memory(pid: int = 0) -> Dict[str, int]:
    """The memory of a process, 0 for this one, in bytes: ``rss_bytes``, ``pss_bytes``, ``private_bytes`` (pages without
    a file behind them), ``peak_rss_bytes`` and ``data_bytes``."""
    process = _native.whole_number(pid, "pid")
    if not 0 <= process < 2**31:
        raise InvalidArgument("invalid_argument", f"pid: expected 0 or the id of a process, found {process}")
    found: Dict[str, int] = _native.read_json(_native.library().thimble_memory, process)
    return found


def pull(model: Path, *, dtype: Optional[str] = None, revision: Optional[str] = None, folder: Optional[Path] = None,
         name: Optional[str] = None, pooling: Optional[str] = None, normalize: Optional[bool] = None,
         force: bool = False, local_files_only: bool = False, unstated_pooling: bool = False,
         progress: Optional[ProgressCallback] = None) -> Dict[str, Any]:
    """Makes the model unless it is there: downloads it from the Hugging Face hub, or takes it from this machine, and
    converts it. Returns ``name``, ``dtype``, ``path``, ``bytes``, ``organisation``, ``repository``, ``revision``,
    ``downloaded`` and ``notes``. ``progress`` is called several times a second; what it raises ends the pull, which a
    later one resumes."""
    given = _native.options(
        _native.PullOptions, dtype=dtype, revision=revision, folder=folder, name=name, pooling=pooling,
        normalize=_native.choice(normalize, "normalize"), force=_native.flag(force, "force"),
        local_files_only=_native.flag(local_files_only, "local_files_only"),
        unstated_pooling=_native.flag(unstated_pooling, "unstated_pooling"))
    named = _native.encode_name(model, "model")
    pulled: Dict[str, Any] = _native.run(lambda: _native.library().thimble_pull(named, ctypes.byref(given)), given,
                                         _native.take_json, _telling(progress))
    return pulled


def convert(source: Path, output: Path, *, dtype: str = "q8", name: Optional[str] = None,
            known_as: Optional[str] = None, pooling: Optional[str] = None, normalize: Optional[bool] = None,
            unstated_pooling: bool = False, calibrate: bool = True, calibration_file: Optional[Path] = None,
            threads: int = 0, progress: Optional[ProgressCallback] = None) -> List[str]:
    """Converts the folder ``source``, in the layout of Hugging Face, to the model file ``output``. Returns a sentence for
    each assumption. ``threads`` 0 means the processors that the process may use, at most 8."""
    given = _native.options(
        _native.ConvertOptions, dtype=dtype, name=name, known_as=known_as, pooling=pooling,
        normalize=_native.choice(normalize, "normalize"), unstated_pooling=_native.flag(unstated_pooling, "unstated_pooling"),
        calibrate=_native.choice(calibrate, "calibrate"), calibration_file=calibration_file, threads=threads)
    paths = _native.encode_name(source, "source"), _native.encode_name(output, "output")
    found = _native.run(lambda: _native.library().thimble_convert(*paths, ctypes.byref(given)), given, _native.take_json,
                        _telling(progress))
    notes: List[str] = found["notes"]
    return notes


def verify(model: Path, *, dtype: Optional[str] = None, folder: Optional[Path] = None) -> Dict[str, Any]:
    """Reads the whole file, compares the hash of its weights, embeds the texts of its receipt and compares the vectors
    bit by bit: ``ok``, ``goldens`` (texts compared), ``weights_match``, and ``differences``, a list of dicts with
    ``text`` and ``largest``."""
    arguments = [_native.encode_name(value, what) for value, what in
                 ((model, "model"), (dtype, "dtype"), (folder, "folder"))]
    found: Dict[str, Any] = _native.run(lambda: _native.library().thimble_verify(*arguments), None, _native.take_json)
    return found


def models(folder: Optional[Path] = None) -> List[Dict[str, Any]]:
    """The models on this machine: ``name``, ``dtype``, ``path``, ``bytes``, ``organisation``, ``repository``,
    ``revision`` and ``used`` (seconds since 1970)."""
    found: List[Dict[str, Any]] = _native.read_json(_native.library().thimble_models,
                                                    _native.encode_name(folder, "folder"))
    return found


def remove(model: Path, *, dtype: Optional[str] = None, folder: Optional[Path] = None) -> List[Dict[str, Any]]:
    """Removes a model, of every dtype unless one is given. Returns what it removed, as `models`."""
    removed: List[Dict[str, Any]] = _native.read_json(
        _native.library().thimble_remove, _native.encode_name(model, "model"), _native.encode_name(dtype, "dtype"),
        _native.encode_name(folder, "folder"))
    return removed


def known_models() -> List[Dict[str, Any]]:
    """The most used models: what thimble knows of them, for choosing one. See ``thimble pull --list --json``."""
    found: List[Dict[str, Any]] = _native.read_json(_native.library().thimble_known_models)
    return found


def library_version() -> str:
    """The version of the library."""
    version: bytes = _native.library().thimble_version()
    return version.decode("ascii")


def run_command_line(arguments: List[str]) -> int:
    """Runs the command line in this process and returns its exit code; for a process that does nothing else."""
    import sys

    words = [b"thimble"] + [os.fsencode(argument) for argument in arguments]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    own = [os.fsencode(word) for word in (sys.executable, "-m", "thimble")]
    program = (ctypes.c_char_p * (len(own) + 1))(*own, None)
    code: int = _native.library().thimble_main(len(words), argv, program)
    return code


def _telling(progress: Optional[ProgressCallback]) -> Optional[Callable[[_native.Progress], None]]:
    if progress is None:
        return None
    tell = progress

    def told(state: _native.Progress) -> None:
        if state.stage:
            tell({"stage": _STAGES[state.stage], "bytes": state.bytes, "total_bytes": state.total_bytes,
                  "share": state.share})

    return told
