#include "replica/unit_maker.h"

#include <iterator>
#include <string>
#include <utility>

#include "replica/core/frame_parts.h"

namespace twinspool::replica {

UnitMaker::Made UnitMaker::Make(std::optional<CatchUpWork> work, std::uint64_t number,
                                std::size_t bytes_max) {
  if (called_off_) {
    return {.status = Unavailable("the catch-up was called off")};
  }
  Result<Made> made = Cut(std::move(work), number, bytes_max);
  return made.ok() ? *std::move(made) : Made{.status = made.status()};
}

Status UnitMaker::Start(CatchUpWork work) {
  if (!work.mailbox.nil()) {
    return picture_->StartMailbox(work.mailbox);
  }
  if (!work.user.nil()) {
    return picture_->StartUser(work.user, std::move(work.have));
  }
  return picture_->StartSince(work.after);
}

Result<UnitMaker::Made> UnitMaker::Cut(std::optional<CatchUpWork> work, std::uint64_t number,
                                       std::size_t bytes_max) {
  if (work) {
    TRY(Start(*std::move(work)));
  }
  ASSIGN_OR_RETURN(std::optional<proto::CatchUpUnit> unit, picture_->NextUnit(bytes_max));
  if (!unit) {
    return Made{.walked = true};
  }
  unit->set_number(number);
  const std::string octets = unit->SerializeAsString();
  ASSIGN_OR_RETURN(auto parts, core::CutIntoParts(octets, number, true));
  return Made{
      .bytes = octets.size(),
      .parts = {std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end())}};
}

}  // namespace twinspool::replica
