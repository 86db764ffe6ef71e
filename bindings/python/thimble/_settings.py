"""The settings that SentenceTransformer and CrossEncoder share: what each means here, and which are refused."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, TypeVar, Union

from . import _native
from .errors import InvalidArgument, NotFound, Unsupported

logger = logging.getLogger("thimble")

T = TypeVar("T")


def invalid(message: str) -> InvalidArgument:
    return InvalidArgument("invalid_argument", message)


def unsupported(message: str) -> Unsupported:
    return Unsupported("unsupported", message)


# Settings of transformers that say how something is computed, loaded or fetched, not what. Vectors and scores do not
# depend on them by more than rounding.
_WITHOUT_EFFECT = {
    "model_kwargs": {
        "attn_implementation",
        "cache_dir",
        "device_map",
        "export",
        "low_cpu_mem_usage",
        "offload_folder",
        "provider",
        "trust_remote_code",
        "use_safetensors",
    },
    # No text is padded here.
    "tokenizer_kwargs": {"clean_up_tokenization_spaces", "padding_side", "trust_remote_code", "use_fast"},
    "config_kwargs": {"trust_remote_code", "unpad_inputs", "use_memory_efficient_attention"},
}

# What huggingface_hub takes as "yes" in the environment.
_ON = ("1", "ON", "YES", "TRUE")

_DTYPES = {"float32": "fp32", "float": "fp32", "float16": "fp16", "half": "fp16"}


class Device(str):
    """The name of a device, with the type of a torch.device; tensor.to() takes it."""

    @property
    def type(self) -> str:
        return str(self)


CPU = Device("cpu")


def check_device(device: Any, where: str = "device") -> None:
    """Takes None, "cpu", and lists of "cpu": threads are set by `threads`. InvalidArgument for others."""
    for name in device if isinstance(device, (list, tuple)) else [device]:
        if name is not None and str(name).split(":")[0] != "cpu":
            raise invalid(
                f"{where}={str(name)!r}: thimble computes on the CPU only. Leave it out, or pass 'cpu'."
            )


def check_backend(backend: str) -> None:
    if backend not in ("torch", "onnx", "openvino", "thimble"):
        raise invalid(
            f"backend={backend!r} is none of 'torch', 'onnx' and 'openvino', in whose place thimble computes. "
            "thimble.Embedder(backend=...) takes remote ones."
        )


def check_token(token: Any) -> None:
    if token not in (None, True):
        raise invalid(
            "token: set the environment variable HF_TOKEN, or log in with `hf auth login`; for no token, set "
            "HF_HUB_DISABLE_IMPLICIT_TOKEN=1. Tokens are not passed as arguments."
        )


def check_count(value: Optional[int], name: str) -> None:
    if value is not None and _native.whole_number(value, name) < 1:
        raise invalid(f"{name}: expected at least 1, found {value}")


def check_absent(values: Mapping[str, Any], instead: str) -> None:
    """InvalidArgument that names the first of `values` that is set."""
    for name, value in values.items():
        if value is not None:
            raise invalid(f"{name} is not supported: {instead}")


def dtype_of(dtype: Optional[str], model_kwargs: Optional[Mapping[str, Any]]) -> Optional[str]:
    """The dtype of the model file, from `dtype` or from torch_dtype or dtype in `model_kwargs`; None if neither says.
    InvalidArgument for settings of `model_kwargs` that would change vectors and are not supported."""
    chosen = dtype
    for name, value in (model_kwargs or {}).items():
        if name in _WITHOUT_EFFECT["model_kwargs"]:
            continue
        if name not in ("torch_dtype", "dtype"):
            raise invalid(
                f"model_kwargs[{name!r}] is not supported: leave it out. `dtype` chooses how weights are stored: "
                "'q8', 'q6', 'q4', 'q4-small', 'fp16' or 'fp32'."
            )
        kind = str(value).rpartition(".")[2]
        if value is None or kind == "auto":
            continue
        if kind not in _DTYPES:
            raise invalid(
                f"model_kwargs[{name!r}]={kind!r} is not supported: pass torch.float32 or torch.float16, or `dtype`."
            )
        if chosen is not None and chosen != _DTYPES[kind]:
            raise invalid(f"dtype={chosen!r} contradicts model_kwargs[{name!r}]={kind!r}: pass one of them.")
        chosen = _DTYPES[kind]
    return chosen


def check_kwargs(name: str, values: Optional[Mapping[str, Any]], instead: str) -> None:
    """InvalidArgument for settings in `tokenizer_kwargs` or `config_kwargs` that would change vectors."""
    for key in values or {}:
        if key not in _WITHOUT_EFFECT["config_kwargs" if name == "config_kwargs" else "tokenizer_kwargs"]:
            raise invalid(f"{name}[{key!r}] is not supported: leave it out{instead}.")


def model_arguments(
    model: Any,
    dtype: Optional[str],
    revision: Optional[str],
    folder: Optional[Any],
    threads: Optional[int],
    max_memory: Union[int, str],
    max_tokens: int,
) -> Dict[str, Any]:
    """The arguments of Embedder or Reranker; the models of a `folder` have a pool of their own."""
    from .pool import pool_for

    limits: Dict[str, Any] = {"threads": threads, "max_memory": _native.size(max_memory, "max_memory"),
                              "max_tokens": max_tokens}
    if folder is not None:
        limits = {"pool": pool_for(None, folder=os.fspath(folder), **limits)}
    return {"model": os.fspath(model), "dtype": dtype, "revision": revision, **limits}


def open_model(kind: Callable[..., T], arguments: Dict[str, Any], folder: Optional[Any], local_files_only: bool) -> T:
    """kind(**arguments). A model that is not on this machine is downloaded and converted first. NotFound says how to
    get it if `local_files_only`, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids that."""
    from . import functions

    model, dtype = arguments["model"], arguments["dtype"]
    try:
        return kind(**arguments)
    except NotFound as error:
        # A path is no name on the hub.
        if model.endswith(".safetensors") or os.path.isabs(model) or model.startswith("."):
            raise
        missing = str(error)
    named = dtype or "q8"
    offline = next(
        (name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(name, "").upper() in _ON), None
    )
    if local_files_only or offline is not None:
        raise NotFound(
            "not_found",
            f"{missing}. {'local_files_only' if local_files_only else offline} forbids its download. Where that is "
            f"allowed, run `thimble pull {model} --dtype {named}` or call thimble.pull({model!r}, dtype={named!r})",
        )
    logger.warning("thimble: %s is not on this machine; downloading and converting it (dtype %s)", model, named)
    functions.pull(
        model, dtype=named, revision=arguments["revision"], folder=None if folder is None else os.fspath(folder)
    )
    return kind(**arguments)


def renamed(kwargs: Dict[str, Any], old: str, new: str, value: Any) -> Any:
    """`value` of the argument `new`, or that of its older name in `kwargs`, from which it is removed."""
    if old not in kwargs:
        return value
    logger.warning("The `%s` argument was renamed and is now deprecated. Please use `%s` instead.", old, new)
    older = kwargs.pop(old)
    return older if value is None else value


def check_calls(name: str, batch_size: int, device: Any, pool: Any, kwargs: Dict[str, Any]) -> None:
    """Errors for settings of one call that are not supported."""
    if _native.whole_number(batch_size, "batch_size") <= 0:
        raise ValueError(f"batch_size must be a positive integer, got {batch_size}.")
    check_device(device)
    if pool is not None and not isinstance(pool, ThreadPool):
        raise invalid("pool: pass what start_multi_process_pool() of this model returned, or leave it out.")
    kwargs.pop("task", None)  # It chooses a way through a Router module, and thimble converts no model that has one.
    if kwargs.get("processing_kwargs", True) is None:
        del kwargs["processing_kwargs"]
    if kwargs:
        raise ValueError(
            f"{name}() has been called with additional keyword arguments that this model does not use: {list(kwargs)}."
        )


class ThreadPool(Dict[str, Any]):
    """Stands for a pool of processes. A call computes on the threads of its model, whose weights are there once."""


def show_progress(show: Optional[bool]) -> bool:
    return show if show is not None else logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG)


def progress(starts: range, show: bool) -> Iterator[int]:
    """The values of `starts`, with a bar on standard error: tqdm's where it is installed."""
    if not show:
        yield from starts
        return
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        for done, start in enumerate(starts):
            sys.stderr.write(f"\rBatches: {done}/{len(starts)}")
            sys.stderr.flush()
            yield start
        sys.stderr.write(f"\rBatches: {len(starts)}/{len(starts)}\n")
        return
    bar: Iterable[int] = tqdm(starts, desc="Batches")
    yield from bar


def texts_of(inputs: Any, what: str = "inputs") -> List[str]:
    """A list of texts from a list, tuple, array, column or other iterable. TypeError for what has others in it."""
    if getattr(inputs, "ndim", 0) and hasattr(inputs, "tolist"):
        texts: List[Any] = inputs.tolist()
    else:
        texts = list(_native.sequence(inputs, what))
    for index, text in enumerate(texts):
        if isinstance(text, str):
            continue
        if isinstance(text, (list, tuple)):
            raise TypeError(
                f"{what}[{index}] is a pair or a list. thimble embeds single texts: join them, or score pairs with "
                "thimble.CrossEncoder."
            )
        raise TypeError(f"{what}[{index}]: expected a str, found {type(text).__name__}. thimble embeds texts only.")
    return texts
