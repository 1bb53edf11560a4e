"""Old primaries that come back from the dead while their clients are still connected and go on writing.

Twenty of them: cut off from their peer, or stopped in the middle of the load and continued after the other node
was promoted. Some of the operator's claims are true (no claim; a switchover), some only nearly (`--peer-fenced`
of a node that is merely stopped). In every case the zombie must not acknowledge what the new primary lacks, and
must not show less than it had acknowledged, or what the new primary does not have. The new primary is compared
before the zombie may talk to it, because what it gives back later would hide a loss.
"""
import collections
import random

import crew
import fault_proxy
import harness
from harness import eventually

SEED = 20260213
ROUNDS = 20
KINDS = ["cut off, plain promote", "stopped, plain promote", "switchover, then cut off",
         "stopped and cut off, promote --peer-fenced", "stopped, promote --peer-fenced when the silence is noticed"]


class Zombies(harness.ProxyPairTest):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(SEED)
        self.old = crew.Crew(self.pair, SEED, "z")      # stays with the zombie
        self.new = crew.Crew(self.pair, SEED + 1, "n")  # goes to the new primary
        for each in (self.old, self.new):
            self.addCleanup(each.close)
        self.seen = collections.Counter()

    def test_a_zombie_acknowledges_nothing_that_the_new_primary_lacks(self):
        for number in range(ROUNDS):
            kind = KINDS[number % len(KINDS)]
            self.old.generation = self.new.generation = number // 5
            try:
                self.round(kind, [self.stopped_and_cut_off, self.stopped_until_noticed][number % 2])
            except (AssertionError, OSError) as error:
                raise AssertionError(f"zombie {number}, {kind}: {error}") from error
        judged = sum(each.judge_all(self.pair.primary()) for each in (self.old, self.new))
        print(f"{ROUNDS} zombies: {dict(sorted(self.seen.items()))}; "
              f"{judged} judged at the end: 0 acknowledged that the new primary lacked, 0 lost, 0 doubled")
        for what in ("acknowledged before", "tried after", "reads compared", "reads refused", "kept by the new primary"):
            self.assertGreater(self.seen[what], 0, f"nothing {what}: the test would see nothing")

    # --- one round --------------------------------------------------------------------------

    def round(self, kind, stopped):
        zombie = self.pair.primary()
        heir = "b" if zombie == "a" else "a"
        before = self.acknowledged()
        self.old.load(zombie)
        self.old.attach(zombie)
        eventually(lambda: self.acknowledged() >= before + 150, what="some load")
        self.seen["acknowledged before"] += self.acknowledged() - before
        {"cut": self.cut_off, "swi": self.switched_over}.get(kind[:3], stopped)(zombie, heir, "--peer-fenced" in kind)
        self.proxy.heal()
        self.pair.whole()
        for each in (self.old, self.new):
            each.stop(5)
        self.pair.whole()
        for each in (self.old, self.new):
            each.judge(heir)
        self.pair.verify_equal()

    def acknowledged(self):
        return self.old.counts()["acknowledged"]

    def cut_off(self, zombie, heir, _):
        """Both run and neither hears the other. The zombie shows what it has; nobody acknowledges."""
        self.rng.choice([self.proxy.cut, self.proxy.half_open, lambda: self.proxy.one_way(fault_proxy.UP),
                         lambda: self.proxy.one_way(fault_proxy.DOWN)])()
        eventually(lambda: not any(self.pair.status(node)["peer_connected"] for node in "ab"), what="both notice")
        self.pair.expect(5, heir, "promote", "--timeout", "3")
        self.silent(zombie)
        self.assertFalse(self.serves(heir, "reads") or self.serves(heir, "writes"), "what the zombie shows could be newer")

    def switched_over(self, zombie, heir, _):
        self.pair.ctl(zombie, "switchover")
        self.pair.wait(heir, "serving")
        self.rng.choice([self.proxy.cut, self.proxy.half_open])()
        self.silent(zombie)
        self.assertFalse(self.serves(zombie, "reads"))
        self.old.stop(0)
        self.kept(heir)

    def stopped_and_cut_off(self, zombie, heir, claimed):
        self.pair.kill(zombie, "STOP")
        self.rng.choice([self.proxy.cut, self.proxy.half_open])()
        self.back_from_the_dead(zombie, heir, claimed)

    def stopped_until_noticed(self, zombie, heir, claimed):
        """Nothing is cut before the promotion: what lies in the sockets reaches the zombie when it goes on."""
        self.pair.kill(zombie, "STOP")
        eventually(lambda: not self.pair.status(heir)["peer_connected"], what="the heir notices")
        self.proxy.cut()
        self.back_from_the_dead(zombie, heir, claimed)

    def back_from_the_dead(self, zombie, heir, claimed):
        eventually(lambda: not self.pair.status(heir)["peer_connected"], what="the heir notices")
        if claimed:
            self.pair.ctl(heir, "promote", "--peer-fenced")
            before = self.new.counts()["acknowledged"]
            self.new.load(heir)
            eventually(lambda: self.new.counts()["acknowledged"] >= before + 50, what="the heir acknowledges")
        else:
            self.pair.expect(5, heir, "promote", "--timeout", "3")
        self.pair.kill(zombie, "CONT")
        eventually(lambda: not self.pair.status(zombie)["peer_connected"], what="the zombie notices")
        self.silent(zombie)
        if claimed:
            self.seen["served reads beside the heir, fenced only in name"] += self.serves(zombie, "reads")
            self.old.stop(0)
            self.kept(heir)

    # --- what must hold ---------------------------------------------------------------------

    def serves(self, node, what):
        return self.pair.status(node)["serves_" + what]

    def silent(self, zombie):
        """Its clients go on, and get no acknowledgement; what it shows is all that it had acknowledged."""
        self.assertFalse(self.serves(zombie, "writes"))
        self.old.load(zombie)  # more of them: what came before may wait for an answer for ever
        self.looked()
        before = self.old.counts()

        def tried():
            now = self.old.counts()
            return now["refused"] > before["refused"] or not now["connections"] or now["under way"]
        eventually(tried, what="clients try to write")
        self.seen["tried after"] += 1
        self.looked()
        after = self.old.counts()
        self.seen["refused by the zombie"] += after["refused"] - before["refused"]
        self.assertEqual(after["acknowledged"], before["acknowledged"], "the zombie acknowledged" + self.pair.logs())

    def looked(self):
        compared, refused = self.old.peek()
        self.seen["reads compared"] += compared
        self.seen["reads refused"] += refused

    def kept(self, heir):
        """What was acknowledged or shown is there before the zombie has given anything back."""
        compared, refused = self.old.peek(heir)
        self.assertEqual(refused, 0, "the new primary shows its mail")
        self.seen["kept by the new primary"] += compared


if __name__ == "__main__":
    harness.main()
