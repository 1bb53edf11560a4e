#include "server/store/commit_news.h"

#include <iterator>

#include "server/store/access.h"
#include "server/store/annotations.h"
#include "server/store/apply.h"

namespace twinspool::store {
namespace {

template <typename T>
void MoveBehind(std::vector<T>&& from, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void CommitNews::Add(const proto::UserChanges& changes) {
  const UserId user = UserId::FromBytes(changes.user_id());
  bool listing = false;
  for (const proto::ChangeItem& item : changes.items()) {
    const MailboxId mailbox = ItemMailbox(item);
    if (!mailbox.nil() && (mailboxes.empty() || mailboxes.back() != std::pair(user, mailbox))) {
      mailboxes.emplace_back(user, mailbox);
    }
    listing = listing || item.has_mailbox() || item.has_user() ||
              (item.has_misc() && item.misc().kind() == proto::MiscItem::SUBSCRIPTION);
    if (item.has_misc()) {
      AddMisc(user, item.misc());
    }
  }
  if (listing) {
    listings.push_back(user);
  }
}

void CommitNews::AddMisc(UserId user, const proto::MiscItem& item) {
  const std::optional<MailboxId> mailbox = MailboxOfMiscKey(item.key());
  if (item.kind() == proto::MiscItem::ACL) {
    granting.push_back(user);
  } else if (item.kind() == proto::MiscItem::SEEN_PAGE && mailbox) {
    // Some viewer's own: nothing that the owner would be told of.
    viewed.push_back(*mailbox);
  } else if (item.kind() == proto::MiscItem::ANNOTATION && mailbox) {
    const auto entry = VisibleEntry({user, *mailbox}, item.key().substr(MailboxId::kSize));
    if (entry) {
      annotations.push_back({user, *mailbox, *entry});
    }
  }
}

void CommitNews::Append(CommitNews&& other) {
  MoveBehind(std::move(other.mailboxes), &mailboxes);
  MoveBehind(std::move(other.listings), &listings);
  MoveBehind(std::move(other.annotations), &annotations);
  MoveBehind(std::move(other.granting), &granting);
  MoveBehind(std::move(other.viewed), &viewed);
}

}  // namespace twinspool::store
