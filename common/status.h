// Status and Result<T>: how every fallible call of the project answers.
//
// A Status is one pointer wide; null means OK. Codes are the domain's, few, and each is translated
// at exactly four borders: RocksDB -> Status (server/store/engine), Status <-> gRPC
// (common/grpc_status), Status -> IMAP response code (server/imap/response), Status -> LMTP reply
// (server/lmtp/session). Nothing of ours throws; exceptions of libraries are caught where they
// enter.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/check.h"

namespace twinspool {

enum class Code {
  kOk = 0,
  kInvalidArgument,   // the caller's request makes no sense
  kNotFound,          // the named thing does not exist
  kAlreadyExists,     // … or exists already
  kConflict,          // a precondition (modseq, epoch) does not hold
  kOverQuota,         // no room: the user's quota, or the soft disk reserve of either node
  kLimit,             // a named limit (common/limits.h) is passed
  kPermissionDenied,  // known who, not allowed
  kUnauthenticated,   // not known who
  kFenced,            // this node is not (or no longer) primary
  kUnavailable,       // not now: writes blocked, queue full; nothing was done
  kOutcomeUnknown,    // was enqueued, may or may not become durable: close without an answer
  kTimeout,
  kDataLoss,  // stored bytes fail their checksum or do not parse
  kIo,        // the disk or the network said no
  kInternal,
};

/// Name of a code as logs and JSON show it, e.g. "not_found".
std::string_view CodeName(Code code);

/// Outcome of an operation. Cheap when OK; carries a code and a text otherwise. Thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message);

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  /// What happened, where, and what to do; empty when OK.
  std::string_view message() const { return rep_ ? std::string_view(rep_->message) : ""; }
  /// "code: message", or "ok".
  std::string ToString() const;
  /// The same code with "context: " before the text. OK stays OK.
  Status Annotate(std::string_view context) const;

  bool Is(Code code) const { return this->code() == code; }

 private:
  struct Rep {
    Code code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

inline Status OkStatus() {
  return {};
}
Status InvalidArgument(std::string message);
Status NotFound(std::string message);
Status AlreadyExists(std::string message);
Status Conflict(std::string message);
Status OverQuota(std::string message);
Status LimitExceeded(std::string message);
Status PermissionDenied(std::string message);
Status Unauthenticated(std::string message);
Status Fenced(std::string message);
Status Unavailable(std::string message);
Status OutcomeUnknown(std::string message);
Status Timeout(std::string message);
Status DataLoss(std::string message);
Status IoError(std::string message);
Status Internal(std::string message);

/// A value or the Status that tells why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    TWINSPOOL_CHECK(!status_.ok(), "a Result made of an OK status holds no value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  Code code() const { return status_.code(); }

  T& value() & {
    TWINSPOOL_CHECK(ok(), status_.ToString());
    return *value_;
  }
  const T& value() const& {
    TWINSPOOL_CHECK(ok(), status_.ToString());
    return *value_;
  }
  T&& value() && {
    TWINSPOOL_CHECK(ok(), status_.ToString());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace twinspool

#define TWINSPOOL_CONCAT_INNER(a, b) a##b
#define TWINSPOOL_CONCAT(a, b) TWINSPOOL_CONCAT_INNER(a, b)

/// TRY(call()): returns the Status from the enclosing function unless it is OK.
#define TRY(expr)                                                    \
  do {                                                               \
    if (::twinspool::Status try_status = (expr); !try_status.ok()) { \
      return try_status;                                             \
    }                                                                \
  } while (false)

/// ASSIGN_OR_RETURN(auto x, call()): unwraps a Result or returns its Status.
#define ASSIGN_OR_RETURN(declaration, expr) \
  ASSIGN_OR_RETURN_INNER(TWINSPOOL_CONCAT(result_, __LINE__), declaration, expr)
#define ASSIGN_OR_RETURN_INNER(tmp, declaration, expr) \
  auto tmp = (expr);                                   \
  if (!tmp.ok()) {                                     \
    return tmp.status();                               \
  }                                                    \
  declaration = std::move(tmp).value()
