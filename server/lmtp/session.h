// lmtp::Session: mail delivery (RFC 2033) as a sans-I/O session over MailStore.
//
//   Extensions: PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, SIZE, and STARTTLS where the
//   host has it. After DATA there is one reply per accepted recipient, in the order of RCPT; each
//   recipient is a delivery of its own, all run side by side. The octets are stored as they came.
//
//   A 250 is sent only for what the store acknowledged. When the outcome of a delivery is unknown,
//   the connection is closed without that reply: the MTA comes again, and the store recognises what
//   it has already.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/limits.h"
#include "common/status.h"
#include "server/lmtp/command.h"
#include "server/lmtp/dot_reader.h"
#include "server/mail_store.h"
#include "server/net/session.h"

namespace twinspool::lmtp {

/// What to answer for one recipient, or nothing: drop the connection (kOutcomeUnknown). kLimit is a
/// limit of the mailbox or of the pair, which may pass: the MTA shall come again.
std::optional<Reply> DeliveryReply(const Status& status);
/// The same for taking the octets of a message, where kLimit says that there are too many of them.
std::optional<Reply> StagingReply(const Status& status);

/// Lives on its host's thread. `store` outlives it.
class Session final : public net::Session {
 public:
  /// `host_name` is shown in the greeting.
  Session(net::SessionHost& host, MailStore& store, std::string host_name);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start() override;
  void Input(std::string_view bytes) override;
  void OnDrained() override { Consume(); }
  void OnTls() override;
  void OnTimeout() override;
  void OnShutdown(std::string_view reason) override;

 private:
  struct Recipient;

  // Taking input.
  /// The client does not take its replies; OnDrained follows.
  bool Blocked() const { return host_.output_pending() > limits::kOutputHighBytes; }
  void Consume();
  bool ConsumeLine();
  void OnLine(std::string_view line);
  void UpdatePause();

  // Commands.
  void Dispatch(const Command& command);
  void Lhlo();
  void Mail(std::string_view rest);
  void Rcpt(std::string_view rest);
  void OnRecipient(Path path, Result<UserRef> user);
  void Data();
  void StartTls();
  void Bad(const Reply& reply);

  // The message.
  bool ConsumeData();
  void WriteChunk();
  void OnChunkWritten(std::size_t recipient, const Result<Unit>& result);
  void OnDataStep();
  void Deliver();
  void OnDelivered(std::size_t recipient, Result<DeliverResult> result);
  void SendReplies();

  void Send(const Reply& reply) { host_.Write(reply.Line()); }
  void Goodbye(const Reply& reply);
  void Close();
  void ResetTransaction();
  /// A completion for the store that runs `method(args…, result)` on this session's thread.
  template <typename T, typename Fn>
  Done<T> Back(Fn fn);

  enum class State {
    kCommand,     // waiting for a line
    kLookup,      // the store looks for a recipient
    kData,        // reading the message
    kDelivering,  // the store has it
    kClosed,
  };

  net::SessionHost& host_;
  MailStore& store_;
  const std::string host_name_;
  const net::Poster post_;

  State state_ = State::kCommand;
  std::string input_;
  std::size_t consumed_ = 0;  // of input_, within Consume
  bool paused_ = false;
  bool line_too_long_ = false;
  int bad_commands_ = 0;
  std::string closing_;  // the node stops: reason, said once the deliveries are answered

  bool greeted_ = false;
  std::optional<Path> sender_;
  std::vector<Recipient> recipients_;
  DotReader dots_;
  std::string chunk_;           // message octets not yet handed to the stages
  std::uint64_t received_ = 0;  // of this message
  std::size_t writes_ = 0;      // stages that have not answered yet
  std::size_t replied_ = 0;     // recipients answered, in order
};

}  // namespace twinspool::lmtp
