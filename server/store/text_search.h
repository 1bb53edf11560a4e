// One batch of a search through texts (MailStore::SearchText): packed pages where they are there,
// single texts where not, and what has no text yet is folded here, as far as that does not take
// long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "server/mail_store.h"
#include "server/store/text_pages.h"

namespace twinspool::store {

class Snapshot;

/// One call; one thread.
class TextSearch {
 public:
  /// All outlive it.
  TextSearch(Engine& engine, TextPages& pages, const Snapshot* snapshot, const TextQuery& query);

  Result<TextBatch> Run(const MailboxState& mailbox);

 private:
  /// What is looked through one by one has a measure of its own: a page can fill the batch, and
  /// what is left of it must not wait for a batch that the page does not fill.
  bool SpentOneByOne() const {
    return one_by_one_ >= limits::kSearchBatchBytes || folded_ >= limits::kSearchFoldBytes;
  }
  bool Spent() const { return in_pages_ >= limits::kSearchBatchBytes || SpentOneByOne(); }
  bool InPage(const MailboxState& mailbox, std::uint32_t page, UidSet* uids);
  std::uint32_t OneByOne(MailboxRef mailbox, const UidSet& uids);
  void Try(UserId owner, Uid uid, const MessageRecord& record);
  void Judge(Uid uid, std::string_view folded);

  Engine& engine_;
  TextPages& pages_;
  const Snapshot* const snapshot_;
  const TextQuery& query_;
  std::vector<bool> columns_;  // which ones the keys ask for
  std::string kinds_;          // the same as letters
  bool packable_ = false;      // the page at hand is complete
  TextBatch batch_;
  std::vector<std::pair<BodyNo, std::string>> made_;
  std::size_t in_pages_ = 0;  // octets looked through
  std::size_t one_by_one_ = 0;
  std::size_t folded_ = 0;
};

}  // namespace twinspool::store
