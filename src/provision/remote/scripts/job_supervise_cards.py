"""The GPUs of this host: which ones nobody uses, and the locks by which jobs hold them."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

ANSWERS = 30
"""Seconds that nvidia-smi may take."""
USED = 500
"""MiB from which on a GPU counts as used where no process is listed, as in containers: a desktop or the driver takes
less, any training more."""
NAMED = 6
"""GPUs that are named in what a job waits for."""
SILENT = "nvidia-smi does not answer"


def asked_smi(tree, *words):
    """Start nvidia-smi, which is no process of the job and ends with us; return it, or ``None`` where there is none."""
    try:
        process = subprocess.Popen(
            ["nvidia-smi", *words, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    except OSError:
        return None
    tree.apart.add(process.pid)
    return process


def kill_smi(process):
    """End one that is not awaited any more, with what it may have started; nobody can tell when it is gone."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass
    process.stdout.close()


def end_with_parent():
    all_default()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Cards:
    """Takes GPUs for one job: as many as it asked for, or none."""

    def __init__(self, state, record, signals, tree):
        self.state = state
        self.record = record
        self.signals = signals
        self.tree = tree
        self.cards = [one for one in record.get("cards") or [] if isinstance(one, dict) and one.get("uuid")]
        self.stuck = None
        """An nvidia-smi that was killed, and may hang in the driver nonetheless."""

    def take(self, count):
        """Return the UUIDs of GPUs that are ours now, or nothing, and by whom the others are used.

        Raises `WokenError`; nothing is ours then.
        """
        locks, users = {}, {}
        for card in self.cards:
            fd = self.locked(card["uuid"])
            if fd is None:
                users[card["uuid"]] = self.holder(card["uuid"])
            else:
                locks[card["uuid"]] = fd
        free = []
        try:
            if len(locks) >= count:
                users.update(self.foreign(locks))
                free = [uuid for uuid in locks if uuid not in users]
            free = free[:count] if len(free) >= count else []
        finally:
            for uuid, fd in locks.items():
                if uuid in free:
                    # It stays open, and locked, as long as the supervisor lives.
                    self.sign(fd)
                else:
                    os.close(fd)
        return free, users

    def locked(self, uuid):
        fd = os.open(self.path(uuid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return None
        return fd

    def path(self, uuid):
        return os.path.join(self.state, "gpus", "%s.lock" % re.sub(r"[^A-Za-z0-9.-]", "_", uuid))

    def sign(self, fd):
        """Say in the lock whose it is, for those who wait."""
        said = {"job": self.record["id"], "boot_id": self.record["boot_id"], "pid": os.getpid()}
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(dict(said, starttime=start_time(os.getpid()))).encode(), 0)
        except OSError:
            # The lock counts, not what it says.
            pass

    def holder(self, uuid):
        try:
            with open(self.path(uuid)) as stream:
                return "job %s" % json.loads(stream.read())["job"]
        except (OSError, ValueError, KeyError, TypeError):
            return "another job"

    def foreign(self, among):
        """Return by whom GPUs are used that no job of ours holds; all of them where nvidia-smi does not answer."""
        apps = self.answer("--query-compute-apps=gpu_uuid,pid,process_name")
        memory = None if apps is None else self.answer("--query-gpu=uuid,memory.used")
        if memory is None:
            return dict.fromkeys(among, SILENT)
        # One that fell off its bus is not free. The parts of a divided one are not listed there.
        there = {fields[0] for fields in memory}
        users = {
            uuid: "nvidia-smi does not list it" for uuid in among if uuid not in there and not uuid.startswith("MIG")
        }
        for uuid, *used in memory:
            if uuid in among and used and re.fullmatch("[0-9]{1,9}", used[0]) and int(used[0]) >= USED:
                users[uuid] = "%s MiB in use" % used[0]
        for uuid, *process in apps:
            if uuid in among and process:
                users[uuid] = process_text(*process)
        return users

    def answer(self, *words):
        """Return what nvidia-smi prints, in lines of fields; ``None`` where it does not answer."""
        if self.stuck is not None and self.stuck.poll() is None:
            return None
        process = asked_smi(self.tree, *words)
        if process is None:
            return None
        try:
            with self.signals:
                said = process.communicate(timeout=ANSWERS)[0]
        except subprocess.TimeoutExpired:
            kill_smi(process)
            self.stuck = process
            return None
        except WokenError:
            kill_smi(process)
            self.stuck = process
            raise
        self.tree.apart.discard(process.pid)
        if process.returncode:
            return None
        lines = said.decode("utf-8", "replace").splitlines()
        return [[field.strip() for field in line.split(",")] for line in lines if line.strip()]

    def waited_for(self, users):
        """Return in a few words who uses what."""
        shown = ["GPU %s (%s)" % (one.get("index"), users[one["uuid"]]) for one in self.cards if one["uuid"] in users]
        return ", ".join(shown[:NAMED]) + (", ..." if len(shown) > NAMED else "")


def process_text(pid, *name):
    """Return ``4242 python, by ann``."""
    name = ",".join(name)
    text = "%s %s" % (pid, os.path.basename(name)) if name and not name.startswith("[") else pid
    try:
        owner = pwd.getpwuid(os.stat("/proc/%d" % int(pid)).st_uid).pw_name
    except (OSError, KeyError, ValueError):
        return text
    return "%s, by %s" % (text, owner)
