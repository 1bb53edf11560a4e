// Writes about mailboxes as a whole: names, annotations, rights; and quota.
#include <utility>

#include "server/store/annotations.h"
#include "server/store/credentials.h"
#include "server/store/local_mail_store.h"
#include "server/store/local_mail_store_inl.h"
#include "server/store/mailbox_ops.h"
#include "server/store/names.h"
#include "server/store/visibility.h"
#include "server/store/write_calls.h"

namespace twinspool::store {

Result<std::string> LocalMailStore::LookupName(std::string_view name) const {
  ASSIGN_OR_RETURN(std::string canonical, CanonicalMailboxName(name));
  ASSIGN_OR_RETURN(const auto foreign, ParseForeignName(canonical));
  if (!foreign || foreign->owner.empty()) {
    return canonical;
  }
  ASSIGN_OR_RETURN(const std::string owner, credentials_.FoldName(foreign->owner));
  return ForeignNameText(foreign->shared, owner, foreign->name);
}

Result<LocalMailStore::Place> LocalMailStore::PlaceOf(UserId user, std::string_view name) {
  ASSIGN_OR_RETURN(const std::string canonical, LookupName(name));
  ASSIGN_OR_RETURN(const auto foreign, ParseForeignName(canonical));
  if (!foreign) {
    return Place{user, canonical, UserId()};
  }
  ASSIGN_OR_RETURN(const Held held, Hold());
  StoreReader reader(path_.engine, pages_, held.view->snapshot.get(), nullptr);
  ASSIGN_OR_RETURN(const UserId owner, reader.OwnerOf(*foreign));
  return Place{owner, foreign->name, owner == user ? UserId() : user};
}

namespace {

/// Runs `change` with a writer for the mailboxes of `owner`.
template <typename T, typename Fn>
void NamesTxn(const WritePath& path, UserId owner, UserId viewer, const Done<T>& done, Fn change) {
  RunTxn<T>(path, owner, Admission::kSmall, done, [&](StoreTxn& txn) -> Result<T> {
    MailboxWriter writer(txn, path.random, owner, viewer);
    return change(writer);
  });
}

Result<Unit> ToUnit(const Status& status) {
  return status.ok() ? Result<Unit>(Unit{}) : Result<Unit>(status);
}

}  // namespace

void LocalMailStore::CreateMailbox(UserId user, std::string name, SpecialUse use,
                                   Done<MailboxState> done) {
  PostWrite<MailboxState>(std::move(done), [this, user, use,
                                            name = std::move(name)](const Done<MailboxState>& end) {
    const Result<Place> place = PlaceOf(user, name);
    if (!place.ok()) {
      return end(place.status());
    }
    NamesTxn<MailboxState>(path_, place->owner, place->viewer, end,
                           [&](MailboxWriter& writer) -> Result<MailboxState> {
                             ASSIGN_OR_RETURN(MailboxState made, writer.Create(place->name, use));
                             made.ref.viewer = place->viewer;
                             return made;
                           });
  });
}

void LocalMailStore::DeleteMailbox(UserId user, std::string name, Done<Unit> done) {
  PostWrite<Unit>(std::move(done), [this, user, name = std::move(name)](const Done<Unit>& end) {
    const Result<Place> place = PlaceOf(user, name);
    if (!place.ok()) {
      return end(place.status());
    }
    NamesTxn<Unit>(path_, place->owner, place->viewer, end, [&](MailboxWriter& writer) {
      return ToUnit(writer.Delete(place->name, options_.delete_with_children));
    });
  });
}

void LocalMailStore::RenameMailbox(UserId user, std::string from, std::string to, Done<Unit> done) {
  PostWrite<Unit>(std::move(done), [this, user, from = std::move(from),
                                    to = std::move(to)](const Done<Unit>& end) {
    const Result<Place> target = PlaceOf(user, to);
    if (!target.ok()) {
      return end(target.status());
    }
    const Result<Place> source = PlaceOf(user, from);
    if (!source.ok()) {
      return end(source.status().Is(Code::kFenced) || source.status().Is(Code::kUnavailable)
                     ? source.status()
                     : NotFound("no mailbox of this name"));
    }
    if (source->owner != target->owner) {
      return end(PermissionDenied("a mailbox stays with its owner; copy its messages"));
    }
    NamesTxn<Unit>(path_, source->owner, source->viewer, end, [&](MailboxWriter& writer) {
      return ToUnit(writer.Rename(source->name, target->name));
    });
  });
}

void LocalMailStore::Subscribe(UserId user, std::string name, bool subscribed, Done<Unit> done) {
  PostWrite<Unit>(std::move(done),
                  [this, user, subscribed, name = std::move(name)](const Done<Unit>& end) {
                    const Result<std::string> canonical = LookupName(name);
                    if (!canonical.ok()) {
                      return end(canonical.status());
                    }
                    NamesTxn<Unit>(path_, user, UserId(), end, [&](MailboxWriter& writer) {
                      return ToUnit(writer.Subscribe(*canonical, subscribed));
                    });
                  });
}

// --- annotations, rights, quota

void LocalMailStore::GetAnnotations(MailboxRef mailbox, Done<std::vector<Annotation>> done) {
  PostRead<std::vector<Annotation>>(
      std::move(done), [mailbox](StoreReader& reader) { return reader.Annotations(mailbox); });
}

void LocalMailStore::SetAnnotations(MailboxRef mailbox, std::vector<Annotation> changes,
                                    Done<Unit> done) {
  PostWrite<Unit>(std::move(done),
                  [this, mailbox, changes = std::move(changes)](const Done<Unit>& end) {
                    RunTxn<Unit>(path_, mailbox.owner, Admission::kSmall, end, [&](StoreTxn& txn) {
                      return ToUnit(store::SetAnnotations(txn, mailbox, changes));
                    });
                  });
}

void LocalMailStore::SetSpecialUse(UserId user, MailboxId mailbox, SpecialUse use,
                                   std::vector<Annotation> changes, Done<Unit> done) {
  PostWrite<Unit>(std::move(done), [this, user, mailbox, use,
                                    changes = std::move(changes)](const Done<Unit>& end) {
    RunTxn<Unit>(path_, user, Admission::kSmall, end, [&](StoreTxn& txn) -> Result<Unit> {
      TRY(store::SetAnnotations(txn, {user, mailbox}, changes));
      TRY(MailboxWriter(txn, path_.random, user).SetUse(mailbox, use));
      return Unit{};
    });
  });
}

void LocalMailStore::GetAcl(MailboxRef mailbox, Done<std::vector<AclEntry>> done) {
  PostRead<std::vector<AclEntry>>(std::move(done),
                                  [mailbox](StoreReader& reader) { return reader.Acl(mailbox); });
}

Result<AclSubject> LocalMailStore::SubjectOf(std::string_view identifier, UserId owner) {
  AclSubject subject;
  if (identifier.starts_with('-')) {
    subject.denied = true;
    identifier.remove_prefix(1);
  }
  ASSIGN_OR_RETURN(const std::string name, credentials_.FoldName(identifier));
  if (name == "anyone") {
    return subject;
  }
  ASSIGN_OR_RETURN(const Held held, Hold());
  StoreReader reader(path_.engine, pages_, held.view->snapshot.get(), nullptr);
  ASSIGN_OR_RETURN(subject.user, reader.FindUser(name));
  if (!subject.user) {
    return InvalidArgument("there is no user named " + name);
  }
  if (*subject.user == owner) {
    return InvalidArgument("the owner of a mailbox has all rights to it");
  }
  return subject;
}

void LocalMailStore::SetAcl(MailboxRef mailbox, std::string identifier, RightsChange change,
                            Rights rights, Done<Unit> done) {
  PostWrite<Unit>(std::move(done), [this, mailbox, identifier = std::move(identifier), change,
                                    rights](const Done<Unit>& end) {
    const Result<AclSubject> subject = SubjectOf(identifier, mailbox.owner);
    if (!subject.ok()) {
      return end(subject.status());
    }
    RunTxn<Unit>(path_, mailbox.owner, Admission::kSmall, end, [&](StoreTxn& txn) {
      return ToUnit(ChangeAcl(txn, mailbox, *subject, change, rights));
    });
  });
}

void LocalMailStore::GetQuota(UserId owner, Done<QuotaState> done) {
  ReadInline<QuotaState>(std::move(done), [this, owner](StoreReader& reader) {
    return reader.Quota(owner, path_.default_quota);
  });
}

}  // namespace twinspool::store
