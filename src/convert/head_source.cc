// Modules of sentence-transformers as tensors: "linear", "residual" and "norm" in a file of each module's own.

#include "convert/head_source.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "convert/folder_files.h"

namespace thimble::convert {
namespace {

using kernels::kStrip;

std::string NameOfModule(std::size_t index) { return "head." + std::to_string(index); }

Status ReadAll(const Source& source, const std::string& name, std::initializer_list<std::uint64_t> shape,
               std::vector<float>* out) {
  THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* tensor, source.Find(name, {shape.begin(), shape.size()}));
  std::size_t size = 1;
  for (std::uint64_t length : shape) size *= length;
  out->resize(size);
  return source.Read(*tensor, 0, *out);
}

Status ReadMatrix(const Source& source, const std::string& name, const model::HeadModule& module, bool bias,
                  HeadMatrix* out) {
  std::vector<float> weight, values;
  THIMBLE_RETURN_IF_ERROR(ReadAll(source, name + ".weight", {module.outputs, module.inputs}, &weight));
  if (bias) THIMBLE_RETURN_IF_ERROR(ReadAll(source, name + ".bias", {module.outputs}, &values));
  out->outputs = base::RoundUp(module.outputs, kStrip);
  out->inputs = base::RoundUp(module.inputs, model::kHeadStep);
  out->rows.resize(out->outputs * out->inputs);
  out->strips.resize(out->rows.size());
  out->bias = std::move(values);
  out->bias.resize(out->outputs);
  for (std::size_t n = 0; n < module.outputs; ++n) {
    for (std::size_t k = 0; k < module.inputs; ++k) {
      const float value = weight[n * module.inputs + k];
      out->rows[n * out->inputs + k] = value;
      out->strips[(n / kStrip * out->inputs + k) * kStrip + n % kStrip] = value;
    }
  }
  return Status();
}

// The weights of one module, from `source` under names that begin with `prefix`.
Status ReadModule(const Source& source, const std::string& prefix, const model::HeadModule& module,
                  HeadSource::Module* out) {
  if (module.kind == model::HeadModule::Kind::kLayerNorm) {
    THIMBLE_RETURN_IF_ERROR(ReadAll(source, prefix + "norm.weight", {module.inputs}, &out->gamma));
    THIMBLE_RETURN_IF_ERROR(ReadAll(source, prefix + "norm.bias", {module.inputs}, &out->beta));
    out->gamma.resize(base::RoundUp(module.inputs, kStrip));
    out->beta.resize(out->gamma.size());
    return Status();
  }
  THIMBLE_RETURN_IF_ERROR(ReadMatrix(source, prefix + "linear", module, module.bias, &out->dense));
  // What is left out of the sum, because config.json says that there is none, must not be there.
  if (!module.bias && source.Contains(prefix + "linear.bias")) {
    return Error(Code::kCorrupt, "a Dense module without bias has the tensor \"", prefix, "linear.bias\"");
  }
  if (!model::HeadSpec::HasResidualMatrix(module)) return Status();
  return ReadMatrix(source, prefix + "residual", module, false, &out->residual);
}

MatrixSpec SpecOf(const std::string& name, kernels::WeightFormat format, const HeadMatrix& matrix) {
  return {.name = name, .format = format, .outputs = matrix.outputs, .inputs = matrix.inputs, .rotation = {}};
}

Status WriteHeadMatrix(const std::string& name, kernels::WeightFormat format, const HeadMatrix& matrix,
                       format::Writer* writer) {
  auto read = [&matrix](std::size_t first, std::span<float> out) {
    std::copy_n(matrix.rows.begin() + static_cast<std::ptrdiff_t>(first * matrix.inputs), out.size(), out.begin());
    return Status();
  };
  return WriteMatrix(SpecOf(name, format, matrix), read, nullptr, matrix.bias, writer);
}

}  // namespace

kernels::Matrix HeadMatrix::view() const {
  return {.format = kernels::WeightFormat::kF32,
          .outputs = outputs,
          .inputs = inputs,
          .weights = strips.data(),
          .bias = bias.data()};
}

Result<HeadSource> ReadHead(const model::HeadSpec& spec, const std::string& source,
                            std::span<const std::string> folders, std::span<const std::string> tensors,
                            const Source& encoder) {
  HeadSource head;
  head.spec = spec;
  head.modules.resize(spec.modules.size());
  for (std::size_t i = 0; i < spec.modules.size(); ++i) {
    const model::HeadModule& module = spec.modules[i];
    HeadSource::Module& weights = head.modules[i];
    if (module.kind == model::HeadModule::Kind::kDense || module.kind == model::HeadModule::Kind::kLayerNorm) {
      if (!tensors.empty()) {
        THIMBLE_RETURN_IF_ERROR(ReadMatrix(encoder, tensors[i], module, module.bias, &weights.dense));
      } else if (folders.empty()) {
        THIMBLE_RETURN_IF_ERROR(ReadModule(encoder, NameOfModule(i) + ".", module, &weights));
      } else {
        const auto has = [&](const std::string& name) {
          std::error_code error;
          return std::filesystem::exists(source + "/" + name, error);
        };
        const std::string name = ChooseHeadWeights(has, folders[i]);
        if (name.empty()) {
          return Error(Code::kNotFound, source, "/", folders[i],
                       ": modules.json names it, but it contains neither model.safetensors nor pytorch_model.bin");
        }
        THIMBLE_ASSIGN_OR_RETURN(const Source file, Source::Open(source, name, encoder.family()));
        THIMBLE_RETURN_IF_ERROR(ReadModule(file, "", module, &weights));
      }
    }
    head.views.push_back({.dense = weights.dense.view(),
                          .residual = weights.residual.view(),
                          .gamma = weights.gamma.data(),
                          .beta = weights.beta.data()});
  }
  return head;
}

void DeclareHead(const HeadSource& head, bool pooling_stated, kernels::WeightFormat format, format::Layout* layout) {
  layout->metadata.emplace_back("pooling", pooling_stated ? PoolingNames(head.spec.pooling) : model::kUnstatedPooling);
  if (!head.spec.include_prompt) layout->metadata.emplace_back("include_prompt", "false");
  if (head.modules.empty()) return;
  layout->metadata.emplace_back("head.modules", std::to_string(head.modules.size()));
  for (std::size_t i = 0; i < head.modules.size(); ++i) {
    const model::HeadModule& module = head.spec.modules[i];
    const std::string name = NameOfModule(i);
    layout->metadata.emplace_back(name, model::HeadKindName(module.kind));
    switch (module.kind) {
      case model::HeadModule::Kind::kNormalize:
        break;
      case model::HeadModule::Kind::kTruncate:
        layout->metadata.emplace_back(name + ".outputs", std::to_string(module.outputs));
        break;
      case model::HeadModule::Kind::kLayerNorm:
        DeclareNorm(name, head.modules[i].gamma.size(), layout);
        break;
      case model::HeadModule::Kind::kDense:
        layout->metadata.emplace_back(name + ".outputs", std::to_string(module.outputs));
        layout->metadata.emplace_back(name + ".activation", model::ActivationName(module.activation));
        layout->metadata.emplace_back(name + ".residual", module.residual ? "true" : "false");
        Declare(SpecOf(name, format, head.modules[i].dense), layout);
        if (model::HeadSpec::HasResidualMatrix(module)) {
          Declare(SpecOf(name + ".residual", format, head.modules[i].residual), layout);
        }
        break;
    }
  }
}

Status WriteHead(const HeadSource& head, kernels::WeightFormat format, format::Writer* writer) {
  for (std::size_t i = 0; i < head.modules.size(); ++i) {
    const HeadSource::Module& module = head.modules[i];
    const std::string name = NameOfModule(i);
    if (!module.gamma.empty()) {
      THIMBLE_RETURN_IF_ERROR(AppendValues<float>(name + ".weight", module.gamma, writer));
      THIMBLE_RETURN_IF_ERROR(AppendValues<float>(name + ".bias", module.beta, writer));
    }
    if (module.dense.outputs > 0) THIMBLE_RETURN_IF_ERROR(WriteHeadMatrix(name, format, module.dense, writer));
    if (module.residual.outputs > 0) {
      THIMBLE_RETURN_IF_ERROR(WriteHeadMatrix(name + ".residual", format, module.residual, writer));
    }
  }
  return Status();
}

}  // namespace thimble::convert
