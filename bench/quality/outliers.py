#!/usr/bin/env python3
"""What int8 costs each family on random weights with outlier channels: outliers.py DATA [--thimble PROGRAM]

Models of 6 layers of 384 with a tokenizer trained on the texts. In 6 channels the weights of every LayerNorm are up to
--times as large as elsewhere; biases are small, so that vectors of different texts stay different. Prints, for each family
and dtype, the mean, the median and the least cosine to fp32, and the mean after the mean vector of fp32 is subtracted, so
that what all texts share does not flatter.

Needs torch, transformers, sentence-transformers, tokenizers and numpy. DATA has udhr/udhr_paragraphs.jsonl.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np

FAMILIES = ("bert", "distilbert", "mpnet", "roberta", "xlm-roberta", "camembert")
LAYERS, WIDTH, HEADS, WORDS = 6, 384, 12, 8000


def read_texts(data, most):
    lines = (data / "udhr" / "udhr_paragraphs.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [text for line in lines for text in json.loads(line)["paragraphs"]]
    return texts[:: max(1, len(texts) // most)][:most]


def train_tokenizer(family, texts):
    import tokenizers
    import transformers

    if family in ("bert", "distilbert", "mpnet"):
        specials = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"] if family == "mpnet" else ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = tokenizers.BertWordPieceTokenizer()
        trainer.train_from_iterator(texts, vocab_size=WORDS, special_tokens=specials)
        words = trainer.get_vocab()
        kind = transformers.MPNetTokenizerFast if family == "mpnet" else transformers.BertTokenizerFast
        return kind(vocab=words)
    if family == "roberta":
        trainer = tokenizers.ByteLevelBPETokenizer()
        trainer.train_from_iterator(texts, vocab_size=WORDS, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        state = json.loads(trainer.to_str())["model"]
        merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in state["merges"]]
        return transformers.RobertaTokenizerFast(vocab=state["vocab"], merges=merges)
    trainer = tokenizers.SentencePieceUnigramTokenizer()
    trainer.train_from_iterator(texts, vocab_size=WORDS, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>")
    pieces = [tuple(piece) for piece in json.loads(trainer.to_str())["model"]["vocab"]]
    kind = transformers.CamembertTokenizerFast if family == "camembert" else transformers.XLMRobertaTokenizerFast
    return kind(vocab=pieces)


def make_model(family, texts, options, folder):
    import sentence_transformers
    import torch
    import transformers
    from sentence_transformers import models

    torch.manual_seed(options.seed)
    tokenizer = train_tokenizer(family, texts)
    sizes = dict(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    if family == "distilbert":
        config = transformers.DistilBertConfig(dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=4 * WIDTH, **sizes)
    else:
        kind = {"bert": transformers.BertConfig, "mpnet": transformers.MPNetConfig, "roberta": transformers.RobertaConfig,
                "xlm-roberta": transformers.XLMRobertaConfig, "camembert": transformers.CamembertConfig}[family]
        config = kind(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=4 * WIDTH,
                      max_position_embeddings=514, **sizes)
    model = transformers.AutoModel.from_config(config)
    channels = torch.randperm(WIDTH)[:6]
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "LayerNorm" in name or "layer_norm" in name or "Norm" in name:
                if name.endswith("weight"):
                    weights[channels] *= torch.linspace(options.times / 3, options.times, len(channels))
                else:
                    weights.normal_(0, 0.02)
    part = folder / "part"
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    modules = [models.Transformer(str(part), max_seq_length=256), models.Pooling(WIDTH), models.Normalize()]
    sentence_transformers.SentenceTransformer(modules=modules).save(str(folder / "model"))
    (folder / "model" / "2_Normalize").mkdir(exist_ok=True)
    return folder / "model"


def vectors(thimble, model, texts, file):
    subprocess.run([thimble, "embed", "-m", model, "-i", "-", "--format", "f32", "-o", file], check=True,
                   input="\n".join(text.replace("\n", " ") for text in texts).encode(), stderr=subprocess.DEVNULL)
    return np.fromfile(file, np.float32).reshape(len(texts), -1).astype(np.float64)


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--thimble", default="build/thimble")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--times", type=float, default=30)
    parser.add_argument("--dtypes", nargs="+", default=("q8", "q6", "q4"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    texts = read_texts(options.data, options.texts)
    print(f"{len(texts)} texts\n\n| family | dtype | cosine, mean | median | least | centred, mean | unrelated texts, fp32 |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            source = make_model(family, texts, options, folder)
            made = {}
            for dtype in ("fp32", *options.dtypes):
                file = folder / f"{dtype}.safetensors"
                subprocess.run([options.thimble, "convert", source, file, "--dtype", dtype], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                made[dtype] = vectors(options.thimble, file, texts, folder / "vectors")
            exact = made["fp32"]
            middle = exact.mean(0)
            unrelated = cosines(exact, np.roll(exact, len(texts) // 2, axis=0)).mean()
            for dtype in options.dtypes:
                plain, centred = cosines(exact, made[dtype]), cosines(exact - middle, made[dtype] - middle)
                print(f"| {family} | {dtype} | {plain.mean():.6f} | {np.median(plain):.6f} | {plain.min():.6f} | "
                      f"{centred.mean():.6f} | {unrelated:.3f} |", flush=True)


if __name__ == "__main__":
    main()
