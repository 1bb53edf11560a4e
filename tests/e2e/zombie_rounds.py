"""Old primaries that come back from the dead while their clients are still connected and go on writing.

They are cut off from their peer, or stopped in the middle of the load and continued after the other node was promoted.
Some of the operator's claims are true (no claim; a switchover), some only nearly (`--peer-fenced` of a node that is
merely stopped). In every case the zombie must not acknowledge what the new primary lacks, and must not show less than
it had acknowledged, or what the new primary does not have. The new primary is compared before the zombie may talk to
it, because what it gives back later would hide a loss. A pair with a proxy (harness.ProxyPair).
"""
import crew
import fault_proxy
from harness import eventually
from rounds import Rounds

KINDS = ["cut off, plain promote", "stopped, plain promote", "switchover, then cut off",
         "stopped and cut off, promote --peer-fenced", "stopped, promote --peer-fenced when the silence is noticed"]
BUDGET = 2000  # commands of each process at the new primary, while the zombie is looked at


class ZombieRounds(Rounds):
    name = "zombie"

    def __init__(self, pair, seed):
        super().__init__(pair, seed)
        self.proxy = pair.proxy
        self.old = self.crew                           # stays with the zombie
        self.new = crew.Crew(pair, seed + 1, "n")      # goes to the new primary

    def crews(self):
        return [self.old, self.new]

    def kind(self, number):
        return KINDS[number % len(KINDS)]

    def round(self, number, kind):
        zombie = self.pair.primary()
        heir = "b" if zombie == "a" else "a"
        before = self.old.counts()["acknowledged"]
        self.old.load(zombie)
        self.old.attach(zombie)
        self.under_way(before + 100)
        self.cache.sync(self.pair.port(zombie))  # what it learned here must hold at the heir
        self.under_way(before + 150)
        self.seen["acknowledged before"] += self.old.counts()["acknowledged"] - before
        stopped = [self.stopped_and_cut_off, self.stopped_until_noticed][number % 2]
        {"cut": self.cut_off, "swi": self.switched_over}.get(kind[:3], stopped)(zombie, heir, "--peer-fenced" in kind)
        self.proxy.heal()
        self.pair.whole()
        for each in self.crews():
            each.stop(5)
        assert self.pair.whole() == heir, "the zombie is primary again"

    def cut_off(self, zombie, heir, _):
        """Both run and neither hears the other. The zombie shows what it has; nobody acknowledges."""
        self.rng.choice([self.proxy.cut, self.proxy.half_open, lambda: self.proxy.one_way(fault_proxy.UP),
                         lambda: self.proxy.one_way(fault_proxy.DOWN)])()
        eventually(lambda: not any(self.pair.status(node)["peer_connected"] for node in "ab"), what="both notice")
        self.pair.expect(5, heir, "promote", "--timeout", "3")
        self.silent(zombie)
        assert not self.serves(heir, "reads") and not self.serves(heir, "writes"), "what the zombie shows could be newer"

    def switched_over(self, zombie, heir, _):
        self.pair.ctl(zombie, "switchover")
        self.pair.wait(heir, "serving")
        self.rng.choice([self.proxy.cut, self.proxy.half_open])()
        self.silent(zombie)
        assert not self.serves(zombie, "reads"), "it has handed over"
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
            self.new.load(heir, BUDGET)
            self.under_way(before + 50, self.new)
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
        assert not self.serves(zombie, "writes"), "the zombie serves writes"
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
        assert after["acknowledged"] == before["acknowledged"], "the zombie acknowledged" + self.pair.logs()

    def looked(self):
        compared, refused = self.old.peek()
        self.seen["reads compared"] += compared
        self.seen["reads refused"] += refused

    def kept(self, heir):
        """What was acknowledged or shown is there before the zombie has given anything back."""
        compared, refused = self.old.peek(heir)
        assert refused == 0, "the new primary does not show its mail"
        self.cache.sync(self.pair.port(heir))
        self.seen["kept by the new primary"] += compared
