// A client of one provider: requests cut to its limits, a few at a time, and sent again where that may help.

#ifndef THIMBLE_BACKENDS_CLIENT_H_
#define THIMBLE_BACKENDS_CLIENT_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backends/address.h"
#include "backends/environment.h"
#include "backends/member.h"
#include "backends/table.h"
#include "backends/wire.h"

namespace thimble::backends {

class Client final : public Member {
 public:
  // `model` is empty where the dialect needs none; `url` is the base URL, empty for the dialect's own. kInvalidArgument
  // for an impossible URL or a missing model, kUnsupported for an encoding that the dialect lacks.
  static Result<std::unique_ptr<Client>> Create(const Dialect& dialect, std::string model, std::string_view url,
                                                const BackendOptions& options,
                                                std::shared_ptr<Environment> environment);

  const std::string& name() const override { return dialect_.name; }
  const std::string& identity() const override { return identity_; }
  Result<BackendInfo> Describe(const Call& call) override;
  Status Embed(std::span<Item* const> items, const Call& call) override;

 private:
  Client(const Dialect& dialect, std::string model, BaseUrl base, const BackendOptions& options,
         std::shared_ptr<Environment> environment);
  RequestOptions OptionsOf(const Call& call) const;
  Result<InfoPage> AskPage(const Call& call);
  std::size_t MostTexts(const InfoPage& page) const;
  Status EmbedRequest(std::span<Item* const> items, const RequestFields& fields, const Call& call);
  // Sends the request until there is a good reply, or none is to be hoped for. `code`, which may be null, is that of
  // the last reply.
  Result<net::HttpReply> Send(net::HttpCall request, const std::string& where, const std::string& key, const Call& call,
                              long* code);
  Status StatusOf(const net::HttpReply& reply, const std::string& where, const std::string& key) const;
  // Whether the base URL is the table's, and not that of another server with this dialect.
  bool AtProvider() const { return base_.text == dialect_.base_url; }
  Result<std::string> Key() const;
  std::string Where(const std::string& path) const;
  Status TakeSlot(const Call& call);
  void GiveSlot();

  const Dialect& dialect_;
  const std::string model_;
  const BaseUrl base_;
  const std::size_t asked_dimensions_;
  const std::string encoding_;
  const std::size_t request_texts_;
  const std::size_t concurrency_;
  const int attempts_;
  const std::string identity_;
  const std::shared_ptr<Environment> environment_;
  std::atomic<std::size_t> dimensions_;  // Of every vector; 0 while they are not known.

  std::mutex mutex_;  // Of everything below.
  std::condition_variable freed_;
  std::size_t used_slots_ = 0;
  std::optional<InfoPage> page_;
};

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_CLIENT_H_
