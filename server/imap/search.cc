// The keys of SEARCH, one by one, in three-valued logic.
#include "server/imap/search.h"

#include <algorithm>
#include <bit>

#include "server/imap/answers.h"
#include "server/imap/cursor.h"
#include "server/imap/messages.h"
#include "server/mime/charset.h"
#include "server/mime/text.h"

namespace twinspool::imap {
namespace {

/// What judging a key takes: the index, the record, a header, the whole text.
enum Cost : int { kIndexCost = 0, kRecordCost = 1, kHeaderCost = 2, kTextCost = 3 };

int CostOf(SearchOp op) {
  switch (op) {
    case SearchOp::kBefore:
    case SearchOp::kOn:
    case SearchOp::kSince:
    case SearchOp::kSentBefore:
    case SearchOp::kSentOn:
    case SearchOp::kSentSince:
    case SearchOp::kOlder:
    case SearchOp::kYounger:
    case SearchOp::kLarger:
    case SearchOp::kSmaller:
    case SearchOp::kEmailId:
    case SearchOp::kThreadId:
    case SearchOp::kSavedBefore:
    case SearchOp::kSavedOn:
    case SearchOp::kSavedSince:
      return kRecordCost;
    case SearchOp::kHeader:
      return kHeaderCost;
    case SearchOp::kBody:
    case SearchOp::kText:
      return kTextCost;
    default:
      return kIndexCost;
  }
}

bool IsText(SearchOp op) {
  return op == SearchOp::kHeader || op == SearchOp::kBody || op == SearchOp::kText;
}

Truth Of(bool is) {
  return is ? Truth::kTrue : Truth::kFalse;
}

Truth Not(Truth truth) {
  return truth == Truth::kUnknown ? truth : Of(truth == Truth::kFalse);
}

std::int64_t DayOf(std::int64_t seconds) {
  const std::int64_t day = seconds / 86'400;
  return seconds % 86'400 < 0 ? day - 1 : day;
}

std::optional<std::size_t> KeywordBit(const std::vector<std::string>& table,
                                      std::string_view keyword) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (EqualsIgnoreCase(table[i], keyword)) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace

Truth TextTruths::Of(std::size_t key, Uid uid) const {
  if (found[key].Contains(uid)) {
    return Truth::kTrue;
  }
  return judged[key].Contains(uid) ? Truth::kFalse : Truth::kUnknown;
}

Result<SearchProgram> SearchProgram::Prepare(const cmd::Search& command, const SelectedView& view,
                                             std::int64_t now) {
  if (!command.charset.empty() && !mime::KnownCharset(command.charset)) {
    return InvalidArgument("The charset is not known here");
  }
  SearchProgram program;
  ASSIGN_OR_RETURN(program.root_, program.PrepareNode(command.program, command.charset, view, now));
  program.scope_ = view.ToldUids();
  program.NoteFlags(program.root_);
  if (program.root_.op == SearchOp::kAnd) {
    for (const Node& node : program.root_.children) {
      program.NoteFlags(node);
      if (node.op == SearchOp::kUid) {
        program.scope_ = program.scope_.Intersect(node.uids);
      }
    }
  }
  return program;
}

/// Takes in what a key that every match fulfils says of flags.
void SearchProgram::NoteFlags(const Node& node) {
  const bool denied = node.op == SearchOp::kNot;
  const Node& key = denied ? node.children.front() : node;
  // That not all of several flags are there says nothing of one.
  const bool plain = !denied || std::has_single_bit(key.flags);
  if (plain && (key.op == SearchOp::kFlag || key.op == SearchOp::kNoFlag)) {
    ((key.op == SearchOp::kFlag) != denied ? with_ : without_) |= key.flags;
  }
}

std::vector<std::size_t> SearchProgram::FirstTexts() const {
  const std::vector<Node> alone = {root_};
  std::vector<std::size_t> keys;
  for (const Node& node : root_.op == SearchOp::kAnd ? root_.children : alone) {
    if (node.cost < kHeaderCost && node.op != SearchOp::kUid && node.op != SearchOp::kAll) {
      return {};
    }
    if (IsText(node.op)) {
      keys.push_back(node.text_key);
    }
  }
  return keys;
}

void SearchProgram::Note(SearchOp op) {
  needs_record_ = needs_record_ || CostOf(op) == kRecordCost;
  needs_text_ = needs_text_ || CostOf(op) == kTextCost;
  needs_thread_ = needs_thread_ || op == SearchOp::kThreadId;
  uses_modseq_ = uses_modseq_ || op == SearchOp::kModseq;
}

Result<SearchProgram::Node> SearchProgram::PrepareNode(const SearchKey& key,
                                                       const std::string& charset,
                                                       const SelectedView& view, std::int64_t now) {
  Node node;
  node.op = key.op;
  node.flags = key.flags;
  node.number = key.number;
  node.day = key.day;
  node.cost = CostOf(key.op);
  Note(key.op);
  if (key.op == SearchOp::kSequence || key.op == SearchOp::kUid) {
    Result<UidSet> uids = MessagesOf(view, key.set, key.op == SearchOp::kUid);
    if (!uids.ok()) {
      return Conflict(std::string(uids.status().message()));
    }
    node.op = SearchOp::kUid;
    node.uids = std::move(*uids);
  } else if (key.op == SearchOp::kKeyword || key.op == SearchOp::kUnkeyword) {
    node.keyword = KeywordBit(*view.keywords(), key.text);
  } else if (key.op == SearchOp::kOlder || key.op == SearchOp::kYounger) {
    node.day = now - static_cast<std::int64_t>(key.number);
  } else {
    PrepareText(key, charset, &node);
  }
  for (const SearchKey& child : key.children) {
    ASSIGN_OR_RETURN(Node prepared, PrepareNode(child, charset, view, now));
    node.cost = std::max(node.cost, prepared.cost);
    node.children.push_back(std::move(prepared));
  }
  std::stable_sort(node.children.begin(), node.children.end(),
                   [](const Node& a, const Node& b) { return a.cost < b.cost; });
  return node;
}

void SearchProgram::PrepareText(const SearchKey& key, const std::string& charset, Node* node) {
  if (!IsText(key.op)) {
    node->text = key.text;
    return;
  }
  TextKey text;
  text.in = key.op == SearchOp::kHeader ? TextKey::In::kHeader
            : key.op == SearchOp::kBody ? TextKey::In::kBody
                                        : TextKey::In::kText;
  text.field = key.field;
  text.folded = mime::Fold(mime::ToUtf8(charset.empty() ? "UTF-8" : charset, key.text));
  node->text_key = text_keys_.size();
  text_keys_.push_back(std::move(text));
}

// --- judging

Truth SearchProgram::Judge(const Node& node, const SearchFacts& facts) const {
  switch (node.op) {
    case SearchOp::kAnd:
      return JudgeAll(node, facts, Truth::kFalse);
    case SearchOp::kOr:
      return JudgeAll(node, facts, Truth::kTrue);
    case SearchOp::kNot:
      return Not(Judge(node.children.front(), facts));
    default:
      break;
  }
  switch (CostOf(node.op)) {
    case kIndexCost:
      return JudgeIndex(node, facts.entry);
    case kRecordCost:
      return facts.record == nullptr ? Truth::kUnknown : JudgeRecord(node, facts);
    default:
      return JudgeText(node, facts);
  }
}

/// One child of the truth `decisive` settles it; children come cheapest first.
Truth SearchProgram::JudgeAll(const Node& node, const SearchFacts& facts, Truth decisive) const {
  bool unknown = false;
  for (const Node& child : node.children) {
    const Truth truth = Judge(child, facts);
    if (truth == decisive) {
      return decisive;
    }
    unknown = unknown || truth == Truth::kUnknown;
  }
  return unknown ? Truth::kUnknown : Not(decisive);
}

Truth SearchProgram::JudgeIndex(const Node& node, const IndexEntry& entry) {
  switch (node.op) {
    case SearchOp::kUid:
      return Of(node.uids.Contains(entry.uid));
    case SearchOp::kFlag:
      return Of((entry.flags & node.flags) == node.flags);
    case SearchOp::kNoFlag:
      return Of((entry.flags & node.flags) == 0);
    case SearchOp::kKeyword:
      return Of(node.keyword && entry.keywords.Test(*node.keyword));
    case SearchOp::kUnkeyword:
      return Of(!node.keyword || !entry.keywords.Test(*node.keyword));
    case SearchOp::kModseq:
      return Of(entry.modseq.value() >= node.number);
    case SearchOp::kNew:
    case SearchOp::kRecent:
      return Truth::kFalse;  // \Recent is not kept
    default:
      return Truth::kTrue;  // ALL, OLD
  }
}

Truth SearchProgram::JudgeRecord(const Node& node, const SearchFacts& facts) {
  const MessageRecord& record = *facts.record;
  const std::int64_t day = DayOf(record.internal_date + std::int64_t{record.zone_minutes} * 60);
  switch (node.op) {
    case SearchOp::kBefore:
      return Of(day < node.day);
    case SearchOp::kOn:
      return Of(day == node.day);
    case SearchOp::kSince:
      return Of(day >= node.day);
    case SearchOp::kSentBefore:
      return Of(facts.sent && facts.sent->LocalDay() < node.day);
    case SearchOp::kSentOn:
      return Of(facts.sent && facts.sent->LocalDay() == node.day);
    case SearchOp::kSentSince:
      return Of(facts.sent && facts.sent->LocalDay() >= node.day);
    case SearchOp::kSavedBefore:
      return Of(DayOf(record.save_date) < node.day);
    case SearchOp::kSavedOn:
      return Of(DayOf(record.save_date) == node.day);
    case SearchOp::kSavedSince:
      return Of(DayOf(record.save_date) >= node.day);
    case SearchOp::kOlder:
      return Of(record.internal_date <= node.day);
    case SearchOp::kYounger:
      return Of(record.internal_date >= node.day);
    case SearchOp::kLarger:
      return Of(record.size > node.number);
    case SearchOp::kSmaller:
      return Of(record.size < node.number);
    case SearchOp::kThreadId:
      return Of(facts.thread_id == node.text);
    default:
      return Of(EmailIdText(record.guid) == node.text);
  }
}

Truth SearchProgram::JudgeText(const Node& node, const SearchFacts& facts) const {
  const TextKey& key = text_keys_[node.text_key];
  if (facts.folded == nullptr) {
    return facts.texts == nullptr ? Truth::kUnknown
                                  : facts.texts->Of(node.text_key, facts.entry.uid);
  }
  switch (key.in) {
    case TextKey::In::kHeader:
      return Of(mime::FoldedHeaderContains(*facts.folded, key.field, key.folded));
    case TextKey::In::kBody:
      return Of(mime::FoldedBodyContains(*facts.folded, key.folded));
    default:
      return Of(mime::FoldedTextContains(*facts.folded, key.folded));
  }
}

}  // namespace twinspool::imap
