"""A program that uses every public name of SentenceTransformer and its kin; test_typing.py checks its types."""

from typing import Any, Dict, List

import numpy as np
from numpy.typing import NDArray

import thimble
from thimble import CrossEncoder, SentenceTransformer, util
from thimble.quantization import quantize_embeddings


def sentence_transformer(path: str) -> None:
    model = SentenceTransformer(path, device="cpu", prompts={"query": "q: "}, truncate_dim=32, threads=1)
    vectors: NDArray[Any] = model.encode(["a", "b"])
    vector: NDArray[Any] = model.encode("a", normalize_embeddings=True, batch_size=8, show_progress_bar=False)
    of_array: NDArray[Any] = model.encode(np.array(["a", "b"]), prompt="q: ", precision="int8")
    tensor: Any = model.encode(["a"], convert_to_tensor=True)
    tokens: Any = model.encode(["a"], output_value="token_embeddings")
    queries: NDArray[np.float32] = model.encode_query(["a"])
    documents: NDArray[np.float32] = model.encode_document(["a"])
    ids: Dict[str, Any] = model.tokenize(["a"])
    size: int = model.get_embedding_dimension() + model.get_sentence_embedding_dimension()
    limit: int = model.max_seq_length + model.get_max_seq_length()
    model.max_seq_length = 16
    model.similarity_fn_name = "dot"
    name: str = model.similarity_fn_name + str(model.device) + model.device.type + model.get_backend()
    scores: Any = model.similarity(vectors, vectors) + model.similarity_pairwise(vectors, vectors)
    with model.truncate_embeddings(8), model.truncate_sentence_embeddings(4):
        prompts: Dict[str, str] = model.prompts
    same: SentenceTransformer = model.to("cpu").cpu().eval().float().requires_grad_(False)
    pool = model.start_multi_process_pool()
    model.encode(["a"], pool=pool, chunk_size=2)
    model.stop_multi_process_pool(pool)
    embedder: thimble.Embedder = model.embedder
    print(vector, of_array, tensor, tokens, queries, documents, ids, size, limit, name, scores, prompts, same, embedder)


def cross_encoder(path: str) -> None:
    model = CrossEncoder(path, max_length=32, device="cpu")
    scores: NDArray[Any] = model.predict([("a", "b")], apply_softmax=False)
    tensor: Any = model.predict([("a", "b")], convert_to_tensor=True)
    ranked: List[Dict[str, Any]] = model.rank("a", ["b", "c"], top_k=1, return_documents=True)
    limit: int = model.max_length + model.max_seq_length + model.num_labels
    model.max_length = 16
    same: CrossEncoder = model.to("cpu").eval()
    print(scores, tensor, ranked, limit, same, model.device, model.reranker.labels)


def functions(vectors: NDArray[Any], model: SentenceTransformer) -> None:
    codes: NDArray[Any] = quantize_embeddings(vectors, "ubinary")
    hits: List[List[Dict[str, Any]]] = util.semantic_search(vectors, vectors, top_k=3, score_function=util.dot_score)
    pairs: List[List[Any]] = util.paraphrase_mining(model, ["a", "b"])
    groups: List[List[int]] = util.community_detection(vectors, threshold=0.8)
    names: List[str] = util.SimilarityFunction.possible_values()
    print(codes, hits, pairs, groups, names, util.cos_sim(vectors, vectors), util.normalize_embeddings(vectors))
    print(util.paraphrase_mining_embeddings(vectors), util.truncate_embeddings(vectors, 4))
    print(thimble.util.cos_sim(vectors, vectors), thimble.quantization.PRECISIONS)


def embedder(path: str) -> None:
    with thimble.Embedder(path) as model:
        vectors = model.encode(["a", "b"], normalize=True)
        view = model.encode_buffer(["a", "b"], precision="int8")
        of_buffer: bytes = view[0:1].tobytes() + view
        print(of_buffer, view.shape)
        for part in model.encode_stream(iter(["a"]), batch_texts=4):
            print(part.shape, vectors.shape, model.info, model.fingerprint)
    try:
        print(thimble.plan(path), thimble.memory(), thimble.models())
    except thimble.ThimbleError as error:
        print(error.code)


async def asynchronous(path: str) -> int:
    return len(await thimble.Embedder(path).aencode(["a"]))
