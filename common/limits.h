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
inline constexpr std::size_t kKeywordsPerMailboxMax = 128;
inline constexpr std::size_t kKeywordBytesMax = 128;
/// Names are UTF-8 in NFC; bytes of the whole path and number of levels.
inline constexpr std::size_t kMailboxNameBytesMax = 1000;
inline constexpr std::size_t kMailboxDepthMax = 100;
inline constexpr std::size_t kMailboxesPerUserMax = 100'000;
inline constexpr std::size_t kUserNameBytesMax = 255;
/// STORE, EXPUNGE and MOVE are cut into transactions of this many messages.
inline constexpr std::size_t kMessagesPerWrite = 8192;
/// COPY and MULTIAPPEND stay atomic up to this, and are refused beyond.
inline constexpr std::size_t kAtomicMessagesMax = 131'072;
/// Distance that a primary may append ahead of the UIDNEXT its peer surely knows; also the UIDNEXT
/// jump of a forced promotion.
inline constexpr std::uint32_t kUidJump = 1u << 20;
/// A remembered LMTP delivery answers a retry without storing twice for this long.
inline constexpr std::int64_t kDeliveryMemorySeconds = 24 * 3600;

// --- commit pipeline and snapshots
// ------------------------------------------------------------------
inline constexpr std::size_t kCommitGroupBytesMax = 4u << 20;
inline constexpr std::size_t kCommitGroupItemsMax = 1024;
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
/// Longest life of a reader's snapshot.
inline constexpr std::int64_t kSnapshotMsMax = 30'000;
/// Bytes one Fetch batch aims at, and messages at most.
inline constexpr std::size_t kFetchBatchBytes = 1u << 20;
inline constexpr std::size_t kFetchBatchMessages = 4096;
/// Index entries of one batch; a larger mailbox is read in several.
inline constexpr std::size_t kIndexBatchEntries = 1'000'000;

// --- replication
// --------------------------------------------------------------------------------------
inline constexpr std::size_t kFramePartBytes = 1u << 20;
inline constexpr std::size_t kFrameBytesMax = 64u << 20;
/// Frames kept in memory until acked, for a standby that is a little behind.
inline constexpr std::size_t kRingBytes = 64u << 20;
/// Bytes sent and not yet acked.
inline constexpr std::size_t kSendWindowBytes = 8u << 20;
inline constexpr std::size_t kCatchUpUnitBytes = 4u << 20;
/// Frames and units below this travel as they are; larger ones are compressed when that helps.
inline constexpr std::size_t kCompressFrameBytesMin = 512;
inline constexpr int kFrameZstdLevel = 1;
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
inline constexpr std::size_t kMailboxDigestsPerMessage = 5'000;
/// verify-pair names at most this many differences.
inline constexpr std::size_t kDifferencesMax = 1'000;
/// A user whose digest stays wrong is sent whole this often before the link is dropped.
inline constexpr int kUserRefillsMax = 3;
/// Octets of one part of a message that is given back, and the wait before one is offered again.
inline constexpr std::size_t kGiveBackPartBytes = 256u << 10;
inline constexpr std::int64_t kGiveBackRetryMs = 5'000;
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
/// Role changes that the control file remembers for status.
inline constexpr std::size_t kTransitionsKept = 20;
inline constexpr std::size_t kEpochHistoryMax = 8192;
inline constexpr std::size_t kControlFileBytesMax = 1u << 20;

// --- connections
// ----------------------------------------------------------------------------------------
inline constexpr std::size_t kCommandLineBytesMax = 64u << 10;
/// Literals of commands other than APPEND; before login 4 KiB.
inline constexpr std::size_t kCommandLiteralBytesMax = 1u << 20;
inline constexpr std::size_t kPreLoginLiteralBytesMax = 4u << 10;
inline constexpr std::size_t kLmtpLineBytesMax = 2048;
inline constexpr std::size_t kLmtpRecipientsMax = 1000;
/// Output waiting for a slow client: the session stops producing above, goes on below.
inline constexpr std::size_t kOutputHighBytes = 1u << 20;
inline constexpr std::size_t kOutputLowBytes = 256u << 10;
/// Input buffered for one session while it works on an earlier command.
inline constexpr std::size_t kInputBytesMax = 256u << 10;
inline constexpr int kBadCommandsMax = 50;
inline constexpr int kLoginFailuresMax = 5;
/// RFC 3501 §5.4 asks for at least 30 minutes once logged in.
inline constexpr std::int64_t kIdleMs = 31 * 60'000;
inline constexpr std::int64_t kPreLoginIdleMs = 60'000;
/// A client that does not take its output for this long is dropped.
inline constexpr std::int64_t kStalledOutputMs = 5 * 60'000;
inline constexpr std::size_t kConnectionsMax = 20'000;

// --- MIME
// -------------------------------------------------------------------------------------------------
inline constexpr int kMimeDepthMax = 100;
inline constexpr int kMimePartsMax = 10'000;

}  // namespace twinspool::limits
