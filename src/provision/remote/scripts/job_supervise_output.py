"""What a job prints: into one log, with an index of who printed what and when; a full disk loses output, no job."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

TAKEN = 64 << 10
"""Bytes that are taken from a pipe at once."""
AGAIN = 2.0
"""Seconds until a disk that was full is tried again."""
APART = 1.0
"""Seconds after which what the same stream prints gets a new record: its time is to be known."""


class Output:
    """Writes the log and its index; a record stands there before the bytes that it is about."""

    def __init__(self, folder):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self.log = os.open(os.path.join(folder, "log"), flags, 0o600)
        self.index = os.open(os.path.join(folder, "log.index"), flags, 0o600)
        self.size = os.fstat(self.log).st_size
        self.records = os.fstat(self.index).st_size // RUN.size
        self.stream, self.moment = None, 0.0
        self.lost = self.untold = 0
        self.closed_until = 0.0

    def add(self, stream, data):
        """Take what a stream printed."""
        now = time.monotonic()
        if now < self.closed_until:
            self.lose(len(data))
            return
        if self.untold and not self.told():
            self.lose(len(data))
            return
        written = self.write(stream, data)
        if written < len(data):
            self.lose(len(data) - written)

    def lose(self, count):
        self.lost += count
        self.untold += count

    def told(self):
        """Write down that there is a gap; return whether that could be."""
        text = b"%d bytes of output were lost here: the disk was full\n" % self.untold
        if self.size:
            text = b"\n" + text
        if self.write(NOTE, text) < len(text):
            return False
        self.untold = 0
        return True

    def write(self, stream, data):
        """Return how many of the bytes are in the log now."""
        written = 0
        try:
            now = time.time()
            if stream != self.stream or now - self.moment >= APART or now < self.moment:
                self.record(stream, now)
            while written < len(data):
                count = os.write(self.log, data[written:])
                written += count
                self.size += count
        except OSError:
            # Full, over quota, or failing: whatever it is, the job goes on.
            self.closed_until = time.monotonic() + AGAIN
            self.stream = None
        return written

    def record(self, stream, now):
        data = RUN.pack(int(now * 1000), self.size << 2 | stream)
        if os.write(self.index, data) < len(data):
            os.ftruncate(self.index, self.records * RUN.size)
            raise OSError(errno.ENOSPC, "full")
        self.records += 1
        self.stream, self.moment = stream, now

    def finish(self):
        """Tell of the last gap, if that can be."""
        if self.untold:
            self.told()
