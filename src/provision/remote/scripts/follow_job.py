"""Tell what a job prints, from any byte or line or time on, until it has ended; and each change of its state.

The end of stdin ends it. Any Python from 3.6 runs this.
"""

# Text for an interpreter of the host, with its pieces in front.

AT = struct.Struct(">QB")
QUICK, SLOW = 0.1, 0.5
"""Seconds between two looks: while something is printed, and when nothing was in a while."""
QUIET = 10
LAST_WORD = 2
"""Seconds that a job which was killed has for whoever writes down how."""


class Out:
    """Gathers messages, as a job may print many small things; the first one went before."""

    def __init__(self):
        self.buffer = bytearray()

    def say(self, kind, *parts):
        self.buffer += HEAD.pack(kind, sum(map(len, parts)))
        for part in parts:
            self.buffer += part
        if len(self.buffer) >= PIECE:
            self.flush()

    def flush(self):
        view = memoryview(bytes(self.buffer))
        del self.buffer[:]
        try:
            while view:
                view = view[os.write(1, view) :]
        except OSError as error:
            raise ClientGoneError from error


class Following:
    """Follows one job."""

    def __init__(self, voice, request):
        self.voice = voice
        self.folder, self.record, self.state = the_job(request)
        self.boot = boot_id()
        self.log = Log(self.folder)
        self.out = Out()
        self.live = self.state["state"] not in ENDED
        self.died = None

    def run(self, request):
        follow = asked(request, "follow", bool)
        size = self.log.size()
        self.voice.json(b"S", dict(self.told(size), job=self.record, pruned=was_pruned(self.folder)))
        position = self.begin(request, size)
        heard = time.monotonic()
        while True:
            if self.send(position, size):
                heard = time.monotonic()
            position = size
            if not follow or self.is_over():
                self.out.say(b"X", json.dumps(dict(self.told(size), read=self.log.count)).encode())
                self.out.flush()
                return
            time.sleep(QUICK if time.monotonic() - heard < QUIET else SLOW)
            size = self.look()

    def told(self, size):
        return {"state": self.state, "size": size}

    def begin(self, request, size):
        """Send the last lines where those are wanted; return the offset from which on all is sent."""
        offset, lines = (asked(request, name, (int, type(None)), 0) for name in ("offset", "tail"))
        since = asked(request, "since", (int, float, type(None)), 0)
        start = offset or 0
        if start > size:
            raise ReplacedError
        if since is not None:
            start = max(start, self.log.since(time.time() - since, size))
        if lines is None:
            return start
        for one in self.log.tail(lines, size, start):
            self.send(*one)
        return size

    def send(self, start, end):
        """Send what stands between two offsets; return whether there is anything."""
        for offset, stream, data in self.log.parts(start, end):
            self.out.say(b"O", AT.pack(offset, stream), data)
        self.out.flush()
        return start < end

    def look(self):
        """See what has become of it, and return how long the log is then: so nothing of an ended job is missed."""
        try:
            state = state_now(self.folder, self.record, self.boot)
        except DamagedError as error:
            raise damaged(self.folder, error) from error
        if not os.path.isdir(self.folder):
            raise JobError("unknown", "job %s has been removed" % self.record["id"])
        size = self.log.size()
        if state != self.state:
            self.state = state
            self.out.say(b"S", json.dumps(self.told(size)).encode())
            self.out.flush()
        return size

    def is_over(self):
        """Whether it has ended, and all is known of that."""
        if self.state["state"] not in ENDED:
            self.live = True
            return False
        if not self.live or self.state["state"] != "lost" or self.state["ended"] is not None:
            return True
        # It was alive just now, and how it died may be about to be written down.
        if self.died is None:
            self.died = time.monotonic()
        return time.monotonic() - self.died >= LAST_WORD


def watch_client():
    """End with the client, even while it leaves unread what we write."""
    try:
        while os.read(0, 1 << 16):
            pass
    finally:
        os._exit(0)  # noqa: SLF001 - no thread is to be waited for


def main(voice):
    request = read_request()
    threading.Thread(target=watch_client, daemon=True).start()
    following = Following(voice, request)
    try:
        following.run(request)
    except ReplacedError:
        following.out.flush()
        pruned = was_pruned(following.folder)
        message = "what it had printed was removed to make room" if pruned else "its log is not what it was"
        raise JobError("replaced", "job %s: %s" % (following.record["id"], message)) from None


spoken(main)
