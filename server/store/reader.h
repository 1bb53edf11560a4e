// StoreReader: everything that shells read, from one snapshot. Every call is one bounded piece of
// work and holds nothing afterwards.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/mail_store.h"
#include "server/store/grants.h"
#include "server/store/names.h"
#include "server/store/rows.h"
#include "server/store/schema.h"
#include "server/store/seen_pages.h"
#include "server/store/txn.h"

namespace twinspool::store {

class ChangedPages;
class Engine;
class Snapshot;
class TextPages;

/// The header of a user, deleted or not; nothing: no such id. A null snapshot: the newest.
Result<std::optional<proto::UserHeader>> ReadUserHeader(Engine& engine, UserId user,
                                                        const Snapshot* snapshot);

/// One thread; cheap to make.
class StoreReader {
 public:
  /// With `cached_only` GetState, Find, ReadIndex and ReadUids answer kTimeout rather than touch
  /// the disk. `changed` may be null; it must know of everything in the snapshot. All outlive the
  /// reader. Calls about a mailbox answer kNotFound to a viewer who has no right to it, and
  /// kPermissionDenied to one who lacks the right that the call takes.
  StoreReader(Engine& engine, TextPages& pages, const Snapshot* snapshot, ChangedPages* changed,
              bool cached_only = false)
      : engine_(engine),
        pages_(pages),
        snapshot_(snapshot),
        changed_(changed),
        cached_only_(cached_only) {}

  Result<MailboxState> GetState(MailboxRef mailbox);
  /// `name` canonical; also of others' mailboxes.
  Result<MailboxState> Find(UserId user, const std::string& name);
  /// With those mailboxes of `others` (user -> mailbox) that he may look up.
  Result<std::vector<MailboxListing>> List(UserId user, const std::set<GrantedMailbox>& others);
  /// Of a mailbox, or of the owner himself (nil), sorted by entry.
  Result<std::vector<Annotation>> Annotations(MailboxRef mailbox);
  Result<std::vector<AclEntry>> Acl(MailboxRef mailbox);
  Result<QuotaState> Quota(UserId owner, const QuotaLimits& by_default);
  Result<IndexBatch> ReadIndex(MailboxRef mailbox, const IndexQuery& query);
  Result<UidBatch> ReadUids(MailboxRef mailbox, Uid from);
  Result<FetchBatch> Fetch(MailboxRef mailbox, const FetchRequest& request);
  Result<TextBatch> SearchText(MailboxRef mailbox, const TextQuery& query);
  Result<std::string> ReadBody(UserId owner, BodyNo body, std::uint64_t offset, std::size_t length);

  /// The user under a canonical name, or nothing.
  Result<std::optional<UserId>> FindUser(const std::string& name);
  /// Whose mailboxes lie below such a name, whose owner is canonical; kNotFound.
  Result<UserId> OwnerOf(const ForeignName& name);

 private:
  struct Loaded {
    MailboxState state;
    proto::MailboxHeader header;
    ViewerSeen seen;
  };
  Result<std::optional<std::string>> Get(Family family, const std::string& key);
  /// The mailbox as its owner has it.
  Result<Loaded> LoadOwn(MailboxRef mailbox);
  /// … as the viewer does, but for the count of unseen messages. kPermissionDenied without
  /// `needed`.
  Result<Loaded> Load(MailboxRef mailbox, Rights needed);
  /// Makes of the owner's picture the viewer's.
  Status LookAs(MailboxRef mailbox, Rights rights, Loaded* loaded);
  Result<ViewerSeen> ReadSeen(MailboxRef mailbox);
  Result<std::uint32_t> CountUnseen(MailboxRef mailbox, const ViewerSeen& seen);
  /// A live user's header; kNotFound.
  Result<proto::UserHeader> LiveHeader(UserId user);
  /// The mailbox under one of the user's own names.
  Result<MailboxId> FindOwn(UserId user, const std::string& name);
  Result<MailboxState> FindForeign(UserId viewer, const ForeignName& name);
  Status ListForeign(UserId user, const std::set<GrantedMailbox>& others,
                     std::map<std::string, MailboxListing>* lines);
  /// Adds the entries of all pages that the query concerns; `present`: every live UID is added
  /// there, and no page is passed over.
  Status AddPages(MailboxRef mailbox, const IndexQuery& query, const ViewerSeen& seen,
                  IndexBatch* batch, UidSet* present);
  /// The same, of `pages` alone.
  Status AddChanged(MailboxRef mailbox, const std::vector<std::uint32_t>& pages,
                    const IndexQuery& query, const ViewerSeen& seen, IndexBatch* batch);
  /// Adds a page's entries; answers the UID at which the batch was full.
  static Result<std::optional<Uid>> AddPage(std::string_view octets, std::uint32_t page,
                                            const IndexQuery& query, const ViewerSeen& seen,
                                            IndexBatch* batch, UidSet* present);
  /// The next messages of `*rest` (at most `max`) with their entries, taken out of `*rest`.
  Result<std::vector<FetchedMessage>> TakeEntries(MailboxId mailbox, const ViewerSeen& seen,
                                                  std::size_t max, UidSet* rest);
  /// Record and sort fields of those whose page is packed; answers the others.
  std::vector<FetchedMessage*> AddFacts(const MailboxState& mailbox, bool sort_fields,
                                        std::vector<FetchedMessage>* messages);
  // Each fills in its part. What is damaged fails its message (FetchedMessage::failure) alone.
  void AddRecords(MailboxId mailbox, std::span<FetchedMessage* const> messages);
  void AddSummaries(UserId owner, std::span<FetchedMessage* const> messages);
  void AddOctets(UserId owner, std::uint64_t wanted, std::span<FetchedMessage* const> messages);
  /// `wanted` octets, or all there are, of a body whose first chunk was read.
  Result<std::string> FirstOctets(UserId owner, const MessageRecord& record, std::uint64_t wanted,
                                  Result<std::optional<std::string>> first_chunk);

  Engine& engine_;
  TextPages& pages_;
  const Snapshot* snapshot_;
  ChangedPages* changed_;
  const bool cached_only_;
};

}  // namespace twinspool::store
