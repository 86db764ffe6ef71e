"""SentenceTransformer: the calls of the package sentence-transformers, computed by thimble."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union, overload

from . import _face, _settings, util
from ._arrays import tensor, torch_is_installed, torch_module
from ._settings import ThreadPool, invalid
from ._transformers import Tokenizer
from .embedder import Embedder
from .quantization import PRECISIONS, quantize_embeddings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Literal, Self

_SIMILARITIES = tuple(util.SimilarityFunction.possible_values())


class SentenceTransformer(_face.Face):
    """A model that turns texts into vectors, with the methods and results of sentence_transformers.SentenceTransformer.

    model_name_or_path: a name on the Hugging Face hub, the folder of a model, a model file, or "mock". A name that is
    not on this machine is downloaded and converted at once, unless `local_files_only`, HF_HUB_OFFLINE or
    TRANSFORMERS_OFFLINE forbid that.
    dtype: how the weights are stored: "q8" (the default), "q6", "q4", "q4-small", "fp16" or "fp32". The path of a
        model file has its own, and refuses another.
    threads, max_memory, embedder: see thimble.Embedder; an open one may be given instead of a name.

    A setting that would change vectors and is not supported raises an error that names it. These differ from
    sentence-transformers: similarity() and `util` return arrays of numpy unless tensors of torch came in; pairs of
    texts, training, saving and devices other than the CPU are refused. Errors are those of thimble.Embedder; most are
    ValueError, too.
    """

    _missing = {
        **_face.MISSING,
        "double": "pass dtype='fp32' to the constructor",
        "forward": "call encode",
        "preprocess": "call tokenize",
        "save_to_hub": "models are uploaded by sentence-transformers",
        "train": "train with sentence-transformers, then convert the folder with thimble.convert",
    }

    def __init__(
        self,
        model_name_or_path: Optional[str] = None,
        modules: Optional[Any] = None,
        device: Optional[Any] = None,
        prompts: Optional[Mapping[str, Optional[str]]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[Union[str, util.SimilarityFunction]] = None,
        cache_folder: Optional[str] = None,
        trust_remote_code: bool = False,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Optional[Union[bool, str]] = None,
        use_auth_token: Optional[Union[bool, str]] = None,
        truncate_dim: Optional[int] = None,
        model_kwargs: Optional[Mapping[str, Any]] = None,
        tokenizer_kwargs: Optional[Mapping[str, Any]] = None,
        config_kwargs: Optional[Mapping[str, Any]] = None,
        model_card_data: Optional[Any] = None,
        backend: str = "torch",
        *,
        processor_kwargs: Optional[Mapping[str, Any]] = None,
        dtype: Optional[str] = None,
        threads: Optional[int] = None,
        max_memory: Union[int, str] = 0,
        embedder: Optional[Embedder] = None,
    ) -> None:
        del trust_remote_code  # No code of a model is ever run.
        self._check(device, backend, token if token is not None else use_auth_token, modules, model_card_data,
                    (tokenizer_kwargs, processor_kwargs), config_kwargs)
        _settings.check_count(truncate_dim, "truncate_dim")
        self.truncate_dim = truncate_dim
        self.similarity_fn_name = similarity_fn_name
        dtype = _settings.dtype_of(dtype, model_kwargs)
        if embedder is None:
            embedder = self._open(Embedder, model_name_or_path, dtype, revision, cache_folder, threads, max_memory, 0,
                                  local_files_only)
        else:
            _settings.check_absent(
                {"model_name_or_path": model_name_or_path, "dtype": dtype, "revision": revision,
                 "cache_folder": cache_folder, "threads": threads, "max_memory": max_memory or None},
                "`embedder` has its own; pass one of them.",
            )
            self._settings = None
            if default_prompt_name is None:
                default_prompt_name = embedder._arguments["prompt_name"]
        self.embedder: Embedder = embedder
        self._tokenizer: Optional[Tokenizer] = None
        self._set_prompts(embedder.info, prompts, default_prompt_name)

    # Overloads: sentence embeddings are an array of numpy unless the call asks for tensors.
    @overload
    def encode(
        self,
        inputs: Union[str, Sequence[str], NDArray[Any]],
        prompt_name: Optional[str] = ...,
        prompt: Optional[str] = ...,
        batch_size: int = ...,
        show_progress_bar: Optional[bool] = ...,
        output_value: Literal["sentence_embedding"] = ...,
        precision: Optional[str] = ...,
        convert_to_numpy: Literal[True] = ...,
        convert_to_tensor: Literal[False] = ...,
        device: Optional[Any] = ...,
        normalize_embeddings: bool = ...,
        truncate_dim: Optional[int] = ...,
        pool: Optional[ThreadPool] = ...,
        chunk_size: Optional[int] = ...,
        **kwargs: Any,
    ) -> NDArray[Any]: ...

    @overload
    def encode(
        self,
        inputs: Any = ...,
        prompt_name: Optional[str] = ...,
        prompt: Optional[str] = ...,
        batch_size: int = ...,
        show_progress_bar: Optional[bool] = ...,
        output_value: Optional[str] = ...,
        precision: Optional[str] = ...,
        convert_to_numpy: bool = ...,
        convert_to_tensor: bool = ...,
        device: Optional[Any] = ...,
        normalize_embeddings: bool = ...,
        truncate_dim: Optional[int] = ...,
        pool: Optional[ThreadPool] = ...,
        chunk_size: Optional[int] = ...,
        **kwargs: Any,
    ) -> Any: ...

    def encode(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        output_value: Optional[str] = "sentence_embedding",
        precision: Optional[str] = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Optional[Any] = None,
        normalize_embeddings: bool = False,
        truncate_dim: Optional[int] = None,
        pool: Optional[ThreadPool] = None,
        chunk_size: Optional[int] = None,
        **kwargs: Any,
    ) -> Any:
        """The vectors of texts: (d,) for a str, (n, d) for a list, tuple, array or column of n texts, float32.

        output_value: "sentence_embedding"; "token_embeddings" for the (tokens, d) vectors of each text's tokens; None
        for a dict for each text. The latter two have tensors where torch is installed, else arrays.
        precision: see thimble.quantization.quantize_embeddings.
        truncate_dim: keeps the first components; `normalize_embeddings` then scales to unit length.
        A list of tensors with convert_to_numpy=False, one tensor with convert_to_tensor=True. `batch_size`,
        `chunk_size` and `pool` do not matter: vectors and memory do not depend on how texts are grouped.
        """
        inputs = _settings.renamed(kwargs, "sentences", "inputs", inputs)
        _settings.check_calls("SentenceTransformer.encode", batch_size, device, pool, kwargs)
        if precision is not None and precision not in PRECISIONS:
            raise ValueError(f"Precision {precision!r} is not supported, must be one of {list(PRECISIONS)}")
        if output_value not in ("sentence_embedding", "token_embeddings", None):
            raise invalid(
                f"output_value={output_value!r} is none of 'sentence_embedding', 'token_embeddings' and None."
            )
        single = isinstance(inputs, str)
        texts = [inputs] if single else _settings.texts_of(inputs)
        before, name = self._prompt(prompt, prompt_name)
        dimensions = truncate_dim if truncate_dim is not None else self.truncate_dim
        _settings.check_count(dimensions, "truncate_dim")
        if output_value != "sentence_embedding":
            items = [self._features(before, name, text, dimensions) for text in texts]
            outputs = items if output_value is None else [item["token_embeddings"] for item in items]
            return outputs[0] if single else outputs

        if texts:
            show = _settings.show_progress(show_progress_bar)
            vectors = self._vectors(texts, before, name, dimensions, normalize_embeddings, batch_size, show)
            if precision is not None and precision != "float32":
                vectors = quantize_embeddings(vectors, precision)
        else:
            import numpy as np

            vectors = np.array([])
        return _converted(vectors, single, convert_to_numpy, convert_to_tensor)

    def _vectors(
        self,
        texts: List[str],
        before: str,
        name: str,
        dimensions: Optional[int],
        normalize: bool,
        batch_size: int,
        show_progress: bool,
    ) -> NDArray[np.float32]:
        import numpy as np

        own = self.embedder.dimensions
        cut = dimensions if dimensions is not None and dimensions < own else None
        # Without `normalize`, a cut vector keeps the length that it has, as in sentence-transformers.
        unit = True if normalize and cut is None else None
        step = batch_size if show_progress else len(texts)
        vectors = np.empty((len(texts), own if cut is None else cut), dtype=np.float32)
        for start in _settings.progress(range(0, len(texts), step), show_progress):
            part = texts[start : start + step]
            if before:
                part = [before + text for text in part]
            whole = self.embedder.encode(part, prompt_name=name, normalize=unit)
            if step == len(texts) and cut is None:
                return whole
            vectors[start : start + step] = whole[:, :cut]
        return util.normalize_embeddings(vectors) if normalize and cut is not None else vectors

    def _features(self, before: str, name: str, text: str, dimensions: Optional[int]) -> Dict[str, Any]:
        import numpy as np

        prompt = before or self._own_prompts.get(name, "")
        tokens = self.embedder.encode_tokens(prompt + text)
        ids = np.asarray(self.embedder.tokenize(prompt + text, prompt_name=""), dtype=np.int64)
        features: Dict[str, Any] = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if self.embedder.info.get("architecture") == "bert":
            features["token_type_ids"] = np.zeros_like(ids)
        features["token_embeddings"] = tokens
        features["sentence_embedding"] = self._vectors([text], before, name, dimensions, False, 1, False)[0]
        return _tensors(features)

    def encode_query(
        self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **kwargs: Any
    ) -> Any:
        """The same as encode, with the prompt "query" unless the call names another."""
        if prompt_name is None and prompt is None and "query" in self.prompts:
            prompt_name = "query"
        inputs = _settings.renamed(kwargs, "sentences", "inputs", inputs)
        return self.encode(inputs, prompt_name=prompt_name, prompt=prompt, **{"task": "query", **kwargs})

    def encode_document(
        self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **kwargs: Any
    ) -> Any:
        """The same as encode, with the prompt "document", "passage" or "corpus", the first of them that the model has,
        unless the call names another."""
        if prompt_name is None and prompt is None:
            prompt_name = next((name for name in ("document", "passage", "corpus") if name in self.prompts), None)
        inputs = _settings.renamed(kwargs, "sentences", "inputs", inputs)
        return self.encode(inputs, prompt_name=prompt_name, prompt=prompt, **{"task": "document", **kwargs})

    def tokenize(self, texts: Sequence[str]) -> Dict[str, Any]:
        """The token ids of texts as "input_ids" (n, longest), padded by zeros where "attention_mask" is 0. Tensors
        where torch is installed, else arrays, of int64."""
        import numpy as np

        rows = self.embedder.tokenize_batch(_settings.texts_of(texts), prompt_name="")
        ids = np.zeros((len(rows), max((len(row) for row in rows), default=0)), dtype=np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        features = {"input_ids": ids, "attention_mask": mask}
        if self.embedder.info.get("architecture") == "bert":
            features["token_type_ids"] = np.zeros_like(ids)
        return _tensors(features)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model, with the calls of transformers' that splitters of texts make."""
        if self._tokenizer is None or self._tokenizer._embedder is not self.embedder:
            self._tokenizer = Tokenizer(self.embedder)
        return self._tokenizer

    @property
    def similarity_fn_name(self) -> str:
        """The similarity of similarity() and similarity_pairwise(): "cosine" unless it was set."""
        return self._similarity_fn_name or "cosine"

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: Optional[Union[str, util.SimilarityFunction]]) -> None:
        name = value.value if isinstance(value, util.SimilarityFunction) else value
        if name is not None and name not in _SIMILARITIES:
            raise ValueError(f"SentenceTransformer only supports similarity_fn_name in {_SIMILARITIES}, got {value!r}.")
        self._similarity_fn_name: Optional[str] = name

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """The similarity of each vector of `embeddings1` (n, d) with each of `embeddings2` (m, d), as (n, m)."""
        return util.SimilarityFunction.to_similarity_fn(self.similarity_fn_name)(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """The similarity of embeddings1[i] and embeddings2[i] for each i, as (n,)."""
        return util.SimilarityFunction.to_similarity_pairwise_fn(self.similarity_fn_name)(embeddings1, embeddings2)

    def get_embedding_dimension(self) -> int:
        """The length of the vectors of encode."""
        own: int = self.embedder.dimensions
        return own if self.truncate_dim is None else min(own, self.truncate_dim)

    def get_sentence_embedding_dimension(self) -> int:
        """The same as get_embedding_dimension."""
        return self.get_embedding_dimension()

    @contextlib.contextmanager
    def truncate_embeddings(self, truncate_dim: Optional[int]) -> Iterator[None]:
        """In the block, encode keeps only the first `truncate_dim` components."""
        before, self.truncate_dim = self.truncate_dim, truncate_dim
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    @property
    def max_seq_length(self) -> int:
        """The most tokens of a text, special tokens included; the rest is cut off. Setting it opens the model anew."""
        limit: int = self.embedder.max_tokens
        return limit

    @max_seq_length.setter
    def max_seq_length(self, value: Optional[int]) -> None:
        self.embedder = self._open_again(Embedder, value, "max_seq_length")

    def get_max_seq_length(self) -> int:
        """The same as max_seq_length."""
        return self.max_seq_length

    def get_backend(self) -> str:
        return "thimble"

    def cpu(self) -> Self:
        """Does nothing."""
        return self

    def float(self) -> Self:
        """Does nothing: vectors are float32, whatever the dtype of the weights."""
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Does nothing for False."""
        if requires_grad:
            raise invalid("requires_grad_(True) is not supported: models are not trained here.")
        return self

    def encode_multi_process(
        self,
        sentences: List[str],
        pool: ThreadPool,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        chunk_size: Optional[int] = None,
        show_progress_bar: Optional[bool] = None,
        precision: str = "float32",
        normalize_embeddings: bool = False,
        truncate_dim: Optional[int] = None,
    ) -> NDArray[Any]:
        """Deprecated: the same as encode(sentences, pool=pool, ...)."""
        warnings.warn("encode_multi_process is deprecated; call encode.", DeprecationWarning, stacklevel=2)
        return self.encode(
            sentences,
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            precision=precision,
            normalize_embeddings=normalize_embeddings,
            truncate_dim=truncate_dim,
            pool=pool,
            chunk_size=chunk_size,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.embedder.model!r})"


def _tensors(features: Dict[str, NDArray[Any]]) -> Dict[str, Any]:
    if not torch_is_installed():
        return dict(features)
    return {name: tensor(array, "output_value") for name, array in features.items()}


def _converted(vectors: NDArray[Any], single: bool, convert_to_numpy: bool, convert_to_tensor: bool) -> Any:
    if convert_to_tensor:
        setting = "convert_to_tensor=True"
        output: Any = tensor(vectors, setting) if len(vectors) else torch_module(setting).tensor([])
    elif convert_to_numpy:
        output = vectors
    else:
        output = list(tensor(vectors, "convert_to_numpy=False")) if len(vectors) else []
    return output[0] if single else output
