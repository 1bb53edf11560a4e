"""A TCP proxy that breaks what flows through it, the way networks do, and counts what it really broke.

It stands between the node that dials (its octets flow UP) and the node that listens (DOWN). One thread
moves all octets, so a fault is in force when the call that set it returns. Kinds of faults:

  cut        connections are reset, new ones are closed at once
  half_open  connections stay, nothing flows; new ones are accepted and hang
  one_way    octets of one direction vanish, the other direction flows
  byte_cut   after N more octets of one direction the connection is reset, in the middle of a record
  flap       cut and whole in turn
  slow       a limited bandwidth and a delay

`heal` ends a fault. Connections that were held or lost octets are reset then: a stream with a hole in it
is no stream. `fired[kind]` counts faults that met octets or connections, not calls.
"""
import collections
import dataclasses
import selectors
import socket
import struct
import threading
import time

UP, DOWN = 0, 1
CHUNK = 1 << 16
QUEUE_MAX = 1 << 20
RESET = struct.pack("ii", 1, 0)


@dataclasses.dataclass
class Fault:
    """What is done to octets and connections; `hit` says that it was really done to some."""

    kind: str = "pass"
    directions: tuple = ()
    octets: int = 0          # byte_cut: what passes before
    then: str = "pass"       # byte_cut: what comes after
    period: float = 0        # flap: seconds of each phase
    rate: float = 0          # slow: octets per second
    delay: float = 0         # slow: seconds
    since: float = 0
    hit: bool = False

    def cuts(self, now):
        return self.kind == "cut" or (self.kind == "flap" and self.phase(now) % 2 == 0)

    def phase(self, now):
        return int((now - self.since) / self.period)

    def next_change(self, now):
        return self.since + (self.phase(now) + 1) * self.period if self.kind == "flap" else None


class End:
    """One socket of a connection: what is read from it goes to `other`, what waits for it in `queue`."""

    def __init__(self, sock, direction):
        sock.setblocking(False)
        self.sock = sock
        self.direction = direction
        self.other = None
        self.queue = collections.deque()  # (due, octets)
        self.queued = 0
        self.due = 0.0
        self.paused = False
        self.closing = False  # reset when the queue is empty
        self.damaged = False

    def push(self, octets, due):
        self.due = max(self.due, due)
        self.queue.append((self.due, octets))
        self.queued += len(octets)


class FaultProxy:
    """`target()` answers the port on loopback where the listening node is; it is asked for every connection."""

    def __init__(self, target):
        self.target = target
        self.fault = Fault()
        self.met = False
        self.fired = collections.Counter()
        self.passed = [0, 0]
        self.ends = set()
        self.orders = collections.deque()
        self.selector = selectors.DefaultSelector()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.server.setblocking(False)
        self.port = self.server.getsockname()[1]
        self.waker, self.wakened = socket.socketpair()
        self.wakened.setblocking(False)
        self.selector.register(self.server, selectors.EVENT_READ)
        self.selector.register(self.wakened, selectors.EVENT_READ)
        self.open = True
        self.thread = threading.Thread(target=self.loop, name="fault-proxy", daemon=True)
        self.thread.start()

    # --- faults; from any thread ------------------------------------------------------------

    def cut(self):
        self.put(Fault("cut"))

    def half_open(self):
        self.put(Fault("half_open", (UP, DOWN)))

    def one_way(self, direction):
        self.put(Fault("one_way", (direction,)))

    def byte_cut(self, direction, octets, then="pass"):
        self.put(Fault("byte_cut", (direction,), octets=octets, then=then))

    def flap(self, period):
        self.put(Fault("flap", period=period))

    def slow(self, rate, delay=0.0):
        self.put(Fault("slow", (UP, DOWN), rate=rate, delay=delay))

    def heal(self):
        self.put(Fault())

    def hit(self):
        """Whether the fault in force, or a byte_cut that is over, met something."""
        return self.met

    def lasting(self):
        """Whether nothing gets through in one direction at least, until it is healed."""
        return self.fault.kind in ("cut", "half_open", "one_way")

    def put(self, fault):
        """Returns when the fault is in force."""
        done = threading.Event()

        def order():
            self.met = False
            self.enter(fault)
            done.set()
        self.orders.append(order)
        self.waker.send(b"x")
        if not done.wait(30):
            raise AssertionError("the fault proxy does not answer")

    def close(self):
        self.open = False
        self.waker.send(b"x")
        self.thread.join(10)

    # --- its own thread ---------------------------------------------------------------------

    def loop(self):
        while self.open:
            for key, events in self.selector.select(self.patience()):
                if key.fileobj is self.server:
                    self.accept()
                elif key.fileobj is self.wakened:
                    self.wakened.recv(CHUNK)
                elif key.data in self.ends:
                    self.serve(key.data, events)
            while self.orders:
                self.orders.popleft()()
            self.pass_time()
        for sock in [self.server, self.waker, self.wakened] + [end.sock for end in self.ends]:
            sock.close()

    def patience(self):
        """Seconds until something is due; None: only events."""
        now = time.monotonic()
        dues = [end.queue[0][0] for end in self.ends if end.queue and end.queue[0][0] > now]
        change = self.fault.next_change(now)
        if change is not None:
            dues.append(change)
        return max(0.0, min(dues) - now) if dues else None

    def pass_time(self):
        now = time.monotonic()
        if self.fault.kind == "flap" and self.fault.cuts(now):
            self.reset_all(lambda _: True)
        for end in list(self.ends):
            if end in self.ends and end.queue and end.queue[0][0] <= now:
                self.flush(end)

    def enter(self, fault):
        fault.since = time.monotonic()
        self.fault = fault
        if fault.kind == "cut":
            self.reset_all(lambda _: True)
        if fault.kind == "pass":
            self.reset_all(lambda end: end.damaged)
        for end in list(self.ends):
            end.paused = False
            self.watch(end)

    def count(self):
        """The fault in force met something."""
        if not self.fault.hit and self.fault.kind != "pass":
            self.fault.hit = self.met = True
            self.fired[self.fault.kind] += 1

    def accept(self):
        try:
            near, _ = self.server.accept()
        except OSError:
            return
        if self.fault.cuts(time.monotonic()):
            self.count()
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target()), timeout=2)
        except OSError:
            near.close()
            return
        pair = End(near, UP), End(far, DOWN)
        pair[0].other, pair[1].other = pair[1], pair[0]
        for end in pair:
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ends.add(end)
            self.selector.register(end.sock, selectors.EVENT_READ, end)

    def watch(self, end):
        """Reads when there is room, writes when something is due."""
        events = 0
        if not end.paused and not end.closing and end.other.queued < QUEUE_MAX:
            events |= selectors.EVENT_READ
        if end.queue and end.queue[0][0] <= time.monotonic():
            events |= selectors.EVENT_WRITE
        registered = end.sock in self.selector.get_map()
        if events and registered:
            self.selector.modify(end.sock, events, end)
        elif events:
            self.selector.register(end.sock, events, end)
        elif registered:
            self.selector.unregister(end.sock)

    def serve(self, end, events):
        if events & selectors.EVENT_READ:
            self.take(end)
        if events & selectors.EVENT_WRITE and end in self.ends:
            self.flush(end)

    def take(self, end):
        """Reads from the end, and does to the octets what the fault wants."""
        fault = self.fault
        affected = end.direction in fault.directions
        if fault.kind == "half_open":
            self.count()
            end.damaged = end.paused = True
            return self.watch(end)
        try:
            data = end.sock.recv(4096 if fault.kind == "slow" else CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if affected and fault.kind == "one_way":
            self.count()
            end.damaged = True
            end.paused = not data  # its end vanishes, too
            return self.watch(end)
        if not data:
            return self.finish(end)
        if affected and fault.kind == "byte_cut":
            return self.spend(end, data)
        now = time.monotonic()
        if affected and fault.kind == "slow":
            self.count()
            now = max(now + fault.delay, end.other.due + len(data) / fault.rate)
        return self.forward(end, data, now)

    def spend(self, end, data):
        fault = self.fault
        fault.octets -= len(data)
        if fault.octets > 0:
            return self.forward(end, data, time.monotonic())
        self.count()
        end.other.closing = True
        self.forward(end, data[:len(data) + fault.octets], time.monotonic())
        return self.enter(Fault(fault.then))

    def forward(self, end, data, due):
        self.passed[end.direction] += len(data)
        end.other.push(data, due)
        self.flush(end.other)
        if end in self.ends:
            self.watch(end)

    def finish(self, end):
        """The end is closed: the other one is when it has got everything."""
        end.other.closing = True
        end.paused = True
        self.watch(end)
        self.flush(end.other)

    def flush(self, end):
        now = time.monotonic()
        try:
            while end.queue and end.queue[0][0] <= now:
                due, octets = end.queue.popleft()
                sent = end.sock.send(octets)
                end.queued -= sent
                if sent < len(octets):
                    end.queue.appendleft((due, octets[sent:]))
                    break
        except BlockingIOError:
            end.queue.appendleft((due, octets))
        except OSError:
            return self.drop(end)
        if end.closing and not end.queue:
            return self.drop(end)
        self.watch(end)
        return self.watch(end.other)

    def reset_all(self, which):
        for end in list(self.ends):
            if end in self.ends and (which(end) or which(end.other)):
                self.count()
                self.drop(end, reset=True)

    def drop(self, end, reset=False):
        """Closes both ends of a connection."""
        for one in (end, end.other):
            self.ends.discard(one)
            if one.sock in self.selector.get_map():
                self.selector.unregister(one.sock)
            if reset:
                one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            one.sock.close()
