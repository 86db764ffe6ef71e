"""The libraries that are compared, each as its users call it: STARTS[name] is the code from import to a loaded model.

The code is run by exec() with FOLDER, what prepare.py made, THIMBLE, thimble's model file, and THREADS; it leaves encode(texts),
which gives an array [texts][dimensions]. All take batches of 32 and cut texts at 256 tokens.
"""

ONNX, OPENVINO = "model_qint8.onnx", "openvino_model_qint8.xml"
OWN, OWN_BUFFER = "thimble q8", "thimble q8, encode_buffer"
REFERENCE, BARE = "sentence-transformers fp32", "bare python"

_SENTENCE_TRANSFORMERS = """
import sentence_transformers
import torch
torch.set_num_threads(THREADS)
model = sentence_transformers.SentenceTransformer(FOLDER + "/model", device="cpu"{more})
def encode(texts):
    return model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
"""


def _backend(name, file):
    return _SENTENCE_TRANSFORMERS.format(more=f', backend="{name}", model_kwargs={{"file_name": "{name}/{file}"}}')


_THIMBLE = """
import thimble
encode = thimble.Embedder(THIMBLE, threads=THREADS).{call}
"""

STARTS = {
    BARE: "encode = None\n",
    OWN: _THIMBLE.format(call="encode"),
    OWN_BUFFER: _THIMBLE.format(call="encode_buffer"),  # Without numpy.
    REFERENCE: _SENTENCE_TRANSFORMERS.format(more=""),
    "sentence-transformers ONNX int8": _backend("onnx", ONNX),
    "sentence-transformers OpenVINO int8": _backend("openvino", OPENVINO),
    "fastembed int8": """
import fastembed
import numpy
from fastembed.common import model_description
fastembed.TextEmbedding.add_custom_model(
    model="all-MiniLM-L6-v2", pooling=model_description.PoolingType.MEAN, normalization=True, dim=384,
    sources=model_description.ModelSource(hf="sentence-transformers/all-MiniLM-L6-v2"), model_file="model_quantized.onnx")
model = fastembed.TextEmbedding("all-MiniLM-L6-v2", specific_model_path=FOLDER + "/fastembed", threads=THREADS)
def encode(texts):
    return numpy.array(list(model.embed(texts, batch_size=32)))
""",
}
# Which package says the version.
PACKAGES = {OWN: "", OWN_BUFFER: "", REFERENCE: "torch", "sentence-transformers ONNX int8": "onnxruntime",
            "sentence-transformers OpenVINO int8": "openvino", "fastembed int8": "fastembed"}
