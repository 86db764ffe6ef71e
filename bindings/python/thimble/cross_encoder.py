"""CrossEncoder: the calls of the package sentence-transformers for rerankers, computed by thimble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union, overload

from . import _face, _settings
from ._arrays import is_tensor, tensor, to_numpy, torch_is_installed, torch_module
from ._settings import ThreadPool, invalid
from .reranker import Reranker

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Literal

# Older names of arguments of the constructor.
_OLDER_NAMES = {
    "model_name": "model_name_or_path",
    "automodel_args": "model_kwargs",
    "tokenizer_args": "processor_kwargs",
    "tokenizer_kwargs": "processor_kwargs",
    "config_args": "config_kwargs",
    "cache_dir": "cache_folder",
    "default_activation_function": "activation_fn",
}


class CrossEncoder(_face.Face):
    """A model that scores pairs of texts, with the methods and results of sentence_transformers.CrossEncoder.

    model_name_or_path, device, cache_folder, revision, local_files_only, dtype, threads, max_memory: as for
    thimble.SentenceTransformer, as are the rules for settings that are not supported.
    max_length: the most tokens of a pair; longer ones lose tokens of the longer text first.
    activation_fn: see predict.
    """

    _missing = {**_face.MISSING, "forward": "call predict", "model": "call predict", "tokenizer": "call predict"}

    def __init__(
        self,
        model_name_or_path: Optional[str] = None,
        num_labels: Optional[int] = None,
        max_length: Optional[int] = None,
        activation_fn: Optional[Callable[[Any], Any]] = None,
        device: Optional[Any] = None,
        *,
        modules: Optional[Any] = None,
        prompts: Optional[Mapping[str, Optional[str]]] = None,
        default_prompt_name: Optional[str] = None,
        cache_folder: Optional[str] = None,
        trust_remote_code: bool = False,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Optional[Union[bool, str]] = None,
        model_kwargs: Optional[Mapping[str, Any]] = None,
        processor_kwargs: Optional[Mapping[str, Any]] = None,
        config_kwargs: Optional[Mapping[str, Any]] = None,
        model_card_data: Optional[Any] = None,
        backend: str = "torch",
        dtype: Optional[str] = None,
        threads: Optional[int] = None,
        max_memory: Union[int, str] = 0,
        **older: Any,
    ) -> None:
        del trust_remote_code  # No code of a model is ever run.
        names: Dict[str, Any] = {
            "model_name_or_path": model_name_or_path,
            "model_kwargs": model_kwargs,
            "processor_kwargs": processor_kwargs,
            "config_kwargs": config_kwargs,
            "cache_folder": cache_folder,
            "activation_fn": activation_fn,
        }
        for old, new in _OLDER_NAMES.items():
            names[new] = _settings.renamed(older, old, new, names[new])
        if older:
            raise TypeError(f"CrossEncoder() got an unexpected keyword argument {next(iter(older))!r}")
        self._check(device, backend, token, modules, model_card_data, (names["processor_kwargs"],),
                    names["config_kwargs"])
        _settings.check_count(max_length, "max_length")
        dtype = _settings.dtype_of(dtype, names["model_kwargs"])
        self.reranker: Reranker = self._open(_reranker, names["model_name_or_path"], dtype, revision,
                                             names["cache_folder"], threads, max_memory, max_length or 0,
                                             local_files_only)
        info = self.reranker.info
        self.num_labels: int = self.reranker.num_scores
        if num_labels is not None and num_labels != self.num_labels:
            raise invalid(f"num_labels={num_labels}: this model has {self.num_labels}. Leave it out.")
        self.activation_fn: Optional[Callable[[Any], Any]] = names["activation_fn"]
        self._set_prompts(info, prompts, default_prompt_name)

    @overload
    def predict(
        self,
        inputs: Any,
        prompt_name: Optional[str] = ...,
        prompt: Optional[str] = ...,
        batch_size: int = ...,
        show_progress_bar: Optional[bool] = ...,
        activation_fn: Optional[Callable[[Any], Any]] = ...,
        apply_softmax: Optional[bool] = ...,
        convert_to_numpy: Literal[True] = ...,
        convert_to_tensor: Literal[False] = ...,
        device: Optional[Any] = ...,
        pool: Optional[ThreadPool] = ...,
        chunk_size: Optional[int] = ...,
        **kwargs: Any,
    ) -> NDArray[Any]: ...

    @overload
    def predict(
        self,
        inputs: Any = ...,
        prompt_name: Optional[str] = ...,
        prompt: Optional[str] = ...,
        batch_size: int = ...,
        show_progress_bar: Optional[bool] = ...,
        activation_fn: Optional[Callable[[Any], Any]] = ...,
        apply_softmax: Optional[bool] = ...,
        convert_to_numpy: bool = ...,
        convert_to_tensor: bool = ...,
        device: Optional[Any] = ...,
        pool: Optional[ThreadPool] = ...,
        chunk_size: Optional[int] = ...,
        **kwargs: Any,
    ) -> Any: ...

    def predict(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        activation_fn: Optional[Callable[[Any], Any]] = None,
        apply_softmax: Optional[bool] = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Optional[Any] = None,
        pool: Optional[ThreadPool] = None,
        chunk_size: Optional[int] = None,
        **kwargs: Any,
    ) -> Any:
        """The scores of pairs of texts, float32: (n,) for a list of n pairs, a scalar for one pair; with several labels
        (n, labels) and (labels,).

        activation_fn: computes scores from the outputs of the model (n, 1) or (n, labels), a tensor where torch is
        installed, else an array. By default that of the constructor, else the model's own, which is the sigmoid for
        one label if its source states none.
        apply_softmax: whether the scores of several labels are scaled to the sum 1.
        """
        import numpy as np

        inputs = _settings.renamed(kwargs, "sentences", "inputs", inputs)
        activation_fn = _settings.renamed(kwargs, "activation_fct", "activation_fn", activation_fn)
        kwargs.pop("num_workers", None)
        _settings.check_calls("CrossEncoder.predict", batch_size, device, pool, kwargs)
        items = _items(inputs)
        single = bool(items) and isinstance(items[0], str)
        pairs = [_pair(index, item) for index, item in enumerate([items] if single else items)]
        if not pairs:
            if convert_to_tensor:
                return torch_module("convert_to_tensor=True").tensor([])
            return np.array([]) if convert_to_numpy else []

        activation = activation_fn if activation_fn is not None else self.activation_fn
        scores = self._scores(
            pairs,
            self._prompt(prompt, prompt_name),
            activation is not None,
            batch_size,
            _settings.show_progress(show_progress_bar),
        )
        if activation is not None:
            activated = activation(tensor(scores, "activation_fn") if torch_is_installed() else scores)
            scores = np.asarray(to_numpy(activated)[0] if is_tensor(activated) else activated, dtype=np.float32)
        if self.num_labels == 1 and scores.ndim > 1:
            scores = scores[:, 0]
        if apply_softmax and scores.ndim > 1:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        output: Any = scores
        if convert_to_tensor:
            output = tensor(scores, "convert_to_tensor=True")
        elif not convert_to_numpy:
            output = list(tensor(scores, "convert_to_numpy=False"))
        return output[0] if single else output

    def _scores(
        self, pairs: List[Tuple[str, str]], prompt: Tuple[str, str], raw: bool, batch_size: int, show_progress: bool
    ) -> NDArray[Any]:
        import numpy as np

        before = self._before(prompt)
        scores = np.empty((len(pairs), self.num_labels), dtype=np.float32)
        step = batch_size if show_progress else len(pairs)
        for start in _settings.progress(range(0, len(pairs), step), show_progress):
            end = min(start + step, len(pairs))
            while start < end:  # Neighbours with the same query are scored in one call.
                query, last = pairs[start][0], start + 1
                while last < end and pairs[last][0] == query:
                    last += 1
                documents = [document for _, document in pairs[start:last]]
                part = self.reranker.score(before + query, documents, raw_scores=raw)
                scores[start:last] = part.reshape(len(documents), self.num_labels)
                start = last
        return scores

    def _before(self, prompt: Tuple[str, str]) -> str:
        before, name = prompt
        return before or self._own_prompts.get(name, "")

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: Optional[int] = None,
        return_documents: bool = False,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        activation_fn: Optional[Callable[[Any], Any]] = None,
        device: Optional[Any] = None,
        pool: Optional[ThreadPool] = None,
        chunk_size: Optional[int] = None,
        **kwargs: Any,
    ) -> List[Dict[str, Any]]:
        """The `top_k` documents that answer `query` best, all for None, best first, as {"corpus_id": index,
        "score": float} and "text" with `return_documents`. ValueError for a model with several labels."""
        if self.num_labels != 1:
            raise ValueError(
                "CrossEncoder.rank() only works for models with num_labels=1. "
                "Consider using CrossEncoder.predict() with input pairs instead."
            )
        for name in ("apply_softmax", "convert_to_numpy", "convert_to_tensor"):
            kwargs.pop(name, None)  # Without effect in sentence-transformers, too: scores are floats.
        if isinstance(documents, str) or not isinstance(query, str):
            raise TypeError("rank: expected a str as query and a list of str as documents, found "
                            f"{type(query).__name__} and {type(documents).__name__}")
        texts = _settings.texts_of(documents, "documents")
        scores = self.predict(
            [(query, text) for text in texts],
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            activation_fn=activation_fn,
            device=device,
            pool=pool,
            chunk_size=chunk_size,
            **kwargs,
        ).tolist()
        order = sorted(range(len(scores)), key=lambda index: -scores[index])[:top_k]
        results: List[Dict[str, Any]] = [{"corpus_id": index, "score": scores[index]} for index in order]
        if return_documents:
            for result in results:
                result["text"] = texts[result["corpus_id"]]
        return results

    @property
    def max_seq_length(self) -> int:
        """The most tokens of a pair. Setting it opens the model anew."""
        limit: int = self.reranker.max_tokens
        return limit

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        self.reranker = self._open_again(_reranker, value, "max_length")

    @property
    def max_length(self) -> int:
        """The same as max_seq_length."""
        return self.max_seq_length

    @max_length.setter
    def max_length(self, value: int) -> None:
        self.max_seq_length = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reranker.model!r})"


def _reranker(**arguments: Any) -> Reranker:
    # Prompts are put before the query here.
    return Reranker(**arguments, prompt_name="")


def _items(inputs: Any) -> List[Any]:
    """A list of pairs, or one pair. TypeError for what has keys, columns or letters instead."""
    if hasattr(inputs, "tolist"):
        return list(inputs.tolist())
    if isinstance(inputs, (str, bytes, dict)) or hasattr(inputs, "columns") or not hasattr(inputs, "__iter__"):
        raise TypeError(f"inputs: expected a list of [query, document], or one pair, found {type(inputs).__name__}")
    return list(inputs)


def _pair(index: int, item: Any) -> Tuple[str, str]:
    if isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(text, str) for text in item):
        return item[0], item[1]
    raise TypeError(f"inputs[{index}] is not a pair of two str: pass [query, document] for each pair.")
