"""kill -9 at random moments under load: 0 lost, 0 doubled, both copies equal, round after round."""
import random
import time

import harness
import ledger

ROUNDS = 100 if harness.FULL else 21
WORKERS = 4
USER = "user2"


class KillRounds(harness.PairTest):
    def test_kill_rounds(self):
        rng = random.Random(20260105)
        ledger.make_boxes(self.pair, "a", USER)
        totals = {"acknowledged": 0, "unanswered": 0, "refused": 0}
        kinds = {"primary": 0, "standby": 0, "both": 0}
        past = []
        for number in range(ROUNDS):
            primary = self.pair.primary()
            standby = "b" if primary == "a" else "a"
            workers = [ledger.Worker(f"r{number}w{k}", self.pair.port(primary), USER, rng.random()) for k in range(WORKERS)]
            for worker in workers:
                worker.start()
            time.sleep(rng.uniform(0.2, 1.2))  # the load itself; the moment of the kill is the chance
            kind = ["primary", "primary", "standby", "both"][number % 4]
            kinds[kind] += 1
            getattr(self, "kill_" + kind)(primary, standby, workers)
            for worker in workers:
                worker.stop.set()
                worker.join(60)
                self.assertFalse(worker.is_alive(), "a client hangs" + self.pair.logs())
                for key in totals:
                    totals[key] += getattr(worker, key)
            now = self.pair.primary()
            past = (past + workers)[-3 * WORKERS:]
            ledger.judge(self.pair, now, USER, past)
            self.pair.wait("b" if now == "a" else "a", "eligible")
            self.pair.verify_equal()
        print(f"{ROUNDS} rounds {kinds}, {totals['acknowledged']} acknowledged, "
              f"{totals['unanswered']} unanswered, {totals['refused']} refused: 0 lost, 0 doubled")
        self.assertGreater(totals["acknowledged"], ROUNDS * 20)

    def kill_primary(self, primary, standby, workers):
        self.pair.kill(primary)
        self.pair.ctl(standby, "promote", "--peer-fenced")
        self.pair.start(primary)

    def kill_standby(self, primary, standby, workers):
        self.pair.kill(standby)
        self.pair.start(standby)
        self.pair.wait(standby, "eligible")

    def kill_both(self, primary, standby, workers):
        self.pair.kill(primary)
        self.pair.kill(standby)
        self.pair.start(standby)
        self.pair.start(primary)
        self.pair.wait(primary, "serving")


harness.main()
