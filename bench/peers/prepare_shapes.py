"""Makes models of random weights with the shapes of known ones, as thimble and its peers load them:
prepare_shapes.py FOLDER --thimble PROGRAM --tokenizer FOLDER

FOLDER/NAME has model (sentence-transformers), onnx, openvino and thimble. What is there already is kept. All take the
tokenizer of TOKENIZER, so that all get the same ids from the same texts.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import types

import prepare


@dataclasses.dataclass
class Shape:
    layers: int
    hidden: int
    heads: int
    about: str


# Times follow these numbers, and neither the values of weights nor the words of a vocabulary.
SHAPES = {
    "multilingual-e5-small": Shape(12, 384, 12, "12 layers of 384, 12 heads"),
    "all-mpnet-base-v2": Shape(12, 768, 12, "12 layers of 768, 12 heads, without the relative bias"),
    "bge-m3": Shape(6, 1024, 16, "6 of its 24 layers of 1024, 16 heads"),
}


def make_model(shape, options, target):
    import sentence_transformers
    import torch
    import transformers
    from sentence_transformers import models

    torch.manual_seed(1)
    part = target.with_suffix(".hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.tokenizer)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, intermediate_size=4 * shape.hidden, max_position_embeddings=512)
    transformers.BertModel(config).save_pretrained(part)
    tokenizer.save_pretrained(part)
    transformer = models.Transformer(str(part), max_seq_length=256)
    pooling = models.Pooling(shape.hidden)
    sentence_transformers.SentenceTransformer(modules=[transformer, pooling, models.Normalize()]).save(str(target))
    shutil.rmtree(part)
    (target / "2_Normalize").mkdir(exist_ok=True)


def make_onnx(model, target):
    """As optimum exports it, and as transformers.js quantises it."""
    import torch
    import transformers
    from onnxruntime import quantization

    target.mkdir()

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = transformers.AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.encoder(input_ids=input_ids, attention_mask=attention_mask,
                                token_type_ids=token_type_ids).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 16, dtype=torch.long)
    axes = {name: {0: "batch", 1: "tokens"} for name in [*names, "last_hidden_state"]}
    with torch.no_grad():
        torch.onnx.export(States(), (example, example, torch.zeros_like(example)), str(target / "model.onnx"),
                          input_names=names, output_names=["last_hidden_state"], dynamic_axes=axes, opset_version=17,
                          dynamo=False)
    quantization.quantize_dynamic(target / "model.onnx", target / "model_quantized.onnx",
                                  weight_type=quantization.QuantType.QInt8)


def make_thimble(options, model, target):
    target.mkdir()
    for dtype in ("q8", "fp32"):
        subprocess.run([options.thimble, "convert", model, target / f"{dtype}.safetensors", "--dtype", dtype,
                        *(["--no-calibration"] if dtype == "q8" else [])], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--thimble", required=True)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="a folder with tokenizer.json")
    options = parser.parse_args()
    for name, shape in SHAPES.items():
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        model, onnx = folder / "model", folder / "onnx"
        steps = {"model": lambda part: make_model(shape, options, part), "onnx": lambda part: make_onnx(model, part),
                 "openvino": lambda part: prepare.openvino(
                     types.SimpleNamespace(model=model, onnx=onnx, data=None), part, sentences=16),
                 "thimble": lambda part: make_thimble(options, model, part)}
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
