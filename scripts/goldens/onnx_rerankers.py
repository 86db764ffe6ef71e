#!/usr/bin/env python3
"""Writes tests/fixtures/onnx: graphs of the models of tests/folders/rerankers.py, as torch exports them.

A graph is without its weights, which are external data that tests/folders/rerankers.py writes; `weights` of graphs.json says
which they are, in their order, and whether transposed. Needs transformers 5, torch and onnx (tests/folders/run.sh has them in
build/folders/base)."""

import json
import os
import pathlib
import sys
import tempfile
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/folders"))
os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import numpy  # noqa: E402
import onnx  # noqa: E402
import rerankers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402


class Encoder(torch.nn.Module):
    """With the names that sentence-transformers gives what it exports."""

    def __init__(self, folder):
        super().__init__()
        self.auto_model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False)

    def forward(self, input_ids, attention_mask):
        return self.auto_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export(folder, kind, path):
    model = Encoder(folder) if kind.encoder else transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    model.eval()
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if kind.family == "bert" else [])
    inputs = {name: torch.ones(2, 7, dtype=torch.int64) for name in names}
    inputs["attention_mask"][1, 5:] = 0
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in names}
    output = {"last_hidden_state": axes["input_ids"]} if kind.encoder else {"logits": {0: "batch_size"}}
    torch.onnx.export(model, (inputs,), path, input_names=names, output_names=list(output), opset_version=17, dynamo=False,
                      dynamic_axes={**axes, **output})


def strip(graph, tensors):
    """Makes the weights of the graph external data, and gives [name, transposed] of each."""
    arrays = {name: numpy.array(values, numpy.float32).reshape(shape) for name, (shape, values) in tensors.items()}
    order, offset = [], 0
    for initializer in graph.graph.initializer:
        value = onnx.numpy_helper.to_array(initializer)
        found = [(name, turned) for name, array in arrays.items() for turned in (False, True)
                 if value.dtype == numpy.float32 and value.ndim == array.ndim > turned and
                 numpy.array_equal(value, array.T if turned else array)]
        if not found:
            continue
        order.append(found[0])
        initializer.ClearField("raw_data")
        initializer.ClearField("float_data")
        initializer.data_location = onnx.TensorProto.EXTERNAL
        for key, text in (("location", "model.onnx_data"), ("offset", str(offset)), ("length", str(value.nbytes))):
            initializer.external_data.add(key=key, value=text)
        offset += value.nbytes
    missing = set(arrays) - {name for name, _ in order}
    assert not missing, missing
    return order


def main():
    transformers.logging.set_verbosity_error()
    place = ROOT / "tests/fixtures/onnx"
    place.mkdir(exist_ok=True)
    orders = {}
    for name, kind in rerankers.GRAPHS.items():
        with tempfile.TemporaryDirectory() as folder:
            rerankers.write(folder, kind)
            path = os.path.join(folder, "graph.onnx")
            export(folder, kind, path)
            graph = onnx.load(path)
        # The names of source lines that an export carries.
        for node in graph.graph.node:
            node.ClearField("doc_string")
            del node.metadata_props[:]
        orders[name] = strip(graph, rerankers.tensors(kind))
        onnx.save(graph, place / f"{name}.onnx")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(order)}" for name, order in orders.items())
    reference = f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}"
    (place / "graphs.json").write_text(f'{{"reference": {json.dumps(reference)}, "weights": {{\n{lines}\n}}}}\n', encoding="ascii")


if __name__ == "__main__":
    main()
