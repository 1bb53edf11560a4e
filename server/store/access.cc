#include "server/store/access.h"

#include <utility>

#include "common/limits.h"
#include "server/store/annotations.h"
#include "server/store/mailbox_ops.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {
namespace {

constexpr char kUserSubject = 'u';
constexpr char kAnyoneSubject = 'a';
constexpr char kDenied = '-';

std::string SubjectKey(const AclSubject& subject) {
  std::string key(subject.denied ? 1 : 0, kDenied);
  key += subject.user ? kUserSubject : kAnyoneSubject;
  if (subject.user) {
    key.append(subject.user->bytes());
  }
  return key;
}

/// Rights of one row; none where there is no such row.
Result<Rights> RightsOfRow(const MailboxRef& mailbox, const AclSubject& subject,
                           const MiscGetter& get) {
  ASSIGN_OR_RETURN(const auto row,
                   get(MiscKey(mailbox.owner, proto::MiscItem::ACL, AclKey(mailbox.id, subject))));
  if (!row) {
    return Rights{0};
  }
  ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(*row));
  return misc.deleted ? Result<Rights>(Rights{0}) : ParseRights(misc.value);
}

MiscGetter GetterOf(StoreTxn& txn, UserId owner) {
  return
      [&txn, owner](const std::string& key) { return txn.edit().Row(owner, Family::kMisc, key); };
}

Status PutLine(StoreTxn& txn, UserId owner, std::string key, Rights rights) {
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(owner));
  proto::MiscItem* item = txn.Add(owner)->mutable_misc();
  item->set_kind(proto::MiscItem::ACL);
  item->set_key(std::move(key));
  item->set_modseq(modseq.value());
  item->set_deleted(rights == 0);
  item->set_value(rights == 0 ? EncodeDeletedAt(txn.now_s()) : RightsText(rights));
  return OkStatus();
}

Status ScanAcl(StoreTxn& txn, UserId owner, MailboxId mailbox,
               const std::function<void(const AclLine&)>& fn) {
  const std::string prefix = MiscKey(owner, proto::MiscItem::ACL, mailbox.bytes());
  return txn.edit().ScanRows(owner, Family::kMisc, prefix,
                             [&](std::string_view key, std::string_view row) {
                               const auto line = AclLineOf(key.substr(UserId::kSize + 1), row);
                               if (line) {
                                 fn(*line);
                               }
                               return true;
                             });
}

}  // namespace

std::string AclKey(MailboxId mailbox, const AclSubject& subject) {
  return std::string(mailbox.bytes()) + SubjectKey(subject);
}

std::optional<AclSubject> SubjectOfAclKey(std::string_view key) {
  if (key.size() <= MailboxId::kSize) {
    return std::nullopt;
  }
  key.remove_prefix(MailboxId::kSize);
  AclSubject subject;
  if (key.front() == kDenied) {
    subject.denied = true;
    key.remove_prefix(1);
  }
  if (key == std::string_view(&kAnyoneSubject, 1)) {
    return subject;
  }
  if (key.size() != 1 + UserId::kSize || key.front() != kUserSubject) {
    return std::nullopt;
  }
  subject.user = UserId::FromBytes(key.substr(1));
  return subject;
}

std::optional<MailboxId> MailboxOfMiscKey(std::string_view key) {
  if (key.size() < MailboxId::kSize) {
    return std::nullopt;
  }
  return MailboxId::FromBytes(key.substr(0, MailboxId::kSize));
}

std::optional<AclLine> AclLineOf(std::string_view key, std::string_view row) {
  const auto subject = SubjectOfAclKey(key);
  const Result<MiscRow> misc = DecodeMiscRow(row);
  if (!subject || !misc.ok() || misc->deleted) {
    return std::nullopt;
  }
  const Result<Rights> rights = ParseRights(misc->value);
  return rights.ok() ? std::optional(AclLine{*subject, *rights}) : std::nullopt;
}

Result<Rights> RightsTo(const MailboxRef& mailbox, const MiscGetter& get) {
  if (mailbox.own()) {
    return kRightsAll;
  }
  Rights given = 0;
  Rights denied = 0;
  for (const std::optional<UserId>& user :
       {std::optional(mailbox.viewer), std::optional<UserId>()}) {
    ASSIGN_OR_RETURN(const Rights to_have, RightsOfRow(mailbox, {user, false}, get));
    ASSIGN_OR_RETURN(const Rights to_lack, RightsOfRow(mailbox, {user, true}, get));
    given = static_cast<Rights>(given | to_have);
    denied = static_cast<Rights>(denied | to_lack);
  }
  return static_cast<Rights>(given & ~denied);
}

Result<bool> HasOwnSeen(const MailboxRef& mailbox, const MiscGetter& get) {
  if (mailbox.own()) {
    return false;
  }
  ASSIGN_OR_RETURN(const auto row, get(MiscKey(mailbox.owner, proto::MiscItem::ANNOTATION,
                                               AnnotationKey(mailbox.id, kSharedSeenEntry))));
  if (!row) {
    return true;
  }
  ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(*row));
  return misc.deleted || misc.value != "true";
}

Result<Rights> RightsIn(StoreTxn& txn, const MailboxRef& mailbox) {
  return RightsTo(mailbox, GetterOf(txn, mailbox.owner));
}

Result<const HeadMailbox*> OpenMailbox(StoreTxn& txn, const MailboxRef& mailbox, Rights needed) {
  ASSIGN_OR_RETURN(const Rights rights, RightsIn(txn, mailbox));
  if (rights == 0) {
    return NotFound("the mailbox does not exist (any more)");
  }
  if ((rights & needed) != needed) {
    return PermissionDenied("this takes the right \"" +
                            RightsText(static_cast<Rights>(needed & ~rights)) +
                            "\" to the mailbox; its owner can give it");
  }
  return LiveMailbox(txn, mailbox);
}

SystemFlags FlagsAllowedBy(Rights rights) {
  SystemFlags flags = 0;
  flags |= (rights & kRightSeen) != 0 ? kSeen : 0;
  flags |= (rights & kRightDeleteMessages) != 0 ? kDeleted : 0;
  flags |= (rights & kRightWrite) != 0 ? kAnswered | kFlagged | kDraft : 0;
  return flags;
}

Status ChangeAcl(StoreTxn& txn, const MailboxRef& mailbox, const AclSubject& subject,
                 RightsChange change, Rights rights) {
  TRY(OpenMailbox(txn, mailbox, kRightAdminister).status());
  Rights now = 0;
  std::size_t lines = 0;
  TRY(ScanAcl(txn, mailbox.owner, mailbox.id, [&](const AclLine& line) {
    ++lines;
    now = line.subject == subject ? line.rights : now;
  }));
  const Rights next = change == RightsChange::kReplace ? rights
                      : change == RightsChange::kAdd   ? static_cast<Rights>(now | rights)
                                                       : static_cast<Rights>(now & ~rights);
  if (next == now) {
    return OkStatus();
  }
  if (now == 0 && lines >= limits::kAclEntriesMax) {
    return LimitExceeded("the access control list of the mailbox is full");
  }
  return PutLine(txn, mailbox.owner, AclKey(mailbox.id, subject), next);
}

Status InheritAcl(StoreTxn& txn, UserId owner, MailboxId from, MailboxId to) {
  std::vector<AclLine> lines;
  TRY(ScanAcl(txn, owner, from, [&](const AclLine& line) { lines.push_back(line); }));
  for (const AclLine& line : lines) {
    TRY(PutLine(txn, owner, AclKey(to, line.subject), line.rights));
  }
  return OkStatus();
}

}  // namespace twinspool::store
