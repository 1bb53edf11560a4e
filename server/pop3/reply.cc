#include "server/pop3/reply.h"

#include <algorithm>

#include "common/limits.h"

namespace twinspool::pop3 {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string Finished(std::string line) {
  line.resize(std::min(line.size(), limits::kPop3ReplyBytesMax - kLineEnd.size()));
  for (char& c : line) {
    c = c < 0x20 || c == 0x7f ? '?' : c;
  }
  return line.append(kLineEnd);
}

}  // namespace

std::string OkLine(std::string_view text) {
  return Finished(std::string("+OK ").append(text));
}

std::string ErrLine(std::string_view code, std::string_view text) {
  std::string line = "-ERR ";
  if (!code.empty()) {
    line.append("[").append(code).append("] ");
  }
  return Finished(line.append(text));
}

bool IsFault(const Status& status) {
  return status.Is(Code::kInternal) || status.Is(Code::kIo) || status.Is(Code::kDataLoss);
}

Refusal RefusalFor(const Status& status, std::string_view error_id) {
  const std::string text(status.message());
  switch (status.code()) {
    case Code::kOutcomeUnknown:
      return {"", "", Refusal::Then::kCloseOnly};
    case Code::kFenced:
      return {kCodeSysTemp, text, Refusal::Then::kClose};
    case Code::kUnauthenticated:
      return {kCodeAuth, text};
    case Code::kNotFound:
    case Code::kInvalidArgument:
    case Code::kPermissionDenied:
    case Code::kAlreadyExists:
      return {kCodeSysPerm, text};
    case Code::kOk:
    case Code::kUnavailable:
    case Code::kTimeout:
    case Code::kConflict:
    case Code::kLimit:
    case Code::kOverQuota:
      return {kCodeSysTemp, text};
    case Code::kDataLoss:
      return {kCodeSysPerm, "Damaged here; the log has it under " + std::string(error_id)};
    case Code::kIo:
    case Code::kInternal:
      return {kCodeSysTemp, "Internal error; the log has it under " + std::string(error_id)};
  }
  return {kCodeSysTemp, text};
}

}  // namespace twinspool::pop3
