"""The processes of a job, and their end: none other is ever signalled, also where a number has been given anew."""

# A piece of stop_job.py and tell_jobs.py: all pieces run in one namespace, and job_folder.py imports for them.

PROC = "/proc"


def marked(name):
    """Return what the variables of each process of a job hold."""
    return b"PROVISION_JOB=" + name.encode()


class Processes:
    """The processes of one job: those with its mark, and what they have started, of the job's user."""

    def __init__(self, record):
        self.mark = marked(record["id"])
        self.user = user_of(record)
        self.seen = set()
        """Number and start of each that was ever found."""

    def left(self):
        """Return number and start of each that is there now."""
        found, parents = {}, {}
        for name in os.listdir(PROC):
            if not name.isdigit():
                continue
            pid = int(name)
            started, parent = start_and_parent(pid)
            if started is None or pid in above():
                continue
            parents[pid] = parent
            found[pid] = (started, self.is_marked(pid))
        ours = {pid for pid, (_, marked) in found.items() if marked}
        grown = True
        while grown:
            # Some took all variables away from what they started.
            more = {pid for pid in found if pid not in ours and parents[pid] in ours and self.is_users(pid)}
            ours |= more
            grown = bool(more)
        left = {(pid, found[pid][0]) for pid in ours}
        self.seen |= left
        return left

    def is_users(self, pid):
        try:
            return os.stat("%s/%d" % (PROC, pid)).st_uid == self.user
        except OSError:
            return False

    def is_marked(self, pid):
        if not self.is_users(pid):
            return False
        try:
            with open("%s/%d/environ" % (PROC, pid), "rb") as stream:
                return self.mark in stream.read().split(b"\0")
        except OSError:
            return False

    def ended(self):
        """Return how many of all that were found are there no more."""
        return sum(start_time(pid) != started for pid, started in self.seen)


def user_of(record):
    """Return the number of whose processes may be ended: one's own, and the job's user's where we are root."""
    if os.geteuid() == 0:
        try:
            return pwd.getpwnam(record.get("user") or "").pw_uid
        except (KeyError, TypeError, ValueError):
            pass
    return os.geteuid()


def start_and_parent(pid):
    try:
        with open("%s/%d/stat" % (PROC, pid), "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return None, None
    return (None, None) if fields[0] in (b"Z", b"X") else (int(fields[19]), int(fields[1]))


def above():
    """Return ourselves, and what we were started by: a job may have asked for its own end."""
    if not ABOVE:
        pid = os.getpid()
        while pid and pid not in ABOVE:
            ABOVE.add(pid)
            pid = start_and_parent(pid)[1]
    return ABOVE


ABOVE = set()


def signalled(pid, started, number):
    """Signal a process that began then; return whether it is still that one."""
    handle = None
    try:
        if hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal"):
            try:
                handle = os.pidfd_open(pid)
            except OSError as error:
                # ENOSYS of an old kernel, EPERM of a filter that does not know it.
                if error.errno == errno.ESRCH:
                    return False
        # Whatever has this number next, the handle is that of the process that is looked at here.
        if start_time(pid) != started:
            return False
        if handle is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's now, as by sudo.
        return True
    finally:
        if handle is not None:
            os.close(handle)
    return True


def stop_unit(record, seconds):
    """Let systemd end what is left in the unit of a job, if it has one."""
    name, way = "provision-job-%s" % record["id"], record.get("way")
    if record.get("unit") not in (name, name + ".service") or way not in ("user-unit", "system-unit"):
        return
    words = ["systemctl"] + (["--user"] if way == "user-unit" else []) + ["stop", name + ".service"]
    runtime = "/run/user/%d" % os.geteuid()
    environment = dict(
        os.environ, XDG_RUNTIME_DIR=runtime, DBUS_SESSION_BUS_ADDRESS="unix:path=%s/bus" % runtime, LC_ALL="C"
    )
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
    except OSError:
        return
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
