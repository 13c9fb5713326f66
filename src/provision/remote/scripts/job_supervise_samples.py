"""What the GPUs do while a job runs: a line for each every few seconds, more rarely the longer it runs."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

ASKED = "--query-gpu=uuid,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
FAILURES = 3
"""Failures in a row after which nothing is asked any more."""
HOUR, DAY = 3600, 86400
OFTEN, SELDOM, RARELY = 5, 30, 120
"""Seconds between two samples in the first hour, on the first day, and later."""
FIELDS = 6
LONGEST = 1 << 20


class Samples:
    """Asks nvidia-smi now and then; it answers when it likes."""

    def __init__(self, folder, record, uuids):
        self.path = os.path.join(folder, "gpu.csv")
        # Parts of a divided GPU are not measured by themselves: then all are told.
        self.uuids = frozenset(uuids) if uuids and not any(one.startswith("MIG") for one in uuids) else None
        self.process, self.said, self.asked = None, b"", 0.0
        self.began = self.due = time.monotonic()
        self.failures = 0 if record.get("cards") and record.get("gpus") != 0 else FAILURES

    @property
    def fd(self):
        """The pipe on which an answer is awaited, or ``None``."""
        return None if self.process is None else self.process.stdout.fileno()

    def next_in(self, now):
        """Return the seconds until there is something to do; ``None`` where there is nothing."""
        if self.process is not None:
            return max(0.0, self.asked + ANSWERS - now)
        return None if self.failures >= FAILURES else max(0.0, self.due - now)

    def turn(self, tree):
        """Ask where it is time to, and do not wait for ever."""
        now = time.monotonic()
        if self.process is not None:
            if now >= self.asked + ANSWERS:
                self.drop()
        elif self.failures < FAILURES and now >= self.due:
            age = now - self.began
            self.due = now + (OFTEN if age < HOUR else SELDOM if age < DAY else RARELY)
            self.said, self.asked = b"", now
            self.process = asked_smi(tree, ASKED)
            if self.process is None:
                self.failures = FAILURES

    def read(self):
        """Take what it answers."""
        piece = os.read(self.fd, TAKEN)
        self.said += piece
        if len(self.said) > LONGEST:
            self.drop()
        elif not piece:
            self.end(failed=not self.kept())

    def kept(self):
        """Write the samples down; return whether there were any."""
        now, lines = time.time(), []
        for line in self.said.decode("ascii", "replace").splitlines():
            fields = [field.strip() for field in line.split(",")]
            if len(fields) == FIELDS and (self.uuids is None or fields[0] in self.uuids):
                values = [field if re.fullmatch(r"\d+(\.\d+)?", field) else "" for field in fields[1:]]
                lines.append(",".join(["%.1f" % now, fields[0], *values]) + "\n")
        append_whole(self.path, "".join(lines).encode())
        return bool(lines)

    def end(self, failed):
        self.failures = self.failures + 1 if failed else 0
        self.process.stdout.close()
        # Its end is taken with that of all other children.
        self.process.returncode = 0
        self.process = None

    def drop(self):
        kill_smi(self.process)
        self.end(failed=True)

    def reaped(self, pid):
        """Signal it no more."""
        if self.process is not None and self.process.pid == pid:
            self.process.returncode = 0

    def stop(self):
        """Ask no more."""
        if self.process is not None:
            self.drop()
        self.failures = FAILURES


def append_whole(path, data):
    """Add to a file what can be done without: on a full disk nothing of it."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return
    try:
        size = os.fstat(fd).st_size
        if os.write(fd, data) < len(data):
            os.ftruncate(fd, size)
    except OSError:
        pass
    finally:
        os.close(fd)
