"""How a job ended, in words that last; also on a full disk, and where its supervisor could not say it."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

SURE = 2.0
"""Seconds in which a lock that somebody only looks at goes free."""
SLICE = 16 << 10
"""Bytes of the room that is kept, which are given free for a file that is not the last one."""


def written_end(how, started, ended_others=0, lost=0):
    """Return what is written down of an end."""
    end = dict.fromkeys(("exit_code", "signal", "reason", "message"))
    end.update(how, started=started, ended=time.time(), ended_others=ended_others, log_lost=lost)
    return end


def write_spared(folder, name, value, lasting=False):
    """Write a file of a job, where there is no room in that which was kept; return whether it is there now.

    The last one, `lasting`, gets all of it.
    """
    for again in (True, False):
        try:
            write_json(folder, name, value, lasting)
        except OSError:
            if again:
                spare(os.path.join(folder, "reserve"), lasting)
        else:
            return True
    return False


def spare(reserve, whole):
    try:
        if whole:
            os.unlink(reserve)
        else:
            os.truncate(reserve, max(SLICE, os.stat(reserve).st_size - SLICE))
    except OSError:
        pass


def locked_alive(folder):
    """Take the lock of the job; return its descriptor, or ``None`` where another supervisor has it."""
    fd = os.open(os.path.join(folder, "alive"), os.O_RDWR | os.O_CLOEXEC | os.O_CREAT, 0o600)
    deadline = time.monotonic() + SURE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Others look at it for a moment.
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.02)
        else:
            return fd


def post(folder):
    """Write down that the service ended without a word of the supervisor, and how systemd says it did."""
    alive, names = locked_alive(folder), set(os.listdir(folder))
    if alive is None or "end.json" in names or ("env" in names and "state.json" not in names):
        # Another one is at work, or it was told, or nothing was begun: a launcher may still do that.
        return
    result = os.environ.get("SERVICE_RESULT", "")
    message = "what watched over it was ended (%s)" % (result or "nobody knows how")
    how = {"state": "lost", "reason": "oom" if result == "oom-kill" else "killed", "message": message}
    try:
        started = (read_json(folder, "state.json") or {}).get("started")
    except (OSError, ValueError):
        started = None
    write_spared(folder, "end.json", written_end(how, started), lasting=True)
