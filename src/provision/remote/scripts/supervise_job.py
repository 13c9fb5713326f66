"""Watch over one job: wait for its turn, run its command, keep what it prints and how it ended, leave nothing of it.

Arguments: the job's folder, and ``post`` where systemd says how the service ended. Any Python from 3.6 runs this.
"""

# Text for an interpreter of the host, with its pieces in front.

LEFT = 2.0
"""Seconds between TERM and KILL for what a command left behind, and in which its last output is awaited."""
BY_ITSELF = 0.3
"""Seconds in which what is left of a command may end by itself, as the readers of its pipes do."""
HOPELESS = 60.0
"""Seconds of KILL after which a process that does not die is left alone: it hangs in the kernel."""
SCAN = 0.25
"""Seconds between two looks at what is left of a job, at the most."""
QUICK = 0.02


class Supervisor:
    """One job, from its turn to its end."""

    def __init__(self, folder, umask):
        self.folder = folder
        self.state = os.path.dirname(os.path.dirname(folder))
        self.record = read_json(folder, "job.json")
        with open(os.path.join(folder, "env"), "rb") as stream:
            env = json.loads(stream.read().decode())
        os.unlink(os.path.join(folder, "env"))
        self.signals = Signals()
        self.output = None
        self.tree = Tree(self.record["id"])
        self.child = Child(self.record, env, umask)
        self.samples = None
        self.uuids, self.started, self.ended_others = [], None, 0
        self.told, self.since = None, 0.0
        self.changed = False
        """A process has ended since this was last set."""

    def tell(self, state, waiting=None):
        """Let others read what the job does."""
        if state != self.told:
            self.told, self.since = state, time.time()
        said = {"state": state, "pid": os.getpid(), "starttime": start_time(os.getpid()), "since": self.since}
        said.update(started=self.started, gpus=self.uuids, waiting=waiting)
        write_spared(self.folder, "state.json", said)

    def stop_asked(self):
        return os.path.exists(os.path.join(self.folder, "stop"))

    def ends(self):
        """Return why the job is to end, or nothing."""
        return "stop" if self.stop_asked() else "shutdown" if self.signals.end else None

    def run(self):
        """Run the job; return what is to be written down of its end."""
        self.output = Output(self.folder)
        if self.record["gpus"]:
            self.await_turn()
        why = self.ends()
        if why is not None:
            self.started = None
            return self.stopped(why)
        self.started = self.started or time.time()
        self.tell("running")
        self.samples = Samples(self.folder, self.record, self.uuids)
        try:
            self.child.start(self.uuids)
        except OSError as error:
            self.child.close()
            return self.child.not_started(error)
        why = self.watch()
        self.samples.stop()
        if why is None:
            self.settle()
            self.ended_others = self.end_all(lambda: LEFT)
        else:
            self.end_all(self.grace)
        self.drain()
        return dict(self.child.end(), state="exited") if why is None else self.stopped(why)

    def await_turn(self):
        self.tell("queued")
        queue = Queue(self.state, self.record, boot_id())
        cards = Cards(self.state, self.record, self.signals, self.tree)
        try:
            count = self.record["gpus"]
            self.uuids = queue.turn(count, cards, self.signals, self.ends, lambda what: self.tell("queued", what))
            # Before those behind come: jobs begin in the order of the row.
            self.started = time.time()
        finally:
            queue.leave()

    def watch(self):
        """Watch over the command until it ends; return why it is to be ended, or nothing where it ended by itself."""
        limit = self.record["max_time"]
        look = time.monotonic()
        deadline = None if limit is None else look + limit
        while self.child.status is None:
            now = time.monotonic()
            if self.signals.end or self.signals.look or now >= look:
                self.signals.look = False
                look = now + 1
                why = self.ends()
                if why is not None:
                    return why
            if deadline is not None and now >= deadline:
                return "max-time"
            self.turn(look - now if deadline is None else min(look, deadline) - now)
        # A command that is ended by a service's end was ended together with us.
        return self.ends() if self.signals.end else None

    def turn(self, seconds):
        """Take what there is to take, and wait for it so long at most."""
        self.samples.turn(self.tree)
        due = self.samples.next_in(time.monotonic())
        poll = select.poll()
        for fd in (self.signals.fd, self.samples.fd, *self.child.pipes):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        wait = seconds if due is None else min(seconds, due)
        for fd, _ in poll.poll(int(max(0.0, wait) * 1000) + 1):
            if fd == self.signals.fd:
                self.signals.drain()
            elif fd in self.child.pipes:
                self.pump(fd)
            else:
                self.samples.read()
        self.reap()

    def pump(self, fd):
        try:
            data = os.read(fd, TAKEN)
        except BlockingIOError:
            return
        if data:
            self.output.add(self.child.pipes[fd], data)
        else:
            del self.child.pipes[fd]
            os.close(fd)

    def reap(self):
        """Take the end of every child, orphans of the job among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self.changed = True
            self.tree.apart.discard(pid)
            self.samples.reaped(pid)
            if pid == self.child.pid:
                self.child.status = status

    def await_change(self, seconds):
        """Go on until a process ends, for so long at most."""
        deadline = time.monotonic() + seconds
        self.changed = False
        while not self.changed and time.monotonic() < deadline:
            self.turn(deadline - time.monotonic())

    def settle(self):
        deadline = time.monotonic() + BY_ITSELF
        while time.monotonic() < deadline and self.tree.left():
            self.await_change(QUICK)

    def grace(self):
        """Return the seconds between TERM and KILL, as they are asked for now."""
        try:
            asked = (read_json(self.folder, "stop") or {}).get("grace")
        except (OSError, ValueError):
            asked = None
        return asked if isinstance(asked, (int, float)) else self.record["grace"]

    def end_all(self, grace):
        """End every process of the job: TERM, and KILL after the grace time; return how many there were."""
        kill, pause = time.monotonic() + grace(), QUICK
        asked, others = set(), set()
        while True:
            left = self.tree.left() - others
            now = time.monotonic()
            # Who asks again may want it sooner.
            kill = min(kill, now + grace())
            if not left or now >= kill + HOPELESS:
                return len(asked - others)
            for one in left:
                if now >= kill or one not in asked:
                    asked.add(one)
                    if not signalled(*one, signal.SIGKILL if now >= kill else signal.SIGTERM):
                        others.add(one)
            self.await_change(max(QUICK, min(SCAN, kill - now)) if now < kill else pause)
            if now >= kill:
                pause = min(SCAN, pause * 2)

    def drain(self):
        """Take the last output: it may be in the pipes when all who wrote it are gone."""
        deadline = time.monotonic() + LEFT
        while (self.child.pipes or self.child.status is None) and time.monotonic() < deadline:
            self.turn(QUICK)
        self.child.close()

    def stopped(self, why):
        how = self.child.end()
        if why == "shutdown":
            message = "the host was shut down, or what ran the job was ended"
            return dict(how, state="lost", reason=why, message=message)
        return dict(how, state="stopped", reason=why, message=None)

    def run_to_end(self):
        """Run the job and write down how it ended, whatever happens."""
        try:
            how = self.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the job is to be left
            how = dict(failed(error), **self.child.end())
            if self.child.pid is not None:
                self.end_all(lambda: LEFT)
        lost = 0
        if self.output is not None:
            self.output.finish()
            lost = self.output.lost
        write_end(self.folder, written_end(how, self.started, self.ended_others, lost))


def failed(error):
    message = "what watched over it failed: %s: %s" % (type(error).__name__, error)
    return {"state": "lost", "reason": "killed", "message": message}


def write_end(folder, end):
    """Write how a job ended; the room that was kept is enough, but for what others take of it."""
    deadline = time.monotonic() + HOPELESS
    while not write_spared(folder, "end.json", end, lasting=True) and time.monotonic() < deadline:
        if not os.path.isdir(folder):
            # Somebody removed it: there is nothing left to write to.
            return
        time.sleep(AGAIN)


def main(folder):
    umask = os.umask(0o077)
    alive = locked_alive(folder)
    names = set(os.listdir(folder))
    if alive is None or "env" not in names or {"state.json", "end.json"} & names:
        # Another one is, or was, at work: a command never starts twice.
        return
    try:
        os.setsid()
    except OSError:
        # It is the leader of a session already.
        pass
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        watch = Supervisor(folder, umask)
    except Exception as error:  # noqa: BLE001 - nothing has begun, and nothing will
        write_end(folder, written_end(failed(error), None))
        return
    watch.run_to_end()


if __name__ == "__main__" and len(sys.argv) > 1:
    if sys.argv[2:] == ["post"]:
        post(sys.argv[1])
    else:
        main(sys.argv[1])
