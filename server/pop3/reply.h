// The first line of an answer, and which Status becomes which (RFC 1939 §3, RFC 2449 §8, RFC 3206).
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace twinspool::pop3 {

// Response codes, without brackets. [IN-USE] and [LOGIN-DELAY] are never said.
inline constexpr std::string_view kCodeAuth = "AUTH";         // the credentials are wrong
inline constexpr std::string_view kCodeSysTemp = "SYS/TEMP";  // come again later
inline constexpr std::string_view kCodeSysPerm = "SYS/PERM";  // a person has to look at it

/// "+OK text" CRLF.
std::string OkLine(std::string_view text);
/// "-ERR [code] text" CRLF; `code` may be empty. Either is cut to limits::kPop3ReplyBytesMax, and
/// what is not printable ASCII becomes '?'.
std::string ErrLine(std::string_view code, std::string_view text);

/// How a failed call is told to the client.
struct Refusal {
  enum class Then {
    kGoOn,
    kClose,     // this node answers nothing more
    kCloseOnly  // the outcome is not known, so there is no answer to give
  };
  std::string_view code;
  std::string text;
  Then then = Then::kGoOn;
};

/// `status` must not be OK. Faults of ours (kInternal, kIo, kDataLoss) show a neutral text with
/// `error_id`, under which the log has the details.
Refusal RefusalFor(const Status& status, std::string_view error_id);
/// Whether `status` is such a fault.
bool IsFault(const Status& status);

}  // namespace twinspool::pop3
