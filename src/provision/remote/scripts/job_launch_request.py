"""What a launch asks for, and the folders that all jobs of a login share: both looked at before anything is begun."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

NONCE = re.compile(r"[0-9A-Za-z]{8,128}")
VARIABLE = re.compile(r"[^=\0]+")
BETWEEN = 0.5
"""Seconds between two words about the progress."""
LAUNCHER = "launcher"
"""The file of a job that its launcher locks, from the first to the last thing that it does."""


class Progress:
    """How many files were copied, told from the first second on."""

    def __init__(self, voice):
        self.voice = voice
        self.next = time.monotonic() + 1

    def tell(self, files, total):
        now = time.monotonic()
        if now >= self.next:
            self.next = now + BETWEEN
            self.voice.json(b"P", {"files": files, "total": total})


def raw(given):
    return given.encode("utf-8", "surrogateescape")


def text(path):
    return path.decode("utf-8", "surrogateescape")


def checked(request):
    """Return the request; raises `JobError` where a part of it is not what it has to be."""
    try:
        right = is_right(request)
    except (KeyError, TypeError, ValueError, AttributeError):
        right = False
    if not right:
        raise JobError("protocol", "this is no request to launch a job", "update provision on this machine")
    # By the bytes that were meant, whatever this Python takes for the host's encoding.
    request["state_dir"] = os.fsdecode(raw(request["state_dir"]))
    return request


def is_right(request):
    environment = request["environment"]
    names = [] if environment is None else [environment["name"], request["project"]]
    pairs = [one for kind in ("env", "secrets") for one in request[kind]]
    keep = request["keep"]
    return (
        JOB_ID.fullmatch(request["id"]) is not None
        and NONCE.fullmatch(request["nonce"]) is not None
        and len(request["command"]) > 0
        and all(isinstance(one, str) and "\0" not in one for one in request["command"])
        and isinstance(request["origin"], dict)
        and isinstance(request["in_place"], bool)
        and all(isinstance(request[name], str) for name in ("state_dir", "tree", "project", "cwd", "supervisor"))
        and "\0" not in request["tree"] + request["cwd"]
        and all(is_relative(one) for one in request["persist"])
        and all(VARIABLE.fullmatch(name) is not None and "\0" not in value for name, value in pairs)
        and all(name not in ("", ".", "..") and "/" not in name and "\0" not in name for name in names)
        and (request["gpus"] is None or is_count(request["gpus"]))
        and (request["max_time"] is None or request["max_time"] > 0)
        and request["grace"] >= 0
        and (keep is None or (keep["days"] >= 0 and keep["gib"] >= 0))
        and all(
            request[name] is None or isinstance(request[name], str) for name in ("tree_id", "diff", "name", "driver")
        )
    )


def is_count(value):
    return isinstance(value, int) and value >= 0


def is_relative(path):
    """Whether this path leads nowhere but into the tree."""
    names = path.rstrip("/").split("/")
    return bool(path) and "\0" not in path and not any(one in ("", ".", "..") for one in names) and not is_own(names[0])


def is_own(name):
    return name == ".provision"


def shared_folders(request):
    """Make the folders that all jobs share; return the one that each job has a folder in."""
    state = os.path.expanduser(request["state_dir"])
    if not os.path.isabs(state):
        raise JobError("refused", "the folder for our files is not absolute: %s" % ascii(state))
    os.makedirs(state, exist_ok=True)
    for name in ("jobs", "programs", "queue", "gpus"):
        folder = os.path.join(state, name)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            found = os.stat(folder)
            if found.st_uid != os.geteuid():
                message = "%s belongs to another user (uid %d)" % (folder, found.st_uid)
                raise JobError("refused", message, "name another `state_dir:`") from None
            if found.st_mode & 0o077:
                os.chmod(folder, 0o700)
    return os.path.join(state, "jobs")


class Hold:
    """The place of a job, held against other launchers of it: an earlier one may still be at work.

    A job's folder is built under another name, and gets its own by a rename: it is there whole, or there is no job.
    The lock goes with it.
    """

    def __init__(self, jobs, request, progress):
        self.folder = os.path.join(jobs, request["id"])
        self.draft = os.path.join(jobs, ".%s.%s" % (request["id"], request["nonce"]))
        self.nonce = request["nonce"]
        self.progress = progress
        self.record = None
        """What an earlier launcher of this very job wrote."""
        while not self.take():
            pass

    def known(self):
        try:
            record = read_json(self.folder, "job.json")
        except ValueError:
            message = "the record of the job %s is damaged" % os.path.basename(self.folder)
            raise JobError("refused", message, "launch it under another id") from None
        if record is not None and record.get("nonce") != self.nonce:
            raise JobError("taken", "the id %s is another job's" % os.path.basename(self.folder))
        return record

    def take(self):
        """Take the lock; return whether it is still that of the place."""
        place = self.draft if self.known() is None else self.folder
        if place == self.draft:
            try:
                os.mkdir(place, 0o700)
            except FileExistsError:
                pass
        path = os.path.join(place, LAUNCHER)
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
            self.progress.tell(0, 0)
            time.sleep(0.02)
        try:
            same = os.path.samestat(os.fstat(self.fd), os.stat(path))
        except FileNotFoundError:
            same = False
        self.record = self.known()
        if same and (self.record is None) == (place == self.draft):
            return True
        os.close(self.fd)
        if same:
            # Made anew just after the other launcher had renamed it.
            shutil.rmtree(self.draft, ignore_errors=True)
        return False

    def finish(self):
        """Let the job be there."""
        try:
            os.rename(self.draft, self.folder)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                message = "the id %s is another job's" % os.path.basename(self.folder)
                raise JobError("taken", message) from None
            raise
        sync_folder(os.path.dirname(self.folder))

    def drop_draft(self):
        """Leave nothing of a job that there never was."""
        shutil.rmtree(self.draft, ignore_errors=True)

    def drop(self):
        """Leave nothing of a job that never began."""
        try:
            os.rename(self.folder, self.draft)
        except OSError:
            pass
        self.drop_draft()
