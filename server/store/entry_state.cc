#include "server/store/entry_state.h"

namespace twinspool::store {

proto::EntryState ToState(const PageEntry& entry) {
  proto::EntryState state;
  state.set_flags(entry.flags);
  state.set_state(entry.state);
  state.set_keywords(entry.keywords);
  state.set_updated_s(entry.updated_s);
  state.set_tail(entry.tail);
  return state;
}

PageEntry ToPageEntry(Uid uid, const proto::EntryState& state, std::uint64_t modseq) {
  PageEntry entry;
  entry.uid_low = static_cast<std::uint8_t>(uid.value() & 0xff);
  entry.state = static_cast<std::uint8_t>(state.state());
  entry.flags = static_cast<std::uint8_t>(state.flags());
  entry.modseq = Modseq(modseq);
  entry.updated_s = state.updated_s();
  entry.keywords = state.keywords();
  while (!entry.keywords.empty() && entry.keywords.back() == '\0') {
    entry.keywords.pop_back();
  }
  entry.tail = state.tail();
  return entry;
}

}  // namespace twinspool::store
