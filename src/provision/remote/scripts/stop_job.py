"""Stop a job: its supervisor ends it and writes that down; where there is none any more, we end what it left.

It goes on when the client goes away. Any Python from 3.6 runs this.
"""

# Text for an interpreter of the host, with its pieces in front.

LATER = 15
"""Seconds after its grace in which a supervisor must have ended all."""
LOOK = 0.1
KILLED = 5
"""Seconds until what was killed is gone."""
UNIT = 30


class Stop:
    """Ends one job."""

    def __init__(self, voice, request):
        self.voice = voice
        self.folder, self.record, self.state = the_job(request)
        self.boot = boot_id()
        self.was = self.state["state"]
        self.by = asked(request, "by", (str, type(None)))
        grace = asked(request, "grace", (int, float, type(None)), 0)
        self.grace = self.record.get("grace") if grace is None else grace
        if not isinstance(self.grace, NUMBERS):
            self.grace = 10
        self.processes = Processes(self.record)
        self.told = 0.0
        self.asked = None

    def run(self):
        if self.was not in ENDED:
            self.processes.left()
            self.request_it()
            self.wait_for_supervisor()
        if not self.is_watched():
            self.end_leftovers()
            self.drop_variables()
        self.look()
        self.say(b"J", {"state": self.state, "was": self.was, "ended": self.processes.ended()})

    def look(self):
        try:
            self.state = state_now(self.folder, self.record, self.boot)
        except DamagedError as error:
            raise damaged(self.folder, error) from error
        return self.state["state"]

    def is_watched(self):
        return is_locked(os.path.join(self.folder, "alive"))

    def request_it(self):
        """Write down that it is to be stopped: its supervisor looks for that."""
        try:
            write_json(self.folder, "stop", {"grace": self.grace, "by": self.by})
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # A file without content needs no room on most file systems, and asks for the same with its own grace.
            try:
                os.close(os.open(os.path.join(self.folder, "stop"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            except OSError:
                # The signal alone ends it as well.
                pass

    def wait_for_supervisor(self):
        deadline = time.monotonic() + self.grace + LATER
        while self.look() not in ENDED:
            self.signal_supervisor(signal.SIGTERM)
            if time.monotonic() > deadline:
                # It is stuck: what it left is ended without it.
                self.asked = None
                self.signal_supervisor(signal.SIGKILL)
                self.wait_for(lambda: not self.is_watched(), KILLED)
                return
            self.pause()

    def signal_supervisor(self, number):
        """Signal it, once it has said who it is."""
        if self.asked is not None:
            return
        try:
            told = read_json(self.folder, "state.json") or {}
            pid, started = int(told["pid"]), int(told["starttime"])
        except WRONG:
            return
        # Only who holds the lock is the supervisor, whatever became of the number.
        if pid > 1 and self.is_watched():
            signalled(pid, started, number)
            self.asked = pid

    def end_leftovers(self):
        """End the processes that nobody watches over."""
        if self.processes.left():
            self.send(signal.SIGTERM)
            self.wait_for(lambda: not self.processes.left(), self.grace)
            # Again and again: some may be starting others.
            self.wait_for(lambda: not self.send(signal.SIGKILL), KILLED)
        stop_unit(self.record, self.grace + UNIT)

    def drop_variables(self):
        """Remove what the command was to be started with: nobody starts it any more."""
        try:
            os.unlink(os.path.join(self.folder, "env"))
        except OSError:
            # Its supervisor has read it, as nearly always.
            pass

    def send(self, number):
        """Signal all that are left; return whether there were any."""
        left = self.processes.left()
        for pid, started in left:
            signalled(pid, started, number)
        return bool(left)

    def wait_for(self, question, seconds):
        deadline = time.monotonic() + seconds
        while not question() and time.monotonic() < deadline:
            self.pause()

    def pause(self):
        if time.monotonic() - self.told >= 1:
            self.told = time.monotonic()
            self.say(b"W", {"left": len(self.processes.left())})
        time.sleep(LOOK)

    def say(self, kind, value):
        try:
            self.voice.json(kind, value)
        except ClientGoneError:
            # What was asked for is done nonetheless.
            pass


def main(voice):
    request = read_request()
    # The connection may break: what was asked for is done.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Stop(voice, request).run()


spoken(main)
