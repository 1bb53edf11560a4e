// STAT, LIST, UIDL, DELE, RSET; RETR and TOP, which stream.
#include <algorithm>

#include "server/pop3/session.h"

namespace twinspool::pop3 {
namespace {

/// Room for one line of LIST or UIDL.
constexpr std::size_t kLineBytes = 64;

}  // namespace

void Session::Stat() {
  Ok(std::to_string(drop_.count()) + " " + std::to_string(drop_.octets()));
}

std::optional<std::size_t> Session::Find(std::uint64_t number) {
  if (number == 0 || number > drop_.size()) {
    Err("", "There is no such message; there are " + std::to_string(drop_.size()));
    return std::nullopt;
  }
  const auto index = static_cast<std::size_t>(number - 1);
  if (drop_.at(index).deleted) {
    Err("", "Message " + std::to_string(number) + " is deleted; RSET takes that back");
    return std::nullopt;
  }
  return index;
}

void Session::Delete(const Command& command) {
  if (const auto index = Find(*command.message)) {
    drop_.Delete(*index);
    Ok("Message " + std::to_string(*command.message) + " goes with QUIT");
  }
}

void Session::Reset() {
  drop_.Reset();
  Ok("Nothing is deleted; " + std::to_string(drop_.count()) + " messages");
}

// --- listings

void Session::AppendListed(std::string* out, Listing listing, std::size_t index) const {
  *out += std::to_string(index + 1) + " ";
  *out += listing == Listing::kSizes ? std::to_string(drop_.at(index).size) : drop_.UniqueId(index);
}

void Session::List(const Command& command, Listing listing) {
  if (!command.message) {
    Ok(std::to_string(drop_.count()) + " messages");
    mid_answer_ = true;
    return ListOn(listing, 0);
  }
  if (const auto index = Find(*command.message)) {
    std::string text;
    AppendListed(&text, listing, *index);
    Ok(text);
  }
}

// In pieces: of a large maildrop a listing has many octets, and the client may be slow.
void Session::ListOn(Listing listing, std::size_t index) {
  while (!Blocked()) {
    std::string out;
    for (; index < drop_.size() && out.size() < limits::kPop3PieceBytes - kLineBytes; ++index) {
      if (!drop_.at(index).deleted) {
        AppendListed(&out, listing, index);
        out += "\r\n";
      }
    }
    if (index == drop_.size()) {
      out += ".\r\n";
      mid_answer_ = false;
      state_ = State::kCommand;
      return host_.Write(out);
    }
    host_.Write(out);
  }
  state_ = State::kWriting;
  resume_ = [this, listing, index] { ListOn(listing, index); };
}

// --- messages

void Session::Retrieve(const Command& command) {
  const auto index = Find(*command.message);
  if (!index) {
    return;
  }
  const bool top = command.verb == Verb::kTop;
  const std::optional<std::uint64_t> lines = top ? std::optional(command.lines) : std::nullopt;
  FetchRequest request;
  request.uids.Add(drop_.at(*index).uid);
  request.parts = kFetchIndex | kFetchRecord;
  request.body_bytes = limits::kPop3PieceBytes;
  store_.Fetch(drop_.mailbox(), std::move(request),
               Await<FetchBatch>([this, index = *index, lines](Result<FetchBatch> batch) {
                 if (!batch.ok()) {
                   return Fail(batch.status());
                 }
                 OnMessage(index, lines, std::move(*batch));
               }));
}

void Session::OnMessage(std::size_t index, std::optional<std::uint64_t> lines, FetchBatch batch) {
  if (batch.messages.empty() || batch.messages.front().entry.expunged) {
    return Err("", "Message " + std::to_string(index + 1) + " was removed by somebody else");
  }
  const FetchedMessage& message = batch.messages.front();
  if (!message.failure.ok()) {
    return Fail(message.failure);
  }
  const std::uint64_t size = message.record.size;
  Ok(lines ? "The top follows" : std::to_string(size) + " octets");
  mid_answer_ = true;
  reading_.emplace(Reading{message.record.body, size, 0, DotWriter(lines),
                           lines ? std::nullopt : std::optional(index)});
  OnOctets(message.octets);
}

void Session::OnOctets(std::string_view octets) {
  std::string out;
  const bool wanted = reading_->dots.Write(octets, &out);
  reading_->at += octets.size();
  const bool end = !wanted || reading_->at >= reading_->size;
  if (end) {
    reading_->dots.End(&out);
  }
  host_.Write(out);
  if (end) {
    if (reading_->retrieves) {
      drop_.MarkRetrieved(*reading_->retrieves);
    }
    reading_.reset();
    mid_answer_ = false;
    state_ = State::kCommand;
  } else if (Blocked()) {
    state_ = State::kWriting;
    resume_ = [this] { ReadOctets(); };
  } else {
    ReadOctets();
  }
}

void Session::ReadOctets() {
  const auto length = static_cast<std::size_t>(
      std::min<std::uint64_t>(reading_->size - reading_->at, limits::kPop3PieceBytes));
  store_.ReadBody(drop_.mailbox().owner, reading_->body, reading_->at, length,
                  Await<std::string>([this](const Result<std::string>& octets) {
                    if (octets.ok() && !octets->empty()) {
                      return OnOctets(*octets);
                    }
                    // The client was promised octets that cannot be had. Without the final dot it
                    // does not take what it has for the message.
                    Report(octets.ok() ? DataLoss("a body is cut short") : octets.status());
                    Close();
                  }));
}

}  // namespace twinspool::pop3
