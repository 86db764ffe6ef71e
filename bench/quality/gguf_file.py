"""Writes a BERT encoder as a GGUF file for llama.cpp, in the types that its own quantiser would choose."""

import gguf
import numpy as np
import source

TYPES = {"F32": gguf.GGMLQuantizationType.F32, "Q8_0": gguf.GGMLQuantizationType.Q8_0,
         "Q4_0": gguf.GGMLQuantizationType.Q4_0}
FILE_TYPES = {"F32": gguf.LlamaFileType.ALL_F32, "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
              "Q4_0": gguf.LlamaFileType.MOSTLY_Q4_0}
POOLINGS = {"mean": gguf.PoolingType.MEAN, "cls": gguf.PoolingType.CLS}
# Names of the encoder's parts there and here.
EMBEDDINGS = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
              "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm"}
LAYER = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
         "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
         "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def tensor_type(name, shape, kind):
    """What llama-quantize does: vectors, positions and token types stay; the token table of a Q4_0 file is Q8_0, as its
    rows are no multiple of the 256 that the Q6_K of its first choice needs."""
    if len(shape) == 1 or name in ("position_embd.weight", "token_types.weight"):
        return TYPES["F32"]
    if name == "token_embd.weight" and kind == "Q4_0":
        if shape[-1] % 256 == 0:
            raise ValueError(f"a token table of width {shape[-1]} is Q6_K in a Q4_0 file, which is not written here")
        return TYPES["Q8_0"]
    return TYPES[kind]


def tensors(folder):
    weights = source.read(folder)
    names = dict(EMBEDDINGS)
    for layer in range(source.config(folder)["num_hidden_layers"]):
        names |= {f"encoder.layer.{layer}.{theirs}": f"blk.{layer}.{ours}" for theirs, ours in LAYER.items()}
    for theirs, ours in names.items():
        for part in ("weight", "bias"):
            if f"{theirs}.{part}" in weights:
                yield f"{ours}.{part}", weights[f"{theirs}.{part}"]


def add_tokenizer(writer, folder):
    """Word beginnings are marked there, continuations here."""
    tokens = source.vocabulary(folder)
    special = [token.startswith("[") and token.endswith("]") for token in tokens]
    writer.add_tokenizer_model("bert")
    writer.add_token_list([token if control else token[2:] if token.startswith("##") else "\u2581" + token
                           for token, control in zip(tokens, special)])
    writer.add_token_types([gguf.TokenType.CONTROL if control else gguf.TokenType.NORMAL for control in special])
    writer.add_token_type_count(2)
    for name, add in (("[UNK]", writer.add_unk_token_id), ("[CLS]", writer.add_bos_token_id),
                      ("[SEP]", writer.add_sep_token_id), ("[PAD]", writer.add_pad_token_id),
                      ("[MASK]", writer.add_mask_token_id)):
        add(tokens.index(name))


def write(folder, name, pooling, kind, path):
    """Writes the model in FOLDER to PATH; KIND is one of TYPES."""
    config = source.config(folder)
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(name)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(POOLINGS[pooling])
    add_tokenizer(writer, folder)
    for tensor, value in tensors(folder):
        type = tensor_type(tensor, value.shape, kind)
        writer.add_tensor(tensor, gguf.quants.quantize(np.ascontiguousarray(value), type), raw_dtype=type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
