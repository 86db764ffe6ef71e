"""Tiny folders of cross-encoders, for scripts/goldens/rerankers.py and tests/convert/rerankers_test.py. Python's standard
library only."""

import json
import os
import shutil

import tiny
import written

PREFIXES = {"bert": "bert.", "roberta": "roberta.", "xlm-roberta": "roberta.", "distilbert": "distilbert."}
CLASSES = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta", "distilbert": "DistilBert"}
# What their config.json says; positions are counted from the row behind it.
PAD_IDS = {"roberta": 0, "xlm-roberta": 1}
LIMIT = 48
PAIRS = [
    ("the cat sat", "a boat by the river"), ("a boat by the river", "the cat sat"), ("the cat", ""), ("", "the cat"), ("", ""),
    ("night", tiny.LONG), (tiny.LONG, "night"), (tiny.LONG, tiny.LONG), (" ".join(tiny.LONG.split()[:22]), tiny.LONG),
    (tiny.LONG, " ".join(tiny.LONG.split()[7:29])), (" ".join(tiny.LONG.split()[:60]), " ".join(tiny.LONG.split()[:61])),
    (" ".join(tiny.LONG.split()[:61]), " ".join(tiny.LONG.split()[:60])), ("déjà 文中 É", "Boating near a STONE, at 9!"),
]
SIGMOID, IDENTITY = "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.linear.Identity"


class Kind:
    """A folder: changes of config.json, files beside it, and what of a refusal's message is expected."""

    def __init__(self, family="bert", config=None, labels=1, limit=LIMIT, side=None, settings=None, sentence=None,
                 template="bert", prompt_name=None, refused="", raw_of="", encoder=False):
        self.family, self.config, self.labels, self.limit, self.side = family, config or {}, labels, limit, side
        self.settings, self.sentence, self.template = settings or {}, sentence, template
        self.prompt_name, self.refused, self.raw_of = prompt_name, refused, raw_of
        self.encoder = encoder  # Without a head, and so no cross-encoder.


# Kinds whose graphs are in tests/fixtures/onnx.
GRAPHS = {"bert": Kind(), "roberta": Kind("roberta", template="roberta"),
          "xlm-roberta": Kind("xlm-roberta", template="roberta"), "distilbert": Kind("distilbert"),
          "xlm-roberta-encoder": Kind("xlm-roberta", encoder=True)}


def kinds():
    saved = {"model_type": "CrossEncoder", "prompts": {"query": "query: "}, "activation_fn": IDENTITY}
    return {
        **{name: kind for name, kind in GRAPHS.items() if not kind.encoder},
        "bert, an odd limit": Kind(limit=LIMIT - 1),
        "bert, the last tokens": Kind(side="left"),
        "bert without token types": Kind(settings={"model_input_names": ["input_ids", "attention_mask"]}),
        "bert, a generic class without input names": Kind(settings={"model_input_names": None}),
        "bert, a class with types without input names": Kind(
            settings={"model_input_names": None, "tokenizer_class": "BertTokenizer"}),
        "bert, identity": Kind(config={"sentence_transformers": {"activation_fn": IDENTITY, "version": "4.1.0"}}),
        "bert, identity of old": Kind(config={"sbert_ce_default_activation_function": IDENTITY}),
        "bert, saved": Kind(sentence=saved),
        "bert, a prompt by default": Kind(sentence={**saved, "default_prompt_name": "query"}),
        "bert, BertProcessing": Kind(template="BertProcessing"),
        "roberta, RobertaProcessing": Kind("roberta", template="RobertaProcessing"),
        "another activation": Kind(config={"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}},
                                   refused="sentence_transformers.activation_fn"),
        "an activation of its own": Kind(config={"sbert_ce_default_activation_function": "mine.Activation"},
                                         refused="sbert_ce_default_activation_function"),
        "another class": Kind(config={"architectures": ["MineForSequenceClassification"]}, refused="architectures"),
        "labels with a gap": Kind(config={"id2label": {"1": "b"}}, refused="id2label.0"),
        "another number of labels": Kind(config={"id2label": {"0": "a", "1": "b"}}, refused="classifier"),
        "no pairs": Kind(template="none", refused="post_processor.pair"),
        "a task of another kind": Kind(sentence={**saved, "model_type": "SentenceTransformer"}, refused="model_type"),
    }


def config(kind):
    common = {"model_type": kind.family, "architectures": [CLASSES[kind.family] + ("Model" if kind.encoder else "ForSequenceClassification")],
              "vocab_size": written.COUNT, "id2label": {str(i): f"LABEL_{i}" for i in range(kind.labels)},
              "label2id": {f"LABEL_{i}": i for i in range(kind.labels)}, "pad_token_id": PAD_IDS.get(kind.family, 0)}
    if kind.family == "distilbert":
        return {**common, "dim": tiny.HIDDEN, "n_layers": 2, "n_heads": tiny.HEADS, "hidden_dim": tiny.INTERMEDIATE,
                "max_position_embeddings": tiny.POSITIONS, "activation": "gelu", "seq_classif_dropout": 0.2, **kind.config}
    roberta = kind.family in PAD_IDS
    return {**common, "hidden_size": tiny.HIDDEN, "num_hidden_layers": 2, "num_attention_heads": tiny.HEADS,
            "intermediate_size": tiny.INTERMEDIATE, "max_position_embeddings": tiny.POSITIONS + (PAD_IDS[kind.family] + 1 if roberta else 0),
            "type_vocab_size": 1 if roberta else 2, "hidden_act": "gelu",
            "layer_norm_eps": 1e-5 if roberta else 1e-12, **kind.config}


def tensors(kind):
    hidden, found = tiny.HIDDEN, {}
    roberta = kind.family in PAD_IDS
    types = 1 if roberta else 2
    for name, value in written.cached_bert(layers=2, types=types).items():
        if kind.family == "distilbert":
            for old, new in [("encoder.layer.", "transformer.layer."), ("attention.self.query", "attention.q_lin"),
                             ("attention.self.key", "attention.k_lin"), ("attention.self.value", "attention.v_lin"),
                             ("attention.output.dense", "attention.out_lin"),
                             ("attention.output.LayerNorm", "sa_layer_norm"), ("intermediate.dense", "ffn.lin1"),
                             ("output.dense", "ffn.lin2"), ("output.LayerNorm", "output_layer_norm")]:
                name = name.replace(old, new)
            if "token_type" in name:
                continue
        if roberta and "position_embeddings" in name:
            value = written.tensor(name + ".roberta", tiny.POSITIONS + PAD_IDS[kind.family] + 1, hidden)
        found[("" if kind.encoder else PREFIXES[kind.family]) + name] = value
    if kind.encoder:
        return found
    dense, scores = {"bert": ("bert.pooler.dense", "classifier"),
                     "distilbert": ("pre_classifier", "classifier")}.get(kind.family, ("classifier.dense", "classifier.out_proj"))
    for name, outputs in ((dense, hidden), (scores, kind.labels)):
        found[name + ".weight"] = written.tensor(name + ".weight", outputs, hidden)
        found[name + ".bias"] = written.tensor(name + ".bias", outputs)
    return found


def tokenizer(kind):
    value = written.tokenizer_json()
    processor = value["post_processor"]

    def special(text, type_id):
        return {"SpecialToken": {"id": text, "type_id": type_id}}

    sep, first = special("[SEP]", 0), processor["single"]
    if kind.template == "bert":
        processor["pair"] = first + [{"Sequence": {"id": "B", "type_id": 1}}, special("[SEP]", 1)]
    elif kind.template == "roberta":
        processor["pair"] = first + [sep, {"Sequence": {"id": "B", "type_id": 0}}, sep]
    elif kind.template == "none":
        processor["pair"] = [{"Sequence": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    else:
        value["post_processor"] = {"type": kind.template, "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
        if kind.template == "RobertaProcessing":
            value["post_processor"].update(trim_offsets=True, add_prefix_space=False)
    return value


def write(folder, kind):
    os.makedirs(folder, exist_ok=True)

    def path(name):
        return os.path.join(folder, name)

    tiny.write_json(path("config.json"), config(kind))
    tiny.write_json(path("tokenizer.json"), tokenizer(kind))
    names = ["input_ids", "token_type_ids", "attention_mask"] if kind.family == "bert" else ["input_ids", "attention_mask"]
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": kind.limit, "pad_token": "[PAD]",
                "model_input_names": names, **({"truncation_side": kind.side} if kind.side else {}), **kind.settings}
    tiny.write_json(path("tokenizer_config.json"), {key: value for key, value in settings.items() if value is not None})
    if kind.sentence:
        tiny.write_json(path("config_sentence_transformers.json"), kind.sentence)
        tiny.write_json(path("modules.json"), [{"idx": 0, "name": "0", "path": "", "type": written.NEW["Transformer"]}])
        tiny.write_json(path("sentence_bert_config.json"),
                        {"transformer_task": "sequence-classification", "module_output_name": "scores",
                         "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}})
    written.write_safetensors(path("model.safetensors"), tensors(kind))


def write_graph(folder, name, fixtures):
    """Puts the graph of a kind in `fixtures` (tests/fixtures/onnx) in the place of the weights that write() wrote."""
    with open(os.path.join(fixtures, "graphs.json"), encoding="ascii") as file:
        order = json.load(file)["weights"][name]
    weights = tensors(GRAPHS[name])
    os.remove(os.path.join(folder, "model.safetensors"))
    os.makedirs(os.path.join(folder, "onnx"))
    shutil.copy(os.path.join(fixtures, name + ".onnx"), os.path.join(folder, "onnx/model.onnx"))
    with open(os.path.join(folder, "onnx/model.onnx_data"), "wb") as file:
        for tensor, turned in order:
            shape, values = weights[tensor]
            for column in range(shape[1] if turned else 1):
                values_of = values[column::shape[1]] if turned else values
                file.write(values_of.tobytes())
