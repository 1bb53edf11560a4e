// Files of the database with a block whose checksum is wrong. The rows of such a block are healed
// like any others; then whatever else only this file knows (rows, and that others are gone) is
// written anew, and the file is taken out, so that no walk and no compaction meets it again.
#include <algorithm>
#include <functional>
#include <utility>

#include "common/codec.h"
#include "common/limits.h"
#include "server/store/body_check.h"
#include "server/store/change_log.h"
#include "server/store/damage.h"
#include "server/store/page.h"
#include "server/store/scrub_steps.h"

namespace twinspool::store {
namespace {

std::string NameOf(const Engine::Table& table) {
  return "table " + table.file + " of family " +
         kFamilies[static_cast<std::size_t>(table.family)].name;
}

class TableEmptier {
 public:
  TableEmptier(const ScrubParts& parts, const Engine::Table& table)
      : parts_(parts), engine_(parts.path.engine), view_(engine_), table_(table) {}

  /// kUnavailable: what is left of the file goes at the next start.
  Status Run() {
    ASSIGN_OR_RETURN(keys_, Keys());
    std::ranges::sort(keys_);
    next_ = table_.smallest;
    while (!done_) {
      TRY(WriteAlone(parts_.path, parts_.host, [this] { return RewriteSome(); }));
      TRY(TellRead(parts_.host, std::exchange(piece_, 0)));
      if (written_ > limits::kTableRewriteBytesMax) {
        return LimitExceeded("it holds too much to be written anew");
      }
    }
    return WriteAlone(parts_.path, parts_.host, [this] { return engine_.TakeOut(table_); });
  }

 private:
  /// All that may lie in the table and count. Where everything is proven by walks, what the table
  /// lets through is enough: the rest was found missing, and was written again. Where rows are read
  /// one by one, their keys follow from other rows.
  Result<std::vector<std::string>> Keys() {
    switch (table_.family) {
      case Family::kRecords:
      case Family::kRefs:
        TRY(ForEachMailbox([this](UserId user, MailboxId mailbox) {
          return table_.family == Family::kRecords ? AddRecords(mailbox)
                                                   : AddReferences(user, mailbox);
        }));
        return std::move(keys_);
      case Family::kBodies:
        TRY(ForEachUser([this](UserId user) { return AddBodies(user); }));
        return std::move(keys_);
      case Family::kOutbox:
        for (CommitSeq seq = parts_.log.low_water().Next(); seq <= parts_.log.last().seq;
             seq = seq.Next()) {
          AddKey(OutboxKey(seq));
        }
        return std::move(keys_);
      default:
        return engine_.KeysOf(table_);
    }
  }

  Status ForEachUser(const std::function<Status(UserId)>& fn) {
    ASSIGN_OR_RETURN(const std::vector<UserId> users, view_.Users());
    for (const UserId user : users) {
      TRY(fn(user));
    }
    return OkStatus();
  }

  Status ForEachMailbox(const std::function<Status(UserId, MailboxId)>& fn) {
    return ForEachUser([&](UserId user) -> Status {
      ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view_.MailboxesOf(user));
      for (const MailboxId mailbox : mailboxes) {
        TRY(fn(user, mailbox));
      }
      return OkStatus();
    });
  }

  Status AddRecords(MailboxId mailbox) {
    return view_.Scan(
        Family::kIndex, mailbox.bytes(),
        [&](std::string_view key, std::string_view value) -> Result<bool> {
          PageScanner scanner(value);
          EntryView entry;
          while (scanner.Next(&entry)) {
            AddKey(RecordKey(mailbox,
                             Uid(PageOfPageKey(key).value_or(0) << kPageBits | entry.uid_low)));
          }
          TRY(scanner.status());
          return true;
        });
  }

  Status AddReferences(UserId user, MailboxId mailbox) {
    return view_.Scan(Family::kRecords, mailbox.bytes(),
                      [&](std::string_view key, std::string_view value) -> Result<bool> {
                        proto::RecordHeader record;
                        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
                          return DataLoss("a record does not parse");
                        }
                        AddKey(RefKey(user, BodyNo(record.body_no()), mailbox,
                                      UidOfRecordKey(key).value_or(Uid())));
                        return true;
                      });
  }

  /// Unfinished ones, too.
  Status AddBodies(UserId user) {
    ASSIGN_OR_RETURN(const std::vector<PooledBody> bodies, ReadableBodies(view_, user));
    for (const PooledBody& body : bodies) {
      for (std::uint32_t chunk = 0; chunk < body.entry.chunks; ++chunk) {
        AddKey(BodyKey(user, body.entry.body, chunk));
      }
    }
    return view_.Scan(Family::kMeta, StagingKey(user, BodyNo()).substr(0, 1 + UserId::kSize),
                      [&](std::string_view key, std::string_view value) -> Result<bool> {
                        const Result<LooseBody> loose = DecodeLooseBody(value);
                        if (!loose.ok() || loose->guid.nil()) {
                          TRY(AddUnfinished(key.substr(1)));
                        }
                        return true;
                      });
  }

  /// `prefix`: user and body number.
  Status AddUnfinished(std::string_view prefix) {
    for (std::uint32_t chunk = 0;; ++chunk) {
      std::string key(prefix);
      PutBe32(&key, chunk);
      ASSIGN_OR_RETURN(const auto row, engine_.Get(Family::kBodies, key));
      if (!row) {
        return OkStatus();
      }
      AddKey(std::move(key));
    }
  }

  void AddKey(std::string key) {
    if (key >= table_.smallest && key <= table_.largest) {
      keys_.push_back(std::move(key));
    }
  }

  /// A few keys from next_ on, of the table and of all other files: what shows without the table
  /// must be what shows with it.
  Status RewriteSome() {
    RowIterator others =
        engine_.IterateWithout(table_.file, table_.family, {next_, table_.largest + '\0'});
    others.SeekToFirst();
    auto own = std::ranges::lower_bound(keys_, next_);
    RowBatch rows;
    for (std::size_t read = 0;
         read < limits::kScrubRowsPerRead && piece_ < limits::kRewritePieceBytes; ++read) {
      if (!others.Valid() && own == keys_.end()) {
        TRY(others.status());
        done_ = true;
        break;
      }
      const bool has_other = others.Valid() && (own == keys_.end() || others.key() <= *own);
      const std::string key(has_other ? others.key() : std::string_view(*own));
      TRY(RewriteOne(key, has_other ? std::optional(others.value()) : std::nullopt, &rows));
      own += own != keys_.end() && *own == key ? 1 : 0;
      if (has_other) {
        others.Next();
      }
      next_ = key + '\0';
    }
    return engine_.Write(rows, WriteMode::kSync);
  }

  /// `without`: the row as it shows without the table.
  Status RewriteOne(const std::string& key, std::optional<std::string_view> without,
                    RowBatch* rows) {
    auto row = engine_.Get(table_.family, key);
    if (!row.ok() && !IsDamage(row.status())) {
      return row.status();
    }
    // What still cannot be read is a row that nothing sound needs.
    const std::optional<std::string> now = row.ok() ? *std::move(row) : std::nullopt;
    piece_ += key.size() + (now ? now->size() : 0);
    if (now && (!without || *now != *without)) {
      rows->Put(table_.family, key, *now);
    } else if (!now && without) {
      rows->Delete(table_.family, key);
    }
    written_ += now ? now->size() : 0;
    return OkStatus();
  }

  const ScrubParts& parts_;
  Engine& engine_;
  const RowView view_;
  const Engine::Table& table_;
  std::vector<std::string> keys_;  // of the table, as far as they can be read
  std::string next_;
  bool done_ = false;
  std::size_t piece_ = 0;
  std::size_t written_ = 0;
};

bool LeadsToOthers(Family family) {
  return family == Family::kMeta || family == Family::kUsers || family == Family::kMailboxes;
}

Status EmptyAndTell(const ScrubParts& parts, const Engine::Table& table, bool healed) {
  const Status still = parts.path.engine.CheckTable(table);
  if (still.Is(Code::kNotFound)) {
    return OkStatus();  // a compaction had no need of the block
  }
  const Status gone =
      healed ? TableEmptier(parts, table).Run() : Conflict("rows in it are not healed");
  if (gone.Is(Code::kUnavailable)) {
    TRY(TellRead(parts.host, 0));
  }
  const bool empty = gone.ok() || gone.Is(Code::kUnavailable);
  TellFound(parts, kDamagedTable, Object(), Uid(),
            NameOf(table) + ": " + std::string(still.message()),
            {empty, gone.ok() ? "its rows were written anew, and the file was taken out"
                    : empty   ? "its rows were written anew; " + std::string(gone.message())
                              : "the file stays: " + std::string(gone.message())});
  return OkStatus();
}

}  // namespace

Result<std::vector<Engine::Table>> ScrubTables(const ScrubParts& parts) {
  std::vector<Engine::Table> bad;
  for (const Engine::Table& table : parts.path.engine.Tables()) {
    if (IsDamage(parts.path.engine.CheckTable(table))) {
      bad.push_back(table);
    }
    TRY(TellRead(parts.host, table.bytes));
  }
  return bad;
}

Status ScrubBadTables(const ScrubParts& parts, const std::vector<Engine::Table>& tables) {
  for (const Engine::Table& table : tables) {
    if (LeadsToOthers(table.family)) {
      TellFound(parts, kDamagedTable, Object(), Uid(), NameOf(table),
                {false,
                 "who and what there is stands in it: what cannot be read may be missed, and "
                 "no file is taken out. Make this node anew"});
    }
  }
  const bool healed = *parts.left == 0;
  for (const Engine::Table& table : tables) {
    if (!LeadsToOthers(table.family)) {
      TRY(EmptyAndTell(parts, table, healed));
    }
  }
  return OkStatus();
}

}  // namespace twinspool::store
