"""The tree of a job: what syncs put there, and their lock on it."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MANIFEST_HEAD = struct.Struct("<4sIQ")
MANIFEST_RECORD = struct.Struct("<BQ32s")
BLOCK = 4096
BUSY = 60
"""Seconds that a sync may hold the tree before a launch gives up."""


class Manifest:
    """What the last sync put into a tree: the paths, and the bytes that each takes on a disk."""

    def __init__(self, blob):
        magic, count, length = MANIFEST_HEAD.unpack_from(blob)
        start = MANIFEST_HEAD.size + length
        self.paths = blob[MANIFEST_HEAD.size : start].split(b"\0")[:-1]
        records = blob[start:]
        if magic != b"PVM1" or len(self.paths) != count or len(records) != count * MANIFEST_RECORD.size:
            raise ValueError("not a manifest")
        self.id = hashlib.sha256(blob).hexdigest()
        self.sizes = [-(-size // BLOCK) * BLOCK for _, size, _ in MANIFEST_RECORD.iter_unpack(records)]


class Tree:
    """The folder that a project was synced to, with our own one in it."""

    def __init__(self, request):
        given = raw(os.path.expanduser(request["tree"]))
        self.root = os.path.realpath(given)
        self.fd = self.own = None
        try:
            self.fd = os.open(self.root, FOLDER)
            self.own = os.open(b".provision", FOLDER, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
        for fd in (self.fd, self.own):
            if fd is not None and os.fstat(fd).st_uid != os.geteuid():
                raise JobError("refused", "%s belongs to another user" % self)
        if self.fd is None or (self.own is None and not request["in_place"]):
            raise self.missing()

    def __str__(self):
        return text(self.root)

    def missing(self):
        return JobError("no-tree", "there is no project that was synced to %s" % self, "`provision sync` brings it")

    def manifest(self, request):
        """Return what the last sync put there, or ``None`` where a job in the tree itself needs none."""
        blob = None if self.own is None else self.read(b"manifest")
        wanted = request["tree_id"]
        cut = self.own is not None and self.read(b"journal") is not None
        if cut and (wanted or not request["in_place"]):
            message = "a sync to %s was cut off in the middle" % self
            raise JobError("changed", message, "sync again, which completes it")
        if blob is None and wanted is None and request["in_place"]:
            return None
        if blob is None:
            raise self.missing()
        try:
            manifest = Manifest(blob)
        except (ValueError, struct.error):
            raise JobError("no-tree", "the list of what was synced to %s is damaged" % self, "sync again") from None
        if wanted not in (None, manifest.id):
            message = "another sync has changed %s since yours" % self
            raise JobError("changed", message, "launch again, which syncs first")
        return manifest

    def read(self, name):
        try:
            fd = os.open(name, PLAIN, dir_fd=self.own)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                return None
            raise
        with os.fdopen(fd, "rb") as stream:
            return stream.read()

    def lock(self, request, progress):
        """Hold the tree against syncs; the lock ends where its descriptor is closed."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(b"lock", flags, 0o600, dir_fd=self.own)
        deadline = time.monotonic() + BUSY
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
            if time.monotonic() > deadline:
                raise JobError("busy", "a sync to %s has not ended for %d s" % (self, BUSY), "wait for it")
            progress.tell(0, 0)
            time.sleep(0.02)
        # What a sync says that waits for us now.
        origin = request.get("origin") or {}
        doing = "copies it for the job %s" % request["id"]
        said = {"who": origin.get("user", ""), "doing": doing, "pid": os.getpid(), "started": int(time.time())}
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(said).encode(), 0)
        return fd

    def check_cwd(self, cwd):
        """Raise `JobError` where the command has no such folder to run in."""
        if cwd and not (is_relative(cwd) and os.path.isdir(os.path.join(self.root, raw(cwd)))):
            message = "there is no folder %s in %s" % (ascii(cwd)[1:-1], self)
            raise JobError("cwd", message, "it has to be a folder of the project; empty ones are not synced")

    def make_persistent(self, folders):
        """Make those of these folders that are not there: what a job writes into them stays."""
        before = os.umask(UMASK)
        try:
            for one in folders:
                path = os.path.join(self.root, raw(one))
                if not os.path.isdir(path):
                    try:
                        os.makedirs(path)
                    except FileExistsError:
                        message = "%s is no folder, and `persist:` says that it is" % text(path)
                        raise JobError("refused", message) from None
        finally:
            os.umask(before)


def open_below(fd, path):
    """Return a new descriptor of a folder: name by name, and never through a link."""
    here = os.dup(fd)
    for name in path.split(b"/") if path else ():
        try:
            below = os.open(name, FOLDER, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def join(folder, name):
    return folder + b"/" + name if folder else name


def lstat(name, fd):
    """Return what stands there, or ``None``."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
