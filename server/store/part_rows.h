// The contents of one part, as the other node sent them, turned into rows and into what they sum up
// to; the opposite of answers.h. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"
#include "server/store/parts.h"
#include "server/store/row_batch.h"

namespace twinspool::store {

struct PartRows {
  PartSum sum;
  RowBatch rows;  // they replace everything that the part has here
  std::shared_ptr<const MailboxHeaderPart> header;  // of a mailbox's header part
};

/// `contents`: the messages of this part, in order. `header`: beside which a page is read; null for
/// other parts. kDataLoss: they are not what the part is made of, or of a kind that this version
/// does not know.
Result<PartRows> MakePartRows(const Object& object, std::uint32_t part,
                              const MailboxHeaderPart* header,
                              const std::vector<proto::ObjectReply>& contents);

/// Takes the rows of a part away, whatever there is of them.
void DropPart(const Object& object, std::uint32_t part, RowBatch* rows);

}  // namespace twinspool::store
