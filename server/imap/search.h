// SEARCH's program made ready for one mailbox, and its judgement of one message (RFC 3501 §6.4.4).
//
// A message is judged by what is known of it so far: the index first, then record and Date: field,
// then what the store found in its texts, at last its octets. A judgement that cannot be made yet
// is kUnknown, so the dear facts are read only for messages that the cheap ones have not decided.
// Pure: no store, no session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/uid_set.h"
#include "server/imap/command.h"
#include "server/imap/selected.h"
#include "server/mail_store.h"
#include "server/mime/date.h"

namespace twinspool::imap {

enum class Truth { kFalse, kTrue, kUnknown };

/// What the store said of the program's text keys, by their number.
struct TextTruths {
  std::vector<UidSet> found;
  std::vector<UidSet> judged;

  Truth Of(std::size_t key, Uid uid) const;
};

/// What is known of one message. Pointers are null for what was not read yet.
struct SearchFacts {
  IndexEntry entry;
  const MessageRecord* record = nullptr;
  /// The Date: field; `record` there and this empty: the message has none that can be read.
  std::optional<mime::Date> sent;
  /// THREADID; good with `record` when the program needs_thread().
  std::string thread_id;
  const TextTruths* texts = nullptr;
  /// mime::FoldedText of the header at least; of the whole message when the program needs_text().
  const std::string* folded = nullptr;
};

class SearchProgram {
 public:
  /// kInvalidArgument for a charset that is not known here ([BADCHARSET]); kConflict for a sequence
  /// number that does not exist. `now`: seconds since 1970, for OLDER and YOUNGER.
  static Result<SearchProgram> Prepare(const cmd::Search& command, const SelectedView& view,
                                       std::int64_t now);

  Truth Judge(const SearchFacts& facts) const { return Judge(root_, facts); }

  /// Some key asks for the record or the Date: field; for the text.
  bool needs_record() const { return needs_record_; }
  bool needs_text() const { return needs_text_; }
  /// THREADID is among the keys.
  bool needs_thread() const { return needs_thread_; }
  /// MODSEQ is among the keys: the answer carries the highest one (RFC 7162 §3.1.5).
  bool uses_modseq() const { return uses_modseq_; }
  /// Only these UIDs can match.
  const UidSet& scope() const { return scope_; }
  /// Only those of `uids` are to be judged.
  void Restrict(const UidSet& uids) { scope_ = scope_.Intersect(uids); }
  /// Only messages with all of the first and none of the second flags can match.
  SystemFlags with() const { return with_; }
  SystemFlags without() const { return without_; }
  /// What HEADER, BODY and TEXT look for. TextTruths are by the place in here.
  const std::vector<TextKey>& text_keys() const { return text_keys_; }
  /// Text keys that every match holds; empty as well when something cheaper comes before them.
  std::vector<std::size_t> FirstTexts() const;

 private:
  struct Node {
    SearchOp op = SearchOp::kAll;
    std::vector<Node> children;
    UidSet uids;
    SystemFlags flags = 0;
    std::optional<std::size_t> keyword;  // bit in the table; nothing: no message has it
    std::string text;
    std::size_t text_key = 0;  // in text_keys()
    std::uint64_t number = 0;
    std::int64_t day = 0;
    int cost = 0;
  };

  Result<Node> PrepareNode(const SearchKey& key, const std::string& charset,
                           const SelectedView& view, std::int64_t now);
  void PrepareText(const SearchKey& key, const std::string& charset, Node* node);
  void Note(SearchOp op);
  void NoteFlags(const Node& node);

  Truth Judge(const Node& node, const SearchFacts& facts) const;
  Truth JudgeAll(const Node& node, const SearchFacts& facts, Truth decisive) const;
  static Truth JudgeIndex(const Node& node, const IndexEntry& entry);
  static Truth JudgeRecord(const Node& node, const SearchFacts& facts);
  Truth JudgeText(const Node& node, const SearchFacts& facts) const;

  Node root_;
  UidSet scope_;
  SystemFlags with_ = 0;
  SystemFlags without_ = 0;
  std::vector<TextKey> text_keys_;
  bool needs_record_ = false;
  bool needs_text_ = false;
  bool needs_thread_ = false;
  bool uses_modseq_ = false;
};

}  // namespace twinspool::imap
