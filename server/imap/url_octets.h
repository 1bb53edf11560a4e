// UrlOctets: the octets that an IMAP URL names (imap_url.h), as FETCH BODY.PEEK[…] would tell them,
// read piece by piece: a large part is never held whole.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/imap/core.h"
#include "server/imap/fetch_message.h"
#include "server/imap/fetch_plan.h"
#include "server/imap/imap_url.h"

namespace twinspool::imap {

class UrlOctets {
 public:
  /// Takes a piece; calls `next` on the session's thread when another may come.
  using Sink = std::function<void(std::string piece, std::function<void()> next)>;
  /// kInvalidArgument: the URL is wrong, or what it names is not there. Anything else: reading
  /// failed.
  using Finished = std::function<void(const Status&)>;

  /// Both must outlive it. `task` is the one that it works for.
  UrlOctets(Task& task, Core& core) : task_(task), core_(core) {}

  /// Once.
  void Begin(std::string url, Sink sink, Finished done);

 private:
  void Parse(const std::optional<MailboxState>& selected);
  void Find(const std::string& name);
  void OnMailbox(const MailboxState& state);
  void OnMessage(Result<FetchBatch> batch);
  void Write();
  void Provide(const std::optional<FetchMessage::Wanted>& wanted);
  void Read(FetchMessage::Wanted wanted);

  Task& task_;
  Core& core_;
  std::string text_;
  Sink sink_;
  Finished done_;
  ImapUrl url_;
  MailboxRef mailbox_;
  std::vector<FetchItem> items_;
  FetchPlan plan_;
  std::shared_ptr<const std::vector<std::string>> keywords_;
  std::optional<FetchMessage> message_;
  LoadBudget::PlacePtr place_;
};

}  // namespace twinspool::imap
