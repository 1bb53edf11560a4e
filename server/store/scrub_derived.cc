// Rows that no digest covers because they follow from others: names lead to ids, references lead
// from bodies to messages. They are made anew from the headers and records, which digests do cover.
//
// What is written is worked out while nothing else writes, from rows that are on disk: so it fits
// them whatever is still on its way there.
#include <map>
#include <set>
#include <utility>

#include "common/limits.h"
#include "server/store/damage.h"
#include "server/store/engine.h"
#include "server/store/scrub_steps.h"

namespace twinspool::store {
namespace {

/// Key and value of every name row of one user.
using Names = std::map<std::string, std::string>;

Result<Names> NamesFromHeaders(const RowView& view, UserId user) {
  Names names;
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user));
  for (const MailboxId mailbox : mailboxes) {
    ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(user, mailbox));
    if (!header) {
      continue;
    }
    ASSIGN_OR_RETURN(const auto part, ParseMailboxHeader(header->bytes));
    if (part->decoded.deleted_modseq() == 0) {
      names[MailboxNameKey(user, part->decoded.name())] = mailbox.bytes();
    }
  }
  return names;
}

Result<Names> NamesAsStored(const RowView& view, UserId user) {
  Names names;
  TRY(view.ScanEach(
      Family::kMailboxes, MailboxNamePrefix(user),
      [&](std::string_view key, std::string_view value, const Status& damage) -> Result<bool> {
        names.emplace(key, damage.ok() ? value : "?");
        return true;
      }));
  return names;
}

Status WriteNames(const ScrubParts& parts, UserId user) {
  ASSIGN_OR_RETURN(const Names names, NamesFromHeaders(RowView(parts.path.engine), user));
  const std::string prefix = MailboxNamePrefix(user);
  RowBatch rows;
  rows.DeleteRange(Family::kMailboxes, prefix, PrefixEnd(prefix));
  for (const auto& [key, id] : names) {
    rows.Put(Family::kMailboxes, key, id);
  }
  return parts.path.engine.Write(rows, WriteMode::kSync);
}

Status TellDerived(const ScrubParts& parts, const char* kind, UserId user, const std::string& what,
                   const Status& written, const char* how) {
  TellFound(parts, kind, {user, MailboxId()}, Uid(), what,
            {written.ok(), written.ok() ? how : std::string(written.message())});
  return OkStatus();
}

Status ScrubNames(const ScrubParts& parts, UserId user) {
  const SnapshotPtr snapshot = parts.path.engine.TakeSnapshot();
  const RowView view(parts.path.engine, snapshot.get());
  const Result<Names> right = NamesFromHeaders(view, user);
  if (!right.ok()) {
    return OkStatus();  // a damaged header is told of where it is looked for
  }
  const Result<Names> stored = NamesAsStored(view, user);
  if (stored.ok() && *stored == *right) {
    return OkStatus();
  }
  const std::string what =
      stored.ok() ? std::to_string(stored->size()) + " names do not lead to the user's " +
                        std::to_string(right->size()) + " mailboxes"
                  : "the names of his mailboxes: " + std::string(stored.status().message());
  const Status written =
      WriteAlone(parts.path, parts.host, [&] { return WriteNames(parts, user); });
  return TellDerived(parts, kDamagedNames, user, what, written, "made anew from the headers");
}

/// The user's own name, if he is not deleted; empty otherwise.
Result<std::string> NameOf(const RowView& view, UserId user) {
  ASSIGN_OR_RETURN(const auto header, view.UserHeader(user));
  if (!header) {
    return std::string();
  }
  ASSIGN_OR_RETURN(const auto part, ParseUserHeader(header->bytes));
  return part->decoded.deleted_ns() == 0 ? part->decoded.name() : std::string();
}

Status ScrubUserName(const ScrubParts& parts, UserId user) {
  const auto missing = [&parts, user](const Snapshot* snapshot) -> Result<std::string> {
    const RowView view(parts.path.engine, snapshot);
    ASSIGN_OR_RETURN(const std::string name, NameOf(view, user));
    if (name.empty()) {
      return name;
    }
    const auto row = view.engine().Get(Family::kUsers, UserNameKey(name), snapshot);
    return row.ok() && row.value() == user.bytes() ? Result<std::string>(std::string())
                                                   : Result<std::string>(name);
  };
  const Result<std::string> name = missing(parts.path.engine.TakeSnapshot().get());
  if (!name.ok() || name->empty()) {
    return OkStatus();
  }
  const Status written = WriteAlone(parts.path, parts.host, [&]() -> Status {
    ASSIGN_OR_RETURN(const std::string still, missing(nullptr));
    RowBatch rows;
    if (!still.empty()) {
      rows.Put(Family::kUsers, UserNameKey(still), std::string(user.bytes()));
    }
    return parts.path.engine.Write(rows, WriteMode::kSync);
  });
  return TellDerived(parts, kDamagedNames, user, "his name does not lead to him", written,
                     "made anew from the header");
}

// --- references to messages that are not there

// A reference is user, body number, and the key of the record.
constexpr std::size_t kRecordKeyAt = UserId::kSize + 8;

/// Keys of references, among these, whose message does not exist or has another body.
Result<std::vector<std::string>> Dangling(const RowView& view, UserId user,
                                          const std::vector<std::string>& refs) {
  std::vector<std::string> records;
  for (const std::string& ref : refs) {
    records.push_back(ref.substr(std::min(kRecordKeyAt, ref.size())));
  }
  std::vector<std::string> dangling;
  const auto rows = view.engine().GetEach(Family::kRecords, records, view.snapshot());
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (!rows[i].ok()) {
      continue;  // told of where records are looked for
    }
    proto::RecordHeader record;
    const bool fits = rows[i].value() && record.ParseFromString(**rows[i]) &&
                      refs[i].starts_with(RefPrefix(user, BodyNo(record.body_no())));
    if (!fits) {
      dangling.push_back(refs[i]);
    }
  }
  return dangling;
}

class ReferenceWalk {
 public:
  ReferenceWalk(const ScrubParts& parts, UserId user) : parts_(parts), user_(user) {}

  Status Run() {
    std::string from(user_.bytes());
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, Piece(&from));
      TRY(TellRead(parts_.host, std::exchange(bytes_, 0)));
    }
    return OkStatus();
  }

 private:
  /// A few references from `from` on, which moves behind them.
  Result<bool> Piece(std::string* from) {
    const SnapshotPtr snapshot = parts_.path.engine.TakeSnapshot();
    const RowView view(parts_.path.engine, snapshot.get());
    std::vector<std::string> refs;
    TRY(view.engine().ScanEach(
        Family::kRefs, {*from, PrefixEnd(user_.bytes())}, snapshot.get(),
        [&](std::string_view key, std::string_view, const Status&) -> Result<bool> {
          refs.emplace_back(key);
          bytes_ += key.size();
          return refs.size() < limits::kScrubRowsPerRead;
        }));
    if (refs.empty()) {
      return false;
    }
    *from = refs.back() + '\0';
    ASSIGN_OR_RETURN(const std::vector<std::string> dangling, Dangling(view, user_, refs));
    if (!dangling.empty()) {
      const Status written = WriteAlone(parts_.path, parts_.host, [&] { return Drop(dangling); });
      TRY(TellDerived(parts_, kDamagedReferences, user_,
                      std::to_string(dangling.size()) + " references lead to no message", written,
                      "taken away"));
    }
    return true;
  }

  Status Drop(const std::vector<std::string>& suspects) {
    const RowView view(parts_.path.engine);
    ASSIGN_OR_RETURN(const std::vector<std::string> dangling, Dangling(view, user_, suspects));
    RowBatch rows;
    std::set<std::string> bodies;
    for (const std::string& ref : dangling) {
      rows.Delete(Family::kRefs, ref);
      bodies.insert(ref.substr(0, kRecordKeyAt));
    }
    TRY(MarkLoose(view, dangling, bodies, &rows));
    return parts_.path.engine.Write(rows, WriteMode::kSync);
  }

  /// A body that nothing refers to any more is to be collected some day.
  Status MarkLoose(const RowView& view, const std::vector<std::string>& dangling,
                   std::set<std::string> bodies, RowBatch* rows) const {
    const std::set<std::string> gone(dangling.begin(), dangling.end());
    for (auto body = bodies.begin(); body != bodies.end();) {
      bool referred = false;
      TRY(view.Scan(Family::kRefs, *body,
                    [&](std::string_view key, std::string_view) -> Result<bool> {
                      referred = !gone.contains(std::string(key));
                      return !referred;
                    }));
      body = referred ? bodies.erase(body) : std::next(body);
    }
    return view.Scan(Family::kGuids, user_.bytes(),
                     [&](std::string_view key, std::string_view value) -> Result<bool> {
                       const Result<PoolEntry> entry = DecodePoolEntry(value);
                       if (entry.ok() && bodies.contains(BodyPrefix(user_, entry->body))) {
                         const Guid guid = Guid::FromBytes(key.substr(UserId::kSize));
                         rows->Put(Family::kMeta, StagingKey(user_, entry->body),
                                   EncodeLooseBody({parts_.path.clock.WallSeconds(), guid}));
                       }
                       return true;
                     });
  }

  const ScrubParts& parts_;
  const UserId user_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Status ScrubDerived(const ScrubParts& parts, UserId user) {
  TRY(ScrubUserName(parts, user));
  TRY(ScrubNames(parts, user));
  return ReferenceWalk(parts, user).Run();
}

}  // namespace twinspool::store
