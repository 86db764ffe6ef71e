// thimble similar --store: the chunks of a store, most alike first.

#ifndef THIMBLE_CLI_SIMILAR_STORE_H_
#define THIMBLE_CLI_SIMILAR_STORE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "cli/options.h"
#include "sync/store.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::cli {

// The model that was given, or else that of the store.
Result<std::shared_ptr<const Model>> OpenModelOf(const std::string& store, const sync::StoreSpace& space,
                                                 ModelOption& option);

// kInvalidArgument, naming the option, for one that the store decides.
Status CheckStoreFlags(const CLI::App& app);

Status SimilarStore(ModelOption& model, const std::string& query, const std::string& store, const EmbedderFlags& flags,
                    std::size_t top, bool as_json);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_SIMILAR_STORE_H_
