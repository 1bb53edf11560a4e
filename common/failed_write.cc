#include "common/failed_write.h"

#include <cstdlib>

#include "common/log.h"

namespace twinspool {

void EndAfterFailedWrite(const Status& failed) {
  LogError("write_failed",
           {{"status", failed.ToString()},
            {"consequence", "this process ends now; the next start decides what is kept"}});
  std::_Exit(kExitFailedWrite);
}

}  // namespace twinspool
