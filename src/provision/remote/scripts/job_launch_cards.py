"""The GPUs of this host, and the place of a job among those that wait for one."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

CARD = re.compile(r"GPU (\d+): (.*) \(UUID: (GPU-[^)]+)\)\s*")
PART = re.compile(r"\s+(MIG .*?)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)\s*")
ANSWERS = 30
"""Seconds that nvidia-smi may take: without its persistence mode, it wakes every GPU first."""
BEGINNING = 300
"""Seconds after its submission in which a job is given time to begin, as its launch may be repeated."""
TICKET = re.compile(r"(\d{12})-([a-z][a-z2-7]{5})")


DRIVER = "/proc/driver/nvidia/version"


def driver_version():
    """Return the version of NVIDIA's kernel module that is loaded; ``None`` where none is."""
    try:
        with open(DRIVER, errors="replace") as stream:
            found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d+\.\d+(?:\.\d+)?)", stream.read())
    except OSError:
        return None
    return found.group(1) if found else None


class Cards:
    """Asks for the GPUs while other things are done; a host that is up has the same ones until it is restarted."""

    def __init__(self, jobs, gpus):
        self.folder = os.path.join(os.path.dirname(jobs), "gpus")
        self.boot = boot_id()
        self.process = None
        self.known = None if gpus else self.kept()
        if self.known is None:
            try:
                self.process = subprocess.Popen(
                    ["nvidia-smi", "-L"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                self.known = []
        if gpus:
            self.check(gpus)

    def kept(self):
        try:
            known = read_json(self.folder, "cards") or {}
        except (OSError, ValueError):
            return None
        cards = known.get("cards")
        return cards if known.get("boot_id") == self.boot and isinstance(cards, list) else None

    def get(self):
        """Return the GPUs, and in place of one that is divided its parts; none where nothing tells of them."""
        if self.known is None:
            try:
                listed = self.process.communicate(timeout=ANSWERS)[0]
            except subprocess.TimeoutExpired:
                # One that hangs in the driver does not even die: it is left alone.
                self.process.kill()
                listed = b""
            self.known = cards_in(listed.decode("utf-8", "replace"))
            if self.known:
                write_json(self.folder, "cards", {"boot_id": self.boot, "cards": self.known})
        return self.known

    def check(self, gpus):
        count = len(self.get())
        if count < gpus:
            needs = "a GPU" if gpus == 1 else "%d GPUs" % gpus
            message = "the job needs %s, and this host has %s" % (needs, count or "none that `nvidia-smi -L` lists")
            raise JobError("gpus", message, "ask for fewer, or for another host")


def cards_in(listed):
    """Return what ``nvidia-smi -L`` lists: index, UUID and name of each."""
    cards, divided = [], set()
    for line in listed.splitlines():
        card, part = CARD.fullmatch(line), PART.fullmatch(line)
        if card:
            cards.append({"index": int(card.group(1)), "uuid": card.group(3), "name": card.group(2)})
            whole = cards[-1]
        elif part and cards:
            divided.add(whole["uuid"])
            name = "%s %s" % (whole["name"], part.group(1))
            cards.append({"index": whole["index"], "uuid": part.group(2), "name": name})
    return [one for one in cards if one["uuid"] not in divided]


def draw_ticket(request, boot):
    """Give a job its place among those that wait for a GPU, in the order of their launches; it keeps a place it has."""
    jobs = jobs_folder(request)
    queue = os.path.join(os.path.dirname(jobs), "queue")
    fd = os.open(os.path.join(queue, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        said = os.pread(fd, 32, 0).strip()
        last = int(said) if said.isdigit() else 0
        for name in os.listdir(queue):
            ticket = TICKET.fullmatch(name)
            if ticket and ticket.group(2) == request["id"]:
                return
            if ticket:
                last = max(last, int(ticket.group(1)))
                if has_ended(os.path.join(jobs, ticket.group(2)), boot):
                    remove_file(os.path.join(queue, name))
        place = os.path.join(queue, "%012d-%s" % (last + 1, request["id"]))
        os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.pwrite(fd, b"%012d\n" % (last + 1), 0)
    finally:
        os.close(fd)


def has_ended(folder, boot):
    """Whether a job is over, or not there at all; a damaged one is not said to be over."""
    try:
        record = read_json(folder, "job.json")
        return record is None or end_of(folder, record, boot) is not None
    except (OSError, ValueError, KeyError, TypeError):
        return False


def end_of(folder, record, boot):
    """Return the state of a job that is over, else ``None``.

    Of one that may be about to begin the lock is left alone: its supervisor would find it held by us.
    """
    if not has_word(folder) and record["boot_id"] == boot and uptime() < record["uptime"] + BEGINNING:
        return None
    state = state_of(folder, record, boot)
    return state if state["state"] in ENDED else None


def remove_file(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
