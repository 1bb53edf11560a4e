// The IMAP shell: how the node makes a session for a new connection.
//
// The session speaks IMAP4rev1 (RFC 3501) and the extensions that Capabilities names. It is
// sans-I/O (net/session.h), knows mail only through MailStore, and keeps nothing that outlives the
// connection. One command is worked on at a time, in the client's order; while it waits, input is
// buffered up to limits::kInputBytesMax and then paused.
//
// What a client may rely on: an answer of a write, also a refusal, leaves only from the store's
// completion. When the outcome of a write cannot be known, the connection ends with BYE and no
// tagged answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/env.h"
#include "server/auth/user_seats.h"
#include "server/imap/load_budget.h"
#include "server/mail_store.h"
#include "server/net/session.h"

namespace twinspool::imap {

struct SessionOptions {
  /// Name and version for ID and the greeting.
  std::string product = "Twinspool";
  std::string version = "0.1";
  /// First pause before a refused login is answered, in ms; doubled with each further refusal.
  std::int64_t login_delay_ms = 500;
  /// Bounds the sessions of one user; null: nothing does.
  std::shared_ptr<auth::UserSeats> seats;
  /// What large loads of all sessions share; one for the whole process.
  std::shared_ptr<LoadBudget> loads = std::make_shared<LoadBudget>();
  /// Runs what computes for long (large messages) on another thread. False: it was not taken.
  /// Empty, or not taken: it is done in place.
  std::function<bool(std::function<void()> work)> aside;
  /// Told of every fault of ours (kInternal, kIo, kDataLoss) with the id that the client's answer
  /// shows in place of it. May be empty.
  std::function<void(std::string_view error_id, const Status& status)> on_fault;
};

/// `store`, `clock` and `host` must outlive the session.
std::unique_ptr<net::Session> MakeSession(net::SessionHost& host, MailStore& store, Clock& clock,
                                          const SessionOptions& options = {});

}  // namespace twinspool::imap
