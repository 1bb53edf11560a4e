// FetchMessage: the FETCH response of one message, written in steps.
//
// What the batch brought is written at once. Octets beyond it are asked for piece by piece, so a
// large body is never held in memory. Where the parts of a large message lie is found by one pass
// over its pieces.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/imap/command.h"
#include "server/imap/fetch_plan.h"
#include "server/mail_store.h"
#include "server/mime/section.h"
#include "server/mime/structure.h"
#include "server/mime/summary.h"
#include "server/mime/transfer.h"

namespace twinspool::imap {

/// Where the parts of one large message lie, kept for the next command: clients fetch such parts
/// in slices.
struct KnownStructure {
  BodyNo body;
  std::shared_ptr<const mime::Structure> structure;
  /// Of the part whose decoded octets were counted last (BINARY).
  mime::PartIndex counted_part = mime::kNoPart;
  std::uint64_t counted_bytes = 0;
};

/// "BODY[1.2.HEADER.FIELDS (To)]<0>", and BINARY's likewise.
void AppendSectionName(std::string* out, const FetchItem& item);

class FetchMessage {
 public:
  /// Octets to read by MailStore::ReadBody and hand to Octets. Of length 0: nothing is needed but
  /// that the client takes what was written; then Write goes on.
  struct Wanted {
    std::uint64_t offset = 0;
    std::size_t length = 0;
    /// Octets that are being collected to be held at once, when they are more than a batch may
    /// bring: a matter for the LoadBudget until Write wants something else.
    std::uint64_t holds = 0;
  };

  /// Items, plan and keywords must outlive it. `number` is the message's sequence number.
  FetchMessage(const std::vector<FetchItem>& items, const FetchPlan& plan,
               const std::vector<std::string>& keywords, KnownStructure* known)
      : items_(items), plan_(plan), keywords_(keywords), known_(known) {}

  /// Begins the response of the next message.
  void Begin(std::string* out, std::uint32_t number, FetchedMessage message);
  /// In place of Begin when there is one item, BODY[…]: its octets alone are written, without
  /// anything around them.
  void BeginOctets(FetchedMessage message);
  /// There is no such part: BeginOctets led to nothing.
  bool missing() const { return missing_; }

  /// Writes as far as it can. Nothing: the response is complete. Otherwise what it needs; when
  /// reading fails in the middle of a literal, only closing the connection is left.
  std::optional<Wanted> Write(std::string* out);
  /// The answer to Write; not empty.
  void Octets(std::string octets);

  const FetchedMessage& message() const { return message_; }
  /// Of some message a part was asked for whose transfer encoding is not known (RFC 3516 §4.3).
  bool unknown_encoding() const { return unknown_encoding_; }

 private:
  /// One item's octets: composed, or a range of the message.
  struct Source {
    bool nil = false;
    std::optional<std::string> composed;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    /// Octets of that range once decoded, when they are to be decoded on their way.
    std::optional<std::uint64_t> decoded_bytes;
    std::string_view encoding;
  };

  /// An encoded part that is read piece by piece: first to be counted, since a literal says its
  /// length beforehand, then to be told.
  struct Decoding {
    std::uint64_t at = 0;  // of the message: what is fed next
    std::uint64_t end = 0;
    mime::TransferDecoder decoder;
    std::uint64_t skip = 0;  // decoded octets that are not wanted
    std::uint64_t left = 0;  // and those that are
  };

  void Reset(FetchedMessage message);
  bool WriteItem(std::string* out, const FetchItem& item);
  bool WriteSummaryItem(std::string* out, const FetchItem& item);
  bool WriteSection(std::string* out, const FetchItem& item);
  // fetch_binary.cc
  bool WriteBinary(std::string* out, const FetchItem& item);
  void WriteDecoded(std::string* out, const Source& source, const std::optional<Partial>& partial);
  bool CountDecoded(mime::PartIndex index, Source* source);
  void Count(std::string_view octets);
  std::optional<Wanted> StreamDecoded(std::string* out);
  void WriteSource(std::string* out, Source source, const std::optional<Partial>& partial,
                   bool binary = false);
  std::optional<Wanted> Stream(std::string* out);
  bool FindSource(const Section& section, Source* source);
  bool FindHeaderSource(const Section& section, Source* source);
  bool FindPartSource(const Section& section, Source* source);
  bool FindBinarySource(const Section& section, Source* source);
  /// True when structure_ is there; otherwise more octets are needed.
  bool FindStructure();
  void Scan(std::string_view octets);
  /// Asks for the octets up to `end`; true when they are here.
  bool Have(std::uint64_t end);
  /// Gives up octets that were loaded beyond what a batch may hold.
  void DropLarge();
  void Separate(std::string* out);

  const std::vector<FetchItem>& items_;
  const FetchPlan& plan_;
  const std::vector<std::string>& keywords_;
  KnownStructure* known_;

  FetchedMessage message_;
  std::size_t item_ = 0;
  bool first_ = true;
  bool bare_ = false;  // see BeginOctets
  bool missing_ = false;
  bool unknown_encoding_ = false;
  std::optional<mime::Summary> summary_;
  std::shared_ptr<const mime::Structure> structure_;
  std::unique_ptr<mime::StructureScanner> scanner_;  // at work on a large message
  std::uint64_t scanned_ = 0;
  std::uint64_t need_ = 0;  // octets from the start that must be held before going on
  // A literal being written from the store.
  bool streaming_ = false;
  std::uint64_t stream_at_ = 0;
  std::uint64_t stream_end_ = 0;
  std::string piece_;
  std::optional<Decoding> counting_;
  std::optional<Decoding> decoding_;
};

}  // namespace twinspool::imap
