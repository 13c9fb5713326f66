"""The generations of a state folder, who uses them, and what they take on the disk."""

# ruff: noqa: F821, PTH123 - pieces run in one namespace, on hosts whose paths are any text
# A piece of tell_environments.py and collect_environments.py: all pieces run in one namespace, and job_folder.py
# imports for them.

GENERATION = re.compile(r"[0-9]{1,9}-[0-9a-f]{8}")
MARKER = ".provision-generation.json"
REJECTED = ".provision-rejected"
ASIDE = ".removing"
BLOCK = 512


def names(folder):
    """Return what stands in a folder, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_folder(path):
    return os.path.isdir(path) and not os.path.islink(path)


def environments(state):
    """Yield project, name and folder of every environment."""
    for project in names(os.path.join(state, "envs")):
        for name in names(os.path.join(state, "envs", project)):
            base = os.path.join(state, "envs", project, name)
            if is_folder(base):
                yield project, name, base


def generations(base):
    """Return the names of an environment's generations."""
    return [one for one in names(base) if GENERATION.fullmatch(one) and is_folder(os.path.join(base, one))]


def current_of(base):
    try:
        return os.path.basename(os.readlink(os.path.join(base, "current")))
    except OSError:
        return None


def marker_of(prefix):
    """Return what a generation says of itself; ``None`` where it was not built to its end."""
    try:
        with open(os.path.join(prefix, MARKER), encoding="utf-8") as stream:
            value = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_rejected(prefix):
    return os.path.lexists(os.path.join(prefix, REJECTED))


def users(state):
    """Return who uses each generation, by its real path: jobs that have not ended, and processes."""
    found = {}
    boot = boot_id()
    jobs = os.path.join(state, "jobs")
    for name in names(jobs):
        if not JOB_ID.fullmatch(name):
            continue
        folder = os.path.join(jobs, name)
        try:
            record = record_of(folder)
        except DamagedError:
            # Nobody knows what it uses; where it runs, its processes tell.
            continue
        environment = record.get("environment")
        prefix = environment.get("prefix") if isinstance(environment, dict) else None
        if isinstance(prefix, str) and not has_ended(folder, record, boot):
            found.setdefault(os.path.realpath(prefix), []).append("job " + name)
    for pid, prefix in processes(os.path.realpath(os.path.join(state, "envs"))):
        found.setdefault(prefix, []).append("process %d" % pid)
    return found


def has_ended(folder, record, boot):
    try:
        return state_now(folder, record, boot)["state"] in ENDED
    except DamagedError:
        return False


def processes(root):
    """Yield each process that we may look at with each generation that its program or libraries lie in."""
    pattern = re.compile(re.escape(os.fsencode(root)) + rb"/[^/\n]+/[^/\n]+/[0-9]{1,9}-[0-9a-f]{8}(?=/)")
    for pid in names("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            with open("/proc/%s/maps" % pid, "rb") as stream:
                told = stream.read()
            told += os.fsencode(os.readlink("/proc/%s/exe" % pid)) + b"/"
            told += os.fsencode(os.readlink("/proc/%s/cwd" % pid)) + b"/"
        except OSError:
            continue
        for prefix in set(pattern.findall(told)):
            yield int(pid), os.fsdecode(prefix)


class Room:
    """What files take on the disk, and what would be free without them: a file goes with its last name."""

    def __init__(self):
        self._files = {}

    def add(self, path):
        stack = [path]
        while stack:
            one = stack.pop()
            try:
                found = os.lstat(one)
                if stat.S_ISDIR(found.st_mode):
                    stack += [os.path.join(one, name) for name in os.listdir(one)]
            except OSError:
                continue
            key = (found.st_dev, found.st_ino)
            links = 1 if stat.S_ISDIR(found.st_mode) else found.st_nlink
            seen = self._files.get(key, (0,))[0]
            self._files[key] = (seen + 1, links, found.st_blocks * BLOCK)

    @property
    def taken(self):
        return sum(size for _, _, size in self._files.values())

    @property
    def freed(self):
        return sum(size for seen, links, size in self._files.values() if seen >= links)


def step_held(state):
    """Whether a detached step is at work."""
    try:
        with open(os.path.join(state, "step.lock"), "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
