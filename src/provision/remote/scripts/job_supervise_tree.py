"""The processes of a job: all that descend from its supervisor, and all that have its mark."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""linux/prctl.h"""
LIBC = ctypes.CDLL(None)
"""Looked up before anything forks."""


def prctl(option, value):
    """Ask the kernel for something of this process; a kernel that does not know it changes nothing."""
    LIBC.prctl(option, value, 0, 0, 0)


class Tree:
    """Finds the processes of a job."""

    def __init__(self, name):
        self.mark = b"PROVISION_JOB=" + name.encode()
        self.apart = {os.getpid()}
        """The supervisor, and what it has started for itself."""

    def left(self):
        """Return number and start of each process of the job that is there now."""
        starts, children = {}, {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                pid = int(name)
                found = parent_and_start(pid)
                if found is not None:
                    starts[pid] = found[1]
                    children.setdefault(found[0], []).append(pid)
        ours, todo = set(), [os.getpid()]
        todo += [pid for pid in starts if pid not in self.apart and self.is_marked(pid)]
        while todo:
            pid = todo.pop()
            if pid not in ours:
                ours.add(pid)
                todo += [one for one in children.get(pid, ()) if one not in self.apart]
        return {(pid, starts[pid]) for pid in ours if pid in starts and pid not in self.apart}

    def is_marked(self, pid):
        try:
            if os.stat("/proc/%d" % pid).st_uid != os.geteuid():
                return False
            with open("/proc/%d/environ" % pid, "rb") as stream:
                return self.mark in stream.read().split(b"\0")
        except OSError:
            return False


def parent_and_start(pid):
    """Return a living process's parent and when it began; ``None`` where there is none."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else (int(fields[1]), int(fields[19]))


def signalled(pid, started, number):
    """Signal a process that began then; return whether we may."""
    try:
        if start_time(pid) == started:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        # Another user's now, as by sudo.
        return False
    return True
