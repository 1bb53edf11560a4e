#include "server/store/forgotten.h"

#include "server/store/engine.h"
#include "server/store/role_gate.h"
#include "server/store/row_batch.h"
#include "server/store/row_view.h"
#include "server/store/visibility.h"

namespace twinspool::store {

Result<std::vector<UserId>> StoreForgotten::Forgotten() {
  if (!gate_.state()->primary) {
    return RowView(engine_).Marked<UserId>('f');
  }
  const auto view = visibility_.view();
  return view == nullptr ? Result<std::vector<UserId>>(std::vector<UserId>())
                         : RowView(engine_, view->snapshot.get()).Marked<UserId>('f');
}

Status StoreForgotten::Settle(UserId user) {
  RowBatch batch;
  batch.Delete(Family::kMeta, ForgottenKey(user));
  return engine_.Write(batch, WriteMode::kNoSync);
}

}  // namespace twinspool::store
