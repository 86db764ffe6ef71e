// Requests and replies of the dialects.

#include "server/dialects.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace thimble::server {
namespace {

using Reply = nlohmann::json;
using std::chrono::nanoseconds;
using std::chrono::seconds;

template <typename Parser>
EmbedRequest Parse(Parser parse, const char* text, const std::string& param = {}) {
  Json body;
  EmbedRequest request;
  EXPECT_FALSE(ParseBody(text, body)) << text;
  const Parsed problem = parse(body, request);
  EXPECT_EQ(problem ? problem->param : "", param) << text << (problem ? problem->message : "");
  return request;
}

ModelInfo Info() {
  ModelInfo info;
  info.name = "m";
  info.dimensions = 4;
  info.max_tokens = 16;
  info.component_limits = {1, 1, 1, 1.265f};
  info.prompts = {{"query", "q: "}, {"passage", "p: "}, {"clustering", "c: "}};
  return info;
}

VectorOptions Resolve(const EmbedRequest& request, const std::string& param = {}) {
  VectorOptions options;
  const Parsed problem = ResolveOptions(request, Info(), options);
  EXPECT_EQ(problem ? problem->param : "", param);
  return options;
}

TEST(Body, MemoryGrowsWithValuesAndNotWithText) {
  EXPECT_GT(MemoryOf("[1,2,3,4,5,6]"), 6 * sizeof(Json));
  EXPECT_LT(MemoryOf("{\"a\":\"" + std::string(1000, ',') + "\"}"), 1500u);
}

TEST(OpenAi, ReadsTextsAndFormats) {
  EmbedRequest request = Parse(ParseOpenAi, R"({"input":["a","b"],"model":"m","encoding_format":"BASE64"})");
  EXPECT_EQ(request.texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.encodings[0], Encoding::kBase64);
  EXPECT_EQ(request.normalize, true);
  EXPECT_FALSE(request.purpose);
  request = Parse(ParseOpenAi, R"({"input":"a","encoding_format":null,"output_dtype":"int8","truncation":false})");
  EXPECT_EQ(request.encodings[0], Encoding::kInt8);
  EXPECT_FALSE(request.packed);
  EXPECT_FALSE(request.truncate);
  EXPECT_TRUE(Parse(ParseOpenAi, R"({"input":"a","encoding_format":"base64","output_dtype":"binary"})").packed);
  EXPECT_FALSE(Parse(ParseOpenAi, R"({"input":"a","truncate":"NONE"})").truncate);
  EXPECT_EQ(Parse(ParseOpenAi, R"({"input":"a","normalized":false})").normalize, false);
}

TEST(OpenAi, RefusesByName) {
  for (const auto& [body, param] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"model":"m"})", "input"},
           {R"({"input":[1,2]})", "input"},
           {R"({"input":[[1],[2]]})", "input"},
           {R"({"input":[{"image":"x"}]})", "input"},
           {R"({"input":["a",""]})", "input"},
           {R"({"input":"a","model":5})", "model"},
           {R"({"input":"a","dimensions":-1})", "dimensions"},
           {R"({"input":"a","dimensions":1.5})", "dimensions"},
           {R"({"input":"a","input_type":"image"})", "input_type"},
           {R"({"input":"a","embedding_type":"int8","output_dtype":"binary"})", "output_dtype"},
           {R"({"input":"a","late_chunking":true})", "late_chunking"},
           {R"({"input":"a","truncate":"START"})", "truncate"}}) {
    Parse(ParseOpenAi, body, param);
  }
}

TEST(Purpose, IsAPromptWhereTheModelHasOne) {
  EmbedRequest request = Parse(ParseOpenAi, R"({"input":"a","input_type":"query"})");
  EXPECT_EQ(Resolve(request).prompt_name, "query");
  request = Parse(ParseOpenAi, R"({"input":"a","task":"retrieval.passage"})");
  EXPECT_EQ(Resolve(request).prompt_name, "passage");
  request = Parse(ParseCohere, R"({"texts":["a"],"input_type":"search_document"})");
  EXPECT_EQ(Resolve(request).prompt_name, "passage");
  request = Parse(ParseCohere, R"({"texts":["a"],"input_type":"clustering"})");
  EXPECT_EQ(Resolve(request).prompt_name, "clustering");
  request = Parse(ParseCohere, R"({"texts":["a"],"input_type":"classification"})");
  EXPECT_EQ(Resolve(request).prompt_name, "");
  request = Parse(ParseTei, R"({"inputs":"a"})");
  EXPECT_EQ(Resolve(request).prompt_name, std::nullopt);
  request = Parse(ParseTei, R"({"inputs":"a","prompt_name":"other"})");
  Resolve(request, "prompt_name");
}

TEST(Dimensions, AreThoseOfTheModelAtMost) {
  EmbedRequest request;
  EXPECT_EQ(Resolve(request).dimensions, std::nullopt);
  request.dimensions = 2;
  EXPECT_EQ(Resolve(request).dimensions, 2u);
  request.dimensions = 5;
  Resolve(request, "dimensions");
  request.more_dimensions = true;
  EXPECT_EQ(Resolve(request).dimensions, 4u);
}

TEST(Codes, AreRefusedByTheFieldThatAsksForThemWhereTheyHaveNoRange) {
  for (const auto& [body, field] :
       {std::pair(R"({"input":"a","output_dtype":"int8","normalize":false})", "output_dtype"),
        std::pair(R"({"input":"a","embedding_type":"uint8","normalized":false})", "embedding_type")}) {
    Resolve(Parse(ParseOpenAi, body), field);
  }
  const EmbedRequest request = Parse(ParseCohere, R"({"texts":["a"],"embedding_types":["binary","int8"]})");
  Resolve(request);
  ModelInfo old = Info();
  old.component_limits.clear();
  VectorOptions options;
  const Parsed problem = ResolveOptions(request, old, options);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->param, "embedding_types");
  EXPECT_TRUE(problem->message.starts_with("`embedding_types` int8: ")) << problem->message;
}

TEST(Ollama, ReadsTimes) {
  const auto time = [](const char* value) {
    return Parse(ParseOllama, (R"({"model":"m","keep_alive":)" + std::string(value) + "}").c_str()).keep_alive;
  };
  EXPECT_EQ(time("5"), seconds(5));
  EXPECT_EQ(time("0"), seconds(0));
  EXPECT_LT(*time("-1"), seconds(0));
  EXPECT_EQ(time("\"1h30m\""), seconds(5400));
  EXPECT_EQ(time("\"1.5s\""), nanoseconds(1'500'000'000));
  EXPECT_LT(*time("\"-1m\""), seconds(0));
  EXPECT_GT(*time("1e300"), seconds(100000));
  EXPECT_GT(*time("\"99999999999999999999h\""), seconds(100000));
  for (const char* bad : {"\"-1\"", "\"5\"", "\"m\"", "\"\"", "true", "\".s\"", "\"1.2.3s\"", "\"5m-\""}) {
    Parse(ParseOllama, (R"({"model":"m","keep_alive":)" + std::string(bad) + "}").c_str(), "keep_alive");
  }
}

TEST(Ollama, TakesNoTextForLoading) {
  for (const char* body : {R"({"model":"m"})", R"({"model":"m","input":""})", R"({"model":"m","input":[]})"}) {
    EXPECT_TRUE(Parse(ParseOllama, body).texts.empty());
  }
  Parse(ParseOllama, R"({"input":"a"})", "model");
  EXPECT_EQ(Parse(ParseOllamaOld, R"({"model":"m","prompt":"a"})").normalize, std::nullopt);
  EXPECT_EQ(Parse(ParseOllama, R"({"model":"m","options":{"num_ctx":7}})").most_tokens, 7u);
}

TEST(Cohere, ReadsTypesOnceEach) {
  EmbedRequest request =
      Parse(ParseCohere, R"({"texts":["a"],"embedding_types":["int8","float","int8"],"truncate":"NONE"})");
  EXPECT_EQ(request.encodings, (std::vector<Encoding>{Encoding::kInt8, Encoding::kFloat}));
  EXPECT_FALSE(request.truncate);
  request = Parse(ParseCohere, R"({"inputs":[{"content":[{"type":"text","text":"a"}]}]})");
  EXPECT_EQ(request.texts, (std::vector<std::string>{"a"}));
  Parse(ParseCohere, R"({"inputs":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]})", "inputs");
  Parse(ParseCohere, R"({"texts":["a"],"embedding_types":[null]})", "embedding_types");
  Parse(ParseCohere, R"({"texts":["a"],"images":[]})", "images");
}

TEST(Tei, SimilarityHasTheSourceLast) {
  const EmbedRequest request = Parse(ParseTeiSimilarity, R"({"inputs":{"source_sentence":"s","sentences":["a","b"]}})");
  EXPECT_EQ(request.texts, (std::vector<std::string>{"a", "b", "s"}));
  Parse(ParseTeiSimilarity, R"({"inputs":"a"})", "inputs");
  Parse(ParseTeiSimilarity, R"({"inputs":{"sentences":["a"]}})", "source_sentence");
  Parse(ParseTeiSimilarity, R"({"inputs":{"source_sentence":"s","sentences":["a"]},"parameters":{"truncate":1}})",
        "truncate");
}

TEST(Replies, AreJsonOfEachDialect) {
  const std::vector<float> values = {1, 0, 0, 1, 0.6f, 0.8f};
  const std::vector<Report> reports = {{.tokens = 3}, {.tokens = 4}, {.tokens = 5}};
  const EmbedResult result = {
      .model = "m\"", .values = values, .dimensions = 2, .range = {-1.285f, 1.265f}, .reports = reports};
  EmbedRequest request;
  request.model = "m";
  request.texts = {"a", "b", "\xff"};
  Reply json = Reply::parse(*OpenAiBody(request, result));
  EXPECT_EQ(json["model"], "m\"");
  EXPECT_EQ(json["data"][1]["embedding"], Reply({0, 1}));
  EXPECT_EQ(json["usage"], Reply({{"prompt_tokens", 12}, {"total_tokens", 12}}));
  EXPECT_EQ(Reply::parse(*TeiBody(request, result))[0], Reply({1, 0}));
  EXPECT_EQ(*TeiSimilarityBody(result), "[0.6,0.8]");
  EXPECT_EQ(Reply::parse(*OllamaBody(request, result))["prompt_eval_count"], 12);
  request.encodings = {Encoding::kInt8, Encoding::kUbinary};
  json = Reply::parse(*CohereBody(request, result, "id"));
  EXPECT_EQ(json["embeddings"]["ubinary"], Reply({{128}, {64}, {192}}));
  EXPECT_EQ(json["embeddings"]["int8"], Reply({{100, 0}, {0, 100}, {60, 80}}));
  EXPECT_EQ(json["texts"][2], "\xef\xbf\xbd");
  EXPECT_FALSE(ParseCohereOld(json::Object{{"texts", json::Array{"a"}}}, request));
  json = Reply::parse(*CohereOldBody(request, result, "id"));
  EXPECT_EQ(json["response_type"], "embeddings_floats");
  EXPECT_EQ(json["embeddings"][1], Reply({0, 1}));
}

TEST(Problems, HaveTheShapeOfEachDialect) {
  const Problem problem = {.fault = Fault::kBusy, .message = "full", .retry_after = 1.5};
  for (const auto& [dialect, status, body] : std::initializer_list<std::tuple<Dialect, unsigned, const char*>>{
           {Dialect::kTei, 429, R"({"error":"full","error_type":"Overloaded"})"},
           {Dialect::kOllama, 503, R"({"error":"full"})"},
           {Dialect::kCohere, 429, R"({"message":"full"})"},
           {Dialect::kOpenAi, 429,
            R"({"error":{"message":"full","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"},)"
            R"("detail":"full"})"}}) {
    const HttpReply reply = ErrorReply(dialect, problem);
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(reply.body, body);
    EXPECT_EQ(reply.headers[0], (std::pair<std::string, std::string>("retry-after", "2")));
    EXPECT_EQ(reply.headers[1], (std::pair<std::string, std::string>("retry-after-ms", "1500")));
  }
}

TEST(Query, FieldsAreDecoded) {
  EXPECT_EQ(QueryField("a=1+2&b=%3Cx%3E&c", "b"), "<x>");
  EXPECT_EQ(QueryField("a=1+2&b=", "a"), "1 2");
  EXPECT_EQ(QueryField("aa=1", "a"), "");
  EXPECT_EQ(PercentDecode("%zz%4", false), "%zz%4");
}

}  // namespace
}  // namespace thimble::server
