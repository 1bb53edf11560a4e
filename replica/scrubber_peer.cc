// What the scrub has to do with the conversation and the other node: questions, answers, reports,
// and the comparison of both copies.
#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "common/limits.h"
#include "replica/conversation.h"
#include "replica/scrubber.h"

namespace twinspool::replica {
namespace {

std::string NameOf(const VerifyDifference& difference) {
  return difference.mailbox.nil() ? "user " + difference.user.ToHex()
                                  : "mailbox " + difference.mailbox.ToHex();
}

}  // namespace

template <typename T>
T Scrubber::InTalk(std::function<T(Conversation&)> work) {
  auto done = std::make_shared<std::promise<T>>();
  std::future<T> answer = done->get_future();
  parts_.in_talk(
      [done, work = std::move(work)](Conversation& talk) { done->set_value(work(talk)); });
  return answer.get();
}

/// False: nobody is there to hear it. A message waits until those before it are on their way, so
/// that heartbeats never wait for more than one of them.
bool Scrubber::Send(const proto::PeerMessage& message) {
  using Sent = Conversation::ScrubSent;
  while (true) {
    const Sent sent =
        InTalk<Sent>([&message](Conversation& talk) { return talk.SendScrub(message); });
    if (sent != Sent::kFull) {
      return sent == Sent::kSent;
    }
    std::unique_lock lock(mutex_);
    if (stopping_) {
      return false;
    }
    changed_.wait_for(lock, std::chrono::milliseconds(limits::kScrubSendRetryMs));
  }
}

// --- what comes in ---------------------------------------------------------------------------

void Scrubber::OnScrubMessage(const proto::PeerMessage& message) {
  const std::lock_guard lock(mutex_);
  const auto take = [&](std::uint64_t number, bool last) {
    const auto asked = answers_.find(number);
    if (asked == answers_.end()) {
      return;  // given up meanwhile
    }
    asked->second.bytes += message.ByteSizeLong();
    asked->second.messages.push_back(message);
    asked->second.whole = last;
  };
  switch (message.body_case()) {
    case proto::PeerMessage::kObjectReply:
      take(message.object_reply().number(), message.object_reply().last());
      break;
    case proto::PeerMessage::kBodyReply:
      take(message.body_reply().number(), true);
      break;
    case proto::PeerMessage::kScrubReport:
      if (report_ && report_->number() == message.scrub_report().number()) {
        proto::ScrubReport report = message.scrub_report();
        report.mutable_damage()->MergeFrom(report_->damage());
        report_ = std::move(report);
      }
      break;
    case proto::PeerMessage::kScrubRequest:
      peer_order_ = message.scrub_request().number();
      break;
    default:
      if (questions_.size() < limits::kMendRequestsMax) {
        questions_.push_back(message);
      }
      break;
  }
  Notify();
}

void Scrubber::OnPeerGone() {
  const std::lock_guard lock(mutex_);
  peer_gone_ = true;
  questions_.clear();
  peer_order_.reset();
  Notify();
}

// --- answering -------------------------------------------------------------------------------

bool Scrubber::ServeOne() {
  proto::PeerMessage question;
  {
    const std::lock_guard lock(mutex_);
    if (questions_.empty() || stopping_) {
      return false;
    }
    question = std::move(questions_.front());
    questions_.pop_front();
  }
  if (question.has_body_request()) {
    proto::PeerMessage message;
    *message.mutable_body_reply() = parts_.store->Answer(question.body_request());
    message.mutable_body_reply()->set_number(question.body_request().number());
    Send(message);
    return true;
  }
  for (proto::ObjectReply& reply : parts_.store->Answer(question.object_request())) {
    proto::PeerMessage message;
    reply.set_number(question.object_request().number());
    *message.mutable_object_reply() = std::move(reply);
    if (!Send(message)) {
      break;
    }
  }
  return true;
}

// --- asking ----------------------------------------------------------------------------------

Result<Scrubber::Answer> Scrubber::AskPeer(proto::PeerMessage question, std::uint64_t number) {
  {
    const std::lock_guard lock(mutex_);
    answers_[number] = Answer();
    peer_gone_ = false;
  }
  const bool sent = Send(question);
  const auto over = [this, number] {
    const std::lock_guard lock(mutex_);
    const Answer& answer = answers_[number];
    return answer.whole || peer_gone_ || answer.bytes > 2 * limits::kMendBytesMax;
  };
  const bool ended = sent && WaitFor(over, limits::kMendAnswerMs);
  const std::lock_guard lock(mutex_);
  Answer answer = std::move(answers_[number]);
  answers_.erase(number);
  if (answer.whole) {
    return answer;
  }
  return !sent || peer_gone_ ? Unavailable("the other node is away")
         : ended             ? LimitExceeded("the other node answers more than was asked for")
                             : Timeout("the other node did not answer");
}

Result<std::vector<proto::ObjectReply>> Scrubber::Ask(const proto::ObjectRequest& request) {
  proto::PeerMessage message;
  *message.mutable_object_request() = request;
  message.mutable_object_request()->set_number(++number_);
  ASSIGN_OR_RETURN(Answer answer, AskPeer(std::move(message), number_));
  std::vector<proto::ObjectReply> replies;
  for (proto::PeerMessage& reply : answer.messages) {
    replies.push_back(std::move(*reply.mutable_object_reply()));
  }
  return replies;
}

Result<proto::BodyReply> Scrubber::Ask(const proto::BodyRequest& request) {
  proto::PeerMessage message;
  *message.mutable_body_request() = request;
  message.mutable_body_request()->set_number(++number_);
  ASSIGN_OR_RETURN(Answer answer, AskPeer(std::move(message), number_));
  return std::move(*answer.messages.back().mutable_body_reply());
}

// --- changing this node's store --------------------------------------------------------------

Status Scrubber::Alone(const std::function<Status()>& write) {
  return InTalk<Status>([&write](Conversation& talk) { return talk.RunAlone(write); });
}

Status Scrubber::Replace(const std::vector<MailboxId>& mailboxes,
                         const std::vector<UserId>& users) {
  TRY(InTalk<Status>([&](Conversation& talk) { return talk.AskReplacement(mailboxes, users); }));
  const auto standing = [this] {
    return InTalk<bool>([](Conversation& talk) { return talk.Settled(); });
  };
  return WaitFor(standing, limits::kMendRefillMs)
             ? OkStatus()
             : Timeout("the primary has not finished sending it");
}

// --- both copies -----------------------------------------------------------------------------

bool Scrubber::AskPeerToSearch() {
  proto::PeerMessage message;
  message.mutable_scrub_request()->set_number(++number_);
  {
    const std::lock_guard lock(mutex_);
    peer_gone_ = false;
    report_.emplace().set_number(number_);
  }
  return Send(message);
}

/// In pieces: what was found since the last report.
void Scrubber::TellProgress(bool last, const std::string& refused) {
  const Instant now = parts_.clock.Now();
  if (!serving_peer_order_ || (!last && now.MsSince(told_at_) < limits::kScrubReportMs)) {
    return;
  }
  told_at_ = now;
  proto::PeerMessage message;
  proto::ScrubReport* report = message.mutable_scrub_report();
  report->set_number(*serving_peer_order_);
  report->set_mailboxes(tally_.mailboxes);
  report->set_bodies(tally_.bodies);
  for (; told_damage_ < tally_.damage.size(); ++told_damage_) {
    *report->add_damage() = tally_.damage[told_damage_];
  }
  report->set_last(last);
  report->set_refused(refused);
  Send(message);
}

/// As long as it tells of progress.
Status Scrubber::AwaitPeerReport(DeepResult* result) {
  std::uint64_t told = UINT64_MAX;
  const auto report = [this] {
    const std::lock_guard lock(mutex_);
    return std::pair(*report_, peer_gone_);
  };
  const auto news = [&] {
    const auto [now, gone] = report();
    return gone || now.last() || now.mailboxes() + now.bodies() != told;
  };
  while (WaitFor(news, limits::kMendAnswerMs)) {
    const auto [now, gone] = report();
    told = now.mailboxes() + now.bodies();
    if (gone || now.last()) {
      break;
    }
  }
  const auto [now, gone] = report();
  result->mailboxes += now.mailboxes();
  result->bodies += now.bodies();
  for (const proto::Damage& damage : now.damage()) {
    ++result->found;
    result->healed += damage.healed() ? 1U : 0U;
    result->damage.push_back({true, damage});
  }
  if (!now.last()) {
    return gone ? Unavailable("the other node went away during its search")
                : Timeout("the other node did not search (an earlier version does not)");
  }
  return now.refused().empty() ? OkStatus()
                               : Unavailable("the other node's search ended: " + now.refused());
}

VerifyResult Scrubber::Compare() {
  auto done = std::make_shared<std::promise<VerifyResult>>();
  std::future<VerifyResult> answer = done->get_future();
  parts_.in_talk([done](Conversation& talk) {
    talk.Verify([done](VerifyResult result) { done->set_value(std::move(result)); });
  });
  const auto ready = [&answer] {
    return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  while (!WaitFor(ready, limits::kScrubTickMs)) {
    if (!MayGoOn()) {
      return {.status = Unavailable("this node is stopping")};
    }
  }
  return answer.get();
}

VerifyResult Scrubber::Settle(VerifyResult verified) {
  std::set<std::string> damaged;
  for (const auto& [name, damage] : unrepaired_) {
    damaged.insert(damage.user_id());
  }
  std::vector<MailboxId> mailboxes;
  bool compare = false;
  std::set<std::string> named;
  for (const VerifyDifference& difference : verified.differences) {
    if (damaged.contains(std::string(difference.user.bytes()))) {
      continue;  // what is damaged here is no example to the other node
    }
    const bool both = difference.here != "missing" && difference.there != "missing";
    if (!difference.mailbox.nil() && both) {
      mailboxes.push_back(difference.mailbox);
    } else {
      compare = true;
    }
    named.insert(NameOf(difference));
  }
  if (named.empty()) {
    return verified;
  }
  const Status begun =
      InTalk<Status>([&](Conversation& talk) { return talk.ReplaceOnStandby(mailboxes, compare); });
  const auto settled = [this] {
    return InTalk<bool>([](Conversation& talk) { return talk.Settled(); });
  };
  if (begun.ok() && WaitFor(settled, limits::kMendRefillMs)) {
    verified = Compare();
  }
  // The link may have gone meanwhile, and with it what was to be sent: the copies tell.
  const bool healed = verified.status.ok() &&
                      std::ranges::none_of(verified.differences, [&](const auto& difference) {
                        return named.contains(NameOf(difference));
                      });
  proto::Damage damage;
  damage.set_kind("difference");
  std::string names;
  for (const std::string& name : named) {
    names += (names.empty() ? "" : ", ") + name;
  }
  damage.set_what("the copies differ though both are sound: " + names);
  damage.set_healed(healed);
  damage.set_outcome(healed       ? "the primary's was sent to the standby"
                     : begun.ok() ? "the standby has not taken the primary's yet"
                                  : std::string(begun.message()));
  Found(damage);
  return verified;
}

}  // namespace twinspool::replica
