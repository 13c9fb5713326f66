"""The snapshot of a job: what stands in it that the job made, and its removal, which never goes through a link."""

# A piece of tell_jobs.py: all pieces run in one namespace, and job_folder.py imports for them.

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OWN = (b".provision", b"snapshots")
REMOVING = ".removing-"
NAMED = 1000
OPEN = 0o700


class Made:
    """What is in a snapshot, and what of it was not copied there."""

    def __init__(self, named):
        self.named = named
        self.files = []
        """Path and size of the first that the job made or changed."""
        self.count = 0
        self.bytes = 0
        self.all = 0
        """Bytes of all that is in it."""
        self.whole = True
        """Whether everything was looked at."""

    def look(self, top, copied, deadline):
        """Look at all that stands below a folder until a time."""
        todo = [b""]
        while todo:
            if time.monotonic() > deadline:
                self.whole = False
                return
            folder = todo.pop()
            try:
                found = sorted(os.listdir(os.path.join(top, folder)))
            except OSError:
                self.whole = False
                continue
            inside = []
            for name in found:
                path = os.path.join(folder, name)
                try:
                    status = os.lstat(os.path.join(top, path))
                except OSError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    inside.append(path)
                else:
                    self.one(path, status, copied.get(path))
            todo += reversed(inside)

    def one(self, path, status, record):
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self.all += size
        kind = b"L" if stat.S_ISLNK(status.st_mode) else b"%d" % status.st_size
        if record == (kind, b"%d" % status.st_mtime_ns, b"%d" % status.st_ino) or record == (b"L", b"0", b"0"):
            return
        self.count += 1
        self.bytes += size
        if len(self.files) < self.named:
            self.files.append([path.decode("utf-8", "surrogateescape"), size])


def made(folder, record, named, seconds):
    """Return what the job has made in its snapshot."""
    found = Made(named)
    if record.get("snapshot") is not None:
        above = snapshots(record)
        name = os.fsencode(record["id"])
        try:
            if above is not None and stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                # By the descriptor: whatever the folders above it become meanwhile.
                top = b"/proc/self/fd/%d/" % above + name
                found.look(top, copied_into(folder), time.monotonic() + seconds)
        except FileNotFoundError:
            pass
        finally:
            if above is not None:
                os.close(above)
    return found


def copied_into(folder):
    """Return the records of what was put into the snapshot of a job, by path."""
    records = {}
    try:
        with open(os.path.join(folder, "snapshot.list"), "rb") as stream:
            for one in stream.read().split(b"\0"):
                kind, _, rest = one.partition(b" ")
                moment, _, rest = rest.partition(b" ")
                inode, _, path = rest.partition(b" ")
                records[path] = (kind, moment, inode)
    except OSError:
        pass
    return records


def snapshots(record):
    """Return a descriptor of the folder of all snapshots of a tree, ``None`` where there is none.

    Raises `JobError` where the job's is not in there.
    """
    tree, given = record.get("tree"), record["snapshot"]
    right = (
        isinstance(tree, str)
        and isinstance(given, str)
        and "\0" not in tree
        and os.path.isabs(tree)
        and ".." not in tree.split("/")
        and given == os.path.join(tree, ".provision", "snapshots", record["id"])
    )
    if not right:
        raise elsewhere(record)
    try:
        here = os.open(os.fsencode(tree), FOLDER & ~os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    for name in OWN:
        try:
            below = os.open(name, FOLDER, dir_fd=here)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise elsewhere(record) from error
            raise
        finally:
            os.close(here)
        here = below
    return here


def elsewhere(record):
    message = "the snapshot of job %s is not where snapshots are: %s" % (record["id"], ascii(record.get("snapshot")))
    return JobError("snapshot", message, "look at what is there; nothing was removed")


def remove(request):
    """Remove the folder and the snapshot of a job that has ended; a damaged one as far as it is known."""
    folder = job_folder(request, asked(request, "id", str))
    if os.path.islink(folder):
        raise JobError("refused", "%s is a link" % ascii(folder)[1:-1], "look at what is there; nothing was removed")
    try:
        record = record_of(folder)
        running = state_now(folder, record, boot_id())["state"] not in ENDED
    except DamagedError:
        record, running = None, False
    # Held to the end: what was about to begin it finds it taken.
    fd = held(os.path.join(folder, "alive"))
    if running or fd is False:
        name = os.path.basename(folder)
        raise JobError("running", "job %s has not ended" % name, "stop it first: provision stop %s" % name)
    if record is not None and Processes(record).left():
        name = os.path.basename(folder)
        message = "processes of job %s are still there, without what watched over them" % name
        raise JobError("running", message, "end them first: provision stop %s" % name)
    if record is not None and record.get("snapshot") is not None:
        above = snapshots(record)
        if above is not None:
            remove_below(above, os.fsencode(record["id"]))
            os.close(above)
    jobs = os.path.dirname(folder)
    os.rename(folder, os.path.join(jobs, "%s%s-%d" % (REMOVING, os.path.basename(folder), os.getpid())))
    fd_jobs = os.open(jobs, FOLDER & ~os.O_NOFOLLOW)
    for name in os.listdir(jobs):
        # Also what a removal that was killed has left.
        if name.startswith(REMOVING):
            remove_below(fd_jobs, os.fsencode(name))


def held(path):
    """Take the lock on a file; return ``None`` where there is no such file, and ``False`` where another has it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return False
    return fd


def remove_below(above, name):
    """Remove a folder with all that is in it, however deep; what is mounted there ends that with an error.

    Each folder in it is moved to the top before it is emptied: no more than a few are open at any time.
    """
    try:
        top = open_closed(above, name)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            message = "%s is no folder" % ascii(os.fsdecode(name))
            raise JobError("refused", message, "look at what is there") from error
        raise
    counter = [0]
    try:
        todo = emptied(top, top, counter)
        while todo:
            moved = todo.pop()
            fd = open_closed(top, moved)
            try:
                todo += emptied(fd, top, counter)
            finally:
                os.close(fd)
            os.rmdir(moved, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=above)


def open_closed(above, name):
    """Return a descriptor of a folder, which may be closed even for its owner until then."""
    path = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        here = "/proc/self/fd/%d" % path
        status = os.fstat(path)
        if status.st_mode & OPEN != OPEN and status.st_uid == os.geteuid():
            os.chmod(here, status.st_mode & 0o777 | OPEN)
        return os.open(here, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(path)


def emptied(fd, top, counter):
    """Remove the files of a folder, and move the folders in it to the top; return their names there."""
    moved = []
    for name in map(os.fsencode, os.listdir(fd)):
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                if found.st_uid == os.geteuid():
                    # A folder is moved only by who may write in it.
                    os.close(open_closed(fd, name))
                moved.append(move_up(fd, name, top, counter))
            else:
                os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            # Somebody else removes it as well.
            continue
    return moved


def move_up(fd, name, top, counter):
    while True:
        counter[0] += 1
        place = b".removing-%d" % counter[0]
        try:
            os.stat(place, dir_fd=top, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, place, src_dir_fd=fd, dst_dir_fd=top)
            return place
