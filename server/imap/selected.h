// SelectedView: what one session has been told about its selected mailbox.
//
// IMAP sequence numbers belong to a session, not to a mailbox: they move only when this session is
// told of an EXPUNGE (RFC 3501 §7.4.1), and that may not happen while a FETCH, STORE or SEARCH by
// sequence number is answered (§5.5). So the view is frozen between two syncs: it knows which UID
// stands at which number, which expunges are known but not told yet, and up to which modseq the
// client knows everything (RFC 7162 §3.1.2.1: a HIGHESTMODSEQ above an untold change would make
// the client's cache skip that change).
//
// It knows nothing of flags: the mailbox's index does. It does no I/O and writes no response.
// Memory is by runs of UIDs, so a mailbox without holes costs the same at any size.
// Thread-compatible.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/types.h"
#include "common/uid_set.h"
#include "server/mail_store.h"

namespace twinspool::imap {

/// Expunges to tell now.
struct ExpungeNews {
  UidSet uids;                         // for VANISHED
  std::vector<std::uint32_t> numbers;  // for EXPUNGE, falling, so that each is right when sent
};

class SelectedView {
 public:
  SelectedView(MailboxRef ref, bool read_only) : ref_(ref), read_only_(read_only) {}

  const MailboxRef& ref() const { return ref_; }
  bool read_only() const { return read_only_; }
  /// Of this session's user, as of Load.
  Rights rights() const { return rights_; }

  // --- opening

  /// Takes the next batch of a read of all UIDs. The first batch's state is the one that SELECT
  /// reports; all messages of all batches count as told.
  void Load(const UidBatch& batch);

  // --- the picture

  /// Messages the client believes in: the last EXISTS less the EXPUNGEs since.
  std::uint32_t exists() const { return told_; }
  /// UID at sequence number `number` of 1..exists().
  Uid UidAt(std::uint32_t number) const;
  /// Sequence number of `uid`; 0 when the client knows of no such message.
  std::uint32_t NumberOf(Uid uid) const;
  /// UIDs that have a sequence number, expunged but untold ones included.
  UidSet ToldUids() const;
  /// UIDs at the sequence numbers of `numbers`; numbers above exists() are left out.
  UidSet UidsAt(const UidSet& numbers) const;
  /// Largest UID told; 0 in an empty mailbox.
  Uid last_uid() const;
  /// Whether `uid` is known to be gone while its number still stands.
  bool Gone(Uid uid) const { return gone_.Contains(uid); }
  const UidSet& gone() const { return gone_; }

  /// What SEARCH RETURN (SAVE) left for "$", as UIDs, also of messages that have gone since
  /// (RFC 5182); empty at first.
  const UidSet& saved() const { return saved_; }
  void Save(UidSet uids) { saved_ = std::move(uids); }

  // --- syncing

  /// The read that brings what changed since the last sync. Hand the answer to Take and ask again
  /// while Take says so.
  IndexQuery NextQuery() const;
  /// Takes in an answer to NextQuery. Calls changed(number, entry) for every told message whose
  /// flags changed; its caller may write FETCH responses at once, in any command. Answers whether
  /// more is to be read.
  template <typename Changed>
  bool Take(const IndexBatch& batch, Changed&& changed) {
    for (const IndexEntry& entry : batch.entries) {
      if (entry.uid.value() > newest_) {
        Learn(entry.uid);
      } else if (const std::uint32_t number = NumberOf(entry.uid); number != 0) {
        changed(number, entry);
      }
    }
    return TakeRest(batch);
  }

  /// Changes of flags were taken and not told: their modseqs are not announced either.
  void HoldModseq(Modseq before) { held_modseq_ = held_modseq_ ? held_modseq_ : before; }
  /// Expunges to tell now, in a place where the protocol allows it; they leave the picture.
  ExpungeNews TakeExpunges();
  /// The number for an EXISTS response, when it is not the one told before.
  std::optional<std::uint32_t> TakeExists();

  /// Takes in a keyword table that entries to be told refer to; whether it has grown since the
  /// client was told of it last.
  bool LearnKeywords(const std::shared_ptr<const std::vector<std::string>>& now);
  /// The newest keyword table told, by SELECT or since; never null after Load.
  const std::shared_ptr<const std::vector<std::string>>& keywords() const { return keywords_; }
  /// How many index entries to read at a time when each is to be written: as a response with every
  /// keyword of the mailbox they stay near limits::kIndexSliceBytes.
  std::size_t SliceEntries() const;
  /// Everything up to this modseq was seen by this session's syncs.
  Modseq view_modseq() const { return seen_modseq_; }
  /// Highest modseq that may be announced: everything up to it has been told.
  Modseq told_modseq() const {
    const Modseq told = gone_.empty() ? seen_modseq_ : told_modseq_;
    return held_modseq_ ? std::min(told, *held_modseq_) : told;
  }

 private:
  void Learn(Uid uid);
  bool TakeRest(const IndexBatch& batch);
  void Number();

  MailboxRef ref_;
  bool read_only_;
  Rights rights_ = kRightsAll;
  /// UIDs with a sequence number, and behind them those that came since the last EXISTS.
  UidSet known_;
  /// before_[i]: how many UIDs stand before the i-th range of known_. Up to date when numbered_.
  std::vector<std::uint32_t> before_;
  std::uint32_t count_ = 0;   // of known_
  std::uint32_t told_ = 0;    // of them, told by EXISTS
  std::uint32_t newest_ = 0;  // largest UID ever seen here
  UidSet gone_;               // subset of known_
  Modseq seen_modseq_;
  std::optional<Modseq> held_modseq_;
  Modseq told_modseq_;  // while gone_ is not empty: what was told before its first member
  /// A sync under way: where it goes on, and what its first batch said.
  Uid sync_from_{1};
  std::optional<Modseq> sync_target_;
  std::shared_ptr<const std::vector<std::string>> keywords_;
  UidSet saved_;
};

}  // namespace twinspool::imap
