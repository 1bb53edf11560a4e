// CommandReader: bytes of a client in, events of command.h out.
//
// It finds lines and literals, watches the limits, and has the parser judge each complete command;
// it writes nothing and knows no session. However the input is cut, the events are the same (only
// AppendData may be cut differently).
//
// Literals (RFC 3501 §4.3, LITERAL+ of RFC 7888) may stand in any command. Those of APPEND's
// messages are handed through as they come; all others are collected within
// limits::kCommandLiteralBytesMax per command (kPreLoginLiteralBytesMax before login).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/limits.h"
#include "server/imap/command.h"
#include "server/imap/command_text.h"
#include "server/imap/events.h"
#include "server/imap/parse_append.h"
#include "server/imap/parser.h"

namespace twinspool::imap {

/// Use:  reader.Feed(bytes);  while (auto event = reader.Next()) { … }
/// A session that cannot go on (a command waits for the store) stops calling Next and goes on
/// later; Feed keeps what comes meanwhile. Thread-compatible.
class CommandReader {
 public:
  CommandReader() = default;
  ~CommandReader() = default;
  CommandReader(const CommandReader&) = delete;
  CommandReader& operator=(const CommandReader&) = delete;

  // --- settings; each holds from the next line on.

  /// After login the wide limits of lines and literals hold.
  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
  /// Largest message of APPEND, once authenticated.
  void set_message_bytes_max(std::uint64_t bytes) { message_bytes_max_ = bytes; }
  /// Mailbox names are UTF-8 on the wire in place of modified UTF-7 (after ENABLE UTF8=ACCEPT).
  void set_utf8_names(bool utf8) { utf8_names_ = utf8; }

  // --- input

  /// Keeps `bytes` until Next used them up. The caller bounds what it feeds before it drains, by
  /// buffered() and back-pressure (limits::kInputBytesMax).
  void Feed(std::string_view bytes);
  /// Octets fed and not yet used.
  std::size_t buffered() const { return buffer_.size() - pos_; }
  /// Forgets what is buffered: for STARTTLS, where earlier input must not count as protected.
  void DropBuffered();

  // --- events

  /// The next event, or nothing until more is fed. Views in it are good until the next call of any
  /// method.
  std::optional<Event> Next();

  /// The next line comes as RawLine, whatever it holds: a response of AUTHENTICATE, DONE of IDLE.
  /// One line per call. Call between two commands only, i.e. after CommandReady or RawLine.
  void ReadRawLine() { raw_line_ = true; }

  /// Refuses the literal just announced by NeedContinuation, AppendBegin, AppendMessageBegin or
  /// CatenateText:
  /// called before Next is called again and in place of writing "+". The command is over, the
  /// caller answers it. Octets of a non-synchronizing literal are skipped.
  void RefuseLiteral();
  /// Gives up the command whose literal is under way, the "+" being written already: its octets are
  /// skipped, no further event of it comes, the caller answers it.
  void DiscardCommand();

 private:
  enum class State {
    kLine,     // collecting a line
    kLiteral,  // collecting a literal of text_
    kMessage,  // handing out octets of a message
    kSkip,     // octets of a literal nobody wants
    kDead,     // after Fatal
  };
  /// "{size}", "{size+}" or "~{size}" at the end of a line.
  struct Announcement {
    std::size_t begin = 0;  // in text_.line
    std::uint64_t size = 0;
    bool sync = true;
    bool binary = false;
    bool overflow = false;  // size does not fit
  };

  /// One step of the present state; false when more input is needed.
  bool Step();
  bool StepLine();
  bool StepLiteral();
  bool StepMessage();
  bool StepSkip();

  /// Takes a line off the buffer into *line; false when it is not complete (or too long).
  bool TakeLine(std::string* line);
  void OnLine(std::string line);
  void OnAnnouncement(const Announcement& announced);
  void OnLiteral(const Announcement& announced);
  void OnAppendLiteral(const Announcement& announced);
  void OnAppendEnd();
  Result<AppendStretch> NextStretch(bool literal_follows);
  /// Hands out what an APPEND says up to its next literal, or its end.
  void EmitStretch(AppendStretch stretch, const Announcement* announced);
  void OnCommandEnd();
  std::optional<Announcement> FindAnnouncement(std::size_t line_begin) const;
  /// Whether the literal announced at the end of text_ stands behind the mailbox of an APPEND.
  bool InAppend(const Announcement& announced);

  void Emit(Event event) { events_.push_back(std::move(event)); }
  void EmitFatal(std::string text);
  /// Answers the command as wrong; with `announced`, also deals with the octets that follow.
  void EmitBad(const Status& why, const Announcement* announced);
  /// The command is answered: what is left of it is skipped.
  void SkipAfter(const Announcement& announced);
  void SkipRestOfCommand();
  void BeginCommand();
  void BeginOctets(State state, std::uint64_t size);
  std::string TagOfCommand() const;
  std::size_t line_bytes_max() const;
  std::size_t literal_bytes_max() const;
  std::uint64_t message_bytes_max() const;
  /// Up to `remaining_` octets of the buffer.
  std::string_view TakeOctets();

  bool authenticated_ = false;
  bool utf8_names_ = false;
  std::uint64_t message_bytes_max_ = limits::kMessageBytesMax;

  std::string buffer_;
  std::size_t pos_ = 0;      // first octet not yet used
  std::size_t scanned_ = 0;  // no line end before this, at or after pos_

  State state_ = State::kLine;
  bool raw_line_ = false;
  bool discarding_ = false;        // the rest of the command is skipped
  std::uint64_t remaining_ = 0;    // octets still to come of a literal
  std::size_t literal_bytes_ = 0;  // announced for this command so far
  bool sync_ = true;               // of the literal under way
  bool binary_ = false;
  CommandText text_;        // the command, or of an APPEND what follows the last message
  bool in_append_ = false;  // AppendBegin was handed out
  bool replacing_ = false;  // for REPLACE
  AppendPlace place_ = AppendPlace::kStart;
  /// AppendMailboxAt of the command, once a literal made it matter.
  std::optional<std::optional<std::size_t>> mailbox_at_;
  std::string append_tag_;
  std::deque<Event> events_;  // at most a few, or the pieces that one line names
};

}  // namespace twinspool::imap
