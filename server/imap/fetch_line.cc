// Hand formatting of the line that comes by the hundred thousand.
#include "server/imap/fetch_line.h"

#include "server/imap/response.h"

namespace twinspool::imap {

void AppendFetchHead(std::string* out, std::uint32_t number, Uid uid, bool by_uid) {
  out->append("* ");
  AppendNumber(out, by_uid ? uid.value() : number);
  out->append(by_uid ? " UIDFETCH (" : " FETCH (");
}

void AppendUpdate(std::string* out, std::uint32_t number, const IndexEntry& entry,
                  const KeywordTable& keywords, UpdateItems items) {
  AppendFetchHead(out, number, entry.uid, items.by_uid);
  if (items.uid) {
    out->append("UID ");
    AppendNumber(out, entry.uid.value());
  }
  if (items.flags) {
    out->append(items.uid ? " FLAGS " : "FLAGS ");
    AppendFlags(out, entry.flags, entry.keywords, keywords);
  }
  if (items.modseq) {
    out->append(items.uid || items.flags ? " MODSEQ (" : "MODSEQ (");
    AppendNumber(out, entry.modseq.value());
    out->push_back(')');
  }
  out->append(")\r\n");
}

}  // namespace twinspool::imap
