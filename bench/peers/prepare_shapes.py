"""Makes models of random weights with the shapes of known ones, as thimble and its peers load them:
prepare_shapes.py FOLDER --thimble PROGRAM --tokenizer FOLDER

FOLDER/NAME has model (sentence-transformers), onnx, openvino and thimble. What is there already is kept. Vocabularies are
made of that of TOKENIZER, so that its frequent words are one token for all of them.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import corpus
import prepare


@dataclasses.dataclass
class Shape:
    model_type: str
    layers: int
    hidden: int
    heads: int
    tokenizer: str  # "bert", "mpnet" or "xlmr".
    about: str
    pairs: bool = False  # A cross-encoder.


# Times follow these numbers, and neither the values of weights nor the size of a vocabulary.
SHAPES = {
    "multilingual-e5-small": Shape("bert", 12, 384, 12, "xlmr", "12 layers of 384, 12 heads, Unigram"),
    "all-mpnet-base-v2": Shape("mpnet", 12, 768, 12, "mpnet", "12 layers of 768, 12 heads, relative bias, WordPiece"),
    "bge-m3": Shape("xlm-roberta", 6, 1024, 16, "xlmr", "6 of its 24 layers of 1024, 16 heads, Unigram"),
    "ms-marco-MiniLM-L6-v2": Shape("bert", 6, 384, 12, "bert", "pairs, 6 layers of 384, 12 heads, WordPiece", pairs=True),
}
SPECIAL = {"bert": ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"), "mpnet": ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"),
           "xlmr": ("<s>", "<pad>", "</s>", "<unk>", "<mask>")}


def wordpiece(words, names):
    """A tokenizer of MPNet: that of BERT with other special tokens, and two between the texts of a pair."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    begin, pad, end, unknown, mask = names
    pieces = [begin, pad, end, *(word for word in words if word not in SPECIAL["bert"] or word == unknown), mask]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in names])
    tokenizer.post_processor = processors.RobertaProcessing((end, pieces.index(end)), (begin, 0), trim_offsets=False)
    return json.loads(tokenizer.to_str())


def unigram(words, names):
    """XLM-R's tokenizer with other pieces: a word costs less than any two."""
    config = json.loads((prepare.ROOT / "tests/fixtures/unigram/xlmr.json").read_text())
    words = [word for word in words if word not in SPECIAL["bert"]]
    pieces = {**{name: 0.0 for name in names[:4]}, "\u2581": -9.0}
    for i, word in enumerate(words):
        piece = word[2:] if word.startswith("##") else "\u2581" + word
        pieces.setdefault(piece, -5 - 4.9 * i / len(words))
    for character in "".join(words):
        pieces.setdefault(character, -12.0)
    pieces[names[4]] = 0.0
    config["model"]["vocab"] = list(pieces.items())
    for token in config["added_tokens"]:
        token["id"] = list(pieces).index(token["content"])
    return config


def make_tokenizer(shape, source, target):
    """Of the class that takes tokenizer.json as it is."""
    import transformers

    config = json.loads((source / "tokenizer.json").read_text())
    words = sorted(config["model"]["vocab"], key=config["model"]["vocab"].get)
    names = SPECIAL[shape.tokenizer]
    if shape.tokenizer == "mpnet":
        config = wordpiece(words, names)
    elif shape.tokenizer == "xlmr":
        config = unigram(words, names)
    config |= {"truncation": None, "padding": None}
    target.mkdir()
    (target / "tokenizer.json").write_text(json.dumps(config))
    begin, pad, end, unknown, mask = names
    inputs = ["input_ids", *(["token_type_ids"] if shape.pairs else []), "attention_mask"]
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(target / "tokenizer.json"), cls_token=begin, bos_token=begin, pad_token=pad, sep_token=end,
        eos_token=end, unk_token=unknown, mask_token=mask, model_max_length=256, model_input_names=inputs)
    tokenizer.save_pretrained(target)
    text, _ids = corpus.Vocabulary(source / "tokenizer.json").batch(1, 64)
    if len(tokenizer(text[0])["input_ids"]) != 64:
        raise SystemExit(f"{target}: a frequent word is not one token")
    return tokenizer


def make_model(shape, options, target):
    import sentence_transformers
    import torch
    import transformers
    from sentence_transformers import models

    torch.manual_seed(1)
    part = target.with_suffix(".hf")
    shutil.rmtree(part, ignore_errors=True)
    tokenizer = make_tokenizer(shape, options.tokenizer, part)
    positions = 512 if shape.model_type == "bert" else 514
    config = transformers.AutoConfig.for_model(
        shape.model_type, vocab_size=len(tokenizer), hidden_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, intermediate_size=4 * shape.hidden, max_position_embeddings=positions,
        pad_token_id=tokenizer.pad_token_id, **({"num_labels": 1} if shape.pairs else {}))
    kind = transformers.AutoModelForSequenceClassification if shape.pairs else transformers.AutoModel
    kind.from_config(config).save_pretrained(part)
    if shape.pairs:
        part.rename(target)
        return
    transformer = models.Transformer(str(part), max_seq_length=256)
    # By the first token, as bge-m3 does, thimble would leave out most of the last layer: a sixth of what is here, but a
    # 24th of bge-m3.
    pooling = models.Pooling(shape.hidden)
    sentence_transformers.SentenceTransformer(modules=[transformer, pooling, models.Normalize()]).save(str(target))
    shutil.rmtree(part)
    (target / "2_Normalize").mkdir(exist_ok=True)


def make_onnx(shape, model, target):
    """As optimum exports it, and as transformers.js quantises it."""
    import torch
    import transformers
    from onnxruntime import quantization

    target.mkdir()
    kind = transformers.AutoModelForSequenceClassification if shape.pairs else transformers.AutoModel
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if shape.model_type == "bert" else [])]
    output = "logits" if shape.pairs else "last_hidden_state"

    class Output(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = kind.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, *values):
            return getattr(self.model(**dict(zip(inputs, values))), output)

    example = torch.ones(2, 16, dtype=torch.long)
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    axes[output] = {0: "batch"} if shape.pairs else {0: "batch", 1: "tokens"}
    with torch.no_grad():
        torch.onnx.export(Output(), (example, example, torch.zeros_like(example))[:len(inputs)], str(target / "model.onnx"),
                          input_names=inputs, output_names=[output], dynamic_axes=axes, opset_version=17, dynamo=False)
    quantization.quantize_dynamic(target / "model.onnx", target / "model_quantized.onnx",
                                  weight_type=quantization.QuantType.QInt8)


def make_openvino(shape, options, folder, target):
    """Calibrated on few texts: the values do not matter."""
    texts = corpus.calibration(corpus.Vocabulary(options.tokenizer / "tokenizer.json"), None, 16)
    if shape.pairs:
        texts = list(zip(texts[:8], texts[8:]))
    prepare.quantize(folder / "model/tokenizer.json", folder / "onnx/model.onnx", texts, target)


def make_thimble(options, model, target):
    target.mkdir()
    for dtype in ("q8", "fp32"):
        subprocess.run([options.thimble, "convert", model, target / f"{dtype}.safetensors", "--dtype", dtype,
                        *(["--no-calibration"] if dtype == "q8" else [])], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--thimble", required=True)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="a folder with BERT's tokenizer.json")
    options = parser.parse_args()
    for name, shape in SHAPES.items():
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        steps = {"model": lambda part: make_model(shape, options, part),
                 "onnx": lambda part: make_onnx(shape, folder / "model", part),
                 "openvino": lambda part: make_openvino(shape, options, folder, part),
                 "thimble": lambda part: make_thimble(options, folder / "model", part)}
        for step, make in steps.items():
            if (folder / step).exists():
                continue
            print(f"preparing {step} of {name}", file=sys.stderr)
            part = folder / f"{step}.part"
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(folder / step)


if __name__ == "__main__":
    main()
