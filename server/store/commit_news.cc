#include "server/store/commit_news.h"

#include <iterator>

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
    if (item.has_misc() && item.misc().kind() == proto::MiscItem::ANNOTATION) {
      // The key: annotations.h.
      const std::string& key = item.misc().key();
      annotations.push_back({user, MailboxId::FromBytes(key.substr(0, MailboxId::kSize)),
                             key.substr(MailboxId::kSize)});
    }
  }
  if (listing) {
    listings.push_back(user);
  }
}

void CommitNews::Append(CommitNews&& other) {
  MoveBehind(std::move(other.mailboxes), &mailboxes);
  MoveBehind(std::move(other.listings), &listings);
  MoveBehind(std::move(other.annotations), &annotations);
}

}  // namespace twinspool::store
