#!/usr/bin/env python3
"""Saves tiny models with the installed sentence-transformers, one folder for each setting, with its vectors beside.

    PYTHONPATH=... python3 tests/folders/make_folders.py OUT [--only PART]...
    python3 tests/folders/make_folders.py OUT --read-again

Writes OUT/NAME/model and OUT/NAME/expected.json:

    texts, vectors    what the library makes of the folder, loaded again, one text at a time; floats of nine digits
    prompt_name       as given to the library; null: none given; "": none, also where the folder has a default
    pooling           for --pooling, where the folder does not say it
    flipped           the kind from which this one differs in one setting, and flip_changes: whether that changes vectors
    refused           what the message must contain where a folder must not be converted; vectors are then null
    or_refused        the same for a folder that may be refused instead of followed
    vectors_of        the kind whose vectors are expected, where the library leaves weights random (and says so)

--read-again puts in the vectors of the installed version, for folders that an older one saved: where they differ by more
than rounding, saver_differs says by how much, since one folder can have one meaning only.

Weights are random, the same for all kinds of a shape, and every parameter matters. Half-precision folders are computed
in fp32 from the stored weights. Needs torch, transformers and sentence-transformers.
"""

import argparse
import os
import shutil
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
warnings.filterwarnings("ignore")

import numpy  # noqa: E402
import sentence_transformers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from sentence_transformers import SentenceTransformer, models  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tiny  # noqa: E402

VERSION = tuple(int(part) for part in sentence_transformers.__version__.split(".")[:2])
POOLINGS = ["mean", "cls", "lasttoken", "max", "mean_sqrt_len_tokens", "weightedmean"]
OLD_KEYS = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "lasttoken": "lasttoken",
            "mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "weightedmean": "weightedmean_tokens"}
PROMPTS = {"query": "query: ", "document": "passage of the river: ", "joined": "st"}


class Kind:
    def __init__(self, name, build, flipped=None, texts=tiny.TEXTS, **expected):
        self.name, self.build, self.flipped, self.texts, self.expected = name, build, flipped, texts, expected


# Parts of a folder, by the library's own hand.


def randomise(module, seed):
    """Parameters of trained models' sizes: all of them matter, also biases and norms."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(module.named_parameters()):
            noise = torch.randn(value.shape, generator=generator)
            norm = "LayerNorm.weight" in name or "layer_norm.weight" in name or name == "norm.weight"
            value.copy_(1 + 0.2 * noise if norm else 0.3 * noise if value.dim() > 1 else 0.2 * noise)
    return module.eval()


def bert_config(**settings):
    defaults = {"vocab_size": len(tiny.vocabulary()), "hidden_size": tiny.HIDDEN, "num_hidden_layers": 2,
                "num_attention_heads": tiny.HEADS, "intermediate_size": tiny.INTERMEDIATE,
                "max_position_embeddings": tiny.POSITIONS, "initializer_range": 0.3}
    return transformers.BertConfig(**{**defaults, **settings})


# Before the names of classes.
CLASSES = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta", "camembert": "Camembert",
           "distilbert": "DistilBert"}
PADDED_TEXTS = tiny.TEXTS + ["the cat [PAD] sat [PAD][PAD] by the river", "[PAD]"]


def family_config(family, **settings):
    if family == "bert":
        return bert_config(**settings)
    if family == "distilbert":
        return transformers.DistilBertConfig(**{
            "vocab_size": len(tiny.vocabulary()), "dim": tiny.HIDDEN, "n_layers": 2, "n_heads": tiny.HEADS,
            "hidden_dim": tiny.INTERMEDIATE, "max_position_embeddings": tiny.POSITIONS, **settings})
    of_bert = bert_config(**{"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 0, **settings}).to_dict()
    of_bert = {name: value for name, value in of_bert.items() if name not in ("model_type", "architectures")}
    return getattr(transformers, CLASSES[family] + "Config")(**of_bert)


def model_of(family, config=None, end="Model"):
    return randomise(getattr(transformers, CLASSES[family] + end)(family_config(family, **(config or {}))), 1)


def write_base(folder, config=None, tokenizer=None, family="bert"):
    """A transformers folder: config, weights, tokenizer."""
    os.makedirs(folder)
    model_of(family, config).save_pretrained(folder)
    vocabulary = os.path.join(folder, "vocab.txt")
    with open(vocabulary, "w", encoding="utf-8") as file:
        file.writelines(piece + "\n" for piece in tiny.vocabulary())
    settings = {"do_lower_case": True, "model_max_length": 64, **(tokenizer or {})}
    transformers.BertTokenizerFast.from_pretrained(folder, **settings).save_pretrained(folder)
    if family != "bert":  # WordPiece as tokenizer.json has it: the tokens do not matter here.
        if os.path.exists(vocabulary):
            os.remove(vocabulary)
        # Without token types, which DistilBERT does not take.
        edit(folder, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast",
             model_input_names=["input_ids", "attention_mask"])


def pooling(modes, include_prompt=True, width=tiny.HIDDEN):
    modes = [modes] if isinstance(modes, str) else modes
    if VERSION >= (5, 4):
        return models.Pooling(width, pooling_mode=modes, include_prompt=include_prompt)
    flags = {f"pooling_mode_{key}": mode in modes for mode, key in OLD_KEYS.items()}
    return models.Pooling(width, include_prompt=include_prompt, **flags)


def dense(inputs, outputs, activation=torch.nn.Identity, seed=2, **settings):
    return randomise(models.Dense(inputs, outputs, activation_function=activation(), **settings), seed)


def layer_norm(width, seed=3):
    return randomise(models.LayerNorm(width), seed)


def save(folder, modes="mean", after=(), normalize=False, include_prompt=True, config=None, tokenizer=None,
         max_seq_length=None, before=(), family="bert", **settings):
    """The whole model; the defaults are what most kinds differ from in one setting."""
    base = folder + ".base"
    write_base(base, config, tokenizer, family)
    parts = [models.Transformer(base, **({"max_seq_length": max_seq_length} if max_seq_length else {})), *before]
    if modes:
        parts.append(pooling(modes, include_prompt))
    parts += [*after, *([models.Normalize()] if normalize else [])]
    model = SentenceTransformer(modules=parts, device="cpu", **settings)
    model.save(folder, create_model_card=False)
    shutil.rmtree(base)


def edit(folder, name, **changes):
    """Changes keys of a JSON file; None removes one."""
    path = os.path.join(folder, name)
    value = tiny.read_json(path) if os.path.exists(path) else {}
    value.update(changes)
    tiny.write_json(path, {key: entry for key, entry in value.items() if entry is not None})


def edit_normalizer(folder, **changes):
    path = os.path.join(folder, "tokenizer.json")
    value = tiny.read_json(path)
    value["normalizer"].update(changes)
    tiny.write_json(path, value)


def edit_modules(folder, **types_or_paths):
    """index="type" or index=("type", "path") for the module with that place."""
    path = os.path.join(folder, "modules.json")
    modules = tiny.read_json(path)
    for place, change in types_or_paths.items():
        module = modules[int(place[1:])]
        name, to = change if isinstance(change, tuple) else (change, None)
        module["type"] = name or module["type"]
        if to is not None:
            move(folder, module["path"], to)
            module["path"] = to
    tiny.write_json(path, modules)


def move(folder, before, to):
    source, target = os.path.join(folder, before), os.path.join(folder, to)
    os.makedirs(target, exist_ok=True)
    keep = {"modules.json", "config_sentence_transformers.json"}
    for name in os.listdir(source):
        if os.path.isfile(os.path.join(source, name)) and (before or name not in keep):
            shutil.move(os.path.join(source, name), target)


def weights(folder):
    import safetensors.torch

    return safetensors.torch.load_file(os.path.join(folder, "model.safetensors"))


def save_weights(folder, tensors, name="model.safetensors"):
    import safetensors.torch

    safetensors.torch.save_file({key: value.contiguous() for key, value in tensors.items()}, os.path.join(folder, name),
                                metadata={"format": "pt"})


# Kinds.


def pooling_kinds():
    for mode in POOLINGS:
        yield Kind(f"pooling-{mode}", lambda f, m=mode: save(f, m), None if mode == "mean" else "pooling-mean")
    several = {"mean-cls": ["mean", "cls"], "cls-max-weightedmean": ["cls", "max", "weightedmean"],
               "lasttoken-mean_sqrt_len_tokens": ["lasttoken", "mean_sqrt_len_tokens"]}
    for name, modes in several.items():
        yield Kind(f"pooling-{name}", lambda f, m=modes: save(f, m))
        yield Kind(f"pooling-{name}-normalize", lambda f, m=modes: save(f, m, normalize=True), f"pooling-{name}")

    def old_form(folder, modes, **keys):
        save(folder, "mean")
        flags = {f"pooling_mode_{key}": mode in modes for mode, key in OLD_KEYS.items()}
        tiny.write_json(os.path.join(folder, "1_Pooling", "config.json"),
                        {"word_embedding_dimension": tiny.HIDDEN, **flags, **keys})

    for modes in [["cls"], ["mean_sqrt_len_tokens"], ["weightedmean"], ["lasttoken", "max", "mean"]]:
        name = "-".join(modes)
        yield Kind(f"pooling-old-form-{name}", lambda f, m=modes: old_form(f, m), "pooling-mean")
    yield Kind("normalize", lambda f: save(f, normalize=True), "pooling-mean")
    yield Kind("normalize-twice", lambda f: save(f, normalize=True, after=[models.Normalize()]), "pooling-mean")


def prompt_kinds():
    texts = tiny.TEXTS[:5] + ["one of the old"]
    for mode in ["mean", "cls", "weightedmean", "max", "lasttoken"]:
        for inside in (True, False):
            yield Kind(f"include-prompt-{str(inside).lower()}-{mode}",
                       lambda f, m=mode, i=inside: save(f, m, include_prompt=i, prompts=PROMPTS),
                       None if inside else f"include-prompt-true-{mode}", texts, prompt_name="document")
    yield Kind("include-prompt-false-several",
               lambda f: save(f, ["cls", "max", "mean"], include_prompt=False, prompts=PROMPTS),
               texts=texts, prompt_name="query")
    # "st" + "one" is one word: the prompt's tokens are counted alone, and not found in the text's.
    for mode in ["mean", "cls", "weightedmean", "lasttoken"]:
        yield Kind(f"include-prompt-false-joined-{mode}",
                   lambda f, m=mode: save(f, m, include_prompt=False, prompts=PROMPTS),
                   texts=["one", "ay near the river", "ones", "cat", ""], prompt_name="joined")
    yield Kind("include-prompt-false-cut", lambda f: save(f, include_prompt=False, prompts=PROMPTS, max_seq_length=6),
               texts=tiny.TEXTS[:5] + [tiny.LONG], prompt_name="document")
    yield Kind("include-prompt-false-default",
               lambda f: save(f, include_prompt=False, prompts=PROMPTS, default_prompt_name="query"), texts=texts)
    yield Kind("prompts-not-asked", lambda f: save(f, prompts=PROMPTS), texts=texts)
    yield Kind("prompts-query", lambda f: save(f, prompts=PROMPTS), "prompts-not-asked", texts, prompt_name="query")
    yield Kind("prompts-document", lambda f: save(f, prompts=PROMPTS), "prompts-query", texts, prompt_name="document")
    default = {"prompts": PROMPTS, "default_prompt_name": "document"}
    yield Kind("prompts-default", lambda f: save(f, **default), "prompts-not-asked", texts)
    yield Kind("prompts-default-another", lambda f: save(f, **default), "prompts-default", texts, prompt_name="query")
    yield Kind("prompts-default-off", lambda f: save(f, **default), "prompts-default", texts, prompt_name="")
    yield Kind("prompts-empty-default", lambda f: save(f, prompts={"query": "query: ", "document": ""},
                                                       default_prompt_name="document"), texts=texts)
    yield Kind("prompts-unknown", lambda f: save(f, prompts=PROMPTS), prompt_name="nobody", refused="nobody")

    def unknown_default(folder):
        save(folder, prompts=PROMPTS)
        edit(folder, "config_sentence_transformers.json", default_prompt_name="nobody")

    yield Kind("prompts-default-unknown", unknown_default, refused="nobody")


def dense_kinds():
    nn = torch.nn
    yield Kind("dense", lambda f: save(f, after=[dense(64, 40)]))
    yield Kind("dense-no-bias", lambda f: save(f, after=[dense(64, 40, bias=False)]), "dense")
    for name in ["Tanh", "GELU", "ReLU", "SiLU"]:
        yield Kind(f"dense-{name}", lambda f, n=name: save(f, after=[dense(64, 40, getattr(nn, n))]), "dense")
    yield Kind("dense-Sigmoid", lambda f: save(f, after=[dense(64, 40, nn.Sigmoid)]), "dense", or_refused="Sigmoid")
    yield Kind("dense-larger", lambda f: save(f, after=[dense(64, 100, nn.Tanh)]))
    yield Kind("dense-128", lambda f: save(f, after=[dense(64, 128)], normalize=True))
    yield Kind("dense-1", lambda f: save(f, after=[dense(64, 1)]))
    yield Kind("dense-normalize", lambda f: save(f, after=[dense(64, 40)], normalize=True), "dense")
    yield Kind("dense-after-normalize", lambda f: save(f, after=[models.Normalize(), dense(64, 40)]), "dense")
    yield Kind("dense-cls", lambda f: save(f, "cls", after=[dense(64, 40, nn.Tanh)], normalize=True))
    yield Kind("dense-several-poolings", lambda f: save(f, ["cls", "mean", "max"], after=[dense(192, 50, nn.Tanh)]))
    yield Kind("dense-twice", lambda f: save(f, after=[dense(64, 50, nn.ReLU), dense(50, 33, nn.Tanh, seed=4)]))
    yield Kind("dense-layer-norm-normalize",
               lambda f: save(f, after=[dense(64, 48), layer_norm(48)], normalize=True))
    yield Kind("layer-norm", lambda f: save(f, after=[layer_norm(64)]), "pooling-mean")
    yield Kind("layer-norm-dense", lambda f: save(f, after=[layer_norm(64), dense(64, 40)]), "dense")
    if VERSION >= (5, 7):
        for outputs in (64, 40):
            yield Kind(f"dense-residual-{outputs}",
                       lambda f, o=outputs: save(f, after=[dense(64, o, nn.Tanh, use_residual=True)]))
            yield Kind(f"dense-no-residual-{outputs}",
                       lambda f, o=outputs: save(f, after=[dense(64, o, nn.Tanh)]), f"dense-residual-{outputs}")

    def edited(folder, **keys):
        save(folder, after=[dense(64, 40, torch.nn.Tanh)])
        edit(folder, "2_Dense/config.json", **keys)

    def as_bin(folder):
        save(folder, after=[dense(64, 40, torch.nn.Tanh)])
        inner = os.path.join(folder, "2_Dense")
        torch.save(weights(inner), os.path.join(inner, "pytorch_model.bin"))
        os.remove(os.path.join(inner, "model.safetensors"))

    yield Kind("dense-bin", as_bin)
    yield Kind("dense-of-foreign-activation", lambda f: edited(f, activation_function="acme.Swish"), refused="acme.Swish")
    yield Kind("dropout", lambda f: save(f, after=[models.Dropout(0.3), dense(64, 40)]), or_refused="Dropout")

    def of_tokens(folder):
        save(folder, before=[dense(64, 64, torch.nn.Tanh, module_input_name="token_embeddings")])

    if VERSION >= (5, 4):
        yield Kind("dense-of-tokens", of_tokens, "pooling-mean", or_refused="Dense")


def limit_kinds():
    def limited(folder, sentence_bert=None, tokenizer=None, **keys):
        save(folder)
        edit(folder, "tokenizer_config.json", model_max_length=tokenizer)
        edit(folder, "sentence_bert_config.json", max_seq_length=sentence_bert, **keys)

    def truncating(folder):
        limited(folder, tokenizer=20)
        edit(folder, "tokenizer.json", truncation={"direction": "Right", "max_length": 9, "strategy": "LongestFirst",
                                                   "stride": 0})

    yield Kind("limit-none", limited)
    yield Kind("limit-tokenizer-config", lambda f: limited(f, tokenizer=20), "limit-none")
    yield Kind("limit-tokenizer-config-huge", lambda f: limited(f, tokenizer=int(1e30)))
    yield Kind("limit-sentence-bert-config", lambda f: limited(f, 12), "limit-none")
    yield Kind("limit-both-smaller", lambda f: limited(f, 12, 20), "limit-tokenizer-config")
    yield Kind("limit-both-larger", lambda f: limited(f, 30, 20), "limit-tokenizer-config")
    yield Kind("limit-tokenizer-json-truncation", truncating)
    yield Kind("limit-saved", lambda f: save(f, max_seq_length=15), "limit-none")
    yield Kind("limit-tokenizer-args", lambda f: limited(f, 30, 20, tokenizer_args={"model_max_length": 10}),
               or_refused="tokenizer_args")
    if VERSION >= (5, 4):
        yield Kind("limit-processing-kwargs", lambda f: limited(f, tokenizer=20, processing_kwargs={"text": {"max_length": 9}}),
                   "limit-tokenizer-config", or_refused="processing_kwargs")
        yield Kind("limit-processor-kwargs", lambda f: limited(f, tokenizer=20, processor_kwargs={"model_max_length": 9}),
                   "limit-tokenizer-config", or_refused="processor_kwargs")

    def cut(folder, **keys):
        save(folder)
        edit(folder, "config_sentence_transformers.json", **keys)

    if VERSION >= (5, 4):
        yield Kind("truncate-dim", lambda f: cut(f, truncate_dim=40), or_refused="truncate_dim")
        yield Kind("model-type-of-another", lambda f: cut(f, model_type="SparseEncoder"), refused="SparseEncoder")


def tokenizer_kinds():
    cased = {"tokenizer": {"do_lower_case": False}}

    def sentence_bert(folder, lower, **settings):
        save(folder, **settings)
        edit(folder, "sentence_bert_config.json", do_lower_case=lower)

    def configured(folder, settings=None, **keys):
        save(folder, **(settings or {}))
        edit(folder, "tokenizer_config.json", **keys)

    def vocabulary_only(folder, **keys):
        save(folder)
        os.remove(os.path.join(folder, "tokenizer.json"))
        edit(folder, "tokenizer_config.json", **keys)
        with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
            file.writelines(piece + "\n" for piece in tiny.vocabulary())

    def without(folder, name):
        save(folder)
        os.remove(os.path.join(folder, name))

    def normalizer(folder, value, tokenizer_class=None, unset=False):
        save(folder)
        edit(folder, "tokenizer.json", normalizer=value)
        if tokenizer_class:
            edit(folder, "tokenizer_config.json", tokenizer_class=tokenizer_class)
        if unset:
            edit(folder, "tokenizer_config.json", do_lower_case=None, strip_accents=None, tokenize_chinese_chars=None)

    def resaved_lower(folder):
        save(folder + ".before", **cased)
        edit(folder + ".before", "sentence_bert_config.json", do_lower_case=True)
        SentenceTransformer(folder + ".before", device="cpu").save(folder, create_model_card=False)
        shutil.rmtree(folder + ".before")

    def added(folder, **token):
        save(folder)
        if token:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            tokenizer.add_tokens([transformers.AddedToken("STONE", **token)], special_tokens=token.get("special", False))
            tokenizer.save_pretrained(folder)

    yield Kind("tokenizer-cased", lambda f: save(f, **cased), "pooling-mean")
    yield Kind("tokenizer-sentence-bert-lower", lambda f: sentence_bert(f, True, **cased), "tokenizer-cased")
    yield Kind("tokenizer-sentence-bert-not-lower", lambda f: sentence_bert(f, False), None)
    for key, value in [("do_lower_case", False), ("strip_accents", False), ("tokenize_chinese_chars", False)]:
        yield Kind(f"tokenizer-saved-{key}", lambda f, k=key, v=value: save(f, tokenizer={k: v}), "pooling-mean")
        yield Kind(f"tokenizer-config-{key}", lambda f, k=key, v=value: configured(f, **{k: v}), "pooling-mean")
    yield Kind("tokenizer-config-strip_accents-of-cased", lambda f: configured(f, cased, strip_accents=True),
               "tokenizer-cased")
    yield Kind("tokenizer-config-lower-of-cased", lambda f: configured(f, cased, do_lower_case=True), "tokenizer-cased")
    yield Kind("tokenizer-config-truncation-side", lambda f: configured(f, truncation_side="left"), "pooling-mean")
    yield Kind("tokenizer-config-fast-class", lambda f: configured(f, tokenizer_class="BertTokenizerFast"))
    yield Kind("tokenizer-config-generic-class",
               lambda f: configured(f, tokenizer_class="PreTrainedTokenizerFast", do_lower_case=False))
    yield Kind("tokenizer-config-none", lambda f: without(f, "tokenizer_config.json"))
    yield Kind("tokenizer-vocab", lambda f: vocabulary_only(f))
    yield Kind("tokenizer-vocab-cased", lambda f: vocabulary_only(f, do_lower_case=False), "tokenizer-vocab")
    yield Kind("tokenizer-vocab-accents", lambda f: vocabulary_only(f, strip_accents=False), "tokenizer-vocab")
    yield Kind("tokenizer-vocab-chinese", lambda f: vocabulary_only(f, tokenize_chinese_chars=False), "tokenizer-vocab")
    yield Kind("tokenizer-vocab-left", lambda f: vocabulary_only(f, truncation_side="left"), "tokenizer-vocab")
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": False}
    sequences = {"nfd": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}],
                 "lowercase-bert": [{"type": "Lowercase"}, bert]}
    # Of a class of its own, as transformers has it for BERT, the normalizer may be built anew and the file's not read.
    for name, parts in sequences.items():
        sequence = {"type": "Sequence", "normalizers": parts}
        for label, tokenizer_class in [("", None), ("-generic", "PreTrainedTokenizerFast")]:
            yield Kind(f"tokenizer-sequence-{name}{label}",
                       lambda f, s=sequence, c=tokenizer_class: normalizer(f, s, c), "pooling-mean",
                       or_refused="normalizer")
    for key, value in [("lowercase", False), ("strip_accents", False), ("handle_chinese_chars", False)]:
        changed = {**bert, "lowercase": True, key: value}
        yield Kind(f"tokenizer-json-{key}", lambda f, v=changed: normalizer(f, v), "pooling-mean")
        yield Kind(f"tokenizer-json-{key}-unconfigured", lambda f, v=changed: normalizer(f, v, unset=True), "pooling-mean")
        yield Kind(f"tokenizer-json-{key}-generic",
                   lambda f, v=changed: normalizer(f, v, "PreTrainedTokenizerFast", unset=True), "pooling-mean")
    yield Kind("tokenizer-resaved-lower", resaved_lower, "tokenizer-cased")
    texts = ["Boating near a STONE, at 9!", "STONES and xSTONE", "STONE", "stone STONE2 STONE_ STONE"]
    yield Kind("added-none", lambda f: added(f), texts=texts)
    for name, token in [("plain", {}), ("single-word", {"single_word": True}), ("special", {"special": True}),
                        ("single-word-special", {"single_word": True, "special": True}), ("strips", {"lstrip": True, "rstrip": True})]:
        yield Kind(f"added-{name}", lambda f, t=token: added(f, normalized=False, **t), "added-none", texts)
    yield Kind("added-normalized", lambda f: added(f, normalized=True), "added-plain", texts)
    yield Kind("added-normalized-single-word", lambda f: added(f, normalized=True, single_word=True), "added-normalized", texts)


def config_kinds():
    def configured(folder, **keys):
        save(folder, config=keys)

    for name in ["gelu_new", "gelu_pytorch_tanh", "gelu_python", "gelu_fast", "quick_gelu", "relu", "silu", "swish",
                 "gelu_10", "gelu_python_tanh", "gelu_accurate", "tanh"]:
        follow = {} if name in ("gelu_new", "gelu_pytorch_tanh", "gelu_python", "gelu_fast", "quick_gelu", "relu",
                                "silu") else {"or_refused": name}
        yield Kind(f"act-{name}", lambda f, n=name: configured(f, hidden_act=n), "pooling-mean", **follow)
    yield Kind("act-mish", lambda f: configured(f, hidden_act="mish"), refused="mish")
    for value in (1e-5, 1e-3):
        yield Kind(f"eps-{value:g}", lambda f, v=value: configured(f, layer_norm_eps=v), "pooling-mean")
    yield Kind("type-vocab-1", lambda f: configured(f, type_vocab_size=1))
    yield Kind("one-layer", lambda f: configured(f, num_hidden_layers=1), "pooling-mean")
    yield Kind("decoder", lambda f: configured(f, is_decoder=True), "pooling-mean", or_refused="is_decoder")


def family_kinds():
    def masked_lm(folder, family):
        save(folder, family=family)
        model = model_of(family, end="ForMaskedLM")
        inner = getattr(model, model.base_model_prefix)
        inner.load_state_dict({name: value for name, value in weights(folder).items() if "pooler" not in name}, strict=False)
        model.save_pretrained(folder)

    def as_bin(folder, family):
        """As the hub has had them for years: the model's prefix, gamma and beta, a buffer of positions."""
        save(folder, family=family)
        prefix = "distilbert." if family == "distilbert" else "roberta."
        tensors = {prefix + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
                   for name, value in weights(folder).items()}
        tensors[prefix + "embeddings.position_ids"] = torch.arange(tiny.POSITIONS)[None]
        torch.save({**tensors, "lm_head.bias": torch.zeros(3)}, os.path.join(folder, "pytorch_model.bin"))
        os.remove(os.path.join(folder, "model.safetensors"))

    for family in list(CLASSES)[1:]:
        name, common = f"family-{family}", {"texts": PADDED_TEXTS}
        yield Kind(name, lambda f, c=family: save(f, family=c), **common)
        yield Kind(f"{name}-cls", lambda f, c=family: save(f, "cls", family=c), name, **common)
        yield Kind(f"{name}-masked-lm", lambda f, c=family: masked_lm(f, c), **common)
        yield Kind(f"{name}-bin", lambda f, c=family: as_bin(f, c), **common)
        if family == "distilbert":
            yield Kind(f"{name}-sinusoidal",
                       lambda f, c=family: save(f, family=c, config={"sinusoidal_pos_embds": True}), **common)
        else:
            yield Kind(f"{name}-pad-token", lambda f, c=family: save(f, family=c, config={"pad_token_id": 3}), name, **common)


def weight_kinds():
    def sharded(folder):
        save(folder)
        model = transformers.BertModel.from_pretrained(folder)
        os.remove(os.path.join(folder, "model.safetensors"))
        model.save_pretrained(folder, max_shard_size="100KB")

    def as_bin(folder, change=lambda tensors: tensors, **options):
        save(folder)
        # As module.state_dict() has it, with its own attribute for versions of modules.
        tensors = change(transformers.BertModel.from_pretrained(folder).state_dict())
        torch.save(tensors, os.path.join(folder, "pytorch_model.bin"), **options)
        os.remove(os.path.join(folder, "model.safetensors"))

    def views(tensors):
        """Everything in one storage, matrices transposed in it, as a training framework may leave them."""
        flat = torch.cat([value.t().reshape(-1) for value in tensors.values()])
        begin, views = 0, {}
        for name, value in tensors.items():
            part = flat[begin : begin + value.numel()]
            views[name] = part.view(value.t().shape).t()
            begin += value.numel()
        return views

    def with_others(tensors):
        return {"embeddings.position_ids": torch.arange(tiny.POSITIONS)[None], **tensors,
                "cls.predictions.bias": torch.zeros(3)}

    def bin_shards(folder):
        save(folder)
        tensors = weights(folder)
        os.remove(os.path.join(folder, "model.safetensors"))
        names = sorted(tensors)
        index = {}
        for part in range(3):
            file = f"pytorch_model-{part + 1:05}-of-00003.bin"
            torch.save({name: tensors[name] for name in names[part::3]}, os.path.join(folder, file))
            index.update({name: file for name in names[part::3]})
        tiny.write_json(os.path.join(folder, "pytorch_model.bin.index.json"),
                        {"metadata": {"total_size": 0}, "weight_map": index})

    def parameters(tensors):
        return {name: torch.nn.Parameter(value) for name, value in tensors.items()}

    def old_names(tensors):
        return {"bert." + gamma(name): value for name, value in tensors.items()}

    def both(folder):
        save(folder)
        other = {name: value * 0.5 for name, value in weights(folder).items()}
        torch.save(other, os.path.join(folder, "pytorch_model.bin"))

    def half(folder, dtype):
        save(folder)
        model = transformers.BertModel.from_pretrained(folder).to(dtype)
        model.save_pretrained(folder)

    def renamed(folder, rename):
        save(folder)
        save_weights(folder, {rename(name): value for name, value in weights(folder).items()})

    def gamma(name):
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    def masked_lm(folder):
        save(folder)
        tensors = weights(folder)
        model = transformers.BertForMaskedLM(bert_config())
        model.bert.load_state_dict({name: value for name, value in tensors.items() if "pooler" not in name}, strict=False)
        model.save_pretrained(folder)

    def whole(tensors):
        return {f"0.auto_model.{name}": value for name, value in tensors.items()}

    yield Kind("weights-sharded", sharded)
    yield Kind("weights-bin", as_bin)
    yield Kind("weights-bin-legacy", lambda f: as_bin(f, _use_new_zipfile_serialization=False))
    yield Kind("weights-bin-dict", lambda f: as_bin(f, dict))
    yield Kind("weights-bin-parameters", lambda f: as_bin(f, parameters))
    yield Kind("weights-bin-views", lambda f: as_bin(f, views))
    yield Kind("weights-bin-views-legacy", lambda f: as_bin(f, views, _use_new_zipfile_serialization=False))
    yield Kind("weights-bin-others", lambda f: as_bin(f, with_others))
    yield Kind("weights-bin-old-names", lambda f: as_bin(f, old_names))
    for dtype in (torch.float16, torch.bfloat16):
        name = str(dtype).split(".")[1]
        yield Kind(f"weights-bin-{name}", lambda f, d=dtype: as_bin(f, lambda t: {n: v.to(d) for n, v in t.items()}))
    yield Kind("weights-bin-shards", bin_shards)
    yield Kind("weights-safetensors-before-bin", both)
    yield Kind("weights-float16", lambda f: half(f, torch.float16))
    yield Kind("weights-bfloat16", lambda f: half(f, torch.bfloat16))
    yield Kind("weights-gamma-beta", lambda f: renamed(f, gamma))
    yield Kind("weights-bert-prefix", lambda f: renamed(f, lambda name: "bert." + name))
    yield Kind("weights-bert-prefix-gamma", lambda f: renamed(f, lambda name: "bert." + gamma(name)))
    yield Kind("weights-masked-lm", masked_lm)
    yield Kind("weights-auto-model-prefix", lambda f: renamed(f, lambda name: "auto_model." + name), vectors_of="pooling-mean")
    yield Kind("weights-0-auto-model-prefix", lambda f: renamed(f, lambda name: "0.auto_model." + name),
               vectors_of="pooling-mean")
    yield Kind("weights-bin-0-auto-model-prefix", lambda f: as_bin(f, whole), vectors_of="pooling-mean")


def module_kinds():
    old, new = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules."
    base = "sentence_transformers.base.modules."
    after = {"after": [dense(64, 40, torch.nn.Tanh), layer_norm(40)], "normalize": True}

    def moved(folder, **changes):
        save(folder, **after)
        edit_modules(folder, **changes)

    yield Kind("modules-as-saved", lambda f: save(f, **after))
    yield Kind("modules-0_Transformer", lambda f: moved(f, _0=(None, "0_Transformer"), _1=(None, "2_Pooling")))
    yield Kind("modules-deep", lambda f: moved(f, _0=(None, "deep/er/transformer"), _1=(None, "deep/er/pooling"),
                                               _2=(None, "Dense of ours"), _3=(None, "x/y/z")))
    yield Kind("modules-old-names", lambda f: moved(f, _0=old + "Transformer", _1=old + "Pooling", _2=old + "Dense",
                                                    _3=old + "LayerNorm", _4=old + "Normalize"))
    if VERSION >= (5, 4):
        yield Kind("modules-new-names", lambda f: moved(
            f, _0=base + "transformer.Transformer", _1=new + "pooling.Pooling", _2=base + "dense.Dense",
            _3=new + "layer_norm.LayerNorm", _4=new + "normalize.Normalize"))
        yield Kind("modules-package-names", lambda f: moved(
            f, _0=base + "Transformer", _1=new + "Pooling", _2=base + "Dense", _3=new + "LayerNorm"))
    else:
        yield Kind("modules-file-names", lambda f: moved(
            f, _0=old + "Transformer.Transformer", _1=old + "Pooling.Pooling", _2=old + "Dense.Dense"))

    def refused(name, **changes):
        def build(folder):
            save(folder, **after)
            edit_modules(folder, **changes)
        return Kind(f"refused-{name}", build, refused=name)

    for name in ["WeightedLayerPooling", "CNN", "LSTM", "WordWeights"]:
        yield refused(name, _2=old + name)
    for name in ["BoW", "WordEmbeddings", "Asym", "Router", "StaticEmbedding", "CLIPModel"]:
        yield refused(name, _0=old + name)
    yield refused("acme.modules.Whatever", _2="acme.modules.Whatever")

    def transformer_and_normalize(folder):
        save(folder, **after)
        modules = tiny.read_json(os.path.join(folder, "modules.json"))
        tiny.write_json(os.path.join(folder, "modules.json"), [modules[0], modules[-1]])

    yield Kind("refused-no-pooling", transformer_and_normalize, refused="ooling")
    yield Kind("plain-transformers", write_base, refused="--pooling")
    yield Kind("plain-transformers-pooling", write_base, pooling="mean")


PARTS = {"pooling": pooling_kinds, "prompts": prompt_kinds, "dense": dense_kinds, "limits": limit_kinds,
         "tokenizer": tokenizer_kinds, "config": config_kinds, "weights": weight_kinds, "modules": module_kinds,
         "families": family_kinds}


def embed(folder, texts, prompt_name):
    """Vectors in fp32, and how far they are from those that the library computes in fp64."""
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
    prompt = {"prompt": ""} if prompt_name == "" else {"prompt_name": prompt_name}
    # One at a time: padding changes the last digits.
    def vectors():
        return [model.encode([text], show_progress_bar=False, convert_to_numpy=True, **prompt)[0] for text in texts]

    found = vectors()
    model.double()
    return [vector.astype(numpy.float32) for vector in found], difference(found, vectors())


def difference(found, expected):
    return max(float(numpy.abs(a - b).max() / (numpy.linalg.norm(b) or 1)) for a, b in zip(found, expected))


def make(kind, out, vectors):
    folder = os.path.join(out, kind.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    model = os.path.join(folder, "model")
    kind.build(model)
    expected = {"reference": reference(), "prompt_name": None, **kind.expected, "texts": kind.texts, "vectors": None}
    if "refused" not in kind.expected:
        other = kind.expected.get("vectors_of")
        found, error = vectors[other] if other else embed(model, kind.texts, expected["prompt_name"])
        vectors[kind.name] = found, error
        expected["library_error"] = error
        if kind.flipped:
            before = vectors[kind.flipped][0]
            same = all(a.shape == b.shape for a, b in zip(found, before))
            changes = not same or difference(found, before) > 3e-6
            expected.update(flipped=kind.flipped, flip_changes=changes)
            if not changes:
                print(f"{kind.name}: the same vectors as {kind.flipped}")
        expected["vectors"] = digits(found)
    tiny.write_json(os.path.join(folder, "expected.json"), expected)


def read_again(out):
    """Vectors of this version for folders of another one."""
    for name in sorted(os.listdir(out)):
        path = os.path.join(out, name, "expected.json")
        expected = tiny.read_json(path)
        if expected["vectors"] is None or "vectors_of" in expected:
            continue
        try:
            found, error = embed(os.path.join(out, name, "model"), expected["texts"], expected["prompt_name"])
        except Exception as error:
            print(f"{name}: not loaded: {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)
            continue
        before = [numpy.array(vector, numpy.float32) for vector in expected["vectors"]]
        worst = difference(found, before) if found[0].shape == before[0].shape else float("inf")
        if worst > 1e-6:
            print(f"{name}: {worst:.2g} from its saver's vectors", flush=True)
            expected["saver_differs"] = f"{worst:.2g}"
            # What the setting changes was seen with the other version.
            expected.pop("flipped", None)
        expected["library_error"] = error
        expected["reference"] = f"{reference()}; saved with {expected['reference']}"
        expected["vectors"] = digits(found)
        tiny.write_json(path, expected)


def reference():
    return (f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}, "
            f"torch {torch.__version__.split('+')[0]}")


def digits(vectors):
    return [[float(f"{value:.9g}") for value in vector] for vector in vectors]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--only", action="append", default=[], choices=sorted(PARTS), help="a part of the kinds")
    parser.add_argument("--read-again", action="store_true")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    if options.read_again:
        read_again(options.out)
        return
    failed, vectors = 0, {}
    for part in options.only or PARTS:
        for kind in PARTS[part]():
            try:
                make(kind, options.out, vectors)
            except Exception as error:  # A kind that this version cannot save or load: said, and no case.
                shutil.rmtree(os.path.join(options.out, kind.name), ignore_errors=True)
                failed += 1
                print(f"{kind.name}: not made: {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)
    print(f"{len(os.listdir(options.out))} folders, {failed} not made")


if __name__ == "__main__":
    main()
