#include "server/store/text_pages.h"

#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>

#include <sys/resource.h>

#include "common/limits.h"
#include "server/mime/text.h"
#include "server/mime/text_page.h"
#include "server/store/disk_policy.h"
#include "server/store/engine.h"
#include "server/store/fact_page.h"
#include "server/store/row_batch.h"
#include "server/store/row_view.h"

namespace twinspool::store {
namespace {

/// Mailboxes of which it is remembered how far they are packed.
constexpr std::size_t kPackedMax = 4096;
constexpr int kNice = 10;

/// Makes one page: all its columns, of messages whose records and texts can be had.
class PageMaker {
 public:
  PageMaker(Engine& engine, TextPages& pages, UserId user)
      : engine_(engine), pages_(pages), user_(user) {}

  Status Add(Uid uid, const MessageRecord& record) {
    const auto summary = pages_.summaries().Get(user_, {record.body}, nullptr);
    if (summary.front().ok()) {
      facts_.Add(uid, record, pages_.summaries().Head(*summary.front()));
    }
    std::optional<std::string> text = pages_.TextOf(user_, record.body);
    const bool kept = text.has_value();
    if (!kept) {
      ASSIGN_OR_RETURN(const auto octets, ReadWholeBody(engine_, user_, record.body, nullptr));
      if (!octets) {
        return OkStatus();
      }
      text = mime::FoldedText(*octets);
    }
    if (text->size() <= limits::kPackedTextBytesMax) {
      texts_.Add(uid.value(), *text);
      batch_.Delete(Family::kTexts, BodyTextKey(user_, record.body));
    } else if (!kept) {
      batch_.Put(Family::kTexts, BodyTextKey(user_, record.body), mime::KeepText(*text));
    }
    return OkStatus();
  }

  RowBatch Take(MailboxId mailbox, std::uint32_t page) {
    auto columns = texts_.Take();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      batch_.Put(Family::kTexts, TextPageKey(mailbox, kTextKinds[i], page), std::move(columns[i]));
    }
    batch_.Put(Family::kTexts, TextPageKey(mailbox, kFactsKind, page), facts_.Take());
    return std::move(batch_);
  }

 private:
  Engine& engine_;
  TextPages& pages_;
  const UserId user_;
  mime::TextPageWriter texts_;
  FactPageWriter facts_;
  RowBatch batch_;
};

KeyRange RecordsFrom(MailboxId mailbox, std::uint32_t page) {
  return {RecordKey(mailbox, Uid(page << kPageBits)), PrefixEnd(mailbox.bytes())};
}

}  // namespace

static_assert(kTextKinds.size() == mime::kTextColumns);

TextPages::TextPages(Engine& engine, DiskPolicy& disk, SummaryCache& summaries)
    : engine_(engine),
      disk_(disk),
      summaries_(summaries),
      pool_("derive", 1, limits::kDerivedWaitingMax) {
  // Whoever waits for an answer goes first.
  (void)pool_.TryPost(
      [] { static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice)); });
}

void TextPages::Stop() {
  stopping_ = true;
  pool_.Stop();
}

void TextPages::Settle() {
  const auto settled = std::make_shared<std::promise<void>>();
  if (pool_.TryPost([settled] { settled->set_value(); })) {
    settled->get_future().wait();
  }
}

bool TextPages::Later(std::function<void()> work) {
  return pool_.TryPost([this, work = std::move(work)] {
    if (!stopping_) {
      work();
    }
  });
}

bool TextPages::MayWrite() {
  return disk_.Admit(Admission::kBodies).ok();
}

// --- reading

std::optional<std::vector<std::string>> TextPages::Read(MailboxId mailbox, std::uint32_t page,
                                                        std::string_view kinds) {
  std::vector<std::string> columns;
  for (const char kind : kinds) {
    // A row that cannot be read is as good as none.
    auto row = engine_.Get(Family::kTexts, TextPageKey(mailbox, kind, page));
    if (!row.ok() || !*row) {
      return std::nullopt;
    }
    columns.push_back(std::move(**row));
  }
  return columns;
}

std::optional<std::string> TextPages::TextOf(UserId user, BodyNo body) {
  const auto row = engine_.Get(Family::kTexts, BodyTextKey(user, body));
  std::string_view text;
  if (!row.ok() || !*row || !mime::KeptText(**row, &text)) {
    return std::nullopt;
  }
  return std::string(text);
}

// --- making

void TextPages::Keep(UserId user, const std::vector<std::pair<BodyNo, std::string>>& texts,
                     std::uint64_t removals) {
  if (texts.empty() || !MayWrite()) {
    return;
  }
  RowBatch batch;
  for (const auto& [body, text] : texts) {
    batch.Put(Family::kTexts, BodyTextKey(user, body), mime::KeepText(text));
  }
  // What cannot be kept is made again next time; a disk that fails speaks up at the next write.
  (void)engine_.WriteDerived(batch, removals);
}

void TextPages::Arrived(UserId user, BodyNo body) {
  (void)Later([this, user, body] { MakeOf(user, body); });
}

void TextPages::MakeOf(UserId user, BodyNo body) {
  const std::uint64_t removals = engine_.removals();
  RowBatch batch;
  const bool summary = summaries_.Has(user, body);
  const bool text = TextOf(user, body).has_value();
  if (MayWrite() && (!summary || !text)) {
    const auto octets = ReadWholeBody(engine_, user, body, nullptr);
    if (!octets.ok() || !*octets) {
      return;
    }
    if (!summary) {
      summaries_.Add(user, body, **octets, &batch);
    }
    if (!text) {
      batch.Put(Family::kTexts, BodyTextKey(user, body),
                mime::KeepText(mime::FoldedText(**octets)));
    }
    (void)engine_.WriteDerived(batch, removals);
  }
  const std::string prefix = RefPrefix(user, body);
  RowIterator it = engine_.Iterate(Family::kRefs, KeyRange::Prefix(prefix));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const std::string_view message = it.key().substr(prefix.size());
    if (const std::optional<Uid> uid = UidOfRecordKey(message)) {
      PackBefore(MailboxId::FromBytes(message.substr(0, MailboxId::kSize)),
                 uid->value() >> kPageBits);
    }
  }
}

/// Packs what is complete before `page` and behind the last page that is packed.
void TextPages::PackBefore(MailboxId mailbox, std::uint32_t page) {
  if (packed_.size() > kPackedMax) {
    packed_.clear();
  }
  const auto [known, added] = packed_.try_emplace(mailbox, 0);
  if (added) {
    RowIterator it = engine_.Iterate(Family::kTexts, {TextPageKey(mailbox, kFactsKind, 0),
                                                      TextPageKey(mailbox, kFactsKind, page)});
    it.SeekToLast();
    known->second = it.Valid() ? PageOfTextPageKey(it.key()).value_or(0) + 1 : 0;
  }
  for (std::uint32_t made = 0; known->second < page && made < limits::kTextPagesPerArrival;
       ++made) {
    RowIterator it = engine_.Iterate(Family::kRecords, RecordsFrom(mailbox, known->second));
    it.SeekToFirst();
    const std::optional<Uid> uid = it.Valid() ? UidOfRecordKey(it.key()) : std::nullopt;
    const std::uint32_t next = uid ? std::min(uid->value() >> kPageBits, page) : page;
    if (next < page && !Pack(mailbox, next).ok()) {
      return;
    }
    known->second = std::min(next + 1, page);
  }
}

void TextPages::PackLater(MailboxId mailbox, std::uint32_t page) {
  const std::pair<MailboxId, std::uint32_t> which(mailbox, page);
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= limits::kDerivedWaitingMax || !waiting_.insert(which).second) {
      return;
    }
  }
  const bool taken = Later([this, which] {
    (void)Pack(which.first, which.second);
    const std::lock_guard lock(mutex_);
    waiting_.erase(which);
  });
  if (!taken) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(which);
  }
}

Status TextPages::Pack(MailboxId mailbox, std::uint32_t page) {
  const std::uint64_t removals = engine_.removals();
  ASSIGN_OR_RETURN(const auto row, RowView(engine_).MailboxRowOf(mailbox));
  if (!row || !Complete(page, Uid(row->uid_next)) || !MayWrite()) {
    return OkStatus();
  }
  PageMaker maker(engine_, *this, row->owner);
  RowIterator it =
      engine_.Iterate(Family::kRecords, {RecordKey(mailbox, Uid(page << kPageBits)),
                                         RecordKey(mailbox, Uid(page << kPageBits | 0xff)) + '\0'});
  bool any = false;
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const std::optional<Uid> uid = UidOfRecordKey(it.key());
    ASSIGN_OR_RETURN(const MessageRecord record, ParseRecord(it.value()));
    if (uid) {
      TRY(maker.Add(*uid, record));
      any = true;
    }
  }
  TRY(it.status());
  return any ? engine_.WriteDerived(maker.Take(mailbox, page), removals) : OkStatus();
}

}  // namespace twinspool::store
