"""Tiny model folders written byte by byte from a deterministic generator, one for each setting that changes vectors.

scripts/goldens/folders.py gives them to sentence-transformers, tests/convert/folders_test.py to thimble. Python's standard
library only.
"""

import array
import json
import os
import pickle
import random
import struct
import zipfile

import tiny

LAYERS = 1
TEXTS = ["the cat sat by the river", "Boating near a STONE, déjà 文中 É", tiny.LONG]
COUNT = len(tiny.vocabulary())
TRANSFORMER, POOLING, DENSE, LAYER_NORM, NORMALIZE = ("Transformer", "Pooling", "Dense", "LayerNorm", "Normalize")
OLD = "sentence_transformers.models."
NEW = {TRANSFORMER: "sentence_transformers.base.modules.transformer.Transformer",
       POOLING: "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
       DENSE: "sentence_transformers.base.modules.dense.Dense",
       LAYER_NORM: "sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm",
       NORMALIZE: "sentence_transformers.base.modules.normalize.Normalize"}
# Its model takes the id 1 for that of the pad token, whatever the tokenizer calls it. Texts are longer than the largest
# distance that has a bias of its own.
MPNET = {"architectures": ["MPNetModel"], "model_type": "mpnet", "type_vocab_size": None, "max_position_embeddings": 202,
         "layer_norm_eps": 1e-5, "pad_token_id": 1, "relative_attention_num_buckets": 32}
PROMPTS = {"query": "query: ", "document": "passage of the river: "}
# The pad token inside a text, too.
PADDED_TEXTS = TEXTS + ["the cat [PAD] sat [PAD][PAD] by the river"]

# Of config.json, what differs from BERT's; None takes a key away.
ROBERTA = {"type_vocab_size": 1, "layer_norm_eps": 1e-5}
FAMILIES = {
    "bert": {"architectures": ["BertModel"]},
    "roberta": {"architectures": ["RobertaModel"], **ROBERTA},
    "xlm-roberta": {"architectures": ["XLMRobertaModel"], **ROBERTA},
    "camembert": {"architectures": ["CamembertModel"], **ROBERTA},
    "distilbert": {"architectures": ["DistilBertModel"], "dim": tiny.HIDDEN, "n_heads": tiny.HEADS, "n_layers": LAYERS,
                   "hidden_dim": tiny.INTERMEDIATE, "activation": "gelu", "sinusoidal_pos_embds": False, "hidden_size": None,
                   "num_attention_heads": None, "num_hidden_layers": None, "intermediate_size": None, "hidden_act": None,
                   "layer_norm_eps": None, "type_vocab_size": None}}
DISTILBERT_NAMES = {"encoder.layer.": "transformer.layer.", "attention.self.query": "attention.q_lin",
                    "attention.self.key": "attention.k_lin", "attention.self.value": "attention.v_lin",
                    "attention.output.dense": "attention.out_lin", "attention.output.LayerNorm": "sa_layer_norm",
                    "intermediate.dense": "ffn.lin1", "output.dense": "ffn.lin2", "output.LayerNorm": "output_layer_norm"}


def numbers(name, count):
    """Near a normal distribution, of width 1. Only sums of random(), whose values Python keeps for all versions."""
    source = random.Random(name)
    return array.array("f", (2 * (source.random() + source.random() + source.random() - 1.5) for _ in range(count)))


def tensor(name, *shape):
    """(shape, float32 values): each parameter matters, also biases and norms."""
    count = 1
    for size in shape:
        count *= size
    is_norm = name.endswith("orm.weight")
    scale = 0.2 if len(shape) == 1 else 0.3
    return shape, array.array("f", ((1 if is_norm else 0) + scale * value for value in numbers(name, count)))


def bert(layers=LAYERS, types=2):
    hidden, inner = tiny.HIDDEN, tiny.INTERMEDIATE
    shapes = {"embeddings.word_embeddings.weight": (COUNT, hidden),
              "embeddings.position_embeddings.weight": (tiny.POSITIONS, hidden),
              "embeddings.token_type_embeddings.weight": (types, hidden),
              "embeddings.LayerNorm.weight": (hidden,), "embeddings.LayerNorm.bias": (hidden,)}
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        for name, shape in [("attention.self.query", (hidden, hidden)), ("attention.self.key", (hidden, hidden)),
                            ("attention.self.value", (hidden, hidden)), ("attention.output.dense", (hidden, hidden)),
                            ("intermediate.dense", (inner, hidden)), ("output.dense", (hidden, inner))]:
            shapes[layer + name + ".weight"], shapes[layer + name + ".bias"] = shape, shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[layer + name + ".weight"] = shapes[layer + name + ".bias"] = (hidden,)
    return {name: tensor(name, *shape) for name, shape in shapes.items()}


def of_family(tensors, family):
    """Tensors of BERT under the names of another family."""
    if family != "distilbert":
        return tensors
    renamed = {}
    for name, value in tensors.items():
        for before, after in DISTILBERT_NAMES.items():
            name = name.replace(before, after)
        renamed[name] = value
    del renamed["embeddings.token_type_embeddings.weight"]
    return renamed


CACHE = {}


def cached_bert(**settings):
    key = tuple(sorted(settings.items()))
    if key not in CACHE:
        CACHE[key] = bert(**settings)
    return CACHE[key]


def mpnet(layers, rows):
    hidden, inner = tiny.HIDDEN, tiny.INTERMEDIATE
    shapes = {"embeddings.word_embeddings.weight": (COUNT, hidden),
              "embeddings.position_embeddings.weight": (MPNET["max_position_embeddings"], hidden),
              "embeddings.LayerNorm.weight": (hidden,), "embeddings.LayerNorm.bias": (hidden,),
              "encoder.relative_attention_bias.weight": (rows, tiny.HEADS)}
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        for name, shape in [*((f"attention.attn.{part}", (hidden, hidden)) for part in "qkvo"),
                            ("intermediate.dense", (inner, hidden)), ("output.dense", (hidden, inner))]:
            shapes[layer + name + ".weight"], shapes[layer + name + ".bias"] = shape, shape[:1]
        for name in ("attention.LayerNorm", "output.LayerNorm"):
            shapes[layer + name + ".weight"] = shapes[layer + name + ".bias"] = (hidden,)
    tensors = {name: tensor(name, *shape) for name, shape in shapes.items()}
    # Large enough that no two distances could be taken for each other.
    tensors["encoder.relative_attention_bias.weight"][1][:] = array.array(
        "f", (4 * value for value in tensors["encoder.relative_attention_bias.weight"][1]))
    return tensors


# Forms of weights.


def little_endian(values, dtype):
    if dtype == "F32":
        return struct.pack(f"<{len(values)}f", *values)
    if dtype == "F16":
        return struct.pack(f"<{len(values)}e", *values)
    return b"".join(struct.pack("<f", value)[2:] for value in values)  # BF16, cut and not rounded.


def write_safetensors(path, tensors, dtype="F32"):
    header, data, end = {"__metadata__": {"format": "pt"}}, [], 0
    for name, (shape, values) in tensors.items():
        data.append(little_endian(values, dtype))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + len(data[-1])]}
        end += len(data[-1])
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


STORAGES = {"F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage"}


def text_opcode(text):
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def tuple_opcode(values):
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def state_dict(tensors, dtype, legacy):
    """The pickle of torch.save for a dict of tensors, each in a storage of its own, opcode by opcode."""
    parts = [b"\x80\x02}("]
    for key, (name, (shape, values)) in enumerate(tensors.items()):
        strides = [1] * len(shape)
        for i in reversed(range(len(shape) - 1)):
            strides[i] = strides[i + 1] * shape[i + 1]
        storage = (b"(" + text_opcode("storage") + f"ctorch\n{STORAGES[dtype]}\n".encode() + text_opcode(str(key)) +
                   text_opcode("cpu") + b"J" + struct.pack("<i", len(values)) + (b"N" if legacy else b"") + b"tQ")
        parts.append(text_opcode(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + tuple_opcode(shape) +
                     tuple_opcode(strides) + b"\x89ccollections\nOrderedDict\n)RtR")
    return b"".join(parts) + b"u."


def write_bin(path, tensors, dtype="F32"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", state_dict(tensors, dtype, False))
        archive.writestr("archive/byteorder", "little")
        for key, (_, values) in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{key}", little_endian(values, dtype))
        archive.writestr("archive/version", "3\n")


def write_legacy_bin(path, tensors, dtype="F32"):
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with open(path, "wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, system):
            file.write(pickle.dumps(value, 2))
        file.write(state_dict(tensors, dtype, True))
        file.write(pickle.dumps([str(key) for key in range(len(tensors))], 2))
        for _, values in tensors.values():
            file.write(struct.pack("<q", len(values)) + little_endian(values, dtype))


def write_shards(folder, tensors, write, pattern, index):
    names, map_of = list(tensors), {}
    for part in range(3):
        file = pattern.format(part + 1)
        chosen = {name: tensors[name] for name in names[part::3]}
        write(os.path.join(folder, file), chosen)
        map_of.update(dict.fromkeys(chosen, file))
    tiny.write_json(os.path.join(folder, index), {"metadata": {"total_size": 0}, "weight_map": map_of})


def gamma(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def write_weights(folder, tensors, form):
    def path(name):
        return os.path.join(folder, name)

    if form == "bin":
        write_bin(path("pytorch_model.bin"), tensors)
    elif form == "bin-f16":
        write_bin(path("pytorch_model.bin"), tensors, "F16")
    elif form == "bin-legacy":
        write_legacy_bin(path("pytorch_model.bin"), tensors)
    elif form == "shards":
        write_shards(folder, tensors, write_safetensors, "model-{:05}-of-00003.safetensors", "model.safetensors.index.json")
    elif form == "bin-shards":
        write_shards(folder, tensors, write_bin, "pytorch_model-{:05}-of-00003.bin", "pytorch_model.bin.index.json")
    else:
        write_safetensors(path("model.safetensors"), tensors, {"f16": "F16", "bf16": "BF16"}.get(form, "F32"))
        if form == "both":
            write_bin(path("pytorch_model.bin"), {name: (shape, array.array("f", (value / 2 for value in values)))
                                                  for name, (shape, values) in tensors.items()})


# Parts of a folder.


def tokenizer_json(normalizer=None, truncation=None, added=()):
    special = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for i, text in enumerate(tiny.SPECIALS)]
    cls, sep = ({"SpecialToken": {"id": text, "type_id": 0}} for text in ("[CLS]", "[SEP]"))
    return {
        "version": "1.0", "truncation": truncation, "padding": None, "added_tokens": special + list(added),
        "normalizer": normalizer or {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                                     "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": [cls, {"Sequence": {"id": "A", "type_id": 0}}, sep],
                           "pair": [cls, {"Sequence": {"id": "A", "type_id": 0}}, sep, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {text: {"id": text, "ids": [i], "tokens": [text]}
                                              for i, text in [(2, "[CLS]"), (3, "[SEP]")]}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {piece: i for i, piece in enumerate(tiny.vocabulary())}}}


def pooling(*modes, include_prompt=True):
    return (POOLING, {"embedding_dimension": tiny.HIDDEN, "pooling_mode": modes[0] if len(modes) == 1 else list(modes),
                      "include_prompt": include_prompt}, {})


def old_pooling(*modes, **keys):
    flags = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
             "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}
    return (POOLING, {"word_embedding_dimension": tiny.HIDDEN,
                      **{f"pooling_mode_{key}": mode in modes for mode, key in flags.items()}, **keys}, {})


def dense(inputs, outputs, activation="torch.nn.modules.linear.Identity", bias=True, **keys):
    tensors = {"linear.weight": tensor(f"dense.{inputs}.{outputs}", outputs, inputs)}
    if bias:
        tensors["linear.bias"] = tensor("dense.bias", outputs)
    if keys.get("use_residual") and inputs != outputs:
        tensors["residual.weight"] = tensor("dense.residual", outputs, inputs)
    return (DENSE, {"in_features": inputs, "out_features": outputs, "bias": bias, "activation_function": activation, **keys},
            tensors)


def layer_norm(width):
    return (LAYER_NORM, {"dimension": width}, {name: tensor(f"after.{name}", width) for name in ("norm.weight", "norm.bias")})


NORMALIZED = (NORMALIZE, {}, {})


def write(folder, config=None, tokenizer_config=None, tokenizer=None, vocabulary_only=False, sentence_bert=None, st=None,
          modules=(pooling("mean"),), names=NEW, paths=None, form="", rename=str, module_form="", family="bert", beside=()):
    """A folder; settings left out are those that most kinds share. A value of None in a dict takes a key away."""
    os.makedirs(folder)
    paths = paths or ["", *(f"{i + 1}_{module[0]}" for i, module in enumerate(modules))]
    root = os.path.join(folder, paths[0])
    for path in paths:
        os.makedirs(os.path.join(folder, path), exist_ok=True)

    def put(name, defaults, changes, at=root):
        value = {key: entry for key, entry in {**defaults, **(changes or {})}.items() if entry is not None}
        tiny.write_json(os.path.join(at, name), value)

    shape = {"num_hidden_layers": LAYERS, "type_vocab_size": 2, **FAMILIES[family], **(config or {})}
    put("config.json", {"model_type": family, "hidden_size": tiny.HIDDEN, "hidden_act": "gelu",
                        "num_attention_heads": tiny.HEADS, "intermediate_size": tiny.INTERMEDIATE, "vocab_size": COUNT,
                        "max_position_embeddings": tiny.POSITIONS, "layer_norm_eps": 1e-12, "pad_token_id": 0}, shape)
    put("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 40,
                                 "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
                                 "mask_token": "[MASK]"}, tokenizer_config)
    if vocabulary_only:
        with open(os.path.join(root, "vocab.txt"), "w", encoding="utf-8") as file:
            file.writelines(piece + "\n" for piece in tiny.vocabulary())
    else:
        tiny.write_json(os.path.join(root, "tokenizer.json"), tokenizer or tokenizer_json())
    if sentence_bert is not None:
        tiny.write_json(os.path.join(root, "sentence_bert_config.json"), sentence_bert)
    if st is not None:
        tiny.write_json(os.path.join(folder, "config_sentence_transformers.json"), st)
    if shape.get("model_type") == "mpnet":
        tensors = mpnet(shape["num_hidden_layers"], shape["relative_attention_num_buckets"])
    else:
        tensors = cached_bert(layers=shape["num_hidden_layers"] or LAYERS, types=shape["type_vocab_size"] or 1)
    tensors = {rename(name): value for name, value in of_family(tensors, family).items()}
    write_weights(root, {**tensors, **{name: tensor(name, tiny.HIDDEN) for name in beside}}, form)
    entries = [{"idx": 0, "name": "0", "path": paths[0], "type": names[TRANSFORMER]}]
    for i, ((kind, settings, parameters), path) in enumerate(zip(modules, paths[1:]), 1):
        entries.append({"idx": i, "name": str(i), "path": path, "type": names.get(kind, kind)})
        tiny.write_json(os.path.join(folder, path, "config.json"), settings)
        if parameters:
            write_weights(os.path.join(folder, path), parameters, module_form)
    tiny.write_json(os.path.join(folder, "modules.json"), entries)


class Kind:
    def __init__(self, flipped=None, prompt_name=None, refused=None, vectors_of=None, texts=TEXTS, **settings):
        self.flipped, self.prompt_name, self.refused, self.vectors_of = flipped, prompt_name, refused, vectors_of
        self.texts = texts
        self.settings = settings


def kinds():
    """Name to kind. A kind comes after the one that it is a flip of."""
    out = {"mean": Kind()}
    for mode in ["cls", "lasttoken", "max", "mean_sqrt_len_tokens", "weightedmean"]:
        out[mode] = Kind("mean", modules=[pooling(mode)])
    out["mean+cls"] = Kind("mean", modules=[pooling("mean", "cls")])
    out["weightedmean+max+cls"] = Kind("mean", modules=[pooling("weightedmean", "max", "cls")])
    out["old lasttoken+max+mean"] = Kind("mean", modules=[old_pooling("lasttoken", "max", "mean")])
    for mode in ["cls", "lasttoken", "mean_sqrt_len_tokens"]:
        out[f"old {mode}"] = Kind("mean", modules=[old_pooling(mode)])
    out["normalize"] = Kind("mean", modules=[pooling("mean"), NORMALIZED])

    for mode in ["mean", "cls", "weightedmean", "max", "lasttoken"]:
        for inside in (True, False):
            flipped = None if inside or mode == "lasttoken" else f"prompt in {mode}"
            out[f"prompt {'in' if inside else 'not in'} {mode}"] = Kind(
                flipped, "document", modules=[pooling(mode, include_prompt=inside)], st={"prompts": PROMPTS})
    out["old prompt not in mean"] = Kind("prompt in mean", "document", st={"prompts": PROMPTS},
                                         modules=[old_pooling("mean", include_prompt=False)])
    out["prompt not asked"] = Kind(st={"prompts": PROMPTS})
    out["prompt query"] = Kind("prompt not asked", "query", st={"prompts": PROMPTS})
    default = {"prompts": PROMPTS, "default_prompt_name": "document"}
    out["default prompt"] = Kind("prompt not asked", st=default)
    out["default prompt, another asked"] = Kind("default prompt", "query", st=default)
    out["default prompt, switched off"] = Kind("default prompt", "", st=default)

    identity = [pooling("mean"), dense(64, 40)]
    out["dense"] = Kind("mean", modules=identity)
    out["dense, no bias"] = Kind("dense", modules=[pooling("mean"), dense(64, 40, bias=False)])
    for name in ["Tanh", "GELU", "ReLU", "SiLU"]:
        out[f"dense {name}"] = Kind("dense", modules=[pooling("mean"), dense(64, 40, f"torch.nn.modules.activation.{name}")])
    tanh = "torch.nn.modules.activation.Tanh"
    out["dense, larger"] = Kind(modules=[pooling("mean"), dense(64, 100, tanh)])
    out["dense twice"] = Kind(modules=[pooling("mean"), dense(64, 50, tanh), dense(50, 33)])
    out["dense of two poolings"] = Kind(modules=[pooling("cls", "mean"), dense(128, 50, tanh)])
    for outputs in (64, 40):
        out[f"dense to {outputs}"] = Kind(modules=[pooling("mean"), dense(64, outputs, tanh)])
        out[f"dense with residual to {outputs}"] = Kind(
            f"dense to {outputs}", modules=[pooling("mean"), dense(64, outputs, tanh, use_residual=True)])
    out["layer norm"] = Kind("mean", modules=[pooling("mean"), layer_norm(64)])
    all_modules = [pooling("mean"), dense(64, 40, tanh), layer_norm(40), NORMALIZED]
    out["all modules"] = Kind(modules=all_modules)
    out["dense in pytorch_model.bin"] = Kind(modules=identity, module_form="bin", vectors_of="dense")
    old_names = {kind: OLD + kind for kind in NEW}
    out["old names of modules"] = Kind(modules=all_modules, names=old_names, vectors_of="all modules")
    out["0_Transformer"] = Kind(modules=all_modules, names=old_names, vectors_of="all modules",
                                paths=["0_Transformer", "2_Pooling", "3_Dense", "4_LayerNorm", "5_Normalize"])
    out["deep paths"] = Kind(modules=all_modules, vectors_of="all modules",
                             paths=["deep/er", "deep/pooling", "x/y/z", "of ours", "5"])

    out["limit of tokenizer_config"] = Kind("mean", tokenizer_config={"model_max_length": 9})
    out["limit of sentence_bert_config"] = Kind("mean", sentence_bert={"max_seq_length": 12})
    out["limit of positions"] = Kind("mean", tokenizer_config={"model_max_length": None})
    out["larger limit of sentence_bert_config"] = Kind("mean", sentence_bert={"max_seq_length": 50})
    out["truncation of tokenizer.json"] = Kind(vectors_of="mean", tokenizer=tokenizer_json(
        truncation={"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}))
    out["truncation_side"] = Kind("mean", tokenizer_config={"truncation_side": "left"})

    out["cased"] = Kind("mean", tokenizer_config={"do_lower_case": False})
    out["cased, lower case in sentence_bert_config"] = Kind(
        "cased", tokenizer_config={"do_lower_case": False}, sentence_bert={"do_lower_case": True})
    out["strip_accents"] = Kind("mean", tokenizer_config={"strip_accents": False})
    out["tokenize_chinese_chars"] = Kind("mean", tokenizer_config={"tokenize_chinese_chars": False})
    out["vocab.txt"] = Kind(vocabulary_only=True, vectors_of="mean")
    for name, keys in [("cased", {"do_lower_case": False}), ("strip_accents", {"strip_accents": False}),
                       ("truncation_side", {"truncation_side": "left"})]:
        out[f"vocab.txt, {name}"] = Kind("mean", vocabulary_only=True, tokenizer_config=keys)
    generic = {"tokenizer_class": "PreTrainedTokenizerFast"}
    parts = [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}]
    out["normalizer sequence"] = Kind("mean", tokenizer_config=generic,
                                      tokenizer=tokenizer_json({"type": "Sequence", "normalizers": parts}))
    token = {"id": tiny.vocabulary().index("STONE"), "content": "STONE", "lstrip": False, "rstrip": False,
             "normalized": False, "special": False}
    out["added token"] = Kind("mean", tokenizer=tokenizer_json(added=[{**token, "single_word": False}]))
    token.update(id=tiny.vocabulary().index("Boat"), content="Boat")
    out["added token in a word"] = Kind("mean", tokenizer=tokenizer_json(added=[{**token, "single_word": False}]))
    out["added token, single word"] = Kind("added token in a word", tokenizer=tokenizer_json(added=[{**token, "single_word": True}]))

    for name in ["gelu_new", "gelu_fast", "quick_gelu", "relu", "silu", "gelu_pytorch_tanh"]:
        out[name] = Kind("mean", config={"hidden_act": name})
    out["gelu_python"] = Kind(config={"hidden_act": "gelu_python"}, vectors_of="mean")
    out["layer_norm_eps"] = Kind("mean", config={"layer_norm_eps": 1e-3})
    out["one token type"] = Kind(config={"type_vocab_size": 1}, vectors_of="mean")
    out["two layers"] = Kind("mean", config={"num_hidden_layers": 2})

    def mpnet_kind(*flips, config=None, **settings):
        return Kind(*flips, config={**MPNET, **(config or {})}, tokenizer_config={"model_max_length": 190}, **settings)

    out["mpnet"] = mpnet_kind()
    out["mpnet, pad tokens inside"] = mpnet_kind("mpnet", "pads", st={"prompts": {"pads": "the [UNK] cat [UNK][UNK] "}})
    out["mpnet, three layers"] = mpnet_kind("mpnet", config={"num_hidden_layers": 3})
    out["mpnet, cls"] = mpnet_kind("mpnet", modules=[pooling("cls")])
    out["mpnet, prefix and gamma"] = mpnet_kind(rename=lambda name: "mpnet." + gamma(name), form="bin", vectors_of="mpnet")
    out["mpnet, more rows than buckets"] = mpnet_kind(config={"relative_attention_num_buckets": 40}, vectors_of="mpnet")
    out["mpnet, fewer rows than buckets"] = mpnet_kind(config={"relative_attention_num_buckets": 24},
                                                       refused="relative_attention_num_buckets")

    out["f16"] = Kind("mean", form="f16")
    out["bf16"] = Kind("mean", form="bf16")
    out["bin of f16"] = Kind(form="bin-f16", vectors_of="f16")
    for form in ["bin", "bin-legacy", "shards", "bin-shards", "both"]:
        out[f"weights in {form}"] = Kind(form=form, vectors_of="mean")
    for name, rename in [("gamma and beta", gamma), ("prefix bert", lambda name: "bert." + gamma(name)),
                         ("prefix 0.auto_model", lambda name: "0.auto_model." + name),
                         ("prefix auto_model", lambda name: "auto_model." + name)]:
        for form in ("", "bin"):
            out[f"{name}{', bin' if form else ''}"] = Kind(rename=rename, form=form, vectors_of="mean")

    for family in ["roberta", "xlm-roberta", "camembert", "distilbert"]:
        # WordPiece, as tokenizer.json has it: the tokens do not matter here.
        common = {"family": family, "texts": PADDED_TEXTS, "tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast"}}
        key = "activation" if family == "distilbert" else "hidden_act"
        out[family] = Kind(**common)
        out[f"{family}, cls"] = Kind(family, modules=[pooling("cls")], **common)
        out[f"{family}, relu"] = Kind(family, config={key: "relu"}, **common)
        out[f"{family}, mish"] = Kind(config={key: "mish"}, refused="mish", **common)
        prefix = "distilbert." if family == "distilbert" else "roberta."
        beside = ["vocab_layer_norm.weight", "vocab_projector.bias"] if family == "distilbert" else ["lm_head.bias"]
        out[f"{family}, prefix, gamma and beta"] = Kind(
            rename=lambda name, prefix=prefix: prefix + gamma(name), beside=beside, vectors_of=family, **common)
        out[f"{family}, bin"] = Kind(form="bin", vectors_of=family, **common)
        out[f"{family}, prefix 0.auto_model"] = Kind(rename=lambda name: "0.auto_model." + name, vectors_of=family, **common)
        out[f"{family}, no model_type"] = Kind(config={"model_type": None}, vectors_of=family, **common)
        if family == "distilbert":
            out["distilbert, sinusoidal"] = Kind(config={"sinusoidal_pos_embds": True}, vectors_of=family, **common)
            continue
        out[f"{family}, pad token"] = Kind(family, config={"pad_token_id": 3}, **common)
        out[f"{family}, eps"] = Kind(family, config={"layer_norm_eps": 1e-3}, **common)
        out[f"{family}, two types"] = Kind(config={"type_vocab_size": 2}, vectors_of=family, **common)
        out[f"{family}, relative positions"] = Kind(config={"position_embedding_type": "relative_key"},
                                                    refused="position_embedding_type", **common)
    for name, word in [("modernbert", "rotary"), ("nomic_bert", "rotary"), ("new", "rotary"), ("gemma3_text", "RMS"),
                       ("qwen3", "causal"), ("t5", "relative positions"), ("deberta-v2", "disentangled"), ("nobody", "nobody")]:
        out[f"model_type {name}"] = Kind(config={"model_type": name}, refused=word)

    out["mish"] = Kind(config={"hidden_act": "mish"}, refused="mish")
    out["unknown default prompt"] = Kind(st={"prompts": PROMPTS, "default_prompt_name": "nobody"}, refused="nobody")
    out["foreign activation"] = Kind(modules=[pooling("mean"), dense(64, 40, "acme.Swish")], refused="acme.Swish")
    out["another model type"] = Kind(st={"model_type": "SparseEncoder"}, refused="SparseEncoder")
    for name in ["WeightedLayerPooling", "CNN", "LSTM", "WordWeights"]:
        out[name] = Kind(modules=[(OLD + name, {}, {}), pooling("mean")], refused=name)
    for name in ["BoW", "WordEmbeddings", "Asym", "Router", "StaticEmbedding", "CLIPModel"]:
        out[name] = Kind(names={**NEW, TRANSFORMER: OLD + name}, refused=name)
    out["a foreign module"] = Kind(modules=[pooling("mean"), ("acme.Head", {}, {})], refused="acme.Head")
    return out
