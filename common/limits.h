// Every named bound of the project, in one place: nothing grows without one of these.
//
// Bytes, counts and milliseconds as the suffix says. What an operator may change is an option of
// common/config.h whose default stands here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace twinspool::limits {

// --- mail
// -----------------------------------------------------------------------------------------
/// Largest message accepted over IMAP APPEND or LMTP (option max-message-bytes).
inline constexpr std::uint64_t kMessageBytesMax = 256ull << 20;
/// Bodies up to this ride in their transaction; larger ones are staged as commit groups of their
/// own.
inline constexpr std::size_t kInlineBodyBytesMax = 64u << 10;
/// A staged body is cut into chunks of this size.
inline constexpr std::size_t kBodyChunkBytes = 256u << 10;
/// MULTIAPPEND of more octets than this stages every body.
inline constexpr std::size_t kInlineAppendBytesMax = 4u << 20;
/// Octets of small bodies, which wait in memory, in one APPEND command.
inline constexpr std::uint64_t kSmallAppendBytesMax = 64u << 20;
inline constexpr std::size_t kKeywordsPerMailboxMax = 128;
inline constexpr std::size_t kKeywordBytesMax = 128;
/// Names are UTF-8 in NFC; bytes of the whole path and number of levels.
inline constexpr std::size_t kMailboxNameBytesMax = 1000;
inline constexpr std::size_t kMailboxDepthMax = 100;
inline constexpr std::size_t kMailboxesPerUserMax = 100'000;
/// Names that a user may be subscribed to, whether or not there are mailboxes of these names.
inline constexpr std::size_t kSubscriptionsPerUserMax = 100'000;
inline constexpr std::size_t kUserNameBytesMax = 255;
/// Former names that a mailbox remembers; the oldest goes first.
inline constexpr std::size_t kNameHistoryMax = 50;
/// STORE, EXPUNGE and MOVE are cut into transactions of this many messages.
inline constexpr std::size_t kMessagesPerWrite = 8192;
/// COPY and MULTIAPPEND stay atomic up to this, and are refused beyond.
inline constexpr std::size_t kAtomicMessagesMax = 131'072;
/// Distance that a primary may append ahead of the UIDNEXT its peer surely knows; also the UIDNEXT
/// jump of a forced promotion.
inline constexpr std::uint32_t kUidJump = 1u << 20;
/// A forced promotion raises the user's UIDVALIDITY counter, for new mailboxes, by this.
inline constexpr std::uint32_t kUidValidityJump = 1000;
/// Skipped ranges that a mailbox remembers; an older one joins the next in what it says of time.
inline constexpr int kUidGapsMax = 64;
/// Mailboxes of one transaction of a forced promotion; and users between two waits for the disk.
inline constexpr std::size_t kUidJumpMailboxesPerWrite = 512;
inline constexpr std::size_t kUidJumpUsersPerWait = 64;
/// A remembered LMTP delivery answers a retry without storing twice for this long.
inline constexpr std::int64_t kDeliveryMemorySeconds = 24 * 3600;

/// A message that the former primary gives back is remembered for this long, so that giving it
/// again changes nothing.
inline constexpr std::int64_t kGiveBackMemorySeconds = 30 * 24 * 3600;

// --- writes that the session's own thread does, if all they need is in memory
// ------------------------------------------------------------------
inline constexpr std::size_t kWriteInMemoryMessagesMax = 16;
inline constexpr std::size_t kWriteInMemoryBytesMax = 64u << 10;

// --- knowing which pages changed, so that a session learns what is new without reading its mailbox
// ------------------------------------------------------------------
inline constexpr std::size_t kChangedPagesMailboxes = 4096;
inline constexpr std::size_t kChangedPagesPerMailbox = 64;

/// Mailboxes, and entries of METADATA, that a watch of a user remembers until it is asked.
inline constexpr std::size_t kUserNewsMax = 1024;

// --- commit pipeline and snapshots
// ------------------------------------------------------------------
inline constexpr std::size_t kCommitGroupBytesMax = 4u << 20;
inline constexpr std::size_t kCommitGroupItemsMax = 1024;
/// Encoded changes of one transaction, so that its frame can travel; beyond: NO [LIMIT].
inline constexpr std::size_t kTransactionBytesMax = 60u << 20;
/// Mailboxes that one transaction of a user's deletion takes away.
inline constexpr std::size_t kMailboxesPerDelete = 1000;
/// Things that one transaction of a background job takes away.
inline constexpr std::size_t kThingsPerJobWrite = 1000;
/// Writes that may wait, all users together and one user; beyond: NO [UNAVAILABLE] at once.
inline constexpr std::size_t kPendingWritesMax = 20'000;
inline constexpr std::size_t kPendingWriteBytesMax = 256u << 20;
inline constexpr std::size_t kPendingWritesPerUserMax = 4'000;
/// An enqueued write waits this long for its ack before the connection is closed without an answer.
inline constexpr std::int64_t kWriteHoldMs = 25'000;
/// A page gets written whole after this many merge operands, or when so many entries change at
/// once.
inline constexpr int kPageOperandsMax = 32;
inline constexpr int kPageWholeWriteEntries = 16;
/// Bytes one Fetch batch aims at, and messages at most.
inline constexpr std::size_t kFetchBatchBytes = 1u << 20;
inline constexpr std::size_t kFetchBatchMessages = 4096;
/// Index entries of one batch; a larger mailbox is read in several.
inline constexpr std::size_t kIndexBatchEntries = 1'000'000;
/// Index pages that one read of UIDs looks at: a million messages.
inline constexpr std::size_t kUidBatchPages = 4096;

// --- texts kept for SEARCH
// --------------------------------------------------------------------------------------------
/// What one batch of a search looks through, and octets of messages that it folds itself, where
/// their texts are not ready. Other reads wait no longer than that takes.
inline constexpr std::size_t kSearchBatchBytes = 4u << 20;
inline constexpr std::size_t kSearchFoldBytes = 1u << 20;
/// Of messages that are tried one by one, out of pages.
inline constexpr std::size_t kSearchLooseStep = 64;
/// Longer texts are not packed with those of their neighbours.
inline constexpr std::size_t kPackedTextBytesMax = 64u << 10;
/// Complete pages of texts before the newest one that the arrival of a message has packed.
inline constexpr std::uint32_t kTextPagesPerArrival = 4;
/// Bodies and pages that wait for summaries and texts; beyond, these are made when asked for.
inline constexpr std::size_t kDerivedWaitingMax = 10'000;
/// A SEARCH, SORT or THREAD that takes longer is cut off.
inline constexpr std::int64_t kSearchMs = 10 * 60'000;

// --- replication
// --------------------------------------------------------------------------------------
inline constexpr std::size_t kFramePartBytes = 1u << 20;
inline constexpr std::size_t kFrameBytesMax = 64u << 20;
/// How long a node that stops waits until its last messages are on the wire.
inline constexpr std::int64_t kLastWordMs = 1'000;
/// Frames kept in memory until acked, for a standby that is a little behind.
inline constexpr std::size_t kRingBytes = 64u << 20;
/// Bytes sent and not yet acked.
inline constexpr std::size_t kSendWindowBytes = 8u << 20;
/// A frame that the thread that committed it may send itself: it fits any socket's empty buffer.
inline constexpr std::size_t kSendAtOnceBytesMax = 16u << 10;
inline constexpr std::size_t kCatchUpUnitBytes = 4u << 20;
/// A catch-up beside clients: they count as such from so many calls a second on, units are smaller,
/// and each is followed by so many times as long a rest (halved with every further round).
inline constexpr std::uint64_t kCatchUpBesideCallsPerSecond = 20;
inline constexpr std::int64_t kCatchUpMeasureMs = 100;
inline constexpr std::size_t kCatchUpSmallUnitBytes = 512u << 10;
inline constexpr std::int64_t kCatchUpRests = 8;
inline constexpr std::int64_t kCatchUpRestMsMax = 2'000;
/// With less room than this nothing at all is written, not even what gives room back: a write that
/// the disk refuses ends the process.
inline constexpr std::uint64_t kDiskLastBytes = 4u << 20;
/// Units to be made, also for catch-ups that were called off meanwhile.
inline constexpr std::size_t kShipReadQueueMax = 1'000;
/// Things (messages, bodies, small rows) that a catch-up remembers at once, all users together and
/// of one user; further users wait for another pass over the log, a user with more is sent whole.
inline constexpr std::size_t kCatchUpThingsMax = 1'000'000;
inline constexpr std::size_t kCatchUpThingsPerUserMax = 250'000;
/// Frames and units below this travel as they are; larger ones are compressed when that helps.
inline constexpr std::size_t kCompressFrameBytesMin = 512;
inline constexpr int kFrameZstdLevel = 3;
/// A standby makes queued frames durable with one sync, up to this much at a time.
inline constexpr std::size_t kApplyBatchBytes = 4u << 20;
inline constexpr std::size_t kApplyBatchFrames = 256;
/// Messages of the peer that wait while earlier ones are being handled; beyond, reading stops.
inline constexpr std::size_t kPeerInboxBytesMax = 16u << 20;
/// One message of the pair's stream: a part and its envelope.
inline constexpr int kPeerMessageBytesMax = 5 << 20;
/// Entries of one message of a comparing catch-up or of verify-pair.
inline constexpr std::size_t kUserDigestsPerMessage = 10'000;
inline constexpr std::size_t kBodyRefsPerMessage = 20'000;
/// Users that a standby asks for at once, with lists of the bodies that it has.
inline constexpr std::size_t kUsersAskedAtOnce = 4;
/// Messages read at once to be saved before their user is replaced.
inline constexpr std::size_t kDoomedPerRead = 256;
inline constexpr std::size_t kMailboxDigestsPerMessage = 3'000;
/// verify-pair names at most this many differences.
inline constexpr std::size_t kDifferencesMax = 1'000;
/// A user whose digest stays wrong is sent whole this often before the link is dropped.
inline constexpr int kUserRefillsMax = 3;
/// Octets of one part of a message that is given back, and the wait before one is offered again.
inline constexpr std::size_t kGiveBackPartBytes = 256u << 10;
inline constexpr std::int64_t kGiveBackRetryMs = 5'000;
/// … and before one that was refused is.
inline constexpr std::int64_t kGiveBackRefusedMs = 3600'000;
/// Small things given back in one commit.
inline constexpr std::size_t kGiveBackBatch = 256;
/// How long an operator waits for a message that he wants given back.
inline constexpr std::int64_t kGiveBackOrderMs = 20'000;
/// A step of the conversation that the peer does not answer for so long drops the link.
inline constexpr std::int64_t kConversationStallMs = 60'000;
/// Heartbeats go on for so long while the node is busy with one step (recounting after a rewind).
inline constexpr std::int64_t kBusyHeartbeatMsMax = 600'000;
/// Orders of operators that may wait for the one under way.
inline constexpr std::size_t kOrdersWaitingMax = 16;
/// Wait between attempts to reach the peer: doubled with jitter between these.
inline constexpr std::int64_t kRedialMsMin = 100;
inline constexpr std::int64_t kRedialMsMax = 2'000;
/// Outbox kept for an absent peer (option outbox-bytes-max).
inline constexpr std::uint64_t kOutboxBytesMax = 2ull << 30;
inline constexpr std::int64_t kHeartbeatMs = 1000;
inline constexpr std::int64_t kPeerTimeoutMs = 5000;
/// A higher epoch from the peer is believed up to this step.
inline constexpr std::uint32_t kEpochStepMax = 256;
/// How far a forced promotion leaps.
inline constexpr std::uint32_t kForcedEpochLeap = 64;
/// A primary that runs alone begins to readmit a peer that is at most so many entries behind.
inline constexpr std::uint64_t kReadmitLagEntries = 256;
/// Longest wait of an administrative call that names none; of the handover when the process stops.
inline constexpr std::int64_t kAdminCallMs = 30'000;
inline constexpr std::int64_t kStopHandoverMs = 15'000;
/// How long a joining node waits for the inviting one; how long an invitation is good.
inline constexpr std::int64_t kJoinMs = 15'000;
inline constexpr std::int64_t kInvitationSeconds = 24 * 3600;
/// Role changes that the control file remembers for status.
inline constexpr std::size_t kTransitionsKept = 20;
inline constexpr std::size_t kEpochHistoryMax = 8192;
inline constexpr std::size_t kControlFileBytesMax = 1u << 20;

// --- scrub
// ---------------------------------------------------------------------------------------------
/// What a scrub reads of the disk in a second, in MiB (option scrub-mib-per-second), and hours from
/// the end of one pass to the beginning of the next (option scrub-interval-h).
inline constexpr std::uint64_t kScrubMibPerSecond = 8;
inline constexpr std::int64_t kScrubIntervalHours = 7 * 24;
/// Longest that one mailbox, or one user's own rows, may hold a snapshot; beyond it is passed over.
inline constexpr std::int64_t kScrubSnapshotMs = 60'000;
/// Users, and rows without a digest of their own, that are read at a time.
inline constexpr std::size_t kScrubRowsPerRead = 1'000;
/// Damage that is remembered by name, for status and verify-pair --deep; more is only counted.
inline constexpr std::size_t kDamageNamedMax = 1'000;
/// … and of what is not healed, status shows so many.
inline constexpr std::size_t kDamageShownMax = 20;
/// The scrub looks this often whether it may go on, and tells of its progress when the other node
/// has asked for a pass.
inline constexpr std::int64_t kScrubTickMs = 200;
inline constexpr std::int64_t kScrubReportMs = 1'000;
/// Pause before a message is offered again to a conversation that has others to send.
inline constexpr std::int64_t kScrubSendRetryMs = 2;
/// Octets of one message about rows that the other node finds damaged; and of all that answer one
/// request.
inline constexpr std::size_t kMendReplyBytes = 512u << 10;
inline constexpr std::size_t kMendBytesMax = 64u << 20;
/// Digests of parts in one message, and parts whose contents are asked for at once.
inline constexpr std::size_t kMendDigestsPerMessage = 10'000;
inline constexpr std::size_t kMendPartsPerRequest = 64;
/// How long the other node may take for an answer; how many of its requests wait to be answered.
inline constexpr std::int64_t kMendAnswerMs = 60'000;
inline constexpr std::size_t kMendRequestsMax = 16;
/// Something that changes while it is being mended is tried again so often, after a pause.
inline constexpr int kMendTriesMax = 20;
inline constexpr std::int64_t kMendRetryMs = 50;
/// How long a standby waits for what the primary replaces, before it gives the damage up.
inline constexpr std::int64_t kMendRefillMs = 600'000;
/// A file of the database that cannot be read everywhere is written anew in pieces of so many
/// octets, so that no write waits for long; one with more than this in it is left as it is.
inline constexpr std::size_t kRewritePieceBytes = 1u << 20;
inline constexpr std::size_t kTableRewriteBytesMax = 2ull << 30;
/// When somebody else meets damage, a pass begins at once, but not oftener than this.
inline constexpr std::int64_t kScrubUrgentMs = 6 * 3600'000;

// --- connections
// ----------------------------------------------------------------------------------------
inline constexpr std::size_t kCommandLineBytesMax = 64u << 10;
/// Literals of commands other than APPEND; before login 4 KiB.
inline constexpr std::size_t kCommandLiteralBytesMax = 1u << 20;
inline constexpr std::size_t kPreLoginLiteralBytesMax = 4u << 10;
/// Before login: one command line, and what is buffered behind a login at work.
inline constexpr std::size_t kPreLoginLineBytesMax = 16u << 10;
inline constexpr std::size_t kPreLoginInputBytesMax = 16u << 10;
/// Nesting of a SEARCH program (a chain of ORs counts as one level), and its keys altogether.
inline constexpr int kSearchDepthMax = 50;
inline constexpr std::size_t kSearchKeysMax = 4096;
/// METADATA (RFC 5464): octets of an entry's name and of a value, entries of one mailbox, and of
/// one command.
inline constexpr std::size_t kAnnotationNameBytesMax = 500;
inline constexpr std::size_t kAnnotationBytesMax = 64u << 10;
inline constexpr std::size_t kAnnotationsPerMailboxMax = 100;
/// The same with those that were removed lately.
inline constexpr std::size_t kAnnotationRowsMax = 1'000;
inline constexpr std::size_t kAnnotationsPerCommandMax = 100;
/// Identifiers in the access control list of one mailbox (RFC 4314).
inline constexpr std::size_t kAclEntriesMax = 500;
/// Expunged messages that one call lists for an operator.
inline constexpr std::size_t kExpungedListedMax = 10'000;
/// A command that takes longer says every so often how far it has come (RFC 9585).
inline constexpr std::int64_t kProgressMs = 5'000;
/// Messages that are sorted and threaded beside the sessions' threads rather than on them.
inline constexpr std::size_t kSortAsideMin = 4096;
/// Pieces of text and URLs of one message of CATENATE (RFC 4469).
inline constexpr std::size_t kCatenatePartsMax = 1'000;
/// Searches that one session has kept up to date (RFC 5267), and runs of UIDs that one of these may
/// have found.
inline constexpr std::size_t kSearchContextsMax = 8;
inline constexpr std::size_t kSearchContextRunsMax = 100'000;
/// … and messages, of a SORT: its order is made anew with each that is added.
inline constexpr std::size_t kSortContextMessagesMax = 10'000;
/// Event groups, and names of mailboxes in these, of one NOTIFY (RFC 5465).
inline constexpr std::size_t kNotifyGroupsMax = 64;
inline constexpr std::size_t kNotifyNamesMax = 1'000;
/// Items of one FETCH, patterns of one LIST, pairs of one ID (RFC 2971 §3.3).
inline constexpr std::size_t kFetchItemsMax = 256;
inline constexpr std::size_t kListPatternsMax = 64;
/// Names times patterns that a LIST compares before other sessions of its thread get their turn.
inline constexpr std::size_t kListMatchesPerTurn = 4096;
inline constexpr std::size_t kIdFieldsMax = 30;
/// Text after a response code; longer texts are cut.
inline constexpr std::size_t kResponseTextBytesMax = 500;
inline constexpr std::size_t kLmtpLineBytesMax = 2048;
inline constexpr std::size_t kLmtpRecipientsMax = 1000;
/// Output waiting for a slow client: the session stops producing above, goes on below.
inline constexpr std::size_t kOutputHighBytes = 1u << 20;
inline constexpr std::size_t kOutputLowBytes = 256u << 10;
/// Input buffered for one session while it works on an earlier command.
inline constexpr std::size_t kInputBytesMax = 256u << 10;
inline constexpr int kBadCommandsMax = 50;
/// Refused logins of one connection, which is then closed.
inline constexpr int kLoginFailuresMax = 5;
/// A session reads the index of a mailbox in slices of so many entries, so that a slow client holds
/// little.
inline constexpr std::size_t kIndexSliceEntries = 32'768;
/// What such a slice may come to as responses, each with all keywords.
inline constexpr std::size_t kIndexSliceBytes = 4u << 20;
/// Entries of the first slice of a sync, small enough for any keywords.
inline constexpr std::size_t kSyncFirstEntries = 256;
/// Octets of messages above kFetchBatchBytes that are held whole, all sessions together, to search
/// their text. Others wait in line.
inline constexpr std::uint64_t kLargeLoadBytes = 256ull << 20;
/// Octets from the start of a body that a FETCH of headers reads at first.
inline constexpr std::uint64_t kFetchHeaderBytes = 32u << 10;
/// A waiting IDLE looks for news by itself and says a word to the network this often.
inline constexpr std::int64_t kIdlePollMs = 2 * 60'000;
/// Longest pause before a refused login is answered.
inline constexpr std::int64_t kLoginDelayMsMax = 8'000;
/// RFC 3501 §5.4 asks for at least 30 minutes once logged in.
inline constexpr std::int64_t kIdleMs = 31 * 60'000;
inline constexpr std::int64_t kPreLoginIdleMs = 60'000;
/// From the connection to a login that succeeded, whatever the client sends meanwhile.
inline constexpr std::int64_t kLoginMs = 3 * 60'000;
/// A client that does not take its output for this long is dropped.
inline constexpr std::int64_t kStalledOutputMs = 5 * 60'000;
inline constexpr std::size_t kConnectionsMax = 20'000;
inline constexpr std::size_t kConnectionsPerAddressMax = 10'000;
/// Bytes read from one socket at a time, into a buffer that all connections of a thread share.
inline constexpr std::size_t kReadBytes = 64u << 10;
/// Output given to TLS at a time; what the client does not take of it waits encrypted.
inline constexpr std::size_t kWriteBytes = 64u << 10;
/// A session that ignores back-pressure beyond this loses its connection.
inline constexpr std::size_t kOutputHardBytes = 64u << 20;
inline constexpr std::int64_t kHandshakeMs = 30'000;
/// After the last byte went out, how long (and for how many bytes) a closing connection still
/// swallows input, so that the client reads our goodbye before a reset.
inline constexpr std::int64_t kLingerMs = 2'000;
inline constexpr std::size_t kLingerBytesMax = 4u << 20;
/// A client that closed its sending half is served until it has been quiet for this long.
inline constexpr std::int64_t kHalfClosedMs = 5'000;
/// Posted functions that one connection runs before others get their turn.
inline constexpr int kPostedPerTurn = 32;
/// Wait after an accept that failed for want of descriptors.
inline constexpr std::int64_t kAcceptRetryMs = 100;
/// How long sessions have to say goodbye when the node stops serving.
inline constexpr std::int64_t kDrainMs = 5'000;

// --- LMTP
// -------------------------------------------------------------------------------------------------
/// RFC 5321 §4.5.3.2.7.
inline constexpr std::int64_t kLmtpIdleMs = 5 * 60'000;
/// Octets collected before they are handed to the stages of all recipients.
inline constexpr std::size_t kLmtpChunkBytes = 64u << 10;

// --- POP3
// -------------------------------------------------------------------------------------------------
/// RFC 2449 §4, with the line end; a line that answers a challenge of AUTH may be longer (RFC 5034
/// §4).
inline constexpr std::size_t kPop3LineBytesMax = 255;
inline constexpr std::size_t kPop3AuthLineBytesMax = 12u << 10;
/// The first line of an answer, with the line end (RFC 2449 §4).
inline constexpr std::size_t kPop3ReplyBytesMax = 512;
/// RFC 1939 §3 asks for at least 10 minutes once logged in.
inline constexpr std::int64_t kPop3IdleMs = 10 * 60'000;
/// Messages of an INBOX that one session shows, the oldest first: each is held with its size.
inline constexpr std::size_t kPop3MessagesMax = 1'000'000;
/// Octets of a message, or of a listing, that are written before the client's pace is heeded.
inline constexpr std::size_t kPop3PieceBytes = 256u << 10;

// --- HTTP
// -------------------------------------------------------------------------------------------------
inline constexpr std::uint32_t kHttpHeaderBytesMax = 8u << 10;
inline constexpr std::int64_t kHttpIdleMs = 15'000;
inline constexpr int kHttpRequestsPerConnection = 1000;
inline constexpr std::size_t kHttpConnectionsMax = 256;

// --- authentication
// -------------------------------------------------------------------------------------------------
/// What crypt(3) takes (CRYPT_MAX_PASSPHRASE_SIZE).
inline constexpr std::size_t kPasswordBytesMax = 511;
/// RFC 7677 §4 asks for at least 4,096 rounds.
inline constexpr int kScramIterations = 4096;
/// A stored verifier with more rounds is taken for damage.
inline constexpr int kScramIterationsMax = 1'000'000;
/// Logins remembered so that a storm of reconnects costs no hashing, and for how long since the
/// last one.
inline constexpr std::size_t kLoginCacheEntries = 20'000;
inline constexpr std::int64_t kLoginCacheMs = 60 * 60'000;
/// Logins that wait for a password check: altogether, of one address, for one user name. More are
/// turned away.
inline constexpr std::size_t kAuthWaitingMax = 2000;
inline constexpr std::size_t kAuthWaitingPerAddressMax = 1000;
inline constexpr std::size_t kAuthWaitingPerUserMax = 200;
/// Refused logins, over all connections, after which no more passwords are checked for an address
/// (a /64 of IPv6), and for a user name when the address has as many as the third says. One is
/// forgotten in each kLoginFailureForgetMs.
inline constexpr int kLoginFailuresPerAddressMax = 30;
inline constexpr int kLoginFailuresPerUserMax = 100;
inline constexpr int kLoginFailuresSuspect = 3;
inline constexpr std::int64_t kLoginFailureForgetMs = 10'000;
/// Addresses, and names, whose failures are remembered; the one unheard of for longest goes first.
inline constexpr std::size_t kLoginGuardEntries = 20'000;
/// Sessions of one user, over all his addresses and protocols (option connections-per-user-max).
inline constexpr std::size_t kConnectionsPerUserMax = 500;
/// What a client may say in one step of SASL, decoded: tokens are the longest.
inline constexpr std::size_t kSaslStepBytesMax = 9u << 10;
/// Passwords for one device or program that a user may have, and octets of their labels.
inline constexpr std::size_t kAppPasswordsMax = 100;
inline constexpr std::size_t kAppPasswordLabelBytesMax = 100;
/// A user's last login is written down no oftener than this.
inline constexpr std::int64_t kLastLoginSeconds = 10 * 60;
/// Questions to an introspection server: under way, and waiting; how long one may take, and octets
/// of its answer.
inline constexpr std::size_t kIntrospectionsMax = 16;
inline constexpr std::size_t kIntrospectionsWaitingMax = 200;
inline constexpr std::int64_t kIntrospectionMs = 5'000;
inline constexpr std::size_t kIntrospectionBytesMax = 64u << 10;
/// Tokens that such a server said are good: how many are remembered, and how long at most.
inline constexpr std::size_t kTokenCacheEntries = 10'000;
inline constexpr std::int64_t kTokenCacheMs = 60'000;
/// Clocks of whoever issues tokens may differ from ours by this.
inline constexpr std::int64_t kTokenSkewSeconds = 60;
/// Octets of a PROXY header behind its fixed part; the protocol's own bound is 65,535.
inline constexpr std::size_t kProxyHeaderBytesMax = 4u << 10;
inline constexpr std::size_t kAddressBytesMax = 1000;

// --- MIME
// -------------------------------------------------------------------------------------------------
inline constexpr int kMimeDepthMax = 100;
inline constexpr int kMimePartsMax = 10'000;
/// Octets of a boundary that are compared (RFC 5322's longest line); more is cut.
inline constexpr std::size_t kMimeBoundaryBytesMax = 998;
/// Parameters read from one Content-Type or Content-Disposition; later ones are ignored.
inline constexpr std::size_t kMimeParametersMax = 1000;
/// Octets of one header field that get interpreted; the stored message keeps them all.
inline constexpr std::size_t kHeaderFieldBytesMax = 1u << 20;
/// Addresses (group marks count) read from all the fields of one name in one header.
inline constexpr std::size_t kAddressesMax = 50'000;
/// A rendered ENVELOPE, BODY or BODYSTRUCTURE stops quoting the message near this; the rest is NIL.
inline constexpr std::size_t kMimeWireBytesMax = 8u << 20;
/// Strings longer than this go out as literals: clients have line buffers.
inline constexpr std::size_t kQuotedStringBytesMax = 1000;
/// Decoded, folded text of one message kept for SEARCH; what lies beyond is not found.
inline constexpr std::size_t kFoldedTextBytesMax = 16u << 20;
/// Folded octets of one text that SORT compares.
inline constexpr std::size_t kSortKeyBytesMax = 512;
/// Message ids of one References: field that THREAD looks at.
inline constexpr std::size_t kReferencesMax = 20;
/// Characters of a PREVIEW (RFC 8970 §3.1: no more than 256), and octets of the text before it is
/// decoded that are looked at for it.
inline constexpr std::size_t kPreviewCharactersMax = 200;
inline constexpr std::size_t kPreviewSourceBytesMax = 64u << 10;

}  // namespace twinspool::limits
