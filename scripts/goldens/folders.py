#!/usr/bin/env python3
"""Writes what sentence-transformers and torch make of folders. Needs both, with transformers 5 (tests/folders/run.sh has
them in build/folders/base).

    scripts/goldens/folders.py tokenizers      tests/fixtures/tokenizer/folders.json: tokenizer files of folders, each with
                                               one thing changed, and their ids
    scripts/goldens/folders.py vectors         tests/fixtures/folders.json: vectors of the folders of tests/folders/written.py
    scripts/goldens/folders.py torch           tests/fixtures/torch: one state dict in both containers of torch and several
                                               protocols of pickle; src/convert/torch_file_test.cc has its values

Of each vector the fixture keeps its width, its length and components spread over it. Half precision is computed in fp32
from the weights as stored.
"""

import collections
import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/folders"))
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy  # noqa: E402
import sentence_transformers  # noqa: E402
import tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import written  # noqa: E402
from sentence_transformers.models import Transformer  # noqa: E402
from tokenizer import added, merge  # noqa: E402

COMPONENTS = 12
PIECES = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] hello Hello caf\u00e9 cafe Caf\u00e9 a b c d A B ##a ##b ##A x ##x foo Foo FOO"
    " bar <c> <s> <u> <m> \u4e2d \u6587 ##\u6587 e \u00e9 \u0301 - [ ] mask"
    " ##k ss \u00df i \u0130 i\u0307 pad"
).split()
VOCABULARY = {piece: i for i, piece in enumerate(PIECES)}
TEXTS = [
    "Hello hello HELLO", "caf\u00e9 cafe\u0301 CAF\u00c9 Cafe", "\u4e2d\u6587 a\u6587b",
    "foo Foo FOO foox xfoo foo-bar",
    "[CLS] a [MASK] b [SEP] [PAD] [UNK]", "<c> <s><u> a<m>b", "zz yy zzyy ZZ", "\u0130 i \u00df",
    "a\x00b\u00a0c\u200d",
    "abA aBa", "", "x" * 99 + " " + "x" * 100 + " " + "x" * 101, "[mask]", "a  foo  b", "Foo\u0301 \u00e9foo",
]
LONG = "a b c hello caf\u00e9 foo \u4e2d\u6587 x b a"


def listed(content, **options):
    return {key: value for key, value in added(content, 0, **options).items() if key != "id"}


SPECIAL = [added(piece, i, special=True) for i, piece in enumerate(PIECES[:5])]
NORMALIZER = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
              "lowercase": True}
TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": SPECIAL, "normalizer": NORMALIZER,
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, "decoder": None,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100, "vocab": VOCABULARY},
}
VOCAB_TXT = "".join(piece + "\n" for piece in PIECES)
FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}


def json_folder(change=None, config=None, **more):
    return {"patch": change or {}, "config": config, **more}


def text_folder(lines=VOCAB_TXT, config=None, **more):
    return {"files": {"vocab.txt": lines}, "config": config, **more}


def sequence(*parts):
    return {"normalizer": {"type": "Sequence", "normalizers": [{"type": part} if isinstance(part, str) else part
                                                               for part in parts],
                           **dict.fromkeys(["clean_text", "handle_chinese_chars", "strip_accents", "lowercase"])}}


def folders():
    cased = {"normalizer": {"lowercase": False}}
    foo = {"added_tokens": SPECIAL + [added("foo", VOCABULARY["foo"])]}
    lower = {"settings": {"do_lower_case": True}}
    for kind, config in (("bert", {}), ("file", FAST)):
        yield f"{kind}", json_folder(config=config or None)
        yield f"{kind} cased", json_folder(cased, config)
        yield f"{kind} cased, both", json_folder(cased, {**config, "do_lower_case": False})
        yield f"{kind} lower in config", json_folder(cased, {**config, "do_lower_case": True})
        yield f"{kind} cased in config", json_folder({}, {**config, "do_lower_case": False})
        yield f"{kind} accents kept", json_folder({}, {**config, "strip_accents": False})
        yield f"{kind} accents stripped", json_folder(cased, {**config, "do_lower_case": False, "strip_accents": True})
        yield f"{kind} Chinese kept", json_folder({}, {**config, "tokenize_chinese_chars": False})
        yield f"{kind} lower before", json_folder(cased, {**config, "do_lower_case": False}, **lower)
        yield f"{kind} sequence", json_folder(sequence("NFD", "StripAccents"), {**config, "do_lower_case": False})
        off = {**config, "do_lower_case": False}
        yield f"{kind} sequence, lower before", json_folder(sequence("NFD"), off, **lower)
        yield f"{kind} sequence has lower", json_folder(sequence("NFD", "Lowercase"), off, **lower)
        yield f"{kind} left in config", json_folder({}, {**config, "truncation_side": "left"})
        left = {"truncation": {"direction": "Left", "max_length": 6, "strategy": "LongestFirst", "stride": 0}}
        yield f"{kind} left in file", json_folder(left, config)
        yield f"{kind} left in file, right in config", json_folder(left, {**config, "truncation_side": "right"})
        yield f"{kind} listed token", json_folder(foo, config)
        yield f"{kind} listed token, empty decoder", json_folder(foo, {**config, "added_tokens_decoder": {}})
        decoder = {str(VOCABULARY["foo"]): listed("foo", normalized=True)}
        yield f"{kind} token in config", json_folder({}, {**config, "added_tokens_decoder": decoder})
        decoder = {"97": listed("zz", lstrip=True), "93": listed("yy", normalized=True, single_word=True)}
        yield f"{kind} new tokens", json_folder({}, {**config, "added_tokens_decoder": decoder}, embeddings=100)
        yield f"{kind} extra", json_folder({}, {**config, "additional_special_tokens": ["zz", "<s>"]}, embeddings=100)
        names = {"cls_token": "<c>", "sep_token": "<s>", "unk_token": "<u>", "mask_token": "<m>"}
        yield f"{kind} names", json_folder({}, {**config, **names})
        yield f"{kind} own name", json_folder({}, {**config, "image_token": "<m>"})
        model = {"model": {"max_input_chars_per_word": 3, "continuing_subword_prefix": ""}}
        yield f"{kind} model", json_folder(model, config)
        yield f"{kind} pre-tokenizer", json_folder({"pre_tokenizer": {"type": "WhitespaceSplit"}}, config)
        yield f"{kind} post-processor", json_folder({"post_processor": None}, config)
        yield f"{kind} special map", json_folder({}, config, files={"special_tokens_map.json": json.dumps(
            {"cls_token": {"content": "<c>", "lstrip": False, "normalized": False}, "sep_token": "<s>"})})
    yield "class in config.json", json_folder(cased, None, model={"tokenizer_class": "PreTrainedTokenizerFast"})
    yield "distil", json_folder(cased, {"tokenizer_class": "DistilBertTokenizerFast"})
    yield "unknown to the library", json_folder(cased, {"tokenizer_class": "RetriBertTokenizerFast"})
    for name, config in (
        ("plain", None), ("cased", {"do_lower_case": False}), ("accents", {"strip_accents": False}),
        ("Chinese", {"tokenize_chinese_chars": False}), ("left", {"truncation_side": "left"}),
        ("limit", {"model_max_length": 9}), ("no limit", {"model_max_length": 1e30}),
        ("null limit", {"model_max_length": None}), ("max_len", {"max_len": 9}),
        ("ignored", {"never_split": ["Hello"], "do_basic_tokenize": False, "clean_up_tokenization_spaces": True,
                     "padding_side": "left", "clean_text": False}),
        ("names", {"cls_token": "<c>", "unk_token": {"__type": "AddedToken", "content": "<u>", "lstrip": False,
                                                      "rstrip": False, "single_word": False, "normalized": True}}),
        ("no mask", {"mask_token": None}),
    ):
        yield f"text {name}", text_folder(config=config)
    yield "text lower before", text_folder(config={"do_lower_case": False}, **lower)
    yield "text arguments", text_folder(
        config={"do_lower_case": False, "model_max_length": 5},
        settings={"arguments": {"do_lower_case": True, "strip_accents": False, "model_max_length": 7,
                                "use_fast": False}})
    yield "text white space", text_folder(VOCAB_TXT.replace("hello\n", "hello \t\n").replace("foo\n", "foo\u3000\r\n"))
    yield "text repeated and empty", text_folder(VOCAB_TXT + "\nhello\n\nfoo\n\n", embeddings=60)
    yield "text no end of line", text_folder(VOCAB_TXT + "zz")
    yield "text carriage return", text_folder(VOCAB_TXT + "zz\ryy\nyy\n")
    yield "text leading space", text_folder(VOCAB_TXT + " zz\n")
    yield "text byte order mark", text_folder("\ufeff" + VOCAB_TXT, embeddings=100)
    yield "text without mask", text_folder(VOCAB_TXT.replace("[MASK]\n", ""), embeddings=100)
    old = {"zz": len(PIECES), "yy": len(PIECES) + 1}
    yield "text added tokens", {**text_folder(embeddings=100), "files": {
        "vocab.txt": VOCAB_TXT, "added_tokens.json": json.dumps(old),
        "special_tokens_map.json": json.dumps({"mask_token": "zz"})}}


def encode(path, entry):
    settings = entry.get("settings", {})
    module = Transformer(
        path, do_lower_case=settings.get("do_lower_case", False),
        processor_kwargs=dict(settings.get("arguments", {})), config_kwargs={}, model_kwargs={})
    oracle = module.tokenizer
    loaded = transformers.AutoTokenizer.from_pretrained(path, **settings.get("arguments", {}))
    limit = loaded.model_max_length
    entry["limit"] = None if limit > 1e20 else limit
    entry["ids"] = [oracle(text, truncation=False)["input_ids"] for text in TEXTS]
    cuts = [oracle(LONG, truncation="longest_first", max_length=length)["input_ids"] for length in (3, 5, 8)]
    entry["cuts"] = cuts


def write_tokenizers():
    entries = []
    with tempfile.TemporaryDirectory() as root:
        weights = os.path.join(root, "weights")
        config = transformers.BertConfig(vocab_size=200, hidden_size=32, num_hidden_layers=1, num_attention_heads=1,
                                         intermediate_size=32)
        transformers.BertModel(config).save_pretrained(weights)
        with open(os.path.join(weights, "config.json"), encoding="utf-8") as file:
            model = json.load(file)
        for i, (name, entry) in enumerate(folders()):
            path = os.path.join(root, str(i))
            os.mkdir(path)
            os.symlink(os.path.join(weights, "model.safetensors"), os.path.join(path, "model.safetensors"))
            files = dict(entry.get("files", {}))
            files["config.json"] = json.dumps({**model, **entry.get("model", {})})
            if entry["config"] is not None:
                files["tokenizer_config.json"] = json.dumps(entry["config"])
            if "patch" in entry:
                merged = merge(TOKENIZER, entry["patch"])
                files["tokenizer.json"] = json.dumps({"post_processor": None, "decoder": None, "truncation": None,
                                                      "padding": None, **merged})
            for file_name, text in files.items():
                with open(os.path.join(path, file_name), "w", encoding="utf-8", newline="") as file:
                    file.write(text)
            try:
                encode(path, entry)
            except Exception as error:
                raise RuntimeError(name) from error
            entries.append({"name": name, **entry})
    library = f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}, " \
              f"tokenizers {tokenizers.__version__}"
    goldens = {"library": library, "written_by": "scripts/goldens/folders.py", "texts": TEXTS, "long": LONG,
               "tokenizer": TOKENIZER}
    with open(ROOT / "tests/fixtures/tokenizer/folders.json", "w", encoding="ascii") as file:
        rows = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
        file.write(json.dumps(goldens, separators=(",", ":"))[:-1] + ',"folders":[\n' + rows + "\n]}\n")



def write_vectors():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    cases, failures = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        for i, (name, kind) in enumerate(written.kinds().items()):
            # The library leaves weights below auto_model random, and says so; without a model_type it fails.
            if kind.refused or "auto_model" in name or "no model_type" in name:
                continue
            folder = os.path.join(temporary, str(i))
            written.write(folder, **kind.settings)
            model = sentence_transformers.SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
            prompt = {"prompt": ""} if kind.prompt_name == "" else {"prompt_name": kind.prompt_name}
            print(name, flush=True)
            vectors = [model.encode([text], show_progress_bar=False, **prompt)[0] for text in kind.texts]
            cases[name] = {"width": len(vectors[0]), "lengths": [float(f"{numpy.linalg.norm(v):.8g}") for v in vectors],
                           "components": [[float(f"{v[i * len(v) // COMPONENTS]:.8g}") for i in range(COMPONENTS)]
                                          for v in vectors]}
            if kind.flipped:
                before = cases[kind.flipped]
                same = cases[name]["width"] == before["width"] and numpy.allclose(
                    cases[name]["components"], before["components"], rtol=0, atol=3e-6)
                if same:
                    failures.append(f"{name}: the same vectors as {kind.flipped}")
            if kind.vectors_of and not numpy.allclose(cases[name]["components"], cases[kind.vectors_of]["components"],
                                                      rtol=0, atol=1e-6):
                failures.append(f"{name}: other vectors than {kind.vectors_of}")
    if failures:
        sys.exit("\n".join(failures))
    reference = f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}"
    cases = {name: case for name, case in cases.items() if not written.kinds()[name].vectors_of}
    with open(ROOT / "tests/fixtures/folders.json", "w", encoding="ascii") as file:
        file.write('{"reference": ' + json.dumps(reference) + ', "cases": {\n')
        file.write(",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()))
        file.write("\n}}\n")


def state_dict():
    shared = torch.arange(12, dtype=torch.float32) / 4
    attributed = torch.nn.Parameter(torch.arange(2, dtype=torch.float32))
    attributed.note = "kept by torch"
    state = collections.OrderedDict(
        whole=shared.view(3, 4),
        transposed=shared.view(3, 4).t(),
        behind=shared[8:],
        every_third=shared[1::3],
        single=(torch.arange(6, dtype=torch.float64) / 8).view(2, 3).t(),
        half=(torch.arange(6) / 4).to(torch.float16).view(2, 3),
        brain=(torch.arange(6) * 16).to(torch.bfloat16),
        parameter=torch.nn.Parameter(torch.arange(3, dtype=torch.float32) - 1),
        attributed=attributed,
        expanded=torch.tensor([2.5]).expand(2, 2),
        scalar=torch.tensor(7.0),
        empty=torch.zeros(0, 3),
        position_ids=torch.arange(4).view(1, 4),
        unsigned=torch.arange(3).to(torch.uint16),
    )
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    return state


def write_torch():
    folder = ROOT / "tests/fixtures/torch"
    for container, zipped, protocols in (("zip", True, (2, 4, 5)), ("legacy", False, (2, 4))):
        for protocol in protocols:
            torch.save(state_dict(), folder / f"{container}_{protocol}.bin", pickle_protocol=protocol,
                       _use_new_zipfile_serialization=zipped)


if __name__ == "__main__":
    commands = {"tokenizers": write_tokenizers, "vectors": write_vectors, "torch": write_torch}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
