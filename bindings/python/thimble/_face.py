"""What SentenceTransformer and CrossEncoder share: their settings, their prompts, and methods that do nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from . import _native, _settings
from ._settings import CPU, Device, ThreadPool

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

# What the classes of sentence-transformers have and these have not, with what to do instead.
MISSING = {
    "bfloat16": "pass dtype='fp16' or 'fp32' to the constructor",
    "cuda": "thimble computes on the CPU",
    "fit": "train with sentence-transformers, then convert the folder with thimble.convert",
    "half": "pass dtype='fp16' to the constructor",
    "push_to_hub": "models are uploaded by sentence-transformers",
    "save": "the model file stays where it is: thimble.models() lists it",
    "save_pretrained": "the model file stays where it is: thimble.models() lists it",
    "set_pooling_include_prompt": "whether the tokens of a prompt count is part of the model; convert another one",
}


def prompts_of(info: Mapping[str, Any]) -> Tuple[Dict[str, str], Optional[str]]:
    """The prompts in a model's info, and the name of the default one."""
    start = "prompt."
    prompts = {name[len(start) :]: text for name, text in info.items() if name.startswith(start)}
    return prompts, info.get("default_prompt_name") or None


def merged_prompts(own: Dict[str, str], given: Optional[Mapping[str, Optional[str]]]) -> Dict[str, str]:
    """The prompts of the caller, then those of the model; "query" and "document" are always there."""
    merged: Dict[str, Optional[str]] = {"query": None, "document": None}
    merged.update(given or {})
    for name, text in own.items():
        if merged.get(name) is None:
            merged[name] = text
    return {name: text or "" for name, text in merged.items()}


class _ModelCard:
    """What evaluators of sentence-transformers tell their results to: nothing is kept."""

    base_model: Optional[str] = None

    def set_evaluation_metrics(self, *_: Any) -> None:
        """Does nothing."""


class Prompts:
    """A model's prompts, with those that its user added. `prompts` may be replaced."""

    model_card_data = _ModelCard()
    prompts: Dict[str, str]
    default_prompt_name: Optional[str]
    _own_prompts: Dict[str, str]
    _include_prompt: bool

    def _set_prompts(
        self,
        info: Mapping[str, Any],
        prompts: Optional[Mapping[str, Optional[str]]],
        default_prompt_name: Optional[str],
    ) -> None:
        self._own_prompts, own_default = prompts_of(info)
        self._include_prompt = bool(info.get("include_prompt", True))
        self.prompts = merged_prompts(self._own_prompts, prompts)
        self.default_prompt_name = default_prompt_name if default_prompt_name is not None else own_default
        if self.default_prompt_name and self.default_prompt_name not in self.prompts:
            raise ValueError(
                f"Default prompt name '{self.default_prompt_name}' not found in the configured prompts "
                f"dictionary with keys {list(self.prompts)!r}."
            )

    def _prompt(self, prompt: Optional[str], prompt_name: Optional[str]) -> Tuple[str, str]:
        """The prompt of a call as (text to put before each text, name of a prompt of the model); one is empty."""
        if prompt is not None and prompt_name is not None:
            _settings.logger.warning(
                "Provide either a `prompt`, a `prompt_name`, or neither, but not both. "
                "Ignoring the `prompt_name` in favor of `prompt`."
            )
        elif prompt is None and prompt_name is not None:
            if prompt_name not in self.prompts:
                raise ValueError(
                    f"Prompt name '{prompt_name}' not found in the configured prompts dictionary with keys "
                    f"{list(self.prompts)!r}."
                )
            prompt = self.prompts[prompt_name]
        elif prompt is None and self.default_prompt_name is not None:
            prompt = self.prompts.get(self.default_prompt_name)
        if not prompt:
            return "", ""
        if not isinstance(prompt, str):
            raise TypeError(f"prompt: expected a str, found {type(prompt).__name__}")
        for name, text in self._own_prompts.items():
            if text == prompt:
                return "", name
        if not self._include_prompt:
            raise _settings.unsupported(
                f"prompt={prompt!r}: this model does not pool the tokens of its prompts, and knows only its own: "
                f"{self._own_prompts!r}. Pass one of them.",
            )
        return prompt, ""


class Face(Prompts):
    """A model of thimble with the settings and methods that both classes of sentence-transformers have."""

    _missing: Mapping[str, str]
    _settings: Optional[Dict[str, Any]]

    def _check(self, device: Any, backend: str, token: Any, modules: Any, model_card_data: Any,
               processor_kwargs: Sequence[Optional[Mapping[str, Any]]],
               config_kwargs: Optional[Mapping[str, Any]]) -> None:
        """InvalidArgument that names the first setting of the constructor that is not supported."""
        _settings.check_device(device)
        _settings.check_backend(backend)
        _settings.check_token(token)
        _settings.check_absent({"modules": modules}, "pass the name or the folder of a model.")
        _settings.check_absent({"model_card_data": model_card_data}, "models are not saved; leave it out.")
        for kwargs in processor_kwargs:
            _settings.check_kwargs("tokenizer_kwargs", kwargs, "; max_seq_length sets the limit of tokens")
        _settings.check_kwargs("config_kwargs", config_kwargs, "")

    def _open(self, kind: Callable[..., T], model: Optional[Any], dtype: Optional[str], revision: Optional[str],
              folder: Optional[Any], threads: Optional[int], max_memory: Union[int, str], max_tokens: int,
              local_files_only: bool) -> T:
        """Opens the model for the first time, and keeps how."""
        if model is None:
            raise _settings.invalid("model_name_or_path: pass the name or the folder of a model.")
        model = _native.path_text(model, "model_name_or_path")
        folder = _native.path_text(folder, "cache_folder")
        self._settings = {"model": model, "dtype": dtype, "revision": revision, "folder": folder,
                          "threads": threads, "max_memory": max_memory}
        arguments = _settings.model_arguments(**self._settings, max_tokens=max_tokens)
        return _settings.open_model(kind, arguments, folder, local_files_only)

    def _open_again(self, kind: Callable[..., T], max_tokens: Optional[int], name: str) -> T:
        """Opens the model with another limit of tokens, whose name is that; None means the model's own."""
        _settings.check_count(max_tokens, name)
        if self._settings is None:
            raise _settings.invalid(f"{name}: pass `max_tokens` to the embedder that this model was made of.")
        return kind(**_settings.model_arguments(**self._settings, max_tokens=max_tokens or 0))

    @property
    def device(self) -> Device:
        """Always "cpu"."""
        return CPU

    def to(self, device: Any = None, **kwargs: Any) -> Self:
        """Does nothing for the CPU; other devices and types are refused."""
        if str(device).startswith("torch.") or kwargs.get("dtype") is not None:
            raise _settings.invalid("to(dtype) is not supported: pass `dtype` to the constructor.")
        _settings.check_device(kwargs.get("device", device), "to")
        return self

    def eval(self) -> Self:
        """Does nothing: models are not trained here."""
        return self

    def evaluate(self, evaluator: Callable[..., T], output_path: Optional[str] = None) -> T:
        """What an evaluator of sentence-transformers finds of this model."""
        return evaluator(self, output_path)

    def start_multi_process_pool(self, target_devices: Optional[List[str]] = None) -> ThreadPool:
        """A stand-in for a pool of processes; starts none. Calls with `pool` compute on the threads of the model."""
        _settings.check_device(target_devices, "target_devices")
        return ThreadPool(input=None, output=None, processes=[])

    @staticmethod
    def stop_multi_process_pool(pool: ThreadPool) -> None:
        """Does nothing."""

    def __getattr__(self, name: str) -> Any:
        instead = f": {self._missing[name]}" if name in self._missing else ""
        raise AttributeError(f"thimble.{type(self).__name__} has no {name}{instead}.")
