#include "server/node/outcome.h"

namespace twinspool::node {

proto::Outcome OutcomeOf(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return proto::DONE;
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kConflict:
    case Code::kPermissionDenied:
    case Code::kUnauthenticated:
    case Code::kLimit:
      return proto::BAD_REQUEST;
    case Code::kFenced:
      return proto::NOT_ELIGIBLE;
    case Code::kUnavailable:
    case Code::kOverQuota:
      return proto::TIMEOUT_UNCHANGED;
    case Code::kTimeout:
    case Code::kOutcomeUnknown:
      return proto::TIMEOUT_UNKNOWN;
    case Code::kDataLoss:
    case Code::kIo:
    case Code::kInternal:
      return proto::INTERNAL_ERROR;
  }
  return proto::INTERNAL_ERROR;
}

}  // namespace twinspool::node
