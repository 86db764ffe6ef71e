"""Makes what two of the peers load: prepare.py FOLDER --model FOLDER --onnx FOLDER

From the model's Hugging Face folder and the folder with model_quantized.onnx: gguf/Q8_0.gguf for llama.cpp, and infinity/
for infinity-emb. What is there already is kept; what cannot be made is named.
"""

import argparse
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "bench/quality"))


def gguf(options, target):
    import gguf_file

    target.mkdir()
    gguf_file.write(options.model, options.model.name, "mean", "Q8_0", target / "Q8_0.gguf")


def infinity(options, target):
    target.mkdir()
    for name in ("config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(options.model / name, target)
    shutil.copy(options.onnx / "model_quantized.onnx", target)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--onnx", type=pathlib.Path, required=True)
    options = parser.parse_args()
    for make in (gguf, infinity):
        target = options.folder / make.__name__
        part = target.with_suffix(".part")
        if target.exists():
            continue
        shutil.rmtree(part, ignore_errors=True)
        try:
            make(options, part)
            part.rename(target)
        except Exception as error:  # Whatever it is, it is the reason why a peer is not measured.
            print(f"prepare: {target} could not be made: {type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
