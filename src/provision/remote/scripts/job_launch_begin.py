"""Begin a job: hand its supervisor to what keeps it alive, and see that it lives."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

WAITED = 10
"""Seconds until a supervisor must have said its first word."""
MOST_FILES = 1 << 20
"""Open files that a job may have, where the host allows more."""
LATER = ("OOMPolicy=continue", "CollectMode=inactive-or-failed")
"""Properties that not every systemd knows: since 243 and 236."""
THERE = ("already exists", "already loaded", "has a fragment file")
STANDARD = (0, 1, 2)
LIVES = ("active", "activating", "reloading", "deactivating")


class SilentError(WayError):
    """A supervisor ended without a word."""


def has_begun(folder):
    """Whether the supervisor of a job has been at work: it takes away the variables first of all."""
    names = set(os.listdir(folder))
    return "env" not in names or "state.json" in names or "end.json" in names


def begin(hold, record, request, ways, notes):
    """Begin a job by the first of the ways that takes it; return its record, which says by which one.

    A supervisor that finds another one at work, or that one was, ends without a word: whatever became of an earlier
    attempt, the command runs once.
    """
    folder = hold.folder
    forget_drafts(folder, "job.json")
    program = supervisor(request)
    if record["gpus"]:
        draw_ticket(request, record["boot_id"])
    words = [interpreter(), "-I", "-B", program, folder]
    for way in ways:
        said = described(record, way, notes)
        if said != record:
            record = said
            write_json(folder, "job.json", record, lasting=True)
        try:
            try:
                await_word(folder, started(way, record, words))
            except SilentError:
                # Whoever looked whether it lives may have held its lock just then.
                await_word(folder, started(way, record, words))
        except WayError as error:
            notes.append("%s: %s" % (way, one_line(str(error))))
            continue
        return record
    # The ways raise where none is left.
    raise JobError("refused", "nothing on this host begins the job")


def described(record, way, notes):
    """Return the record of a job that is begun by this way."""
    unit = None if way == SESSION else "provision-job-%s.service" % record["id"]
    return dict(record, way=way, unit=unit, way_note="; ".join(notes) or None)


def interpreter():
    return sys.executable or os.readlink("/proc/self/exe")


def supervisor(request):
    """Return the path of the supervisor's text, which is there once for all jobs that have the same."""
    program = raw(request["supervisor"])
    programs = os.path.join(os.path.dirname(jobs_folder(request)), "programs")
    name = "supervise-%s.py" % hashlib.sha256(program).hexdigest()[:16]
    path = os.path.join(programs, name)
    try:
        with open(path, "rb") as stream:
            there = stream.read()
    except FileNotFoundError:
        there = None
    if there != program:
        write_whole(programs, name, program)
    return path


def started(way, record, words):
    """Start a supervisor; return what tells whether it lives. Raises `WayError`."""
    environment = own_variables()
    if way == SESSION:
        pid = start_session(words, environment)
        began = start_time(pid)
        return lambda: began is not None and start_time(pid) == began
    user = () if way == SYSTEM else ("--user",)
    start_unit(user, record, words, environment)

    def lives():
        return ran("systemctl", *user, "is-active", record["unit"])[1] in LIVES

    return lives


def own_variables():
    """Return what the supervisor itself needs; the command has its own."""
    names = ("PATH", "HOME", "USER", "LOGNAME")
    # A host without this locale takes it for C: a Python of 3.6 then misses names that are not ASCII, and no more.
    return dict({name: os.environ[name] for name in names if name in os.environ}, LC_ALL="C.UTF-8")


def start_unit(user, record, words, environment):
    """Start a supervisor as a transient unit. Raises `WayError`."""
    post = " ".join(map(quoted, [*words, "post"]))
    properties = [
        "KillMode=control-group",
        "SendSIGKILL=yes",
        "TimeoutStopSec=%d" % (record["grace"] + 10),
        "TasksMax=infinity",
        "LimitNOFILE=%d" % most_files(),
        "UMask=%04o" % UMASK,
        "StandardOutput=null",
        "ExecStopPost=" + post,
    ]
    variables = ["--setenv=%s=%s" % pair for pair in sorted(environment.items())]
    unit = record["unit"]
    head = ("systemd-run", *user, "--quiet", "--unit=" + unit, "--description=provision job " + record["id"])
    for later in (LATER, LATER[1:], ()):
        given = [word for one in [*properties, *later] for word in ("-p", one)]
        code, said = ran(*head, *given, *variables, *[one.replace("$", "$$") for one in words])
        if code == 0 or any(one in said for one in THERE):
            return
        if not later or not any(one.partition("=")[0] in said for one in later):
            raise WayError(said or "systemd-run ends with %d" % code)


def quoted(word):
    """Quote a word for a command in a unit (systemd.service(5))."""
    return '"%s"' % word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")


def most_files():
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)


def start_session(words, environment):
    """Start a supervisor in a session of its own, with nothing of ours but its words; return its process."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            second = os.fork()
            if second:
                os.write(writer, b"%d" % second)
                os._exit(0)  # noqa: SLF001 - a forked process has no other way out
            os.chdir("/")
            os.umask(UMASK)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            null = os.open("/dev/null", os.O_RDWR)
            for fd in STANDARD:
                os.dup2(null, fd)
            for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
                if fd not in STANDARD:
                    try:
                        os.close(fd)
                    except OSError:
                        pass
            os.execve(words[0], words, environment)
        finally:
            os._exit(127)  # noqa: SLF001 - likewise
    os.close(writer)
    said = os.read(reader, 32)
    os.close(reader)
    os.waitpid(child, 0)
    if not said:
        raise WayError("no process could be started")
    return int(said)


def await_word(folder, lives):
    """Wait until a supervisor has said its first word. Raises `SilentError` where it ended before it."""
    began = time.monotonic()
    look, pause = began + 1, 0.002
    while not has_word(folder):
        now = time.monotonic()
        if now >= look:
            if not lives():
                if has_word(folder) or is_locked(os.path.join(folder, "alive")):
                    return
                raise SilentError("the supervisor ended before its first word")
            if now - began >= WAITED:
                return
            look = now + 1
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)


def has_word(folder):
    return any(os.path.exists(os.path.join(folder, name)) for name in ("state.json", "end.json"))
