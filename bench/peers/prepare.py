"""Makes what the peers load: prepare.py FOLDER --model FOLDER --onnx FOLDER [--data FOLDER]

From the model's Hugging Face folder and the folder with model.onnx and model_quantized.onnx. What is there already is
kept; of what could not be made, prepared.json says why.
"""

import argparse
import json
import pathlib
import shutil
import sys

import corpus

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "0" * 40  # Any will do; only its form matters.


def copy_model(options, target):
    shutil.copytree(options.model, target)
    # Not in every copy of the model, though modules.json names it: it has no files that matter.
    (target / "2_Normalize").mkdir(exist_ok=True)


def copy_onnx(options, target):
    target.mkdir()
    for name in ("model.onnx", "model_quantized.onnx"):
        shutil.copy(options.onnx / name, target)


def openvino(options, target, sentences=300):
    """Static int8 as sentence-transformers makes it with its defaults, which calibrates on 300 sentences."""
    texts = corpus.calibration(corpus.Vocabulary(options.model / "tokenizer.json"), options.data, sentences)
    quantize(options.model / "tokenizer.json", options.onnx / "model.onnx", texts, target)


def quantize(tokenizer, graph, texts, target):
    """NNCF's transformer scheme with activations asymmetric, calibrated on TEXTS, or pairs of them."""
    import nncf
    import numpy as np
    import openvino
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer))
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    model = openvino.Core().read_model(graph)
    names = [port.get_any_name() for port in model.inputs]

    def inputs(text):
        encoded = tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text)
        found = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
        return {name: np.array([found[name]], np.int64) for name in names}

    quantised = nncf.quantize(model, nncf.Dataset(texts, inputs), model_type=nncf.ModelType.TRANSFORMER,
                              preset=nncf.QuantizationPreset.MIXED, subset_size=len(texts), fast_bias_correction=True)
    target.mkdir()
    openvino.save_model(quantised, target / "int8.xml", compress_to_fp16=False)


def ctranslate2(options, target):
    import ctranslate2

    ctranslate2.converters.TransformersConverter(str(options.model)).convert(str(target), quantization="int8")


def gguf(options, target):
    sys.path.append(str(ROOT / "bench/quality"))
    import gguf_file

    target.mkdir()
    for kind in ("Q8_0", "Q4_0"):
        gguf_file.write(options.model, options.model.name, "mean", kind, target / f"{kind}.gguf")


def fastembed(options, target):
    target.mkdir()
    shutil.copy(options.onnx / "model_quantized.onnx", target)
    for name in ("config.json", "special_tokens_map.json", "tokenizer.json"):
        shutil.copy(options.model / name, target)
    settings = json.loads((options.model / "tokenizer_config.json").read_text())
    (target / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 256}))


def hub(options, target):
    """The cache that a download would have left, for what reads nothing else."""
    repository = target / "hub" / ("models--" + HUB_NAME.replace("/", "--"))
    shutil.copytree(options.model, repository / "snapshots" / REVISION)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(REVISION)


STEPS = {"model": copy_model, "onnx": copy_onnx, "openvino": openvino, "ctranslate2": ctranslate2, "gguf": gguf,
         "fastembed": fastembed, "hub": hub}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--onnx", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    calibrated = options.folder / "calibrated"  # With what.
    source = "data" if options.data else "made up"
    if not calibrated.exists() or calibrated.read_text() != source:
        shutil.rmtree(options.folder / "openvino", ignore_errors=True)
        calibrated.write_text(source)
    failed = {}
    for name, make in STEPS.items():
        target = options.folder / name
        if target.exists():
            continue
        part = options.folder / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        print(f"preparing {name}", file=sys.stderr)
        try:
            make(options, part)
            part.rename(target)
        except Exception as error:  # Whatever it is, it is the reason why a peer is not measured.
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"  {failed[name]}", file=sys.stderr)
    (options.folder / "prepared.json").write_text(json.dumps(failed) + "\n")


if __name__ == "__main__":
    main()
