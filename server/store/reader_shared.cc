// What a user sees of others: names, rights, \Seen of his own; annotations, access control lists,
// quota.
#include <algorithm>
#include <map>

#include "common/codec.h"
#include "server/store/access.h"
#include "server/store/annotations.h"
#include "server/store/engine.h"
#include "server/store/quota.h"
#include "server/store/reader.h"

namespace twinspool::store {

Result<proto::UserHeader> StoreReader::LiveHeader(UserId user) {
  ASSIGN_OR_RETURN(const auto row, Get(Family::kUsers, UserKey(user)));
  if (!row) {
    return NotFound("no such user");
  }
  ASSIGN_OR_RETURN(const VersionedBytes versioned, DecodeVersioned(*row));
  proto::UserHeader header;
  if (!header.ParseFromString(versioned.bytes)) {
    return DataLoss("the header of user " + user.ToHex() + " does not parse");
  }
  if (header.deleted_ns() != 0) {
    return NotFound("no such user");
  }
  return header;
}

Result<ViewerSeen> StoreReader::ReadSeen(MailboxRef mailbox) {
  ASSIGN_OR_RETURN(const bool own_seen, HasOwnSeen(mailbox, [this](const std::string& key) {
                     return Get(Family::kMisc, key);
                   }));
  if (!own_seen) {
    return ViewerSeen();
  }
  ViewerSeen seen = ViewerSeen::OfViewer();
  const std::string prefix =
      MiscKey(mailbox.owner, proto::MiscItem::SEEN_PAGE, SeenPrefix(mailbox.id, mailbox.viewer));
  RowIterator it =
      engine_.Iterate(Family::kMisc, KeyRange::Prefix(prefix), snapshot_, cached_only_);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    Reader page(it.key().substr(prefix.size()));
    ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(it.value()));
    TRY(seen.Add(page.Be32(), row));
  }
  TRY(it.status());
  return seen;
}

Status StoreReader::LookAs(MailboxRef mailbox, Rights rights, Loaded* loaded) {
  MailboxState& state = loaded->state;
  ASSIGN_OR_RETURN(const proto::UserHeader owner, LiveHeader(mailbox.owner));
  state.name = ForeignNameText(owner.kind() == proto::UserHeader::SHARED, owner.name(), state.name);
  state.rights = rights;
  state.use = 0;  // what the owner uses it for
  if ((rights & kRightRead) == 0) {
    state.exists = state.unseen = state.deleted = 0;
    state.bytes = 0;
    return OkStatus();
  }
  ASSIGN_OR_RETURN(loaded->seen, ReadSeen(mailbox));
  state.highest_modseq = std::max(state.highest_modseq, loaded->seen.highest());
  return OkStatus();
}

Result<StoreReader::Loaded> StoreReader::Load(MailboxRef mailbox, Rights needed) {
  if (mailbox.own()) {
    return LoadOwn(mailbox);
  }
  // A session may outlive its user: whom nobody is any more, nothing is given.
  TRY(LiveHeader(mailbox.viewer).status());
  ASSIGN_OR_RETURN(const Rights rights, RightsTo(mailbox, [this](const std::string& key) {
                     return Get(Family::kMisc, key);
                   }));
  if (rights == 0) {
    return NotFound("the mailbox does not exist");
  }
  ASSIGN_OR_RETURN(Loaded loaded, LoadOwn(mailbox));
  if ((rights & needed) != needed) {
    return PermissionDenied("this takes the right \"" +
                            RightsText(static_cast<Rights>(needed & ~rights)) +
                            "\" to the mailbox; its owner can give it");
  }
  TRY(LookAs(mailbox, rights, &loaded));
  return loaded;
}

Result<UserId> StoreReader::OwnerOf(const ForeignName& name) {
  if (!name.owner.empty()) {
    ASSIGN_OR_RETURN(const auto owner, FindUser(name.owner));
    if (owner) {
      ASSIGN_OR_RETURN(const proto::UserHeader header, LiveHeader(*owner));
      if ((header.kind() == proto::UserHeader::SHARED) == name.shared) {
        return *owner;
      }
    }
  }
  return NotFound("no mailbox of this name");
}

Result<MailboxState> StoreReader::FindForeign(UserId viewer, const ForeignName& name) {
  ASSIGN_OR_RETURN(const UserId owner, OwnerOf(name));
  ASSIGN_OR_RETURN(const MailboxId id, FindOwn(owner, name.name));
  return GetState({owner, id, viewer});
}

Status StoreReader::ListForeign(UserId user, const std::set<GrantedMailbox>& others,
                                std::map<std::string, MailboxListing>* lines) {
  for (const auto& [owner, mailbox] : others) {
    const Result<Loaded> loaded = Load({owner, mailbox, user}, kRightLookup);
    if (loaded.ok()) {
      const MailboxState& state = loaded->state;
      (*lines)[state.name] = {
          .id = mailbox, .name = state.name, .owner = owner, .rights = state.rights};
    } else if (!loaded.status().Is(Code::kNotFound) &&
               !loaded.status().Is(Code::kPermissionDenied)) {
      return loaded.status();
    }
  }
  return OkStatus();
}

Result<std::vector<Annotation>> StoreReader::Annotations(MailboxRef mailbox) {
  if (!mailbox.id.nil()) {
    TRY(Load(mailbox, kRightRead).status());
  }
  const std::string prefix =
      MiscKey(mailbox.owner, proto::MiscItem::ANNOTATION, AnnotationKey(mailbox.id, ""));
  std::vector<Annotation> annotations;
  RowIterator misc = engine_.Iterate(Family::kMisc, KeyRange::Prefix(prefix), snapshot_);
  for (misc.SeekToFirst(); misc.Valid(); misc.Next()) {
    ASSIGN_OR_RETURN(MiscRow row, DecodeMiscRow(misc.value()));
    const auto entry = VisibleEntry(mailbox, misc.key().substr(prefix.size()));
    if (entry && !row.deleted) {
      annotations.push_back({*entry, std::move(row.value)});
    }
  }
  TRY(misc.status());
  std::sort(annotations.begin(), annotations.end(),
            [](const Annotation& a, const Annotation& b) { return a.entry < b.entry; });
  return annotations;
}

Result<std::vector<AclEntry>> StoreReader::Acl(MailboxRef mailbox) {
  TRY(Load(mailbox, kRightAdminister).status());
  const std::string prefix = MiscKey(mailbox.owner, proto::MiscItem::ACL, mailbox.id.bytes());
  std::vector<AclEntry> entries;
  RowIterator it = engine_.Iterate(Family::kMisc, KeyRange::Prefix(prefix), snapshot_);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const auto line = AclLineOf(it.key().substr(UserId::kSize + 1), it.value());
    if (!line) {
      continue;
    }
    std::string name = "anyone";
    if (line->subject.user) {
      const Result<proto::UserHeader> header = LiveHeader(*line->subject.user);
      if (!header.ok()) {
        continue;  // a user who is gone
      }
      name = header->name();
    }
    entries.push_back({(line->subject.denied ? "-" : "") + name, line->rights});
  }
  TRY(it.status());
  std::sort(entries.begin(), entries.end(),
            [](const AclEntry& a, const AclEntry& b) { return a.identifier < b.identifier; });
  return entries;
}

Result<QuotaState> StoreReader::Quota(UserId owner, const QuotaLimits& by_default) {
  ASSIGN_OR_RETURN(const proto::UserHeader header, LiveHeader(owner));
  QuotaState quota;
  quota.root = header.name();
  ASSIGN_OR_RETURN(const auto state, Get(Family::kUsers, UserStateKey(owner)));
  if (state) {
    ASSIGN_OR_RETURN(const UserState counts, DecodeUserState(*state));
    quota.bytes = counts.bytes;
    quota.messages = counts.messages;
  }
  QuotaLimits limits = header.kind() == proto::UserHeader::PERSON ? by_default : QuotaLimits{};
  ASSIGN_OR_RETURN(const auto row,
                   Get(Family::kMisc, MiscKey(owner, proto::MiscItem::QUOTA_ROOT, "")));
  if (row) {
    ASSIGN_OR_RETURN(const auto own, DecodeQuotaRow(*row));
    limits = own.value_or(limits);
  }
  quota.bytes_max = limits.bytes;
  quota.messages_max = limits.messages;
  return quota;
}

}  // namespace twinspool::store
