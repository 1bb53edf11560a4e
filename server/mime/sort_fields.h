// What SORT and THREAD (RFC 5256, RFC 5957) compare of a message's header, made ready for
// comparison: texts decoded and folded (i;unicode-casemap, fold.h), message ids as short hashes.
//
// Made once per message and kept in its summary. All of it is bounded, however the header looks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/codec.h"

namespace twinspool::mime {

/// The first 16 octets of the SHA-256 of a message id in its normal form; all zero: none. Two ids
/// are taken as equal when these are.
using MessageIdHash = std::array<char, 16>;

/// Texts are folded, at most limits::kSortKeyBytesMax octets each, and empty where the field is
/// missing.
struct SortFields {
  std::string from;          // local part of the first address of From:
  std::string to;            // of To:
  std::string cc;            // of Cc:
  std::string display_from;  // RFC 5957: display name of From:'s first address, or its address
  std::string display_to;
  std::string subject;  // base subject, RFC 5256 §2.1
  /// The subject said "Re:", "Fwd:" or the like.
  bool reply = false;
  MessageIdHash message_id{};
  /// References:, or the first id of In-Reply-To: if there are none. Of too many the first and the
  /// last ones, limits::kReferencesMax together.
  std::vector<MessageIdHash> references;
};

/// The same without copies: views into where they are kept.
struct SortFieldsView {
  std::string_view from;
  std::string_view to;
  std::string_view cc;
  std::string_view display_from;
  std::string_view display_to;
  std::string_view subject;
  bool reply = false;
  MessageIdHash message_id{};
  std::string_view references;  // their octets, one behind the other

  std::vector<MessageIdHash> References() const;
};
/// Of fields that outlive the view.
SortFieldsView ViewOf(const SortFields& fields);

/// From the octets of a header block.
SortFields ReadSortFields(std::string_view header_block);

/// As kept in a summary.
void PutSortFields(const SortFields& fields, std::string* out);
/// Reads them; false (and *in failed) if the octets are no such fields.
bool TakeSortFields(Reader* in, SortFields* fields);
bool TakeSortFields(Reader* in, SortFieldsView* fields);

/// The base subject of a decoded subject (RFC 5256 §2.1), not folded; *reply says whether anything
/// that marks a reply or a forwarded message was taken off.
std::string BaseSubject(std::string_view decoded, bool* reply);

/// The message ids in a field's value: what stands in angle brackets and has a left and a right
/// half, without quoting, comments and white space (RFC 5256 §3, "normalized").
std::vector<std::string> MessageIds(std::string_view value);

/// True for a hash that stands for no id.
bool IsNone(const MessageIdHash& hash);

}  // namespace twinspool::mime
