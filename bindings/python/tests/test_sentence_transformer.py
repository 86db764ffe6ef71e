"""SentenceTransformer beside sentence-transformers: the same types, shapes, dtypes, values and errors."""

import builtins
import logging
import pickle

import face_models
import numpy as np
import pytest
import reference
from face_models import TEXTS
from reference import has

from thimble import SentenceTransformer, util

PAIR = ["One sentence", "Another sentence"]


@pytest.fixture
def ours():
    return SentenceTransformer(face_models.model("fp32"))


FEATURES = ("input_ids", "attention_mask", "token_type_ids", "token_embeddings", "sentence_embedding")

CALLS = {
    "str": lambda m: m.encode("a text"),
    "list": lambda m: m.encode(TEXTS),
    "tuple": lambda m: m.encode(tuple(TEXTS)),
    "array of str": lambda m: m.encode(np.array(PAIR)),
    "array of objects": lambda m: m.encode(np.array(PAIR, dtype=object)),
    "numpy str": lambda m: m.encode(np.str_("a text")),
    "empty list": lambda m: m.encode([]),
    "empty list, tensor": lambda m: m.encode([], convert_to_tensor=True),
    "empty list, list": lambda m: m.encode([], convert_to_numpy=False),
    "empty list, int8": lambda m: m.encode([], precision="int8"),
    "positional": lambda m: m.encode(PAIR, None, "query: ", 8, False),
    "sentences=": lambda m: m.encode(sentences=PAIR),
    "inputs=": lambda m: m.encode(inputs=PAIR),
    "one text in a list": lambda m: m.encode(["a text"]),
    "batch_size": lambda m: m.encode(TEXTS, batch_size=1),
    "progress": lambda m: m.encode(TEXTS, batch_size=4, show_progress_bar=True),
    "tensor": lambda m: m.encode(PAIR, convert_to_tensor=True),
    "tensor of one": lambda m: m.encode("a text", convert_to_tensor=True),
    "list of tensors": lambda m: m.encode(PAIR, convert_to_numpy=False),
    "one of a list of tensors": lambda m: m.encode("a text", convert_to_numpy=False),
    "normalize": lambda m: m.encode(PAIR, normalize_embeddings=True),
    "truncate_dim": lambda m: m.encode(PAIR, truncate_dim=16),
    "truncate_dim and normalize": lambda m: m.encode(PAIR, truncate_dim=16, normalize_embeddings=True),
    "truncate_dim of all": lambda m: m.encode(PAIR, truncate_dim=64),
    "truncate_dim beyond all": lambda m: m.encode(PAIR, truncate_dim=1000),
    "prompt": lambda m: m.encode(PAIR, prompt="search: "),
    "empty prompt": lambda m: m.encode(PAIR, prompt=""),
    "prompt of one": lambda m: m.encode("a text", prompt="search: "),
    "prompt_name": lambda m: m.encode(PAIR, prompt_name="query"),
    "prompt and prompt_name": lambda m: m.encode(PAIR, prompt="search: ", prompt_name="query"),
    "encode_query": lambda m: m.encode_query(PAIR),
    "encode_query of one": lambda m: m.encode_query("a text"),
    "encode_document": lambda m: m.encode_document(PAIR),
    "encode_document, prompt_name": lambda m: m.encode_document(PAIR, prompt_name="passage"),
    "encode_query, tensor": lambda m: m.encode_query(PAIR, convert_to_tensor=True, normalize_embeddings=True),
    "token_embeddings": lambda m: m.encode(PAIR, output_value="token_embeddings", batch_size=1),
    "token_embeddings of one": lambda m: m.encode("a text", output_value="token_embeddings"),
    "token_embeddings, prompt": lambda m: m.encode("a text", output_value="token_embeddings", prompt="query: "),
    "precision None": lambda m: m.encode(PAIR, precision=None),
    "binary": lambda m: m.encode(PAIR, precision="binary"),
    "ubinary of one": lambda m: m.encode("a text", precision="ubinary"),
    "ubinary, tensor": lambda m: m.encode(PAIR, precision="ubinary", convert_to_tensor=True),
    "device": lambda m: m.encode(PAIR, device="cpu"),
    "prompts": lambda m: sorted(m.prompts),
    "default_prompt_name": lambda m: m.default_prompt_name,
    "max_seq_length": lambda m: m.max_seq_length,
    "get_max_seq_length": lambda m: m.get_max_seq_length(),
    "get_embedding_dimension": lambda m: m.get_embedding_dimension(),
    "get_sentence_embedding_dimension": lambda m: m.get_sentence_embedding_dimension(),
    "similarity_fn_name": lambda m: m.similarity_fn_name,
    "truncate_dim attribute": lambda m: m.truncate_dim,
    "device.type": lambda m: m.device.type,
    "eval": lambda m: m.eval() is m and m.to("cpu") is m and m.cpu() is m,
    "tokenize": lambda m: {name: m.tokenize(PAIR)[name] for name in FEATURES[:3]},
    "output_value None": lambda m: [
        {name: item[name] for name in FEATURES} for item in m.encode(PAIR, output_value=None, batch_size=1)
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_gives_what_sentence_transformers_gives(name, ours):
    expected = reference.reference(f"SentenceTransformer, {name}", lambda: CALLS[name](reference.model()))
    # A component next to 0 may have another sign after rounding.
    codes = name.startswith(("binary", "ubinary"))
    reference.check(lambda: CALLS[name](ours), expected, 0 if codes else 1e-5, 0.1 if codes else 0.0)


ERRORS = {
    "unknown prompt_name": lambda m: m.encode(PAIR, prompt_name="none"),
    "unknown argument": lambda m: m.encode(PAIR, no_such_argument=1),
    "unknown precision": lambda m: m.encode(PAIR, precision="int4"),
    "batch_size 0": lambda m: m.encode(PAIR, batch_size=0),
    "int8 of one": lambda m: m.encode("a text", precision="int8"),
    "similarity_fn_name": lambda m: setattr(m, "similarity_fn_name", "none"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_of_the_kind_of_sentence_transformers(name, ours):
    expected = reference.reference(
        f"SentenceTransformer, error of {name}", lambda: reference.kind_of_error(lambda: ERRORS[name](reference.model()))
    )
    with pytest.raises(getattr(builtins, expected)):
        ERRORS[name](ours)


# What sentence-transformers tests of encode, with models of its own, in our words.


@pytest.mark.parametrize("query", ["query: ", "query:", "query:   "])
def test_a_prompt_is_text_before_the_text(ours, query):
    expected = ours.encode([f"query: {text}" for text in PAIR], prompt="")
    assert not np.array_equal(expected, ours.encode(PAIR))
    assert np.array_equal(ours.encode(PAIR, prompt=query), expected)
    ours.prompts = {"query": query, "document": ""}
    assert np.array_equal(ours.encode(PAIR, prompt_name="query"), expected)
    with pytest.raises(ValueError, match="Prompt name 'none' not found in the configured prompts dictionary"):
        ours.encode(PAIR, prompt_name="none")


def test_prompt_wins_over_prompt_name_with_a_warning(ours, caplog):
    with caplog.at_level(logging.WARNING):
        vectors = ours.encode(PAIR, prompt="search: ", prompt_name="query")
    assert len(caplog.records) == 1 and "Ignoring the `prompt_name`" in caplog.text
    assert np.array_equal(vectors, ours.encode(PAIR, prompt="search: "))


def test_prompts_of_the_constructor_count_before_those_of_the_model():
    path = face_models.model()
    with pytest.raises(ValueError, match="Default prompt name 'none' not found"):
        SentenceTransformer(path, prompts={"query": "q: "}, default_prompt_name="none")
    model = SentenceTransformer(path, prompts={"query": "q: "}, default_prompt_name="query")
    assert model.prompts == {"query": "q: ", "document": "", "passage": "passage: "}
    assert np.array_equal(model.encode(PAIR), model.encode(PAIR, prompt="q: "))
    assert np.array_equal(model.encode_query(PAIR), model.encode(PAIR, prompt="q: "))
    assert np.array_equal(model.encode(PAIR, prompt=""), SentenceTransformer(path).encode(PAIR))


@pytest.mark.parametrize("tensor", [True, False])
@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        (None, "float32"),
        ("float32", "float32"),
        ("int8", "int8"),
        ("uint8", "uint8"),
        ("binary", "int8"),
        ("ubinary", "uint8"),
    ],
)
def test_precision_and_container_are_those_asked_for(ours, tensor, array, precision, dtype):
    def encode():
        return ours.encode(PAIR, convert_to_tensor=tensor, convert_to_numpy=array, precision=precision)

    if (tensor or not array) and not has("torch"):
        with pytest.raises(ImportError, match="torch"):
            encode()
        return
    vectors = encode()
    assert type(vectors).__name__ == ("Tensor" if tensor else "ndarray" if array else "list")
    assert str(vectors[0].dtype).rpartition(".")[2] == dtype


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("inputs", ["Single sentence", PAIR])
def test_truncate_dim_of_constructor_attribute_and_context(normalize, inputs):
    path = face_models.model("fp32")
    full = SentenceTransformer(path).encode(inputs)

    def check(model, dimensions):
        vectors = model.encode(inputs, normalize_embeddings=normalize)
        assert vectors.shape[-1] == dimensions == model.get_sentence_embedding_dimension()
        cut = util.truncate_embeddings(full, dimensions)
        np.testing.assert_allclose(vectors, util.normalize_embeddings(cut) if normalize else cut, atol=1e-6)

    model = SentenceTransformer(path, truncate_dim=16)
    check(model, 16)
    model.truncate_dim = 32
    check(model, 32)
    with model.truncate_sentence_embeddings(8):
        check(model, 8)
    check(model, 32)
    model.truncate_dim = 128
    check(model, 64)


@pytest.mark.parametrize("name", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarity_is_highest_for_texts_that_mean_the_same(name):
    model = SentenceTransformer(face_models.real_model(), similarity_fn_name=name)
    texts = [
        "The weather is so nice!",
        "It's so sunny outside.",
        "He's driving to the movie theater.",
        "She's going to the cinema.",
    ]
    vectors = model.encode(texts, normalize_embeddings=True)
    scores = model.similarity(vectors, vectors)
    assert scores.shape == (4, 4)
    np.testing.assert_almost_equal(np.diag(scores), np.full(4, float(name in ("cosine", "dot"))), decimal=4)
    assert scores[1][0] > scores[2][0] and scores[1][0] > scores[3][0]
    assert scores[2][3] > scores[2][0] and scores[2][3] > scores[2][1]
    np.testing.assert_allclose(
        model.similarity_pairwise(vectors[::2], vectors[1::2]), [scores[0][1], scores[2][3]], atol=1e-5
    )


@pytest.mark.parametrize("method, name", [("encode_query", "query"), ("encode_document", "document")])
@pytest.mark.parametrize("inputs", ["test sentence", ["test sentence"]])
def test_queries_and_documents_get_their_prompts(ours, method, name, inputs):
    ours.prompts = {"query": "query: ", "document": "document: "}
    vectors = getattr(ours, method)(inputs)
    assert np.array_equal(vectors, ours.encode(inputs, prompt_name=name))
    assert not np.array_equal(vectors, ours.encode(inputs))


@pytest.mark.parametrize(
    "prompts, chosen",
    [
        ({"document": "d: ", "passage": "p: ", "corpus": "c: "}, "d: "),
        ({"passage": "p: ", "corpus": "c: "}, "p: "),
        ({"corpus": "c: "}, "c: "),
        ({"query": "q: "}, ""),
    ],
)
def test_encode_document_takes_the_first_prompt_that_there_is(ours, prompts, chosen):
    ours.prompts = prompts
    assert np.array_equal(ours.encode_document("test"), ours.encode("test", prompt=chosen))


def test_token_embeddings_have_a_row_for_each_token(ours):
    texts = ["Hello Word, a test sentence", "My final sentence", "Sentences"]
    rows = ours.encode(texts, output_value="token_embeddings", batch_size=2)
    assert [len(row) for row in rows] == [len(ours.tokenize([text])["input_ids"][0]) for text in texts]


def test_a_column_of_a_data_set_is_a_batch(ours):
    class Column:
        def __init__(self, texts):
            self.texts = texts

        def __len__(self):
            return len(self.texts)

        def __getitem__(self, index):
            return self.texts[index]

    assert np.array_equal(ours.encode(Column(PAIR)), ours.encode(PAIR))


def test_max_seq_length_cuts_texts(ours):
    long = "word " * 100
    before = ours.encode(long)
    ours.max_seq_length = 16
    assert ours.max_seq_length == 16 and ours.tokenize([long])["input_ids"].shape == (1, 16)
    assert not np.array_equal(ours.encode(long), before)
    with pytest.raises(ValueError, match="max_tokens"):
        ours.max_seq_length = 100000


# What is refused, by name.

REFUSED_SETTINGS = {
    "modules": dict(modules=[object()]),
    "device": dict(device="cuda"),
    "token": dict(token="hf_x"),
    "tensorrt": dict(backend="tensorrt"),
    "torch_dtype": dict(model_kwargs={"torch_dtype": "bfloat16"}),
    "quantization_config": dict(model_kwargs={"quantization_config": 1}),
    "model_max_length": dict(tokenizer_kwargs={"model_max_length": 8}),
    "hidden_dropout_prob": dict(config_kwargs={"hidden_dropout_prob": 0.5}),
    "model_card_data": dict(model_card_data=object()),
}


@pytest.mark.parametrize("name", REFUSED_SETTINGS)
def test_a_setting_that_would_change_vectors_is_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        SentenceTransformer(face_models.model(), **REFUSED_SETTINGS[name])


@pytest.mark.parametrize(
    "settings",
    [
        dict(device="cpu", trust_remote_code=True, local_files_only=True),
        dict(model_kwargs={"attn_implementation": "eager", "low_cpu_mem_usage": False}),
        dict(tokenizer_kwargs={"padding_side": "left"}, config_kwargs={"unpad_inputs": False}),
        dict(backend="onnx", model_kwargs={"provider": "CPUExecutionProvider"}),
        dict(model_kwargs={"torch_dtype": "auto"}),
    ],
)
def test_settings_without_effect_on_vectors_are_taken(settings):
    path = face_models.model()
    assert np.array_equal(SentenceTransformer(path, **settings).encode(PAIR), SentenceTransformer(path).encode(PAIR))


@pytest.mark.parametrize(
    "inputs, kind",
    [
        ([("a", "b")], "CrossEncoder"),
        ([["a", "b"]], "CrossEncoder"),
        ([1], "int"),
        ([{"text": "a"}], "dict"),
        ([None], "NoneType"),
        (None, "NoneType"),
        (b"bytes", "bytes"),
        ({"text": "a"}, "column or row"),
        (np.array("a text"), "column or row"),
    ],
)
def test_inputs_that_are_no_texts_are_refused(ours, inputs, kind):
    with pytest.raises(TypeError, match=kind):
        ours.encode(inputs)


def test_evaluators_of_sentence_transformers_take_it(ours):
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    found = EmbeddingSimilarityEvaluator(TEXTS[:3], TEXTS[1:4], [0.1, 0.9, 0.4])(ours)
    assert -1 <= found["spearman_cosine"] <= 1


def test_it_shows_its_model(ours):
    assert repr(ours) == f"SentenceTransformer({face_models.model('fp32')!r})"


def test_an_evaluator_is_called_with_the_model():
    from thimble import SentenceTransformer, SimilarityFunction

    model = SentenceTransformer(face_models.model(), similarity_fn_name=SimilarityFunction.DOT_PRODUCT)
    assert model.evaluate(lambda *given: given, "folder") == (model, "folder")


@pytest.mark.parametrize("name", ["half", "fit", "save", "train", "set_pooling_include_prompt", "no_such_method"])
def test_what_is_missing_says_so(ours, name):
    assert not hasattr(ours, name)
    with pytest.raises(AttributeError, match=name):
        getattr(ours, name)


def test_devices_and_types_other_than_the_processor_s_are_refused(ours):
    for call in (lambda: ours.to("cuda"), lambda: ours.encode("a", device="mps"), lambda: ours.to(dtype="float16")):
        with pytest.raises(ValueError):
            call()


def test_a_pool_of_processes_is_the_threads_of_the_model(ours):
    pool = ours.start_multi_process_pool(["cpu"] * 2)
    expected = ours.encode(PAIR)
    assert np.array_equal(ours.encode(PAIR, pool=pool, chunk_size=1), expected)
    with pytest.warns(DeprecationWarning):
        assert np.array_equal(ours.encode_multi_process(PAIR, pool), expected)
    assert np.array_equal(ours.encode(PAIR, device=["cpu", "cpu"]), expected)
    with pytest.raises(ValueError, match="pool"):
        ours.encode(PAIR, pool={"input": None, "output": None, "processes": []})
    ours.stop_multi_process_pool(pool)


def test_dtype_maps_the_types_of_torch():
    folder = str(face_models.folder() / "fp16.safetensors")
    vectors = SentenceTransformer(folder, model_kwargs={"torch_dtype": "float16"}).encode(PAIR)
    assert np.array_equal(vectors, SentenceTransformer(folder, dtype="fp16").encode(PAIR))
    with pytest.raises(ValueError, match="contradicts"):
        SentenceTransformer(folder, dtype="q8", model_kwargs={"torch_dtype": "float16"})


def test_a_model_that_is_not_here_says_how_to_get_it(tmp_path):
    with pytest.raises(OSError, match="thimble pull no/such-model.*thimble.pull"):
        SentenceTransformer("no/such-model", local_files_only=True, cache_folder=str(tmp_path))


def test_a_model_that_is_not_here_is_pulled(monkeypatch, tmp_path):
    import thimble
    from thimble import functions

    pulled = []

    def pull(name, **options):
        if not options.get("local_files_only"):
            pulled.append((name, options))
        raise thimble.NotFound("not_found", "no such repository")

    monkeypatch.setattr(functions, "pull", pull)
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(OSError):
        SentenceTransformer("some/model", cache_folder=str(tmp_path), revision="v2")
    assert pulled == [("some/model", {"dtype": "q8", "revision": "v2", "folder": str(tmp_path)})]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match="HF_HUB_OFFLINE forbids its download"):
        SentenceTransformer("some/model", cache_folder=str(tmp_path))
    assert len(pulled) == 1


def test_vectors_are_those_of_embedder():
    import thimble

    path = face_models.model()
    with thimble.Embedder(path) as embedder:
        assert np.array_equal(SentenceTransformer(path).encode(TEXTS), embedder.encode(TEXTS))
        assert np.array_equal(SentenceTransformer(embedder=embedder).encode(TEXTS), embedder.encode(TEXTS))


def test_the_settings_of_a_given_embedder_count_and_others_are_refused():
    import thimble

    with thimble.Embedder(face_models.model(), prompt_name="query") as embedder:
        assert np.array_equal(SentenceTransformer(embedder=embedder).encode(TEXTS), embedder.encode(TEXTS))
        model = SentenceTransformer(embedder=embedder, default_prompt_name="document", prompts={"document": "d: "})
        assert np.array_equal(model.encode(TEXTS), embedder.encode(["d: " + text for text in TEXTS], prompt_name=""))
        for name, value in {"dtype": "q4", "revision": "v2", "cache_folder": "x", "threads": 2, "max_memory": "1MB"}.items():
            with pytest.raises(ValueError, match=f"^{name} is not supported: `embedder` has its own"):
                SentenceTransformer(embedder=embedder, **{name: value})
    with thimble.Embedder(face_models.model(), prompt_name="") as embedder:
        assert np.array_equal(SentenceTransformer(embedder=embedder).encode(TEXTS), embedder.encode(TEXTS))


def test_a_model_is_pickled_by_its_settings(ours):
    ours.prompts = {"query": "q: "}
    ours.truncate_dim = 8
    copy = pickle.loads(pickle.dumps(ours))
    assert copy.prompts == {"query": "q: "} and np.array_equal(copy.encode_query(PAIR), ours.encode_query(PAIR))


@pytest.mark.parametrize("value, error", [(0, ValueError), (-5, ValueError), ("8", TypeError), (8.0, TypeError)])
def test_numbers_that_count_are_whole_and_above_0(ours, value, error):
    for name, call in {
        "truncate_dim": lambda: ours.encode("a", truncate_dim=value),
        "truncate_dim ": lambda: ours.encode("a", truncate_dim=value, output_value=None),
        "truncate_dim  ": lambda: SentenceTransformer(face_models.model(), truncate_dim=value),
        "batch_size": lambda: ours.encode(["a", "b"], batch_size=value, show_progress_bar=True),
        "max_seq_length": lambda: setattr(ours, "max_seq_length", value),
    }.items():
        with pytest.raises(error, match=name.strip()):
            call()
    limit = ours.max_seq_length
    ours.max_seq_length = None
    assert ours.max_seq_length == limit
