"""Arrays of numpy and tensors of torch. Imports torch only in `tensor` and `tensors`."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def torch_is_installed() -> bool:
    return "torch" in sys.modules or importlib.util.find_spec("torch") is not None


def torch_module(setting: str) -> Any:
    """The module torch; ImportError that names `setting`, which needs it."""
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ImportError(f"{setting} needs torch, which is not installed: install it, or leave that out.") from error
    return torch


def tensor(array: NDArray[Any], setting: str) -> Any:
    """`array` as a tensor that shares its memory."""
    return torch_module(setting).from_numpy(array)


def to_numpy(value: Any) -> Tuple[NDArray[Any], Optional[Any]]:
    """An array with the values of an array, a tensor, or a list of either, and the tensor's device, if it was one."""
    import numpy as np

    if isinstance(value, (list, tuple)) and any(is_tensor(item) for item in value):
        return np.stack([to_numpy(item)[0] for item in value]), value[0].device
    if is_tensor(value):
        tensor: Any = value
        torch = sys.modules["torch"]
        dense = (tensor.to_dense() if tensor.is_sparse else tensor).detach().cpu()
        return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy(), tensor.device
    return np.asarray(value), None


def like(array: NDArray[Any], devices: List[Optional[Any]]) -> Any:
    """`array`, or a tensor on the first device of `devices`."""
    for device in devices:
        if device is not None:
            return sys.modules["torch"].from_numpy(array).to(device)
    return array
