#include "common/status.h"

namespace twinspool {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kConflict:
      return "conflict";
    case Code::kOverQuota:
      return "over_quota";
    case Code::kLimit:
      return "limit";
    case Code::kPermissionDenied:
      return "permission_denied";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kFenced:
      return "fenced";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kOutcomeUnknown:
      return "outcome_unknown";
    case Code::kTimeout:
      return "timeout";
    case Code::kDataLoss:
      return "data_loss";
    case Code::kIo:
      return "io";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

Status::Status(Code code, std::string message) {
  if (code != Code::kOk) {
    rep_ = std::make_shared<const Rep>(Rep{code, std::move(message)});
  }
}

std::string Status::ToString() const {
  if (ok()) {
    return "ok";
  }
  return std::string(CodeName(code())) + ": " + rep_->message;
}

Status Status::Annotate(std::string_view context) const {
  if (ok()) {
    return *this;
  }
  return {code(), std::string(context) + ": " + rep_->message};
}

Status InvalidArgument(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}
Status NotFound(std::string message) {
  return {Code::kNotFound, std::move(message)};
}
Status AlreadyExists(std::string message) {
  return {Code::kAlreadyExists, std::move(message)};
}
Status Conflict(std::string message) {
  return {Code::kConflict, std::move(message)};
}
Status OverQuota(std::string message) {
  return {Code::kOverQuota, std::move(message)};
}
Status LimitExceeded(std::string message) {
  return {Code::kLimit, std::move(message)};
}
Status PermissionDenied(std::string message) {
  return {Code::kPermissionDenied, std::move(message)};
}
Status Unauthenticated(std::string message) {
  return {Code::kUnauthenticated, std::move(message)};
}
Status Fenced(std::string message) {
  return {Code::kFenced, std::move(message)};
}
Status Unavailable(std::string message) {
  return {Code::kUnavailable, std::move(message)};
}
Status OutcomeUnknown(std::string message) {
  return {Code::kOutcomeUnknown, std::move(message)};
}
Status Timeout(std::string message) {
  return {Code::kTimeout, std::move(message)};
}
Status DataLoss(std::string message) {
  return {Code::kDataLoss, std::move(message)};
}
Status IoError(std::string message) {
  return {Code::kIo, std::move(message)};
}
Status Internal(std::string message) {
  return {Code::kInternal, std::move(message)};
}

}  // namespace twinspool
