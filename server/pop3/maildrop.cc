#include "server/pop3/maildrop.h"

#include <algorithm>

#include "common/limits.h"

namespace twinspool::pop3 {

bool Maildrop::Add(Uid uid, std::uint64_t size) {
  if (messages_.size() >= limits::kPop3MessagesMax) {
    return false;
  }
  Message message;
  message.uid = uid;
  message.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, UINT32_MAX));
  messages_.push_back(message);
  ++count_;
  octets_ += message.size;
  return true;
}

void Maildrop::Delete(std::size_t index) {
  Message& message = messages_[index];
  if (!message.deleted) {
    message.deleted = true;
    --count_;
    octets_ -= message.size;
  }
}

void Maildrop::Reset() {
  for (Message& message : messages_) {
    if (message.deleted) {
      message.deleted = false;
      ++count_;
      octets_ += message.size;
    }
  }
}

UidSet Maildrop::Deleted() const {
  UidSet uids;
  for (const Message& message : messages_) {
    if (message.deleted) {
      uids.Add(message.uid);
    }
  }
  return uids;
}

UidSet Maildrop::Retrieved() const {
  UidSet uids;
  for (const Message& message : messages_) {
    if (message.retrieved && !message.deleted) {
      uids.Add(message.uid);
    }
  }
  return uids;
}

std::string Maildrop::UniqueId(std::size_t index) const {
  return std::to_string(validity_.value()) + "." + std::to_string(messages_[index].uid.value());
}

}  // namespace twinspool::pop3
