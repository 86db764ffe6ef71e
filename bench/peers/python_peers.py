"""The peers written in Python, with one face. PEERS[name](folder, threads) loads one; FOLDER is what prepare.py made, or
prepare_shapes.py of a shape.

All give the model's mean pooling, cut texts at 256 tokens, and pad a batch to its longest text, unless the library does
these itself.
"""

import importlib.metadata
import os

import numpy as np

MAX_TOKENS = 256
MODEL = "all-MiniLM-L6-v2"


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Peer:
    takes_ids = True
    takes_batches = True

    def embed(self, texts, batch):
        """float32 [texts][dimensions], from texts."""
        return np.concatenate([self.embed_batch(texts[i:i + batch]) for i in range(0, len(texts), batch)])

    def rank(self, query, texts, batch):
        """float32 [texts], the raw scores of the query with each text."""
        return np.concatenate([self.rank_batch(query, texts[i:i + batch]) for i in range(0, len(texts), batch)])

    def prepare_ids(self, ids):
        """What embed_ids takes, of rows of token ids of equal length. Not measured."""
        return np.array(ids, np.int64)


class RawPeer(Peer):
    """An engine that gives the vectors of tokens, or the scores of pairs: tokenizer before it, pooling behind it."""

    def __init__(self, folder):
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "model", "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()

    def inputs(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        return {"input_ids": np.array([entry.ids for entry in encoded], np.int64),
                "attention_mask": np.array([entry.attention_mask for entry in encoded], np.int64),
                "token_type_ids": np.array([entry.type_ids for entry in encoded], np.int64)}

    def embed_batch(self, texts):
        return self.pooled(self.inputs(texts))

    def embed_ids(self, ids):
        return self.pooled({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})

    def pooled(self, inputs):
        states = self.output(inputs)
        return unit(np.matmul(inputs["attention_mask"][:, None, :].astype(np.float32), states)[:, 0])

    def rank_batch(self, query, texts):
        return self.output(self.inputs([(query, text) for text in texts]))[:, 0]


class OnnxRuntime(RawPeer):
    def __init__(self, folder, threads, file):
        import onnxruntime

        super().__init__(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(os.path.join(folder, "onnx", file), options,
                                                    providers=["CPUExecutionProvider"])
        self.version = version("onnxruntime")
        self.names = [entry.name for entry in self.session.get_inputs()]

    def output(self, inputs):
        return self.session.run(None, {name: inputs[name] for name in self.names})[0]


class OpenVino(RawPeer):
    """With AHEAD a graph is compiled for each shape before it is measured; else one for all shapes."""

    def __init__(self, folder, threads, file, precision=None, ahead=False):
        import openvino

        super().__init__(folder)
        self.version = version("openvino")
        self.core = openvino.Core()
        self.model = self.core.read_model(os.path.join(folder, file))
        self.names = [port.get_any_name() for port in self.model.inputs]
        self.options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
                        "ENABLE_CPU_PINNING": False}
        if precision:
            self.options["INFERENCE_PRECISION_HINT"] = precision
        self.ahead = ahead
        self.requests = {}

    def request(self, shape):
        key = shape if self.ahead else None
        if key not in self.requests:
            if self.ahead:
                self.model.reshape({port.get_any_name(): list(shape) for port in self.model.inputs})
            self.requests[key] = self.core.compile_model(self.model, "CPU", self.options).create_infer_request()
        return self.requests[key]

    def output(self, inputs):
        inputs = {name: inputs[name] for name in self.names}
        return self.request(inputs["input_ids"].shape).infer(inputs, share_inputs=True, share_outputs=True)[0]


class CTranslate2(RawPeer):
    """Takes the ids of each text without padding."""

    def __init__(self, folder, threads):
        import ctranslate2

        super().__init__(folder)
        self.tokenizer.no_padding()
        self.version = version("ctranslate2")
        self.view = ctranslate2.StorageView
        self.encoder = ctranslate2.Encoder(os.path.join(folder, "ctranslate2"), device="cpu", compute_type="int8",
                                           inter_threads=1, intra_threads=threads)

    def prepare_ids(self, ids):
        return ids

    def embed_batch(self, texts):
        return self.embed_ids([entry.ids for entry in self.tokenizer.encode_batch(texts)])

    def embed_ids(self, ids):
        states = np.array(self.encoder.forward_batch(ids).last_hidden_state)
        lengths = np.array([len(row) for row in ids])
        mask = (np.arange(states.shape[1]) < lengths[:, None]).astype(np.float32)
        return unit(np.matmul(mask[:, None, :], states)[:, 0])


class SentenceTransformers(Peer):
    def __init__(self, folder, threads, dtype):
        import sentence_transformers
        import torch

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.torch = torch
        self.version = f"{version('sentence-transformers')}, {version('torch')}"
        self.model = sentence_transformers.SentenceTransformer(
            os.path.join(folder, "model"), device="cpu", model_kwargs={"dtype": getattr(torch, dtype)})

    def embed(self, texts, batch):
        vectors = self.model.encode(texts, batch_size=batch, convert_to_tensor=True, normalize_embeddings=True,
                                    show_progress_bar=False)
        return vectors.float().numpy()

    def prepare_ids(self, ids):
        rows = self.torch.tensor(ids)
        return {"input_ids": rows, "attention_mask": self.torch.ones_like(rows),
                "token_type_ids": self.torch.zeros_like(rows)}

    def embed_ids(self, inputs):
        with self.torch.inference_mode():
            return self.model(dict(inputs))["sentence_embedding"].float().numpy()


class CrossEncoder(Peer):
    """That of sentence-transformers."""

    takes_ids = False

    def __init__(self, folder, threads):
        import sentence_transformers
        import torch

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.version = f"{version('sentence-transformers')}, {version('torch')}"
        self.model = sentence_transformers.CrossEncoder(os.path.join(folder, "model"), device="cpu",
                                                        activation_fn=torch.nn.Identity())

    def rank_batch(self, query, texts):
        return self.model.predict([(query, text) for text in texts], batch_size=len(texts), show_progress_bar=False)


def sentence_transformers_fp32(folder, threads):
    embeds = os.path.exists(os.path.join(folder, "model", "modules.json"))
    return SentenceTransformers(folder, threads, "float32") if embeds else CrossEncoder(folder, threads)


class FastEmbed(Peer):
    takes_ids = False

    def __init__(self, folder, threads):
        import fastembed
        from fastembed.common import model_description

        self.version = version("fastembed")
        fastembed.TextEmbedding.add_custom_model(
            model=MODEL, pooling=model_description.PoolingType.MEAN, normalization=True, dim=384,
            sources=model_description.ModelSource(hf=f"sentence-transformers/{MODEL}"), model_file="model_quantized.onnx")
        self.model = fastembed.TextEmbedding(MODEL, specific_model_path=os.path.join(folder, "fastembed"), threads=threads)

    def embed(self, texts, batch):
        return np.array(list(self.model.embed(texts, batch_size=batch)))


class EmbedAnything(Peer):
    """Candle in fp32. The folder hub holds the model as a download would have left it."""

    takes_ids = False

    def __init__(self, folder, threads):
        import embed_anything

        self.version = version("embed_anything")
        self.library = embed_anything
        self.model = embed_anything.EmbeddingModel.from_pretrained_hf(f"sentence-transformers/{MODEL}")

    def embed_batch(self, texts):
        return np.array([entry.embedding for entry in self.library.embed_query(texts, embedder=self.model)], np.float32)


OPENVINO_INT8 = "openvino/int8.xml"
PEERS = {
    "onnxruntime fp32": lambda folder, threads: OnnxRuntime(folder, threads, "model.onnx"),
    "onnxruntime int8": lambda folder, threads: OnnxRuntime(folder, threads, "model_quantized.onnx"),
    "OpenVINO fp32": lambda folder, threads: OpenVino(folder, threads, "onnx/model.onnx", precision="f32"),
    "OpenVINO bf16, its default": lambda folder, threads: OpenVino(folder, threads, "onnx/model.onnx"),
    "OpenVINO int8": lambda folder, threads: OpenVino(folder, threads, OPENVINO_INT8),
    "OpenVINO int8, compiled ahead": lambda folder, threads: OpenVino(folder, threads, OPENVINO_INT8, ahead=True),
    "CTranslate2 int8": CTranslate2,
    "sentence-transformers fp32": sentence_transformers_fp32,
    "sentence-transformers bf16": lambda folder, threads: SentenceTransformers(folder, threads, "bfloat16"),
    "fastembed int8": FastEmbed,
    "embed_anything fp32 (candle)": EmbedAnything,
}
