"""Makes what the peers load: prepare.py FOLDER --model FOLDER --onnx FOLDER --data FOLDER

FOLDER/model is the model's folder with its int8 files where the backends of sentence-transformers look for them, FOLDER/fastembed
what fastembed reads. The files and how they are quantised are those of bench/peers.
"""

import argparse
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import prepare as peers  # noqa: E402
from libraries import ONNX, OPENVINO  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    for name in ("model", "onnx", "data"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if (options.folder / "done").exists():
        return
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    model = options.folder / "model"
    peers.copy_model(options, model)
    peers.copy_onnx(options, model / "onnx")
    (model / "onnx/model_quantized.onnx").rename(model / "onnx" / ONNX)
    peers.openvino(options, model / "openvino")
    for suffix in (".xml", ".bin"):
        (model / "openvino/int8").with_suffix(suffix).rename((model / "openvino" / OPENVINO).with_suffix(suffix))
    peers.fastembed(options, options.folder / "fastembed")
    (options.folder / "done").touch()


if __name__ == "__main__":
    main()
