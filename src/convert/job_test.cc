// Tests of where each part of a model's configuration comes from; what is hostile is in tests/hostile/hostile_test.cc.

#include "convert/job.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "convert/names/family.h"
#include "store/known_models.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"

namespace thimble::convert {
namespace {

using Kind = model::HeadModule::Kind;

constexpr char kTransformer[] = R"({"path":"","type":"sentence_transformers.models.Transformer"})";
constexpr char kPooling[] = R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"})";
constexpr char kNormalize[] = R"({"path":"2_Normalize","type":"sentence_transformers.models.Normalize"})";

class JobTest : public testing::Test {
 protected:
  JobTest() { EXPECT_TRUE(test::WriteTestModel(folder_.path()).ok()); }

  void Write(const std::string& file, const std::string& json) {
    EXPECT_TRUE(test::WriteFile(folder_.File(file), json).ok());
  }
  void WriteModules(const std::vector<std::string>& modules) {
    std::string json;
    for (const std::string& module : modules) json += (json.empty() ? "[" : ",") + module;
    Write("modules.json", json + "]");
  }
  void Remove(const std::string& file) { EXPECT_TRUE(std::filesystem::remove(folder_.File(file))); }

  struct Facts {
    Config config;
    model::HeadSpec head;
    bool normalize = false;
    std::size_t max_tokens = 0;
    std::optional<std::size_t> model_max_length;
    std::vector<Prompt> prompts;
    std::vector<std::string> notes;
  };
  Facts Read(const ConvertOptions& options = {}) {
    auto job = ReadJob(folder_.path(), options);
    EXPECT_TRUE(job.ok()) << job.status().message();
    if (!job.ok()) return {};
    return {job->config,           job->head.spec, job->normalize, job->max_tokens,
            job->model_max_length, job->prompts,   job->notes};
  }
  // The message of a refusal.
  std::string Refusal(Code code, const ConvertOptions& options = {}) {
    const auto job = ReadJob(folder_.path(), options);
    if (job.ok()) return "no refusal";
    EXPECT_EQ(CodeName(job.status().code()), CodeName(code)) << job.status().message();
    return job.status().message();
  }
  void ExpectRefusal(Code code, const std::string& part, const ConvertOptions& options = {}) {
    const std::string message = Refusal(code, options);
    EXPECT_NE(message.find(part), std::string::npos) << "expected " << part << " in: " << message;
  }

  test::TemporaryFolder folder_;
};

TEST_F(JobTest, SizesComeFromConfigJson) {
  const Config config = Read().config;
  EXPECT_EQ(config.encoder.hidden, 64u);
  EXPECT_EQ(config.encoder.layers, 2u);
  EXPECT_EQ(config.encoder.heads, 2u);
  EXPECT_EQ(config.encoder.intermediate, 128u);
  EXPECT_EQ(config.encoder.positions, 128u);
  EXPECT_EQ(config.token_types, 2u);
  EXPECT_EQ(config.encoder.norm_epsilon, 1e-12);
}

TEST_F(JobTest, FieldsThatOldFilesLackHaveBertsValues) {
  Write("config.json",
        R"({"model_type":"bert","hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":64,
            "max_position_embeddings":32,"vocab_size":1000,"hidden_act":null})");
  const Config config = Read().config;
  EXPECT_EQ(config.token_types, 2u);
  EXPECT_EQ(config.encoder.norm_epsilon, 1e-12);
  EXPECT_EQ(config.encoder.activation, kernels::Activation::kGelu);
}

TEST_F(JobTest, MpnetHasItsOwnPadTokenAndBucketsWhateverConfigJsonSays) {
  test::TestModelOptions model;
  model.mpnet = true;
  ASSERT_TRUE(test::WriteTestModel(folder_.path(), model).ok());
  auto write = [&](const std::string& more) {
    Write(
        "config.json",
        R"({"model_type":"mpnet","tokenizer_class":"PreTrainedTokenizerFast","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":2,
        "intermediate_size":128,"max_position_embeddings":130,"vocab_size":1000)" +
            more + "}");
  };
  for (const char* more : {"", R"(,"pad_token_id":7,"relative_attention_num_buckets":64)"}) {
    write(more);
    const Config config = Read().config;
    EXPECT_EQ(config.encoder.pad_id, 1);
    EXPECT_EQ(config.encoder.positions, 128u);
    EXPECT_EQ(config.encoder.relative_reach, 91u);
    EXPECT_EQ(config.token_types, 0u);
    EXPECT_EQ(config.bucket_rows, *more ? 64u : 32u);
  }
  write(R"(,"relative_attention_num_buckets":31)");
  ExpectRefusal(Code::kCorrupt, "relative_attention_num_buckets");
}

TEST_F(JobTest, PositionsOfRobertaBeginBehindThePadToken) {
  auto write = [&](const std::string& type, const std::string& rest) {
    Write("config.json", R"({"hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":64,
        "tokenizer_class":"PreTrainedTokenizerFast","vocab_size":1000,"max_position_embeddings":34,)" +
                             type + rest + "}");
  };
  for (const char* type : {"roberta", "xlm-roberta", "camembert"}) {
    write("\"model_type\":\"" + std::string(type) + "\"", "");
    const Config config = Read().config;
    EXPECT_EQ(config.family->name, type);
    EXPECT_EQ(config.encoder.pad_id, 1);
    EXPECT_EQ(config.encoder.positions, 32u);
    EXPECT_EQ(config.encoder.position_rows(), 33u);
    EXPECT_EQ(Read().max_tokens, 32u) << "sentence_bert_config.json says 64";
  }
  write(R"("model_type":"roberta")", R"(,"pad_token_id":0)");
  EXPECT_EQ(Read().config.encoder.positions, 33u);
  write(R"("model_type":"roberta")", R"(,"pad_token_id":31)");
  ExpectRefusal(Code::kUnsupported, "\"pad_token_id\": expected three positions or more behind row 31, found 34 rows");
  write(R"("model_type":"roberta")", R"(,"pad_token_id":1000)");
  ExpectRefusal(Code::kCorrupt, "\"pad_token_id\": expected an integer from 0 to 999");
  write(R"("model_type":"bert")", R"(,"pad_token_id":1)");
  EXPECT_FALSE(Read().config.encoder.pad_id) << "the positions of BERT do not depend on ids";
  EXPECT_EQ(Read().config.encoder.positions, 34u);
}

TEST_F(JobTest, DistilbertHasKeysOfItsOwn) {
  Write("config.json",
        R"({"model_type":"distilbert","dim":64,"n_layers":3,"n_heads":2,"hidden_dim":192,"vocab_size":1000,
      "max_position_embeddings":32,"activation":"relu","sinusoidal_pos_embds":true})");
  const Config config = Read().config;
  EXPECT_EQ(config.encoder.hidden, 64u);
  EXPECT_EQ(config.encoder.layers, 3u);
  EXPECT_EQ(config.encoder.heads, 2u);
  EXPECT_EQ(config.encoder.intermediate, 192u);
  EXPECT_EQ(config.encoder.positions, 32u);
  EXPECT_EQ(config.encoder.norm_epsilon, 1e-12);
  EXPECT_EQ(config.encoder.activation, kernels::Activation::kRelu);
  EXPECT_FALSE(config.encoder.pad_id);
}

TEST_F(JobTest, ClassNamesTheFamilyWhereAFolderIsOlderThanModelType) {
  auto write = [&](const std::string& classes) {
    Write("config.json", R"({"hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":64,
        "tokenizer_class":"PreTrainedTokenizerFast","vocab_size":1000,"max_position_embeddings":34,"architectures":)" +
                             classes + "}");
  };
  for (const auto& [name, family] : {std::pair("BertModel", "bert"),
                                     {"BertForMaskedLM", "bert"},
                                     {"RobertaModel", "roberta"},
                                     {"XLMRobertaForMaskedLM", "xlm-roberta"},
                                     {"CamembertModel", "camembert"}}) {
    write("[\"" + std::string(name) + "\"]");
    EXPECT_EQ(Read().config.family->name, family);
  }
  write(R"(["BertJapaneseModel"])");
  ExpectRefusal(Code::kUnsupported, "\"architectures\": expected a class of \"bert\" or ");
  write("[]");
  ExpectRefusal(Code::kCorrupt, "\"model_type\": expected \"bert\" or ");
}

TEST_F(JobTest, EveryNameOfAnActivationIsKnownAndOthersAreRefused) {
  auto write = [&](const std::string& name) {
    Write("config.json", R"({"model_type":"bert","hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,
        "intermediate_size":64,"max_position_embeddings":32,"vocab_size":1000,"hidden_act":")" +
                             name + "\"}");
  };
  using kernels::Activation;
  for (auto [name, expected] : {std::pair("gelu", Activation::kGelu),
                                {"gelu_python", Activation::kGelu},
                                {"gelu_new", Activation::kGeluTanh},
                                {"gelu_pytorch_tanh", Activation::kGeluTanh},
                                {"gelu_fast", Activation::kGeluTanh},
                                {"quick_gelu", Activation::kQuickGelu},
                                {"silu", Activation::kSilu},
                                {"relu", Activation::kRelu}}) {
    write(name);
    EXPECT_EQ(Read().config.encoder.activation, expected) << name;
  }
  write("mish");
  ExpectRefusal(Code::kUnsupported, "\"hidden_act\"");
}

TEST_F(JobTest, LimitIsTheFirstThatIsGivenAndAtMostThePositions) {
  EXPECT_EQ(Read().max_tokens, 64u);
  Write("tokenizer_config.json", "{\"model_max_length\": 100}");
  EXPECT_EQ(Read().max_tokens, 64u) << "sentence_bert_config.json comes first";
  EXPECT_EQ(Read().model_max_length, 100u);
  Write("sentence_bert_config.json", "{\"max_seq_length\": 999}");
  EXPECT_EQ(Read().max_tokens, 128u);
  Write("sentence_bert_config.json", "{\"max_seq_length\": null}");
  EXPECT_EQ(Read().max_tokens, 100u);
  Remove("sentence_bert_config.json");
  EXPECT_EQ(Read().max_tokens, 100u);
  Write("tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}");
  EXPECT_EQ(Read().max_tokens, 128u) << "what is written for no limit";
  EXPECT_FALSE(Read().model_max_length);
  Remove("tokenizer_config.json");
  EXPECT_EQ(Read().max_tokens, 128u);
  Write("sentence_bert_config.json", R"({"processing_kwargs": {"text": {"max_length": 20}}})");
  EXPECT_EQ(Read().max_tokens, 20u);
}

TEST_F(JobTest, PoolingIsReadInItsOldForm) {
  const auto pooling = [&](const std::string& json) {
    Write("1_Pooling/config.json", json);
    return PoolingNames(Read().head.pooling);
  };
  EXPECT_EQ(PoolingNames(Read().head.pooling), "mean");
  EXPECT_EQ(pooling(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})"), "cls");
  EXPECT_EQ(pooling(R"({"pooling_mode_lasttoken":true,"word_embedding_dimension":64})"), "last");
  EXPECT_EQ(pooling(R"({"pooling_mode_max_tokens":true})"), "max");
  EXPECT_EQ(pooling(R"({"pooling_mode_mean_sqrt_len_tokens":true})"), "mean_sqrt_len_tokens");
  EXPECT_EQ(pooling(R"({"pooling_mode_weightedmean_tokens":true})"), "weightedmean");
  EXPECT_EQ(
      pooling(R"({"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true,"pooling_mode_max_tokens":true})"),
      "cls+max+mean")
      << "in an order of the library's own";
  EXPECT_EQ(pooling(R"({"pooling_mode_mean_tokens":false})"), "mean") << "what 6.2 makes of none";
}

TEST_F(JobTest, PoolingIsReadInItsNewForm) {
  const auto pooling = [&](const std::string& json) {
    Write("1_Pooling/config.json", json);
    const model::HeadSpec head = Read().head;
    return PoolingNames(head.pooling) + (head.include_prompt ? "" : " without prompt");
  };
  EXPECT_EQ(pooling(R"({"embedding_dimension":64,"pooling_mode":"lasttoken","include_prompt":true})"), "last");
  EXPECT_EQ(pooling(R"({"pooling_mode":["mean","cls"],"include_prompt":false})"), "mean+cls without prompt");
  EXPECT_EQ(pooling(R"({"pooling_mode":"max+weightedmean"})"), "max+weightedmean");
  EXPECT_EQ(pooling(R"({"pooling_mode":"cls","pooling_mode_mean_tokens":true})"), "cls") << "the new form counts";
  for (const char* json : {R"({"pooling_mode":"MEAN"})", R"({"pooling_mode":"last"})",
                           R"({"pooling_mode":["mean","x"]})", R"({"pooling_mode_median":true})"}) {
    Write("1_Pooling/config.json", json);
    ExpectRefusal(Code::kUnsupported, "pooling_mode");
  }
  Write("1_Pooling/config.json", R"({"pooling_mode":7})");
  ExpectRefusal(Code::kCorrupt, "\"pooling_mode\"");
}

TEST_F(JobTest, VectorsHaveUnitLengthWhereAModuleSaysSo) {
  EXPECT_TRUE(Read().normalize);
  WriteModules({kTransformer, kPooling});
  EXPECT_FALSE(Read().normalize);
  WriteModules({kTransformer, kPooling, kNormalize, kNormalize});
  EXPECT_TRUE(Read().normalize);
}

TEST_F(JobTest, ModulesHaveTheNamesOfEveryRelease) {
  WriteModules({R"({"path":"","type":"sentence_transformers.base.modules.transformer.Transformer"})",
                R"({"path":"1_Pooling","type":"sentence_transformers.sentence_transformer.modules.pooling.Pooling"})",
                R"({"path":"2","type":"sentence_transformers.models.Dropout"})",
                R"({"path":"3","type":"sentence_transformers.base.modules.normalize.Normalize"})"});
  EXPECT_TRUE(Read().normalize);
  EXPECT_TRUE(Read().head.modules.empty()) << "Dropout changes nothing";
}

TEST_F(JobTest, ModulesLieWhereModulesJsonSays) {
  std::filesystem::create_directories(folder_.File("deep/0_Transformer"));
  for (const char* file : {"config.json", "tokenizer.json", "model.safetensors", "sentence_bert_config.json"}) {
    std::filesystem::rename(folder_.File(file), folder_.File(std::string("deep/0_Transformer/") + file));
  }
  Write("deep/er/2_Pooling/config.json", R"({"pooling_mode":"cls"})");
  WriteModules({R"({"path":"deep/0_Transformer","type":"sentence_transformers.models.Transformer"})",
                R"({"path":"deep/er/2_Pooling","type":"sentence_transformers.models.Pooling"})"});
  const Facts facts = Read();
  EXPECT_EQ(PoolingNames(facts.head.pooling), "cls");
  EXPECT_EQ(facts.max_tokens, 64u);
  EXPECT_EQ(facts.config.transformer, "deep/0_Transformer");
  for (const char* path : {"../elsewhere", "/tmp", "a/../../b", "a\\\\b"}) {
    WriteModules(
        {kTransformer, std::string(R"({"path":")") + path + R"(","type":"sentence_transformers.models.Pooling"})"});
    ExpectRefusal(Code::kCorrupt, "inside the folder");
  }
}

TEST_F(JobTest, ModulesThatThimbleDoesNotRunAreRefusedByName) {
  for (const char* type : {"sentence_transformers.models.CNN", "sentence_transformers.models.LSTM",
                           "sentence_transformers.models.WeightedLayerPooling",
                           "sentence_transformers.base.modules.Router", "custom_st.Dense"}) {
    WriteModules({kTransformer, kPooling, std::string(R"({"path":"2","type":")") + type + "\"}"});
    ExpectRefusal(Code::kUnsupported, type);
  }
  WriteModules({R"({"path":"","type":"sentence_transformers.models.StaticEmbedding"})"});
  ExpectRefusal(Code::kUnsupported, "StaticEmbedding");
  WriteModules({R"({"path":"0_Clip","type":"sentence_transformers.models.CLIPModel"})"});  // Which has no config.json.
  ExpectRefusal(Code::kUnsupported, "CLIPModel");
  WriteModules({kTransformer});
  ExpectRefusal(Code::kUnsupported, "found no Pooling");
}

TEST_F(JobTest, ADenseModuleSaysItsActivationBiasAndSizes) {
  WriteModules(
      {kTransformer, kPooling, R"({"path":"2_Dense","type":"sentence_transformers.models.Dense"})", kNormalize});
  Write("2_Dense/config.json", R"({"in_features":32,"out_features":8})");
  ExpectRefusal(Code::kCorrupt, "takes 32 inputs, and what comes before it has 64");
  Write("2_Dense/config.json", R"({"in_features":64,"out_features":8,"activation_function":"torch.nn.Mish"})");
  ExpectRefusal(Code::kUnsupported, "\"activation_function\"");
  Write(
      "2_Dense/config.json",
      R"({"in_features":64,"out_features":8,"activation_function":"torch.nn.GELU","module_input_name":"token_embeddings"})");
  ExpectRefusal(Code::kUnsupported, "\"module_input_name\"");
  Write("2_Dense/config.json", R"({"in_features":64,"out_features":8})");
  ExpectRefusal(Code::kNotFound, "2_Dense");
}

TEST_F(JobTest, WithoutModulesPoolingMustBeSaid) {
  Remove("modules.json");
  ExpectRefusal(Code::kUnsupported, "`pooling`");
  ConvertOptions options;
  options.pooling = Pooling::kCls;
  Facts facts = Read(options);
  EXPECT_EQ(PoolingNames(facts.head.pooling), "cls");
  EXPECT_FALSE(facts.normalize) << "as sentence-transformers has it without modules.json";
  ASSERT_EQ(facts.notes.size(), 1u);
  EXPECT_NE(facts.notes[0].find("not normalised"), std::string::npos) << facts.notes[0];
  options.normalize = true;
  EXPECT_TRUE(Read(options).normalize);
}

TEST_F(JobTest, ACallerCannotContradictTheFolder) {
  ConvertOptions options;
  options.pooling = Pooling::kMean;
  EXPECT_EQ(PoolingNames(Read(options).head.pooling), "mean");
  options.pooling = Pooling::kCls;
  ExpectRefusal(Code::kInvalidArgument, "the folder itself states", options);
  options = {};
  options.normalize = false;
  ExpectRefusal(Code::kInvalidArgument, "the folder itself states", options);
}

TEST_F(JobTest, WhatIsKnownOfAModelCountsWhereItsFilesAreSilent) {
  ConvertOptions options;
  options.known_as = "BAAI/bge-small-en-v1.5";
  Facts facts = Read(options);
  EXPECT_EQ(PoolingNames(facts.head.pooling), "mean");
  EXPECT_EQ(facts.max_tokens, 64u);
  ASSERT_EQ(facts.prompts.size(), 1u);
  EXPECT_EQ(facts.prompts[0].text, "Represent this sentence for searching relevant passages: ");
  EXPECT_TRUE(facts.notes.empty());

  Remove("modules.json");
  Remove("sentence_bert_config.json");
  facts = Read(options);
  EXPECT_EQ(PoolingNames(facts.head.pooling), "cls");
  EXPECT_TRUE(facts.normalize);
  EXPECT_EQ(facts.max_tokens, 128u) << "the built-in limit is above the positions";
  EXPECT_EQ(facts.notes.size(), 2u);
  options.known_as.clear();
  options.name = "snowflake-arctic-embed-s";
  EXPECT_EQ(PoolingNames(Read(options).head.pooling), "cls") << "by the name to store";
  Write("tokenizer_config.json", "{\"model_max_length\": 100}");
  EXPECT_EQ(Read(options).max_tokens, 100u) << "a file says it";
}

TEST_F(JobTest, PromptsComeFromTheirFileUnlessNoneHasAText) {
  const std::string file = "config_sentence_transformers.json";
  ConvertOptions options;
  options.known_as = "e5-small-v2";
  const std::vector<Prompt> built_in = {{"query", "query: "}, {"passage", "passage: "}};
  EXPECT_TRUE(Read().prompts.empty());
  Write(file, R"({"prompts": {"query": "find: ", "document": null}, "default_prompt_name": null})");
  const std::vector<Prompt> own = {{"document", ""}, {"query", "find: "}};
  EXPECT_EQ(Read(options).prompts, own);
  Write(file, R"({"prompts": {"query": "", "document": ""}})");
  EXPECT_EQ(Read(options).prompts, built_in);
  EXPECT_EQ(Read().prompts, (std::vector<Prompt>{{"document", ""}, {"query", ""}})) << "an empty one may be asked for";
  Write(file, R"({"__version__": {}})");
  EXPECT_EQ(Read(options).prompts, built_in);
}

TEST_F(JobTest, TheDefaultPromptMustBeOneOfThePrompts) {
  const std::string file = "config_sentence_transformers.json";
  Write(file, R"({"default_prompt_name": "query", "prompts": {"query": "q: "}})");
  EXPECT_EQ(Read().config.default_prompt_name, "query");
  Write(file, R"({"default_prompt_name": "passage", "prompts": {"query": "q: "}})");
  ExpectRefusal(Code::kCorrupt, "default_prompt_name");
}

TEST_F(JobTest, PromptsThatCannotBeAreRefused) {
  const std::string file = "config_sentence_transformers.json";
  Write(file, R"({"prompts": {"query": 1}})");
  ExpectRefusal(Code::kCorrupt, "prompts.query");
  Write(file, R"({"prompts": ["query: "]})");
  ExpectRefusal(Code::kCorrupt, "prompts");
  std::string many = "{\"prompts\": {\"a\": \"a\"";
  for (int i = 0; i < 64; ++i) many += ", \"p" + std::to_string(i) + "\": \"a\"";
  Write(file, many + "}}");
  ExpectRefusal(Code::kCorrupt, "at most 64");
}

TEST_F(JobTest, ADimensionThatIsTruncatedIsAModule) {
  Write("config_sentence_transformers.json", R"({"truncate_dim": 24})");
  const Facts facts = Read();
  ASSERT_EQ(facts.head.modules.size(), 2u);
  EXPECT_EQ(facts.head.modules[0].kind, Kind::kNormalize);
  EXPECT_EQ(facts.head.modules[1].kind, Kind::kTruncate);
  EXPECT_EQ(facts.head.Dimensions(64), 24u);
  EXPECT_FALSE(facts.normalize) << "what is cut off is not made up for";
}

TEST_F(JobTest, SettingsThatChangeVectorsAreRefusedByName) {
  auto config = [&](const std::string& more) {
    Write("config.json", R"({"model_type":"bert","hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,
        "intermediate_size":64,"max_position_embeddings":32,"vocab_size":1000,)" +
                             more + "}");
  };
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    config(std::string("\"") + key + "\":true");
    ExpectRefusal(Code::kUnsupported, key);
    config(std::string("\"") + key + "\":false");
    EXPECT_TRUE(ReadJob(folder_.path(), {}).ok());
  }
  config(R"("position_embedding_type":"relative_key")");
  ExpectRefusal(Code::kUnsupported, "position_embedding_type");
  config(R"("quantization_config":{"bits":4})");
  ExpectRefusal(Code::kUnsupported, "quantization_config");
  config("\"x\":1");
  for (const auto& [key, json] :
       {std::pair("transformer_task", "\"fill-mask\""),
        {"module_output_name", "\"sentence_embedding\""},
        {"modality_config", R"({"text":{"method":"forward","method_output_name":"pooler_output"}})"},
        {"processing_kwargs", R"({"text":{"truncation":false}})"},
        {"config_kwargs", R"({"hidden_act":"relu"})"},
        {"model_kwargs", R"({"subfolder":"x"})"},
        {"query_length", "32"},
        {"query_expansion", R"({"length":32})"},
        {"a_new_setting", "1"}}) {
    Write("sentence_bert_config.json", std::string("{\"") + key + "\":" + json + "}");
    ExpectRefusal(Code::kUnsupported, key);
  }
  Write("sentence_bert_config.json",
        R"({"transformer_task":"feature-extraction","module_output_name":"token_embeddings","unpad_inputs":null,
            "modality_config":{"text":{"method":"forward","method_output_name":"last_hidden_state"}}})");
  EXPECT_TRUE(ReadJob(folder_.path(), {}).ok());
  Write("config_sentence_transformers.json", R"({"model_type":"SparseEncoder"})");
  ExpectRefusal(Code::kUnsupported, "model_type");
  Remove("config_sentence_transformers.json");
  Write("adapter_config.json", "{}");
  ExpectRefusal(Code::kUnsupported, "adapter");
}

TEST_F(JobTest, BuiltInValuesAreOfKnownModelsWithoutModulesBehindThePooling) {
  Remove("modules.json");
  const auto pooled = [&](const char* name) { return ReadJob(folder_.path(), {.known_as = name}); };
  EXPECT_EQ(pooled("thenlper/gte-large")->config.head->pooling, std::vector<Pooling>{Pooling::kMean});
  for (const char* name : {"MongoDB/mdbr-leaf-mt", "sentence-transformers/LaBSE", "BAAI/bge-reranker-base"}) {
    EXPECT_EQ(pooled(name).status().code(), Code::kUnsupported) << name;
  }
}

TEST(KnownModels, FamiliesOfThoseThatRunAreKnown) {
  for (const store::KnownModel& model : store::AllKnownModels()) {
    if (!model.missing().empty()) continue;
    EXPECT_NE(FindFamily(model.family_name()), nullptr) << model.name();
  }
}

}  // namespace
}  // namespace thimble::convert
