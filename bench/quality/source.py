"""The weights of a Hugging Face folder by the names of its safetensors file, which an ONNX export does not keep."""

import json
import pathlib

import numpy as np


def read(folder):
    """Name -> float32 array, for a BERT encoder; names begin with embeddings. or encoder."""
    folder = pathlib.Path(folder)
    if (folder / "model.safetensors").exists():
        weights = read_safetensors(folder / "model.safetensors")
    else:
        weights = read_onnx(folder / "onnx/model.onnx")
    return {name.removeprefix("bert."): value.astype(np.float32) for name, value in weights.items()}


def read_safetensors(path):
    from safetensors.numpy import load_file

    return load_file(path)


def read_onnx(path):
    """A matrix is nameless in an export, but its bias is not: the matrix is what the product before it used."""
    import onnx

    graph = onnx.load(path).graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    weights = {name: onnx.numpy_helper.to_array(tensor) for name, tensor in values.items() if "." in name}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        bias = [name for name in node.input if name.endswith(".bias")]
        product = [products[name] for name in node.input if name in products]
        if bias and product and product[0] in values:
            matrix = onnx.numpy_helper.to_array(values[product[0]])
            weights[bias[0].removesuffix("bias") + "weight"] = np.ascontiguousarray(matrix.T)
    return weights


def config(folder):
    return json.loads((pathlib.Path(folder) / "config.json").read_text())


def vocabulary(folder):
    """The tokens of a WordPiece tokenizer in the order of their ids."""
    tokens = json.loads((pathlib.Path(folder) / "tokenizer.json").read_text())["model"]["vocab"]
    return sorted(tokens, key=tokens.get)
