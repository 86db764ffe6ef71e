// What is known of a conversion before the first tensor is read.

#include "convert/job.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "convert/classifier.h"
#include "convert/folder_files.h"
#include "store/known_models.h"
#include "thimble/convert.h"

namespace thimble::convert {

format::WeightFormat Job::MatrixFormat(std::size_t layer, const model::Step& step) const {
  if (layer + 1 != program.architecture.layers) return formats().matrices;
  const bool feed_forward = step.in == model::Buffer::kInner || step.out == model::Buffer::kInner;
  return feed_forward ? formats().last_feed_forward : formats().last_attention;
}

namespace {

// The file of a folder's weights, by its name inside it.
Result<std::string> FindWeights(const std::string& folder, const std::string& transformer) {
  const auto has = [&](const std::string& name) {
    std::error_code error;  // A link that leads nowhere is there, and its error is the better one.
    return std::filesystem::exists(std::filesystem::symlink_status(folder + "/" + name, error));
  };
  std::string name = ChooseWeights(has, transformer);
  if (!name.empty()) return name;
  std::string expected;
  for (const std::string& candidate : WeightCandidates(transformer)) {
    expected.append(expected.empty() ? "" : ", ").append(candidate);
  }
  return Error(Code::kNotFound, folder, ": no weights; expected one of ", expected);
}

// How tokens become vectors: what modules.json says, or else the graph, or else the caller, or else the table of known
// models; and nothing is assumed.
Status ChooseHead(const std::string& folder, const ConvertOptions& options, const store::KnownModel* known, Job* job) {
  Config& config = job->config;
  if (config.classifier) return Status();
  const OnnxModel* graph = job->source.graph();
  if (graph != nullptr && graph->head) {
    model::HeadSpec head = *graph->head;
    const bool normalize = head.TakeNormalize();
    if (!config.head) {
      config.head = std::move(head);
      config.normalize = normalize;
    } else if (config.head->pooling != head.pooling || config.head->modules != head.modules ||
               config.normalize != normalize) {
      return Error(Code::kCorrupt, folder, ": modules.json (", PoolingNames(config.head->pooling), ", ",
                   config.head->modules.size(), " modules, ", config.normalize ? "" : "not ",
                   "normalised) and the graph (", PoolingNames(head.pooling), ", ", head.modules.size(), " modules, ",
                   normalize ? "" : "not ", "normalised) disagree about sentence_embedding");
    }
  }
  if (config.head) {
    job->normalize = config.normalize;
    const bool other_pooling = options.pooling && config.head->pooling != std::vector<Pooling>{*options.pooling};
    if (other_pooling || (options.normalize && *options.normalize != config.normalize)) {
      return Error(Code::kInvalidArgument, folder, ": the folder itself states that vectors are pooled by ",
                   PoolingNames(config.head->pooling), " and ", config.normalize ? "" : "not ", "normalised");
    }
    return Status();
  }
  const std::optional<Pooling> pooling = options.pooling ? options.pooling : known ? known->pooling() : std::nullopt;
  if (!pooling && options.unstated_pooling) {
    config.head.emplace().pooling = {Pooling::kMean};  // Of the receipt.
    job->pooling_stated = false;
    job->normalize = options.normalize.value_or(false);
    job->notes.push_back("no modules.json: set pooling in every call");
    return Status();
  }
  if (!pooling) return UnstatedPooling(folder);
  config.head.emplace().pooling = {*pooling};
  const bool built_in = !options.pooling;
  job->normalize = options.normalize ? *options.normalize : built_in && known->normalize;
  std::string note = "no modules.json: pooling " + std::string(PoolingName(*pooling)) +
                     (options.pooling ? " as requested" : ", the built-in value for this model");
  if (!options.normalize) {
    note += std::string(job->normalize ? ", normalised" : ", not normalised") +
            (built_in ? " likewise" : " as in sentence-transformers");
  }
  job->notes.push_back(std::move(note));
  return Status();
}

void ChooseLimits(const store::KnownModel* known, Job* job) {
  const Config& config = job->config;
  if (job->tokenizer.model_max_length) {
    job->model_max_length = std::min(*job->tokenizer.model_max_length, config.encoder.positions);
  }
  // What is given to the tokenizer when it is made comes before what is told of the module.
  const bool given = config.tokenizer.arguments.Find("model_max_length") != nullptr;
  std::optional<std::size_t> limit = given ? job->model_max_length : config.max_seq_length;
  if (!limit) limit = job->model_max_length;
  if (!limit && known != nullptr && known->max_tokens != 0) {
    limit = known->max_tokens;
    job->notes.push_back("a limit of " + std::to_string(*limit) + " tokens: the built-in value for this model");
  }
  job->max_tokens = std::min(limit.value_or(config.encoder.positions), config.encoder.positions);
}

void ChoosePrompts(const store::KnownModel* known, Job* job) {
  job->prompts = job->config.prompts;
  const bool any =
      std::any_of(job->prompts.begin(), job->prompts.end(), [](const Prompt& p) { return !p.text.empty(); });
  // Newer versions of sentence-transformers write empty ones for every model.
  if (any || known == nullptr) return;
  if (std::vector<Prompt> prompts = known->prompts(); !prompts.empty()) job->prompts = std::move(prompts);
}

}  // namespace

Status UnstatedPooling(const std::string& source) {
  return Error(Code::kUnsupported, source,
               ": the pooling is unknown: there is no modules.json that states it, and thimble has no built-in values ",
               "for this name; set `pooling` to mean, cls, last, max, mean_sqrt_len_tokens or weightedmean");
}

Status FollowGraph(const OnnxModel& graph, const std::string& path, Config* config, std::vector<std::string>* notes) {
  auto contradiction = [&](std::string_view key, const std::string& found, const std::string& expected) {
    return Error(Code::kCorrupt, path, ": the graph has ", key, " ", found, ", config.json ", expected);
  };
  const std::optional<kernels::Activation> activation = HiddenActivation(graph.activation);
  if (config->encoder.activation == kernels::Activation::kGelu && activation == kernels::Activation::kGeluTanh) {
    config->encoder.activation = *activation;
    notes->push_back(
        "the graph computes GELU by the approximation with tanh, config.json names the exact one: the "
        "graph's is used");
  } else if (!graph.activation.empty() && activation != config->encoder.activation) {
    return contradiction(config->family->activation, graph.activation, config->hidden_act);
  }
  if (graph.heads != 0 && graph.heads != config->encoder.heads) {
    return contradiction("attention heads", std::to_string(graph.heads), std::to_string(config->encoder.heads));
  }
  if (graph.epsilon && static_cast<float>(*graph.epsilon) != static_cast<float>(config->encoder.norm_epsilon)) {
    return contradiction("a layer norm epsilon of", std::to_string(*graph.epsilon),
                         std::to_string(config->encoder.norm_epsilon));
  }
  return Status();
}

std::string NameOf(const std::string& folder, const ConvertOptions& options) {
  if (!options.name.empty()) return options.name;
  return std::filesystem::path(folder + "/.").lexically_normal().parent_path().filename().string();
}

Result<Job> ReadJob(const std::string& folder, const ConvertOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(const format::Dtype dtype, format::ParseDtype(options.dtype));
  const bool floats = !format::FormatsOf(dtype).int8();
  if (!options.calibration_file.empty() && (floats || !options.calibrate)) {
    return Error(Code::kInvalidArgument, options.calibration_file, ": ",
                 floats ? format::DtypeName(dtype) : "a conversion without calibration",
                 " does not use it; leave it out");
  }
  THIMBLE_ASSIGN_OR_RETURN(Config config, ReadConfig(folder));
  if (options.pooling) config.classifier.reset();  // The encoder of a cross-encoder, as asked.
  THIMBLE_ASSIGN_OR_RETURN(TokenizerSource tokenizer,
                           ReadTokenizer(TransformerFolder(folder, config.transformer), config.tokenizer));
  if (tokenizer.tokenizer.vocabulary > config.encoder.vocabulary) {
    return Error(Code::kCorrupt, tokenizer.path, ": ids up to ", tokenizer.tokenizer.vocabulary - 1,
                 ", config.json has vocab_size ", config.encoder.vocabulary);
  }
  std::vector<std::string> notes;
  if (config.classifier) {
    const bool types = tokenizer.token_types && !config.family->types.empty();
    THIMBLE_RETURN_IF_ERROR(TakePairs(types, tokenizer.path, &tokenizer.tokenizer));
    if (tokenizer.tokenizer.kind->around.second_type != 0 && config.token_types < 2) {
      return Error(Code::kCorrupt, folder, ": config.json has ", config.token_types,
                   " token types, and the tokenizer gives the second text of a pair another one");
    }
    if (!tokenizer.token_types && !tokenizer.states_inputs && !config.family->types.empty()) {
      notes.push_back(
          "both texts of a pair have the same token type, as in transformers 5: tokenizer_class is generic, and "
          "tokenizer_config.json has no model_input_names");
    }
    SetClassifierHead(&config);
  }
  THIMBLE_ASSIGN_OR_RETURN(const std::string weights, FindWeights(folder, config.transformer));
  THIMBLE_ASSIGN_OR_RETURN(Source source, Source::Open(folder, weights, *config.family, config.encoder.pad_id,
                                                       config.classifier.has_value()));
  if (const OnnxModel* graph = source.graph(); graph != nullptr) {
    THIMBLE_RETURN_IF_ERROR(FollowGraph(*graph, folder + "/" + weights, &config, &notes));
    if (config.classifier && tokenizer.tokenizer.kind->around.second_type != 0 && !graph->takes_types) {
      return Error(Code::kUnsupported, folder, "/", weights, ": the graph has no input token_type_ids, and ",
                   tokenizer.path, " gives the second text of a pair type 1");
    }
    if (!graph->note.empty()) notes.push_back(graph->note);
  }
  model::Program program(config.encoder);
  Job job = {.config = std::move(config),
             .program = std::move(program),
             .dtype = dtype,
             .source = std::move(source),
             .tokenizer = std::move(tokenizer),
             .head = {},
             .model_max_length = {},
             .prompts = {},
             .notes = std::move(notes)};
  const std::string known_as = options.known_as.empty() ? NameOf(folder, options) : options.known_as;
  const store::KnownModel* known = store::FindKnownModel(known_as);
  THIMBLE_RETURN_IF_ERROR(ChooseHead(folder, options, known, &job));
  ChooseLimits(known, &job);
  ChoosePrompts(known, &job);
  const text::TemplateTables& around = job.tokenizer.tokenizer.kind->around;
  const std::size_t special = around.prefix_count + around.middle_count + around.suffix_count;
  if (job.max_tokens <= special) {
    return Error(Code::kCorrupt, folder, ": a limit of ", job.max_tokens, " tokens leaves no room beside ", special,
                 " special tokens");
  }
  if (job.words() != job.formats().words) {
    job.notes.push_back("words in " + std::string(format::WeightFormatName(job.words())) + ": with a vocabulary of " +
                        std::to_string(job.program.architecture.vocabulary) + " they are most of the file");
  }
  job.config.head->layer_norm_before_cut = store::CutsLayerNorm(known_as);
  THIMBLE_ASSIGN_OR_RETURN(
      job.head, ReadHead(*job.config.head, folder, job.config.head_folders, job.config.head_tensors, job.source));
  return job;
}

}  // namespace thimble::convert
