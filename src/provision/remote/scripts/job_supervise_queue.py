"""The row of jobs that wait for GPUs: each waits for the one before it, and only the first looks for GPUs."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

TICKET = re.compile(r"(\d{12})-([a-z][a-z2-7]{5})")
LOOK = 1.0
"""Seconds between two looks of the first in the row, at the least: a slow nvidia-smi is asked more rarely."""
SOON = 1.0
"""Seconds until a job that has just been launched is looked at again."""
ANEW = 10.0
"""Seconds after which what is said of the wait is brought up to date, at the least: in a long row it is more."""


class Queue:
    """The place of one job in the row."""

    def __init__(self, state, record, boot):
        self.folder = os.path.join(state, "queue")
        self.jobs = os.path.join(state, "jobs")
        self.boot = boot
        self.ticket = next((one for one in self.tickets() if one[13:] == record["id"]), None)
        self.fd = None
        if self.ticket is not None:
            self.fd = os.open(os.path.join(self.folder, self.ticket), os.O_RDWR | os.O_CLOEXEC)
            # Others look at it for a moment, shared.
            fcntl.flock(self.fd, fcntl.LOCK_EX)

    def tickets(self):
        return sorted(one for one in os.listdir(self.folder) if TICKET.fullmatch(one))

    def ahead(self):
        """Return the tickets before ours whose jobs still wait."""
        before = [one for one in self.tickets() if self.ticket is not None and one < self.ticket]
        return [one for one in before if self.waits(one)]

    def waits(self, ticket):
        if is_locked(os.path.join(self.folder, ticket)):
            return True
        # Its supervisor may be about to begin, or have its GPUs.
        folder = os.path.join(self.jobs, ticket[13:])
        try:
            record = read_json(folder, "job.json")
            return record is not None and state_of(folder, record, self.boot)["state"] == "queued"
        except (OSError, ValueError):
            return False

    def await_before(self, ticket):
        """Wait until the job with this ticket waits no more."""
        try:
            fd = os.open(os.path.join(self.folder, ticket), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if is_locked(os.path.join(self.folder, ticket)):
                fcntl.flock(fd, fcntl.LOCK_SH)
            else:
                time.sleep(SOON)
        finally:
            os.close(fd)

    def leave(self):
        """Make room for those behind."""
        if self.fd is not None:
            try:
                os.unlink(os.path.join(self.folder, self.ticket))
            except OSError:
                pass
            os.close(self.fd)
            self.fd = None

    def turn(self, count, cards, signals, ends, tell):
        """Wait for GPUs and return their UUIDs; nothing where the job `ends` before that. `tell` says what for."""
        said = None
        while True:
            signals.look = False
            signals.drain()
            if ends():
                return []
            try:
                ahead, began = self.ahead(), time.monotonic()
                text = several(count, "GPU")
                if ahead:
                    text += "; %s before it" % several(len(ahead), "job")
                else:
                    uuids, users = cards.take(count)
                    if uuids:
                        return uuids
                    text += ": %s" % cards.waited_for(users)
                if text != said:
                    tell({"ahead": len(ahead), "text": text})
                    said = text
                if ahead:
                    signal.setitimer(signal.ITIMER_REAL, max(ANEW, len(ahead)))
                    with signals:
                        self.await_before(ahead[-1])
                else:
                    with signals:
                        time.sleep(max(LOOK, 4 * (time.monotonic() - began)))
            except WokenError:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)


def several(count, what):
    return "%d %s%s" % (count, what, "" if count == 1 else "s")
