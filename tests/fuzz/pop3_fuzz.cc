// Any bytes into a POP3 session, whole and cut: it must neither crash nor depend on the cut, and
// what is left in the store must be the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/pop3/session.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace {

using twinspool::Result;
using twinspool::testing::DrivenSession;
using twinspool::testing::MemoryMailStore;

void Fill(MemoryMailStore& store, const twinspool::MailboxRef& inbox) {
  for (const std::string octets : {"a: 1\r\n\r\n.b\r\n", "\n.\n.\r\n", "no end", "c: 2\r\n\r\n"}) {
    std::vector<twinspool::AppendMessage> messages(1);
    messages[0].body = std::move(*store.StageBody(inbox.owner, octets.size()));
    messages[0].body->Write(octets, [](const Result<twinspool::Unit>&) {});
    store.Append(inbox, std::move(messages), [](const Result<twinspool::AppendResult>&) {});
  }
}

std::string Run(std::string_view bytes, std::size_t piece, bool later) {
  twinspool::ManualClock clock;
  twinspool::SeededRandom random(5);
  MemoryMailStore store(clock, random);
  const twinspool::UserRef user = store.AddUser("u", "p");
  twinspool::MailboxRef inbox;
  store.FindMailbox(user.id, "INBOX", [&](const auto& state) { inbox = state->ref; });
  Fill(store, inbox);
  store.set_complete_later(later);
  DrivenSession session({});
  session.Begin([&](twinspool::net::SessionHost& host) {
    return std::make_unique<twinspool::pop3::Session>(host, store, clock);
  });
  const auto settle = [&] {
    bool refused = true;
    while (refused) {
      while (session.Run() || store.RunCompletions() > 0) {
      }
      refused = session.paused() && !session.closed();  // nothing else waits by now
      if (refused) {
        session.PassTimeout();
      }
    }
  };
  for (; !bytes.empty() && !session.closed(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    session.Send(bytes.substr(0, piece));
    settle();
  }
  std::string outcome = session.output();
  store.set_complete_later(false);
  store.ReadIndex(inbox, {}, [&](const Result<twinspool::IndexBatch>& batch) {
    for (const twinspool::IndexEntry& entry : batch->entries) {
      outcome += std::to_string(entry.uid.value()) + ":" + std::to_string(entry.flags) + " ";
    }
  });
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Behind STLS the plain text is dropped, and how much of it has come depends on the cut.
  const std::string whole = Run(bytes, std::string_view::npos, false);
  const bool tls = whole.find(DrivenSession::kTlsMark) != std::string::npos;
  if (!tls &&
      (whole != Run(bytes, 1 + size % 5, false) || whole != Run(bytes, 1 + size % 7, true))) {
    std::abort();
  }
  return 0;
}
