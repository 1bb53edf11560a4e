#include "server/imap/url_octets.h"

#include <utility>

#include "server/imap/answers.h"
#include "server/imap/mutf7.h"

namespace twinspool::imap {

void UrlOctets::Begin(std::string url, Sink sink, Finished done) {
  text_ = std::move(url);
  sink_ = std::move(sink);
  done_ = std::move(done);
  if (core_.view() == nullptr || !NeedsBase(text_)) {
    return Parse(std::nullopt);
  }
  // The selected mailbox may have another name by now.
  core_.store().GetState(core_.view()->ref(),
                         task_.Then<MailboxState>([this](const Result<MailboxState>& state) {
                           if (!state.ok()) {
                             return done_(state.status());
                           }
                           Parse(*state);
                         }));
}

void UrlOctets::Parse(const std::optional<MailboxState>& selected) {
  Result<ImapUrl> url =
      ParseImapUrl(text_, selected ? std::optional(selected->name) : std::nullopt);
  if (!url.ok()) {
    return done_(url.status());
  }
  url_ = std::move(*url);
  if (url_.mailbox.empty()) {
    return OnMailbox(*selected);
  }
  Find(url_.mailbox);
}

/// RFC 5092 has names in UTF-8; older clients write the modified UTF-7 of the protocol.
void UrlOctets::Find(const std::string& name) {
  core_.store().FindMailbox(
      core_.user().id, NormalName(name),
      task_.Then<MailboxState>([this, name](const Result<MailboxState>& state) {
        if (state.ok()) {
          return OnMailbox(*state);
        }
        if (!state.status().Is(Code::kNotFound)) {
          return done_(state.status());
        }
        const Result<std::string> decoded = DecodeModifiedUtf7(name);
        if (!decoded.ok() || *decoded == name) {
          return done_(InvalidArgument("The URL names a mailbox that is not there"));
        }
        Find(*decoded);
      }));
}

void UrlOctets::OnMailbox(const MailboxState& state) {
  if (url_.uid_validity && *url_.uid_validity != state.uid_validity) {
    return done_(InvalidArgument("The URL has another UIDVALIDITY than the mailbox"));
  }
  mailbox_ = state.ref;
  FetchItem& item = items_.emplace_back();
  item.attribute = FetchAttribute::kBodySection;
  item.section = std::move(url_.section);
  item.peek = true;
  item.partial = url_.partial;
  plan_ = PlanFetch(items_, false);
  FetchRequest request;
  request.uids.Add(url_.uid);
  request.parts = kFetchIndex | kFetchRecord;
  request.body_bytes = plan_.body_bytes;
  core_.store().Fetch(
      mailbox_, std::move(request),
      task_.Then<FetchBatch>([this](Result<FetchBatch> batch) { OnMessage(std::move(batch)); }));
}

void UrlOctets::OnMessage(Result<FetchBatch> batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  if (batch->messages.empty() || batch->messages.front().entry.expunged) {
    return done_(InvalidArgument("The URL names a message that is not there"));
  }
  FetchedMessage& message = batch->messages.front();
  if (!message.failure.ok()) {
    return done_(message.failure);
  }
  keywords_ = batch->keywords;
  message_.emplace(items_, plan_, *keywords_, core_.known_structure());
  message_->BeginOctets(std::move(message));
  Write();
}

void UrlOctets::Write() {
  std::string piece;
  const std::optional<FetchMessage::Wanted> wanted = message_->Write(&piece);
  if (!wanted || wanted->holds == 0) {
    place_.reset();
  }
  if (piece.empty()) {
    return Provide(wanted);
  }
  sink_(std::move(piece), [this, wanted] { Provide(wanted); });
}

void UrlOctets::Provide(const std::optional<FetchMessage::Wanted>& wanted) {
  if (!wanted && message_->missing()) {
    return done_(InvalidArgument("The URL names a part that is not there"));
  }
  if (!wanted) {
    return done_(OkStatus());
  }
  if (wanted->length == 0) {
    return Write();
  }
  if (wanted->holds == 0 || place_ != nullptr) {
    return Read(*wanted);
  }
  core_.options().loads->Ask(wanted->holds, task_.Then<LoadBudget::PlacePtr>(
                                                [this, wanted](Result<LoadBudget::PlacePtr> place) {
                                                  place_ = std::move(*place);
                                                  Read(*wanted);
                                                }));
}

void UrlOctets::Read(FetchMessage::Wanted wanted) {
  core_.store().ReadBody(
      mailbox_.owner, message_->message().record.body, wanted.offset, wanted.length,
      task_.Then<std::string>([this](Result<std::string> octets) {
        if (!octets.ok() || octets->empty()) {
          return done_(octets.ok() ? DataLoss("a body is cut short") : octets.status());
        }
        message_->Octets(std::move(*octets));
        Write();
      }));
}

}  // namespace twinspool::imap
