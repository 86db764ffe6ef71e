"""What SentenceTransformer.tokenizer is: the calls of a tokenizer of transformers, answered by that of the model.

chonkie knows such tokenizers by the name of their module.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence, Union

from . import _native
from .errors import InvalidArgument, Unsupported

if TYPE_CHECKING:
    from .embedder import Embedder

_ROLES = ("unk", "sep", "pad", "cls", "mask")
# Values of `truncation` that mean yes and no; text pairs, the only thing in which the former differ, are refused.
_TRUNCATE = (True, "longest_first", "only_first")
_WHOLE = (None, False, "do_not_truncate")
# What transformers puts in the place of spaces where it is asked to clean up.
_CLEANED = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"),
            (" 've", "'ve"), (" 're", "'re"))


class Encoding(Dict[str, Any]):
    """What a call of a tokenizer gives: a dict whose values are also attributes, as transformers.BatchEncoding."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name}") from None


class Tokenizer:
    """The tokenizer of a model with the calls of transformers' that splitters of texts make. Pairs of texts, texts that are
    split into words, places of tokens and new tokens are refused. Vectors do not depend on it: `encode` of the model has its own
    limit of tokens."""

    padding_side = "right"
    is_fast = True
    # As transformers does where tokenizer_config.json does not say; model files do not record it.
    clean_up_tokenization_spaces = False

    def __init__(self, embedder: "Embedder") -> None:
        self._embedder = embedder
        info = embedder.info
        self.vocab_size = int(info["vocabulary"])
        self.name_or_path = embedder.model
        self.model_input_names = ["input_ids", "attention_mask"]
        if info.get("architecture") == "bert":
            self.model_input_names.insert(1, "token_type_ids")
        vocabulary = self._vocabulary([])
        self._is_bpe = vocabulary["joining"] == "byte_level"
        ids = {role: vocabulary["special_ids"][role] for role in _ROLES if role in vocabulary["special_ids"]}
        entries = dict(zip(ids, self._vocabulary(list(ids.values()))["entries"]))
        for role in _ROLES:
            setattr(self, f"{role}_token", entries.get(role))
            setattr(self, f"{role}_token_id", ids.get(role))
        self.all_special_ids: List[int] = list(dict.fromkeys(ids.values()))
        self.all_special_tokens: List[str] = list(dict.fromkeys(entries.values()))
        self._ids: Optional[Dict[str, int]] = None

    @property
    def model_max_length(self) -> int:
        """The most tokens of a text."""
        return self._embedder.max_tokens

    def __len__(self) -> int:
        return self.vocab_size

    def __call__(self, text: Union[str, Sequence[str], None] = None, text_pair: None = None, *, add_special_tokens: bool = True,
                 padding: Union[bool, str] = False, truncation: Union[bool, str, None] = None,
                 max_length: Optional[int] = None, return_tensors: Optional[str] = None,
                 return_token_type_ids: Optional[bool] = None, return_attention_mask: Optional[bool] = None,
                 return_length: bool = False, **others: Any) -> Encoding:
        """``input_ids``, ``attention_mask``, and ``token_type_ids`` for BERT: lists, of several texts lists of lists. Padding
        is True or ``"longest"``, or ``"max_length"``; ``return_tensors`` is ``"np"`` or ``"pt"``."""
        _refuse(text_pair=text_pair, **others)
        single = isinstance(text, str)
        texts = [text] if isinstance(text, str) else _native.sequence(text, "text")
        rows = self._rows(texts, add_special_tokens, padding, truncation, max_length)
        masks = [[1] * len(row) for row in rows]
        self._pad(rows, masks, padding, max_length)
        values: Dict[str, Any] = {"input_ids": rows}
        if return_token_type_ids or (return_token_type_ids is None and "token_type_ids" in self.model_input_names):
            values["token_type_ids"] = [[0] * len(row) for row in rows]
        if return_attention_mask is not False:
            values["attention_mask"] = masks
        if return_length:
            values["length"] = [len(row) for row in rows]
        if return_tensors is not None:
            return Encoding((name, _tensor(value, return_tensors)) for name, value in values.items())
        return Encoding((name, value[0] if single else value) for name, value in values.items())

    def encode(self, text: str, text_pair: None = None, add_special_tokens: bool = True,
               padding: Union[bool, str] = False, truncation: Union[bool, str, None] = None,
               max_length: Optional[int] = None, return_tensors: Optional[str] = None, **others: Any) -> Any:
        """The ids of a text."""
        if not isinstance(text, str):
            raise TypeError(f"text: expected a string, found {type(text).__name__}; call the tokenizer for several")
        ids = self(text, text_pair, add_special_tokens=add_special_tokens, padding=padding, truncation=truncation,
                   max_length=max_length, **others)["input_ids"]
        return ids if return_tensors is None else _tensor([ids], return_tensors)

    def tokenize(self, text: str, pair: None = None, add_special_tokens: bool = False, **others: Any) -> List[str]:
        """The tokens of a text, as they are in the vocabulary."""
        ids = self.encode(text, pair, add_special_tokens=add_special_tokens, **others)
        tokens: List[str] = self.convert_ids_to_tokens(ids)
        return tokens

    def decode(self, token_ids: Any, skip_special_tokens: bool = False,
               clean_up_tokenization_spaces: Optional[bool] = None, **others: Any) -> Any:
        """The text of ids, which is not always the text that they were made of; of several lists of ids, a list of texts.
        ``clean_up_tokenization_spaces`` removes spaces before punctuation, except for BPE."""
        _refuse(**others)
        ids = _list(token_ids)
        several = isinstance(ids, list) and bool(ids) and isinstance(ids[0], list)
        lists: List[Any] = ids if several else [ids if isinstance(ids, list) else [ids]]
        texts = self._decode(lists, skip_special_tokens, clean_up_tokenization_spaces)
        return texts if several else texts[0]

    def batch_decode(self, sequences: Any, skip_special_tokens: bool = False,
                     clean_up_tokenization_spaces: Optional[bool] = None, **others: Any) -> List[str]:
        """The text of each list of ids."""
        _refuse(**others)
        return self._decode([_list(ids) for ids in sequences], skip_special_tokens, clean_up_tokenization_spaces)

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The tokens of ids, as they are in the vocabulary; of one id, its token."""
        wanted = _list(ids)
        if isinstance(wanted, int):
            return self._vocabulary([wanted])["entries"][0]
        if skip_special_tokens:
            wanted = [i for i in wanted if i not in self.all_special_ids]
        return self._vocabulary(wanted)["entries"]

    def convert_tokens_to_ids(self, tokens: Union[str, Iterable[str]]) -> Any:
        """The ids of tokens; those that the vocabulary lacks have that of the unknown token, or None."""
        known = self._known()
        unknown = getattr(self, "unk_token_id")
        if isinstance(tokens, str):
            return known.get(tokens, unknown)
        return [known.get(token, unknown) for token in tokens]

    def get_vocab(self) -> Dict[str, int]:
        """Each token with its id."""
        return dict(self._known())

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many tokens are put around a text."""
        _refuse(pair=pair)
        return int(self._embedder.count_tokens("", prompt_name=""))

    def __repr__(self) -> str:
        return f"Tokenizer({self.name_or_path!r})"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the tokenizer of thimble has no {name}: load that of transformers for it.")

    def _known(self) -> Dict[str, int]:
        if self._ids is None:
            self._ids = {token: i for i, token in enumerate(self._vocabulary(None)["entries"]) if token}
        return self._ids

    def _vocabulary(self, ids: Optional[List[int]]) -> Dict[str, Any]:
        packed = None if ids is None else (ctypes.c_int32 * max(len(ids), 1))(*_checked(ids))
        found: Dict[str, Any] = self._embedder._run(
            "vocabulary", packed, 0 if ids is None else len(ids), keep=packed, take=_native.take_json)
        return found

    def _rows(self, texts: Sequence[str], special: bool, padding: Union[bool, str], truncation: Union[bool, str, None],
              max_length: Optional[int]) -> List[List[int]]:
        if truncation not in _TRUNCATE + _WHOLE:
            raise InvalidArgument("invalid_argument", f"truncation: expected True, False, 'longest_first', 'only_first' or "
                                  f"'do_not_truncate', found {truncation!r}")
        # As transformers: a limit alone truncates.
        cut = truncation in _TRUNCATE or (truncation is None and max_length is not None and not padding)
        if max_length is not None and _native.whole_number(max_length, "max_length") < 1:
            raise InvalidArgument("invalid_argument", f"max_length: expected at least 1, found {max_length}")
        positions = int(self._embedder.info["positions"])
        if cut and max_length is not None and max_length > positions:
            raise InvalidArgument("invalid_argument", f"max_length: expected at most {positions}, the positions of "
                                  f"{self.name_or_path}, found {max_length}; or set truncation='do_not_truncate'")
        rows: List[List[int]] = self._embedder._tokenize(texts, "", cut, special, _native.take_ids, max_length if cut else None)
        return rows

    def _pad(self, rows: List[List[int]], masks: List[List[int]], padding: Union[bool, str],
             max_length: Optional[int]) -> None:
        if padding in (False, "do_not_pad"):
            return
        if padding not in (True, "longest", "max_length"):
            raise InvalidArgument("invalid_argument", f"padding: expected True, False, 'longest', 'max_length' or "
                                  f"'do_not_pad', found {padding!r}")
        pad = getattr(self, "pad_token_id")
        if pad is None:
            raise Unsupported("unsupported", f"padding: {self.name_or_path} has no token for it; leave it out")
        longest = max((len(row) for row in rows), default=0)
        width = (max_length or self.model_max_length) if padding == "max_length" else longest
        for row, mask in zip(rows, masks):
            missing = width - len(row)
            if self.padding_side == "left":
                row[:0], mask[:0] = [pad] * missing, [0] * missing
            else:
                row += [pad] * missing
                mask += [0] * missing

    def _decode(self, lists: List[List[int]], skip_special_tokens: bool, clean_up: Optional[bool]) -> List[str]:
        ids, offsets = [], [0]
        for part in lists:
            ids += _checked(part)
            offsets.append(len(ids))
        packed = _native.Ids(struct.pack(f"{len(ids)}i", *ids), struct.pack(f"{len(offsets)}Q", *offsets), len(lists))
        texts: List[str] = self._embedder._run(
            "decode", ctypes.byref(packed), int(bool(skip_special_tokens)), keep=packed, take=_native.take_json)
        clean = self.clean_up_tokenization_spaces if clean_up is None else clean_up
        if not clean or self._is_bpe:
            return texts
        for old, new in _CLEANED:
            texts = [text.replace(old, new) for text in texts]
        return texts


def _refuse(**values: Any) -> None:
    """Unsupported for a setting that would change what a call gives."""
    for name, value in values.items():
        if value not in (None, False) and name != "verbose":
            raise Unsupported("unsupported", f"{name}: the tokenizer of thimble has no such option; leave it out, or load "
                              "that of transformers")


def _list(ids: Any) -> Any:
    """Ids of a list, a tuple, an array or a tensor as a list, or one as an int."""
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    if isinstance(ids, (list, tuple)):
        return [_list(i) if isinstance(i, (list, tuple)) or hasattr(i, "tolist") else i for i in ids]
    return _native.whole_number(ids, "token_ids")


def _checked(ids: Iterable[Any]) -> List[int]:
    found = [_native.whole_number(i, "token_ids") for i in ids]
    for i in found:
        if not 0 <= i < 2**31:
            raise InvalidArgument("invalid_argument", f"token_ids: expected ids of the vocabulary, found {i}")
    return found


def _tensor(rows: List[List[int]], kind: str) -> Any:
    from . import _arrays

    if kind not in ("np", "pt"):
        raise Unsupported("unsupported", f"return_tensors: expected 'np' or 'pt', found {kind!r}")
    import numpy as np

    if len({len(row) for row in rows if isinstance(row, list)}) > 1:
        raise ValueError("return_tensors: texts of unequal length; set padding=True too")
    array = np.array(rows, dtype=np.int64)
    return _arrays.tensor(array, "return_tensors='pt'") if kind == "pt" else array
