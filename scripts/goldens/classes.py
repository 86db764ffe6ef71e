#!/usr/bin/env python3
"""Writes tests/fixtures/tokenizer/classes.json: folders of tokenizers as transformers 5 and its predecessors saved them, and
the ids and places that transformers gives for them. Needs transformers 5, sentencepiece and protobuf.

The vocabularies are trained here, on a few sentences. "files" has each file once: a text, or {"base64"} of bytes; a folder
has the names of its files with what they contain, and for a JSON file what is different in it (RFC 7396).
"""

import base64
import io
import json
import os
import pathlib
import random
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import sentencepiece  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers  # noqa: E402
from tokenizer import added, merge  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORPUS = [
    "The cat sat on the mat, and it's what they'd have wanted; we'll see!", "Hello world, hello words. 123 12 3 2026",
    "Der Fluss flie\u00dft, die Stra\u00dfe ist na\u00df.", "L'\u00e9t\u00e9 o\u00f9 l'\u00e9cole \u00e9tait ferm\u00e9e \u00e0 No\u00ebl",
    "\u4e2d\u6587\u7684\u4e00\u53e5\u8bdd\uff0c\u4e2d\u6587", "if (a == b) { return c->d; }  // code\n\n    x += 1", "aaaa abab abcabc \U0001f600\U0001f600",
] * 4
TEXTS = [
    "", " ", "  ", "\n", "Hello world", " Hello  world ", "the cat sat on the mat", "it's we'll they'd I'm you're I've 'tis 'S 'll",
    "don't 's't''s '", "a\n\n b", "a \n b", "\t\ta", "x  y   z", "12 123 1a2b \u00b2\u00bd \u0661\u0662", "!?... --- ==> (a)", "caf\u00e9 \u00e9t\u00e9 na\u00efve",
    "e\u0301 \u0301", "\u4e2d\u6587\u7684 \u4e2d", "a\u00a0b\u3000c\u2003 d", "\u200b\u00ad\ufeff", "\U0001f600 \U0001f468\u200d\U0001f469", "a\x00b\x7fc", "\ufffd", "\u0130\u0131\u00df\u1e9e",
    "<mask>", "a <mask> b", "a  <mask>  b", "  <mask><mask>\n<mask> ", "<s>a</s>", "<s> a </s> <unk><pad>", "<mas", "x<mask", "[MASK] [SEP] [CLS]",
    "foo foofoo foo.", "zz zz  zz", "abcabcabab" * 8, "a" * 300, "ab" * 700, "=" * 90, " " * 200 + "x", "\u4e2d\u6587" * 200,
    "HELLO World", "\uff28\uff45\uff4c\uff4c\uff4f", "\ufb01 \u2460 \u212b", "hello<foo>hello", "a_b c-d e/f", "The cat. The mat; the end\u2026",
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MAP = {
    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>",
    "mask_token": {"content": "<mask>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": True},
}
MPNET_MAP = {**MAP, "unk_token": "[UNK]"}


def train_bpe(size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def train_wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False))
    vocabulary = tokenizer.get_vocab()
    return "".join(piece + "\n" for piece in sorted(vocabulary, key=vocabulary.get))


def train_sentencepiece(**options):
    # A few rules of NFKC, whose table has 240 kB, in the columns of SentencePiece.
    rules = {"\ufb01": "fi", "\u2460": "1", "\uff28": "H", "\uff45": "e", "\uff4c": "l", "\uff4f": "o", "\u3000": " ", "\u00a0": " ",
             "\u200b": ""}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="ascii") as table:
        for source, target in rules.items():
            table.write("\t".join(" ".join(f"{ord(c):X}" for c in text) for text in (source, target)) + "\n")
        table.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=150, hard_vocab_limit=False, model_type="unigram",
            normalization_rule_tsv=table.name, num_threads=1, minloglevel=2, **options)
    return {"base64": base64.b64encode(model.getvalue()).decode()}


def roberta_json(model, **changes):
    special = [added(token, i, special=True, lstrip=token == "<mask>") for i, token in enumerate(SPECIAL)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True,
                           "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, **model}, **changes}


class Fixture:
    def __init__(self, temporary):
        self.temporary, self.files, self.folders = pathlib.Path(temporary), {}, []

    def keep(self, name, contents):
        bare = isinstance(contents, str) or "base64" in contents
        self.files[name] = contents if bare else json.dumps(contents, separators=(",", ":"))
        return name

    def contents(self, file):
        kept = self.files[file["of"]]
        if isinstance(kept, dict):
            return base64.b64decode(kept["base64"])
        if "patch" not in file:
            return kept.encode()
        # A null in the file is the absence of a member, as in the test.
        return json.dumps({"post_processor": None, "decoder": None, "truncation": None, "padding": None, "normalizer": None,
                           **merge(json.loads(kept), file["patch"])}).encode()

    def folder(self, name, model_type, config, files, places=False):
        path = self.temporary / name
        path.mkdir()
        entry = {"name": name, "config": config, "model": {"model_type": model_type, "transformers_version": "4.6.0"},
                 "files": {file: {"of": of} if isinstance(of, str) else {"of": of[0], "patch": of[1]} for file, of in files.items()}}
        for file, of in entry["files"].items():
            (path / file).write_bytes(self.contents(of))
        (path / "config.json").write_text(json.dumps(entry["model"]))
        if config is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(config))
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(path)
            encoded = [tokenizer(text, truncation=False) for text in TEXTS]
        except Exception as error:
            raise RuntimeError(name) from error
        entry["class"] = type(tokenizer).__name__
        entry["ids"] = [row["input_ids"] for row in encoded]
        if places:
            entry["offsets"] = [[self.byte(text, place) for pair in row.encodings[0].offsets for place in pair]
                                for text, row in zip(TEXTS, encoded)]
            entry["decoded"] = [tokenizer.decode(row["input_ids"], clean_up_tokenization_spaces=False) for row in encoded]
        self.folders.append(entry)
        return tokenizer

    @staticmethod
    def byte(text, place):
        return len(text[:place].encode())

    def saved(self, name, tokenizer):
        """What transformers writes today, as a file of the fixture and the settings."""
        path = self.temporary / (name + ".saved")
        tokenizer.save_pretrained(path)
        with open(path / "tokenizer_config.json", encoding="utf-8") as file:
            config = json.load(file)
        with open(path / "tokenizer.json", encoding="utf-8") as file:
            return self.keep(name, json.load(file)), config


def add_roberta(fixture):
    model = train_bpe(420)
    vocabulary, merges = model["vocab"], model["merges"]
    slow = {"vocab.json": fixture.keep("vocab.json", vocabulary),
            "merges.txt": fixture.keep("merges.txt", "#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in merges))}
    map_file = {"special_tokens_map.json": fixture.keep("map", MAP)}
    json_file = fixture.keep("roberta", roberta_json({"vocab": vocabulary, "merges": [" ".join(pair) for pair in merges]}))
    fixture.keep("pairs", roberta_json({"vocab": vocabulary, "merges": merges}))
    tokenizer = fixture.folder("roberta_slow", "roberta", {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512},
                               {**slow, **map_file}, places=True)
    saved, config = fixture.saved("roberta_saved", tokenizer)
    fixture.folder("roberta_saved", "roberta", config, {"tokenizer.json": saved})
    fixture.folder("roberta_bare", "roberta", None, slow)
    fixture.folder("roberta_space", "roberta", {"add_prefix_space": True, "max_len": 128}, slow, places=True)
    early = {"model": {"type": None}, "pre_tokenizer": {"use_regex": None}}
    fixture.folder("roberta_early", "roberta", None, {"tokenizer.json": (json_file, early)})
    space = {"pre_tokenizer": {"add_prefix_space": True}}
    fixture.folder("roberta_both", "roberta", {"tokenizer_class": "RobertaTokenizerFast", "trim_offsets": False},
                   {"tokenizer.json": (json_file, space), **slow, **map_file}, places=True)
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    fixture.folder("byte_level_space", "roberta", fast, {"tokenizer.json": ("pairs", {
        **space, "post_processor": {"add_prefix_space": True}})}, places=True)
    template = {"type": "TemplateProcessing", "sep": None, "cls": None, "trim_offsets": None, "add_prefix_space": None,
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {token: {"id": token, "ids": [i], "tokens": [token]} for token, i in (("<s>", 0), ("</s>", 2))}}
    whole = {"model": {"ignore_merges": True}, "post_processor": template}
    fixture.folder("byte_level_whole", "roberta", fast, {"tokenizer.json": ("pairs", whole)}, places=True)
    size = len(vocabulary)
    special = [added(token, i, special=True, normalized=token != "<mask>") for i, token in enumerate(SPECIAL)]
    strips = {"added_tokens": special + [added("foo", size, single_word=True, lstrip=True), added("zz", size + 1, lstrip=True, rstrip=True)]}
    fixture.folder("byte_level_strips", "roberta", fast, {"tokenizer.json": (json_file, strips)}, places=True)
    # Without some bytes.
    kept = [entry for entry in sorted(vocabulary, key=vocabulary.get)
            if entry not in "Ggq\u00c3" and all(ord(c) < 0x7F or c == "\u0120" for c in entry)]
    few = {entry: i for i, entry in enumerate(kept)}
    few_merges = [pair for pair in merges if all(part in few for part in (*pair, "".join(pair)))]
    fixture.keep("few", roberta_json({"vocab": few, "merges": few_merges}))
    fixture.folder("few_dropped", "roberta", fast, {"tokenizer.json": "few"})
    fixture.folder("few_unknown", "roberta", fast, {"tokenizer.json": ("few", {"model": {"unk_token": "<unk>"}})})
    fixture.folder("few_joined", "roberta", fast, {"tokenizer.json": ("few", {"model": {"unk_token": "<unk>", "fuse_unk": True}})},
                   places=True)


def add_wordpiece(fixture):
    fixture.keep("vocab.txt", train_wordpiece())
    fixture.keep("mpnet_map", MPNET_MAP)
    for name, kind in (("mpnet", "MPNetTokenizer"), ("distilbert", "DistilBertTokenizer")):
        more = {"special_tokens_map.json": "mpnet_map"} if name == "mpnet" else {}
        tokenizer = fixture.folder(name + "_slow", name, {"tokenizer_class": kind, "do_lower_case": True},
                                   {"vocab.txt": "vocab.txt", **more})
        saved, config = fixture.saved(name, tokenizer)
        fixture.folder(name + "_saved", name, config, {"tokenizer.json": saved})
        fixture.folder(name + "_bare", name, None, {"vocab.txt": "vocab.txt"})
        cased = {"tokenizer_class": kind + "Fast", "do_lower_case": False, "tokenize_chinese_chars": False}
        fixture.folder(name + "_cased", name, cased, {"tokenizer.json": saved})
        fixture.folder(name + "_file", name, {"tokenizer_class": "PreTrainedTokenizerFast"}, {"tokenizer.json": saved})


def add_sentencepiece(fixture):
    fixture.keep("plain.model", train_sentencepiece())
    fixture.keep("defined.model", train_sentencepiece(user_defined_symbols=["<foo>", "hello"], control_symbols=["<ctl>"]))
    for name, kind, family in (("xlmr", "XLMRobertaTokenizer", "xlm-roberta"), ("camembert", "CamembertTokenizer", "camembert")):
        slow = {"sentencepiece.bpe.model": "plain.model"}
        tokenizer = fixture.folder(name + "_slow", family, {"tokenizer_class": kind, "sp_model_kwargs": {}},
                                   {**slow, "special_tokens_map.json": "map"})
        saved, config = fixture.saved(name, tokenizer)
        fixture.folder(name + "_saved", family, config, {"tokenizer.json": saved, **slow})
        fixture.folder(name + "_bare", family, None, slow)
        fixture.folder(name + "_no_space", family, {"add_prefix_space": False, "mask_token": "<mask>"}, slow)
        fixture.folder(name + "_defined", family, {"tokenizer_class": kind + "Fast"}, {"sentencepiece.bpe.model": "defined.model"})
        early = {"model": {"type": None, "byte_fallback": None}, "pre_tokenizer": {"type": "WhitespaceSplit", "pretokenizers": None}}
        fixture.folder(name + "_early", family, {"tokenizer_class": kind}, {"tokenizer.json": (saved, early)})
        fixture.folder(name + "_file", family, {"tokenizer_class": "PreTrainedTokenizerFast"}, {"tokenizer.json": saved})


def main():
    random.seed(1)
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as temporary:
        fixture = Fixture(temporary)
        add_roberta(fixture)
        add_wordpiece(fixture)
        add_sentencepiece(fixture)
    library = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
    head = {"library": library, "written_by": "scripts/goldens/classes.py", "texts": TEXTS, "files": fixture.files}
    with open(ROOT / "tests/fixtures/tokenizer/classes.json", "w", encoding="ascii") as file:
        rows = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in fixture.folders)
        file.write(json.dumps(head, separators=(",", ":"))[:-1] + ',"folders":[\n' + rows + "\n]}\n")


if __name__ == "__main__":
    main()
