"""The folder of a tree with our own one in it, and the lock on both."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Tree:
    """The folder of the tree and the one with our own files in it; a dry run may find neither."""

    def __init__(self, request):
        given = os.fsencode(os.path.expanduser(request["tree"]))
        if not given.startswith(b"/") or b"\0" in given:
            raise SyncError("refused", "the tree's path is not absolute: %s" % text(given))
        self.given = given
        self.root = os.path.realpath(given)
        if self.root in (b"/", os.path.realpath(os.fsencode(os.path.expanduser("~")))):
            raise SyncError("refused", "%s is no place for a tree: it needs a folder of its own" % text(self.root))
        self.fd = self.own = None
        self.writes = not request.get("dry_run")
        try:
            self.open()
        except FileNotFoundError:
            if self.writes:
                raise
        except NotADirectoryError:
            raise SyncError("refused", "%s or its .provision is not a folder" % text(self.root)) from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise SyncError("refused", "%s/.provision is a link" % text(self.root)) from None
            raise

    def open(self):
        refuse_laid_way(self.given)
        if self.writes:
            os.makedirs(self.root, exist_ok=True)
        self.fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.check(self.fd, self.root)
        # Once more: what was not there just now may have been laid meanwhile.
        refuse_laid_way(self.given)
        if not os.path.samestat(os.fstat(self.fd), os.stat(os.path.realpath(self.given))):
            raise SyncError("refused", "the way to %s was changed just now" % text(self.given), "sync again")
        os.fchdir(self.fd)
        if self.writes:
            try:
                os.mkdir(b".provision", 0o700)
            except FileExistsError:
                pass
        self.own = os.open(b".provision", FOLDER)
        mode = self.check(self.own, self.root + b"/.provision")
        if mode & 0o077 and self.writes:
            os.fchmod(self.own, 0o700)

    def check(self, fd, path):
        found = os.fstat(fd)
        if found.st_uid != os.geteuid():
            raise SyncError("refused", "%s belongs to another user (uid %d)" % (text(path), found.st_uid))
        return found.st_mode

    def read(self, name):
        """Return what one of our own files has; ``None`` where it is not there, or where something else is."""
        if self.own is None:
            return None
        try:
            fd = os.open(name, PLAIN, dir_fd=self.own)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                return None
            raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        with os.fdopen(fd, "rb") as stream:
            return stream.read()

    def has(self, name):
        return self.own is not None and lstat(name, self.own) is not None


def lock(tree, request):
    """Hold the tree against other receivers; a dry run only waits until nobody changes it, and writes nothing."""
    if tree.own is None:
        return None
    flags = os.O_RDWR | os.O_CREAT if tree.writes else os.O_RDONLY
    try:
        fd = os.open(b"lock", flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=tree.own)
    except FileNotFoundError:
        return None
    deadline = time.monotonic() + float(request.get("wait", 0))
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_EX if tree.writes else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        left = deadline - time.monotonic()
        if left <= 0:
            raise SyncError("busy", holder(os.pread(fd, 4096, 0)), "wait for it, or sync to another tree")
        time.sleep(min(left, 0.1))
    if tree.writes:
        who = request.get("origin", {}).get("who", "")
        note = json.dumps({"who": who, "pid": os.getpid(), "started": int(time.time())}).encode()
        os.ftruncate(fd, 0)
        os.pwrite(fd, note, 0)
    return fd


def holder(note):
    try:
        known = json.loads(note.decode())
        seconds = max(0, int(time.time() - known["started"]))
        doing = known.get("doing", "syncs to it")
        return "%s %s since %d s (process %s)" % (known["who"], doing, seconds, known["pid"])
    except (ValueError, KeyError, TypeError):
        return "another sync to it is running"


def write_own(tree, name, data, lasting=False):
    """Write one of our own files as a whole or not at all; a lasting one survives a power cut."""
    write_draft(tree, name, data, lasting)
    os.rename(name + b".tmp", name, src_dir_fd=tree.own, dst_dir_fd=tree.own)


def write_draft(tree, name, data, lasting=False):
    """Write what will be one of our own files."""
    fd = os.open(name + b".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600, dir_fd=tree.own)
    try:
        write_all(fd, data)
        if lasting:
            os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def text(path):
    return path.decode("utf-8", "surrogateescape")


def raw(path):
    return path.encode("utf-8", "surrogateescape")
