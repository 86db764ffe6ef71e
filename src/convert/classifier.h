// Cross-encoders: what a folder says of scores of pairs.

#ifndef THIMBLE_CONVERT_CLASSIFIER_H_
#define THIMBLE_CONVERT_CLASSIFIER_H_

#include <string>
#include <string_view>
#include <vector>

#include "convert/config.h"
#include "json/json_file.h"
#include "thimble/status.h"

namespace thimble::convert {

// What classes for classification of texts end with.
inline constexpr std::string_view kClassifierEnd = "ForSequenceClassification";
// The class of config.json, `file`, if it is one for classification of texts; empty otherwise.
Result<std::string> ClassifierClass(const json::JsonFile& file);

// The names of the scores, in the form of every release of transformers.
Status ReadLabels(const json::JsonFile& file, std::vector<std::string>* labels);

// As sentence-transformers chooses it: config_sentence_transformers.json, config.json in its two forms, or else a
// sigmoid for a single score. kUnsupported, naming the key, for another function than thimble has.
Status ReadScoreActivation(const json::JsonFile& sentence, const json::JsonFile& transformer,
                           Config::Classifier* classifier);

// The head of a cross-encoder whose labels are known, and that it takes pairs.
void SetClassifierHead(Config* config);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CLASSIFIER_H_
