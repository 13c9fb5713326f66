"""The command of a job: what it is started with, the pipes that it prints to, and how it ended."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

NO_MEMORY = "a process of it was ended by the kernel, as there was no memory left"
KILLED = 128 + signal.SIGKILL
"""What a shell says of a command that was killed."""
SHELLS = (b"/bin/bash", b"/usr/bin/bash")
ACTIVATE = b"/etc/conda/activate.d/*.sh"
ACTIVATED = b"""
for _provision_one in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$_provision_one"; done
unset _provision_one
exec "$@"
"""


class Child:
    """The command, which is not there before `start`."""

    def __init__(self, record, env, umask):
        self.record = record
        self.env = {raw(name): raw(value) for name, value in env}
        self.umask = umask
        self.place = os.path.join(raw(record["snapshot"] or record["tree"]), raw(record["cwd"]))
        self.command = [raw(one) for one in record["command"]]
        self.pipes = {}
        """The streams by the descriptors of their pipes, until these are closed at the other end."""
        self.pid = self.status = None
        self.killed_before = oom_kills()

    def start(self, uuids):
        """Start the command with these GPUs. Raises OSError."""
        if self.record["gpus"] is not None:
            self.env[b"CUDA_VISIBLE_DEVICES"] = raw(",".join(uuids))
            self.env[b"CUDA_DEVICE_ORDER"] = b"PCI_BUS_ID"
        us, ends = os.getpid(), {}
        for stream in (STDOUT, STDERR):
            reader, ends[stream] = os.pipe()
            os.set_blocking(reader, False)
            self.pipes[reader] = stream
        try:
            process = subprocess.Popen(
                self.words(),
                cwd=self.place,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=ends[STDOUT],
                stderr=ends[STDERR],
                start_new_session=True,
                preexec_fn=lambda: self.prepare(us),
            )
        finally:
            for fd in ends.values():
                os.close(fd)
        self.pid = process.pid
        # Its end is taken with that of all other children.
        process.returncode = 0

    def words(self):
        """Return the command, behind what activates its environment where there is something to be run for that."""
        prefix = self.env.get(b"CONDA_PREFIX")
        if not self.record["environment"] or not prefix or not glob.glob(glob.escape(prefix) + ACTIVATE):
            return self.command
        shell = next((one for one in SHELLS if os.path.exists(one)), b"/bin/sh")
        return [shell, b"-c", ACTIVATED, b"provision", *self.command]

    def prepare(self, parent):
        """Between fork and exec: who would take its output is us, so it ends with us."""
        all_default()
        os.umask(self.umask)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self):
        for fd in self.pipes:
            os.close(fd)
        self.pipes.clear()

    def end(self):
        """Return how the command ended, as far as it did."""
        if self.status is None:
            return {}
        if not os.WIFSIGNALED(self.status):
            code = os.WEXITSTATUS(self.status)
            return dict(self.memory(code == KILLED), exit_code=code)
        number = os.WTERMSIG(self.status)
        return dict(self.memory(number == signal.SIGKILL), signal=signal_name(number))

    def memory(self, killed):
        return {"reason": "oom", "message": NO_MEMORY} if killed and oom_kills() > self.killed_before else {}

    def not_started(self, error):
        """Return what the end of a command is that could not be started."""
        what, why = os.fsdecode(self.command[0]), os.strerror(error.errno or 0)
        if not os.path.isdir(self.place):
            what, why = os.fsdecode(self.place), "the folder is not there any more"
        elif not os.access(self.place, os.X_OK):
            what = os.fsdecode(self.place)
        elif error.errno == errno.ENOEXEC:
            why += " (does its first line name what runs it?)"
        code = 127 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 126
        return {"state": "exited", "exit_code": code, "reason": "not-started", "message": "%s: %s" % (what, why)}


def signal_name(number):
    try:
        return signal.Signals(number).name[3:]
    except ValueError:
        return str(number)


def raw(given):
    return given.encode("utf-8", "surrogateescape")


def oom_kills():
    """Return how often the kernel has killed a process of our control group for want of memory."""
    count = 0
    try:
        with open("/proc/self/cgroup", errors="surrogateescape") as stream:
            groups = [line.rstrip("\n").split(":", 2) for line in stream]
    except OSError:
        return 0
    for number, controllers, group in groups:
        if number == "0":
            path = "/sys/fs/cgroup%s/memory.events" % group
        elif "memory" in controllers.split(","):
            path = "/sys/fs/cgroup/memory%s/memory.oom_control" % group
        else:
            continue
        try:
            with open(path) as stream:
                count += sum(int(line.split()[1]) for line in stream if line.startswith("oom_kill "))
        except (OSError, ValueError):
            # Shown to those outside of a container only, or of an old kernel.
            pass
    return count
