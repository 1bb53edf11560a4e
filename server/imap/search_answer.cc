#include "server/imap/search_answer.h"

#include <algorithm>

#include "server/imap/messages.h"
#include "server/imap/response.h"

namespace twinspool::imap {
namespace {

void AppendSorted(std::string* out, const std::vector<std::uint32_t>& numbers) {
  AppendNumbersInOrder(out, std::vector<Uid>(numbers.begin(), numbers.end()));
}

void AppendPartial(std::string* out, const PartialRange& range, const SearchAnswer& answer) {
  const std::string_view minus = range.from_end ? "-" : "";
  AppendNumber(&((*out += " PARTIAL (") += minus), range.first);
  AppendNumber(&((*out += ':') += minus), range.last);
  *out += ' ';
  const std::size_t before = out->size();
  if (answer.sorted.empty()) {
    AppendSet(out, PartOf(answer.numbers, range));
  } else {
    const Places places = PlacesOf(range, answer.sorted.size());
    if (places.first <= places.last) {
      const auto begin = answer.sorted.begin();
      AppendSorted(out, {begin + static_cast<std::ptrdiff_t>(places.first - 1),
                         begin + static_cast<std::ptrdiff_t>(places.last)});
    }
  }
  *out += out->size() == before ? "NIL)" : ")";
}

void AppendEnds(std::string* out, SearchReturn returns, const SearchAnswer& answer) {
  const bool sorted = !answer.sorted.empty();
  if ((returns & kReturnMin) != 0) {
    AppendNumber(&(*out += " MIN "), sorted ? answer.sorted.front() : answer.numbers.Min());
  }
  if ((returns & kReturnMax) != 0) {
    AppendNumber(&(*out += " MAX "), sorted ? answer.sorted.back() : answer.numbers.Max());
  }
  if ((returns & kReturnAll) != 0) {
    *out += " ALL ";
    if (sorted) {
      AppendSorted(out, answer.sorted);
    } else {
      AppendSet(out, answer.numbers);
    }
  }
}

}  // namespace

void AppendSearch(std::string* out, const SearchAnswer& answer, std::string_view word) {
  (*out += "* ") += word;
  const auto one = [out](std::uint32_t number) { AppendNumber(&(*out += ' '), number); };
  if (answer.sorted.empty()) {
    answer.numbers.ForEach(one);
  } else {
    std::for_each(answer.sorted.begin(), answer.sorted.end(), one);
  }
  if (answer.modseq) {
    AppendNumber(&(*out += " (MODSEQ "), answer.modseq->value());
    *out += ')';
  }
  *out += "\r\n";
}

void AppendEsearch(std::string* out, std::string_view tag, const cmd::Search& command,
                   const SearchAnswer& answer) {
  AppendString(&(*out += "* ESEARCH (TAG "), tag);
  *out += command.uid ? ") UID" : ")";
  AppendResults(out, command, answer);
}

bool NamesNumbers(const SearchKey& key) {
  return (key.op == SearchOp::kSequence && !key.set.saved) ||
         std::any_of(key.children.begin(), key.children.end(), NamesNumbers);
}

void AppendResults(std::string* out, const cmd::Search& command, const SearchAnswer& answer) {
  if (!answer.numbers.empty()) {
    AppendEnds(out, command.returns, answer);
  }
  if (command.partial) {
    AppendPartial(out, *command.partial, answer);
  }
  if ((command.returns & kReturnCount) != 0) {
    AppendNumber(&(*out += " COUNT "), answer.numbers.Count());
  }
  if (answer.modseq) {
    AppendNumber(&(*out += " MODSEQ "), answer.modseq->value());
  }
  *out += "\r\n";
}

UidSet SavedPart(const cmd::Search& command, const UidSet& uids,
                 const std::vector<std::uint32_t>& sorted) {
  constexpr SearchReturn kParts = kReturnMin | kReturnMax | kReturnPartial;
  if (uids.empty() || (command.returns & (kReturnAll | kReturnCount)) != 0 ||
      (command.returns & kParts) == 0) {
    return uids;
  }
  UidSet part;
  if (command.partial && sorted.empty()) {
    part = PartOf(uids, *command.partial);
  } else if (command.partial) {
    const Places places = PlacesOf(*command.partial, sorted.size());
    for (std::uint64_t place = places.first; place <= places.last; ++place) {
      part.Add(sorted[static_cast<std::size_t>(place - 1)]);
    }
  }
  if ((command.returns & kReturnMin) != 0) {
    part.Add(sorted.empty() ? uids.Min() : sorted.front());
  }
  if ((command.returns & kReturnMax) != 0) {
    part.Add(sorted.empty() ? uids.Max() : sorted.back());
  }
  return part;
}

}  // namespace twinspool::imap
