// The role machine: what a node of a pair is, may do and must remember, as one pure function.
//
// Step(settings, state, event) changes `state` and answers actions. It knows no thread, clock,
// lock, disk or socket, and nothing of a log but positions, so that a checker can explore the very
// code that ships. The driver (replica/) turns the wire, the store and the operator into events and
// carries out the actions in the order of the list.
//
// The driver's duties, on which the rules rest:
//  * one Step at a time, all actions carried out before the next event;
//  * if Persist fails, the process ends: nothing that follows in the list may happen;
//  * an entry is durable here before Committed or Applied tells of it;
//  * a frame is applied only while MayApply() says so, and Applied follows before any other Step;
//  * messages reach Step only from the verified peer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/types.h"

namespace twinspool::replica::core {

// --- words -----------------------------------------------------------------------------

enum class Role : std::uint8_t {
  kFenced,      // at every start, and after giving up: neither serves nor follows
  kCatchingUp,  // follows a primary, but its store is not yet a prefix of that primary's
  kStandby,     // a prefix of the primary's log; acknowledges
  kPrimary,     // may serve, as far as Serving says
};

/// Why this node may acknowledge without its peer. Valid for Control::epoch only.
enum class Grant : std::uint8_t {
  kNone,
  kPeer,      // the peer gave up its own eligibility (or has never had one)
  kFence,     // an operator said that the peer is switched off
  kResign,    // the former primary resigned to this node
  kStanding,  // `single`: there is no peer
  kArbiter,   // the arbiter took the peer out of those that may be promoted
};

/// A UIDNEXT jump that a forced promotion owes to the store.
enum class UidJump : std::uint8_t { kNone, kJump, kJumpAndRenumber };

/// How acknowledging works once a node has a peer.
enum class Mode : std::uint8_t {
  kAvailable,  // both nodes store it, or one was legally dismissed
  kStrict,     // … and dismissing counts only after `solo`, in each epoch and at each start
  kAsync,      // durable here is enough
};

/// A handover that this node's operator has asked for and that is under way.
enum class Handover : std::uint8_t { kNone, kSwitchover, kDemote, kStop, kDissolve };

/// What led a node to open an epoch of its own; kNone: the transition opened none.
enum class Failover : std::uint8_t { kNone, kPromote, kSwitchover, kForced, kSolo };

/// What a node asks of the arbiter. All but kRead swap what it keeps, if that is still as it was.
enum class Ask : std::uint8_t { kNone, kRead, kPromote, kDegrade, kReadmit, kResume };

/// Exit codes of twinspoolctl; the numbers are fixed.
enum class Outcome : std::uint8_t {
  kDone = 0,
  kInternal = 1,
  kBadRequest = 2,
  kNotEligible = 3,       // refused; force would be refused too
  kPeerReachable = 4,     // refused: the peer answers
  kWritesBlocked = 5,     // done, but writes wait for the peer or a grant
  kTimeoutUnchanged = 6,  // nothing has changed
  kTimeoutUnknown = 7,    // ask again what the state is
  kDataLoss = 8,          // refused; only force (or a further claim) helps
  kNotReachable = 9,
};

/// Fixed for a process; from configuration and the control file.
struct Settings {
  std::uint32_t node_index = 0;  // 0 or 1; the parity of the epochs that this node may open
  Mode mode = Mode::kAvailable;
  /// async: an entry waits for the peer until Ack or WaitOver covers it.
  bool async_waits = false;
  /// A third party keeps a PairConfig: it decides who is promoted and who goes on alone.
  bool arbiter = false;
};

// --- state -----------------------------------------------------------------------------

/// What survives a restart. Durable before anything that depends on it leaves the node.
struct Control {
  Incarnation incarnation;      // +1 at each start
  CommitSeq incomplete_target;  // with `incomplete`: the catch-up ends at or above this
  Epoch epoch;                  // highest promise; 0: none yet
  bool last_primary = false;    // was primary of `epoch`
  Grant grant = Grant::kNone;
  bool resigned = false;          // gave `epoch` up to the peer
  bool held_resignation = false;  // holds the peer's resignation of `epoch`
  bool rewinding = false;         // the log may end in entries that the primary of `epoch` lacks
  bool incomplete = false;        // the store is a mix of times
  bool held_down = false;         // by demote or fence: no resume, reclaim or promotion
  bool expelled = false;          // the pair was dissolved: never again a member
  UidJump uid_jump = UidJump::kNone;  // serves nobody until UidsJumped
  std::array<std::uint8_t, 3> spare{};

  bool operator==(const Control&) const = default;
};
static_assert(std::has_unique_object_representations_v<Control>);

/// What the arbiter keeps of a pair: one value, changed by compare-and-swap on its revision alone.
struct PairConfig {
  std::uint64_t revision = 0;  // of the last change; 0: not read yet
  Epoch epoch;                 // the leader's
  std::uint8_t leader = 0;     // node index
  std::uint8_t in_sync = 0;    // a bit per node index: holds every acknowledged entry
  std::array<std::uint8_t, 2> spare{};

  bool operator==(const PairConfig&) const = default;
};
static_assert(std::has_unique_object_representations_v<PairConfig>);

/// All that the machine knows. A plain value without padding: comparable and hashable as bytes.
struct RoleState {
  Control control;

  CommitSeq log_end;  // own durable log
  CommitSeq visible;  // acknowledged, hence shown; meaningful while `reads`
  /// Reads open when the peer has acknowledged up to here under this epoch.
  CommitSeq reads_need;
  CommitSeq peer_pos;     // what the peer has durably, by its acks of this epoch
  CommitSeq readmit_at;   // with `readmitting`: the log's end when the grant went out of use
  CommitSeq waited_upto;  // async_waits: entries that have waited long enough
  PairConfig config;      // arbiter: as last seen
  std::uint64_t ask_expected = 0;  // arbiter, with `ask`: the revision that it is to replace
  Incarnation peer_incarnation;    // 0: not met since the start
  std::uint32_t cfgno =
      0;                 // orders InSync, Revoke, Resign, Reclaim, Expel between two incarnations
  Epoch peer_epoch;      // as last told; 0: not met
  Epoch accepted_epoch;  // by accept-epoch: believed whatever the step
  Epoch refused_epoch;   // a step too large that the peer showed; 0: none

  Role role = Role::kFenced;
  Handover handover = Handover::kNone;
  /// Every acknowledged entry is here, and none is acknowledged without us. Never in async, nor
  /// while the two nodes run in different modes.
  bool eligible = false;
  bool complete = false;    // primary: surely holds every acknowledged entry
  bool confirmed = false;   // the peer answered this start and knows no higher epoch
  bool peer_acked = false;  // an Ack came over this link under this epoch
  bool peer_is_primary = false;
  bool grant_usable = false;
  bool reads = false;
  bool readmitting = false;    // the grant is out of use until the peer is in sync, or lost again
  bool in_sync_sent = false;   // the peer was told that it is in sync
  bool revoke_wanted = false;  // the peer will be behind for long: ask it to give up eligibility
  bool drained = false;        // with `handover`: no accepted write is still on its way to the log
  bool link_up = false;
  bool stopping = false;      // a graceful stop is done: every event is ignored
  bool mode_differs = false;  // the peer acknowledges by other rules: a mistake in a configuration
  bool asking = false;        // the newest cfgno is a Revoke or Expel that waits for its answer
  Ask ask = Ask::kNone;       // arbiter: the question that waits for its answer
  std::array<std::uint8_t, 6> spare{};

  bool operator==(const RoleState&) const = default;
};
static_assert(std::has_unique_object_representations_v<RoleState>);

// --- messages between the two machines -------------------------------------------------

/// First word on a link, again whenever the sender became primary, and its answer (`reply`).
struct Hello {
  bool is_primary = false;
  bool reply = false;
  Mode mode = Mode::kAvailable;  // how the sender acknowledges
  bool operator==(const Hello&) const = default;
};
/// The sender's log is durable up to `durable_upto`, under the message's epoch.
struct Ack {
  CommitSeq durable_upto;
  bool operator==(const Ack&) const = default;
};
/// You have all that was ever acknowledged if your log reaches `length`.
struct InSync {
  std::uint32_t cfgno = 0;
  CommitSeq length;
  bool operator==(const InSync&) const = default;
};
/// Give up your eligibility / it is given up.
struct Revoke {
  std::uint32_t cfgno = 0;
  bool operator==(const Revoke&) const = default;
};
struct Revoked {
  std::uint32_t cfgno = 0;
  bool operator==(const Revoked&) const = default;
};
/// The sender gives its epoch up; `take_over`: the receiver promotes itself at once.
struct Resign {
  std::uint32_t cfgno = 0;
  CommitSeq seq;
  bool take_over = false;
  bool operator==(const Resign&) const = default;
};
/// The resignation is stored.
struct ResignHeld {
  std::uint32_t cfgno = 0;
  bool operator==(const ResignHeld&) const = default;
};
/// The resigned node wants its epoch back / the receiver has let it go.
struct Reclaim {
  std::uint32_t cfgno = 0;
  bool operator==(const Reclaim&) const = default;
};
struct Reclaimed {
  std::uint32_t cfgno = 0;
  bool operator==(const Reclaimed&) const = default;
};
/// Leave the pair for good / done, durably.
struct Expel {
  std::uint32_t cfgno = 0;
  bool operator==(const Expel&) const = default;
};
struct Expelled {
  std::uint32_t cfgno = 0;
  bool operator==(const Expelled&) const = default;
};

using MessageBody = std::variant<Hello, Ack, InSync, Revoke, Revoked, Resign, ResignHeld, Reclaim,
                                 Reclaimed, Expel, Expelled>;

/// Counts only if both incarnations are the present ones (a Hello that is no reply: `from` alone).
struct Message {
  Epoch epoch;
  Incarnation from;
  Incarnation to;
  MessageBody body;
  bool operator==(const Message&) const = default;
};

// --- events ----------------------------------------------------------------------------

/// A link to the verified peer is there / is gone.
struct LinkUp {};
struct LinkDown {};
/// About once per heartbeat: says again what has not been answered.
struct Tick {};

/// A commit group of this node is durable here. What a primary had accepted may become durable
/// while it steps down, so this may come in any role.
struct Committed {
  CommitSeq seq;
};
/// Standby: frames up to `seq` are durable here. Never while primary.
struct Applied {
  CommitSeq seq;
};
/// async_waits: everything up to `seq` has waited sync_wait_ms.
struct WaitOver {
  CommitSeq seq;
};
/// Primary: the peer needs a rewind or a catch-up; until it is done, commits would wait for it.
struct PeerBehind {};
/// The primary found entries here that it lacks, although no mark says so (a defence: the mark is
/// set when a higher epoch is met).
struct RewindStarted {};
/// The log, now ending at `log_end`, is a prefix of the primary's. `epoch`, here and below: under
/// which the work was begun; what was begun under an older one ends nothing.
struct RewindFinished {
  Epoch epoch;
  CommitSeq log_end;
};
/// Before the first unit is applied: the store will be a mix of times until `target`.
struct CatchUpStarted {
  Epoch epoch;
  CommitSeq target;
};
/// The store shows exactly position `log_end`, and it is durable. Ignored below the target.
struct CatchUpFinished {
  Epoch epoch;
  CommitSeq log_end;
};
/// Primary: every write that was accepted before Serving last closed writes has been Committed.
struct Drained {};
/// What JumpUids asked for is durable.
struct UidsJumped {};

/// Arbiter: what came of the question of that kind that expected that revision. `written`: the swap
/// took place; `now`: the value after it. It counts only while that very question is open.
struct ArbiterAnswer {
  Ask what = Ask::kNone;
  std::uint64_t expected = 0;
  bool written = false;
  PairConfig now;
};
/// Arbiter: no answer in time. What was asked may still happen.
struct ArbiterSilent {};
/// Arbiter: the leader's lease has run out. Again with each tick while that is so.
struct LeaderGone {};

/// Orders of an operator. Exactly one Done or Refuse answers each, perhaps in a later Step.
struct Promote {
  bool peer_fenced = false;        // claim: the peer is switched off
  bool peer_not_promoted = false;  // claim: it was not promoted since it resigned to us
  bool allow_data_loss = false;    // force, if nothing less will do; needs peer_fenced
};
struct Solo {
  bool peer_fenced = false;  // without: claims that the peer was not promoted since the grant
};
struct Switchover {};
struct Demote {};
struct Fence {};
struct Undemote {};
/// The process is about to end: hand over (primary) or step back (standby), then Done.
struct StopGracefully {};
/// `single` becomes a pair; before the peer's first Hello is answered.
struct Join {};
/// A pair becomes `single`.
struct Dissolve {
  bool peer_never_returns = false;  // claim: the other disk never starts as a member again
};
struct AcceptEpoch {
  Epoch epoch;
};
struct Order {
  std::variant<Promote, Solo, Switchover, Demote, Fence, Undemote, StopGracefully, Join, Dissolve,
               AcceptEpoch>
      what;
  Epoch expect_epoch;  // > 0: refuse unless the node is at this epoch
  std::string actor;   // who asked, for the audit line
};
/// The driver waits no longer for the order under way: it is called off where that is possible.
struct OrderTimedOut {};

using Event =
    std::variant<Message, LinkUp, LinkDown, Tick, Committed, Applied, WaitOver, PeerBehind,
                 RewindStarted, RewindFinished, CatchUpStarted, CatchUpFinished, Drained,
                 UidsJumped, ArbiterAnswer, ArbiterSilent, LeaderGone, Order, OrderTimedOut>;

// --- actions ---------------------------------------------------------------------------

/// Make the control state durable before going on.
struct Persist {
  Control control;
};
/// What clients may do here. Takes effect before the next action is carried out.
struct Serving {
  bool primary = false;
  bool reads = false;
  std::string writes_refused;  // empty: open; otherwise the sentence that clients get
  Epoch epoch;
  bool single = false;  // no outbox, no UID distance
  bool operator==(const Serving&) const = default;
};
struct SendMessage {
  Message message;
};
/// Everything up to `seq` is acknowledged: show it, complete the waiting commands.
struct AdvanceVisible {
  CommitSeq seq;
};
/// The peer has durably everything up to `seq` (UID distance, trimming).
struct PeerDurable {
  CommitSeq seq;
};
/// A higher epoch was met: stop applying frames. The log is suspect; compare it with the primary's,
/// save and undo what that lacks, then say RewindFinished.
struct StartRewind {};
/// Raise every UIDNEXT by limits::kUidJump; `renumber`: and give own entries that the peer is not
/// known to have new UIDs above it. Repeated after a crash until UidsJumped.
struct JumpUids {
  bool renumber = false;
};
/// Read the arbiter's value, or replace it by `want` if its revision is still `expected`.
struct AskArbiter {
  Ask what = Ask::kNone;
  std::uint64_t expected = 0;
  PairConfig want;  // without a revision
};
struct Done {
  Outcome code = Outcome::kDone;  // kDone or kWritesBlocked
  std::string text;
  std::string next;  // the command to type next, or empty
};
struct Refuse {
  Outcome code = Outcome::kNotEligible;
  std::string text;
  std::string next;
};
/// For the log line, the audit log and status.
struct Transition {
  Role from = Role::kFenced;
  Role to = Role::kFenced;
  Epoch epoch;
  Failover failover = Failover::kNone;
  std::string reason;  // for people
  std::string actor;
};

using Action = std::variant<Persist, Serving, SendMessage, AdvanceVisible, PeerDurable, StartRewind,
                            JumpUids, AskArbiter, Done, Refuse, Transition>;
using Actions = std::vector<Action>;

// --- the machine -----------------------------------------------------------------------

/// State and first actions of a process that found `stored` on disk and whose log ends at
/// `log_end`: fenced, in a new incarnation (persisted first); a single node resumes at once.
struct Started {
  RoleState state;
  Actions actions;
};
Started Start(const Settings& settings, const Control& stored, CommitSeq log_end);

/// The control state of a new node without a peer, and of one that is about to be filled by a pair.
Control NewSingle(const Settings& settings);
Control NewMember();

/// One step. Order of the answer: a Serving that closes something; Persist; UID jump; Serving;
/// Transition; StartRewind; messages; question to the arbiter; positions; Done or Refuse. Only what
/// is needed is there.
Actions Step(const Settings& settings, RoleState& state, const Event& event);

// --- questions -------------------------------------------------------------------------

/// A message with this envelope counts: equal epoch, both incarnations present.
bool CountsNow(const RoleState& state, Epoch epoch, Incarnation from, Incarnation to);
/// A frame with this envelope may be applied now.
bool MayApply(const RoleState& state, Epoch epoch, Incarnation from, Incarnation to);
/// Frames may be sent to the peer now.
bool MayShip(const RoleState& state);
/// … and so may a rewind or a catch-up. With an arbiter only under a grant: whoever comes behind it
/// must not be promotable any more, nor a promotion of it be under way.
bool MayBringBack(const Settings& settings, const RoleState& state);
/// A standby that holds everything that was acknowledged, as far as it was told.
bool MayBePromoted(const Settings& settings, const RoleState& state);
/// `single`: there is no peer.
bool IsSingle(const RoleState& state);
/// Acknowledges under a grant.
bool GrantInUse(const RoleState& state);
/// What Serving would say now.
Serving ServingOf(const Settings& settings, const RoleState& state);

/// "fenced", "catching-up", "standby", "primary".
std::string RoleName(Role role);
/// For status: primary: "replicated", "blocked", "solo", "single", "async"; "" otherwise.
std::string RoleDetail(const Settings& settings, const RoleState& state);
/// "", "peer", "fence", "resign", "standing", "arbiter".
std::string GrantName(Grant grant);
/// "", "promote", "switchover", "forced", "solo".
std::string FailoverName(Failover failover);
/// "available", "strict", "async".
std::string ModeName(Mode mode);
std::optional<Mode> ParseMode(std::string_view name);

/// The command that helps now, with its reason, in one or two sentences; empty if all is well.
std::string Advice(const Settings& settings, const RoleState& state);
/// One sentence: what would be lost if this node were promoted now.
std::string LossIfPromoted(const Settings& settings, const RoleState& state);

}  // namespace twinspool::replica::core
