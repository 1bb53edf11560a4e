// What is derived from other rows goes with them: which rows of texts a write must take away, too.
//
// A page of texts (text_pages.h) is made from the records of its messages and their bodies. Nothing
// in it says that it is still right; it is, because whatever takes a record away (a purge, an undo,
// a refill, healing) takes the page along in the same write, and nobody writes a page that was made
// before that (Engine::WriteDerived). Pure.
#pragma once

#include "server/store/row_batch.h"

namespace twinspool::store {

struct Removals {
  /// The batch takes away what others may be derived from.
  bool any = false;
  /// Rows of Family::kTexts that go with it.
  RowBatch derived;
};

Removals RemovalsOf(const RowBatch& batch);

/// All columns of the page of texts that a message is on.
void DropTextPage(MailboxId mailbox, std::uint32_t page, RowBatch* batch);

}  // namespace twinspool::store
