"""SentenceTransformer.tokenizer. What it should give is recorded from transformers: by reference(), and for each kind of
tokenizer in decoded.json."""

import functools
import json
import pathlib
import tempfile

import face_models
import numpy as np
import pytest
from face_models import ROOT, TEXTS
from reference import needs, reference, seen
from reference import model as theirs

import thimble

FIXTURES = ROOT / "tests/fixtures/tokenizer"
CALLS = {
    "call": lambda t: dict(t("it's a test")),
    "batch": lambda t: dict(t(["a b", "c", ""])),
    "padded": lambda t: dict(t(["a b c", "c"], padding=True)),
    "padded to a length": lambda t: dict(t(["a b c", "c"], padding="max_length", max_length=9)),
    "padded and cut": lambda t: dict(t(["a b c d e f g", "c"], padding=True, truncation=True, max_length=6)),
    "padded by a limit": lambda t: dict(t(["a b c d e f g", "c"], padding=True, max_length=4)),
    "arrays": lambda t: dict(t(["a b c", "c"], padding=True, return_tensors="np")),
    "without types": lambda t: dict(t("a", return_token_type_ids=False, return_attention_mask=False)),
    "encode": lambda t: [t.encode(text) for text in TEXTS],
    "encode bare": lambda t: [t.encode(text, add_special_tokens=False) for text in TEXTS],
    "encode cut": lambda t: [t.encode("it's a long test", truncation=True, max_length=n) for n in (3, 4, 9)],
    "encode cut bare": lambda t: t.encode("it's a long test", add_special_tokens=False, truncation=True, max_length=4),
    "encode by a limit": lambda t: t.encode("it's a long test", max_length=5),
    "encode at the limit": lambda t: t.encode("word " * 200, truncation=True),
    "encode whole": lambda t: t.encode("word " * 200, max_length=2**32, truncation="do_not_truncate"),
    "tokenize": lambda t: t.tokenize("it's unbelievable"),
    "tokens": lambda t: [t.convert_ids_to_tokens([2, 51, 3]), t.convert_ids_to_tokens(51),
                         t.convert_ids_to_tokens([2, 51, 3], skip_special_tokens=True)],
    "ids": lambda t: [t.convert_tokens_to_ids(["a", "##b", "nowhere", "[SEP]"]), t.convert_tokens_to_ids("a")],
    "vocabulary": lambda t: sorted(t.get_vocab().items()),
    "properties": lambda t: [len(t), t.vocab_size, t.model_max_length, t.cls_token, t.sep_token_id, t.pad_token_id, t.mask_token,
                             t.unk_token_id, sorted(t.all_special_ids), t.padding_side, t.is_fast,
                             t.num_special_tokens_to_add(), t.model_input_names],
    "lists of lists": lambda t: [t.decode([[2, 3], [4]]), t.batch_decode([[2, 3], [4]]), t.decode(2),
                                 t.batch_decode(np.array([[2, 4], [3, 4]]))],
}


@functools.lru_cache(maxsize=None)
def ours():
    return thimble.SentenceTransformer(face_models.model()).tokenizer


@pytest.mark.parametrize("name", CALLS)
def test_calls_are_those_of_transformers(name):
    expected = reference(f"tokenizer {name}", lambda: CALLS[name](theirs().tokenizer))
    assert seen(CALLS[name](ours())) == expected


@functools.lru_cache(maxsize=None)
def decoded():
    return json.loads((FIXTURES / "decoded.json").read_text())["folders"]


@functools.lru_cache(maxsize=None)
def of_class(name):
    """A tokenizer of classes.json, in a folder that thimble converts."""
    classes = json.loads((FIXTURES / "classes.json").read_text())
    entry = next(entry for entry in classes["folders"] if entry["name"] == name)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        face_models.write_folder(path, 500, entry, classes["files"])
        output = pathlib.Path(folder, "model.safetensors")
        thimble.convert(path, output, dtype="fp32")
        return thimble.SentenceTransformer(str(output)).tokenizer


@pytest.mark.parametrize("name", decoded())
def test_texts_of_ids_are_those_of_transformers(name):
    expected, tokenizer = decoded()[name], of_class(name)
    ids = expected["ids"]
    assert tokenizer.batch_decode(ids) == expected["plain"]
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == expected["skipped"]
    assert tokenizer.batch_decode(ids, clean_up_tokenization_spaces=True) == expected["cleaned"]
    assert [tokenizer.convert_ids_to_tokens(row) for row in ids] == expected["tokens"]
    assert tokenizer.decode(ids[4]) == expected["plain"][4]


@pytest.mark.parametrize(("call", "named"), [
    (lambda t: t("a", "b"), "text_pair"),
    (lambda t: t("a", return_offsets_mapping=True), "return_offsets_mapping"),
    (lambda t: t(["a"], is_split_into_words=True), "is_split_into_words"),
    (lambda t: t("a", stride=4), "stride"),
    (lambda t: t("a", truncation="only_second"), "truncation"),
    (lambda t: t("a", padding="left"), "padding"),
    (lambda t: t("a", max_length=10**6, truncation=True), "max_length"),
    (lambda t: t("a", return_tensors="tf"), "return_tensors"),
    (lambda t: t.decode([10**6]), "10*"),
    (lambda t: t.decode([-1]), "token_ids"),
])
def test_what_it_cannot_do_is_refused_by_name(call, named):
    with pytest.raises((thimble.InvalidArgument, thimble.Unsupported), match=named):
        call(ours())


def test_methods_that_it_lacks_are_named():
    with pytest.raises(AttributeError, match="save_pretrained.*transformers"):
        ours().save_pretrained("x")


def test_it_follows_the_limit_of_the_model():
    model = thimble.SentenceTransformer(face_models.model())
    assert model.tokenizer.model_max_length == model.max_seq_length and model.tokenizer is model.tokenizer
    model.max_seq_length = 9
    assert model.tokenizer.model_max_length == 9
    assert len(model.tokenizer.encode("word " * 50, truncation=True)) == 9
    assert len(model.tokenizer.encode("word " * 50)) > 9


@needs("torch")
def test_tensors():
    assert ours()(["a", "b"], return_tensors="pt")["input_ids"].shape == (2, 3)


def test_a_mock_has_none():
    with pytest.raises(thimble.Unsupported, match="vocabulary"):
        thimble.SentenceTransformer("mock").tokenizer
