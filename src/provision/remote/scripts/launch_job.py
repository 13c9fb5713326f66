"""Launch a job: copy the project for it, write down what it is, and begin it so that it outlives the connection.

What is asked for comes on stdin; the answer is the job's record. However often it is asked for by the same id and
nonce, and wherever an earlier launcher was killed, the command runs once. Any Python from 3.6 runs this.
"""

# Text for an interpreter of the host, with its pieces in front.

UMASK = os.umask(0o077)
"""The session's."""
CLAIM = "claim"
"""The file of a job that is being launched which names its snapshot, from before there is one."""
DRAFT = re.compile(r"\.[a-z][a-z2-7]{5}\.[0-9A-Za-z]{8,128}")
RESERVE = 64 << 10
LONGEST_DIFF = 256 << 10
CUT = b"\n(cut here: the rest is not kept)\n"
AS_ASKED = (
    "id",
    "nonce",
    "name",
    "project",
    "command",
    "cwd",
    "in_place",
    "gpus",
    "max_time",
    "grace",
    "origin",
    "driver",
    "keep",
)


class Launch:
    """Makes a job that was not there, and begins it."""

    def __init__(self, hold, request, progress):
        self.hold = hold
        self.request = request
        self.progress = progress
        self.notes = []
        """Why ways to begin it that are better than the one that is taken were not."""
        self.marker = None
        """What the generation of its environment says of itself."""
        self.environment = None
        self.snapshot = None

    def run(self):
        """Return the record of the job, which has begun."""
        try:
            record, ways = self.made()
        except BaseException:
            if self.snapshot is not None:
                self.snapshot.drop()
            self.hold.drop_draft()
            raise
        remove_file(os.path.join(self.hold.folder, CLAIM))
        return begun(self.hold, record, self.request, ways, self.notes)

    def made(self):
        """Return the record of the job, which is there now, and the ways to begin it."""
        request, hold = self.request, self.hold
        tree = Tree(request)
        manifest = tree.manifest(request)
        tree.make_persistent(request["persist"])
        tree.check_cwd(request["cwd"])
        self.environment, self.marker = resolved_environment(request)
        cards = Cards(os.path.dirname(hold.folder), request["gpus"])
        ways = ladder(self.notes)
        first = next(ways)
        diff = self.write_files()
        if not request["in_place"]:
            lock = tree.lock(request, self.progress)
            # Once more: from now on no sync changes it.
            manifest = tree.manifest(request)
            self.snapshot = Snapshot(tree, manifest, request, self.progress)
            take_snapshot(hold.draft, self.snapshot)
            os.close(lock)
        record = dict(
            {name: request[name] for name in AS_ASKED},
            format=FORMAT,
            tree=str(tree),
            snapshot=None if self.snapshot is None else text(self.snapshot.path),
            environment=self.environment,
            tree_id=None if manifest is None else manifest.id,
            diff=diff,
            user=login_name(),
            host=os.uname().nodename,
            driver=request["driver"] or driver_version(),
            cards=cards.get(),
            submitted=time.time(),
            boot_id=boot_id(),
            uptime=uptime(),
            secrets=[name for name, _ in request["secrets"]],
            variables=[name for name, _ in request["env"]],
        )
        record = described(record, first, self.notes)
        write_json(hold.draft, "job.json", record, lasting=True)
        # Last: the secrets in it lie there no longer than until the supervisor reads them.
        write_whole(hold.draft, "env", json.dumps(variables(request, self.environment)).encode())
        # A job that is there is begun, whatever becomes of the connection.
        heed_no_signals()
        hold.finish()
        return record, chained(first, ways)

    def write_files(self):
        """Write what stands beside the record; return the digest of the difference to the commit."""
        draft, diff = self.hold.draft, self.request["diff"]
        write_whole(draft, "alive", b"")
        # No zeros: a file system that compresses would give no room free for them.
        write_whole(draft, "reserve", os.urandom(RESERVE))
        if diff is None:
            return None
        data = raw(diff)
        if len(data) > LONGEST_DIFF:
            data = data[: LONGEST_DIFF - len(CUT)] + CUT
        write_whole(draft, "diff.patch", data)
        return hashlib.sha256(data).hexdigest()


def take_snapshot(draft, snapshot):
    """Build the snapshot; one of this name that no launcher of this very job had claimed is another job's."""
    if claimed_by(draft) == snapshot.path:
        remove_whole(snapshot.path)
    elif os.path.lexists(snapshot.path):
        raise JobError("taken", "the id %s is another job's" % text(snapshot.name))
    write_whole(draft, CLAIM, snapshot.path)
    snapshot.build()
    write_whole(draft, "snapshot.list", b"".join(one + b"\0" for one in snapshot.list))


def claimed_by(draft):
    """Return the place of the snapshot that a launcher had begun, or was about to."""
    try:
        with open(os.path.join(draft, CLAIM), "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def chained(first, others):
    yield first
    for one in others:
        yield one


def begun(hold, record, request, ways, notes):
    """Begin a job; where this host begins none, nothing of it is left."""
    try:
        return begin(hold, record, request, ways, notes)
    except (JobError, OSError):
        hold.drop()
        if record["snapshot"] is not None:
            remove_whole(raw(record["snapshot"]))
        raise


def taken_up(hold, request):
    """Return the record of a job that was launched before, and what its environment says; it has begun, or does now."""
    record, marker, notes = hold.record, None, []
    if record["environment"] is not None:
        marker = marker_of(raw(record["environment"]["prefix"]))
    # Nothing is begun after a restart of the host: it was said that the job is lost.
    # The lock is left alone: the supervisor may be about to take it.
    if record["boot_id"] != boot_id() or has_begun(hold.folder):
        return record, marker
    return begun(hold, record, request, ladder(notes), notes), marker


def heed_no_signals():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def leave(hold):
    """Go on without the client, which has its answer: it may close the connection as it likes."""
    heed_no_signals()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in STANDARD:
        os.dup2(null, fd)
    os.close(null)
    os.close(hold.fd)


def main(voice):
    request = checked(read_request())
    jobs = shared_folders(request)
    progress = Progress(voice)
    hold = Hold(jobs, request, progress)
    again = hold.record is not None
    if again:
        record, marker = taken_up(hold, request)
    else:
        launch = Launch(hold, request, progress)
        record, marker = launch.run(), launch.marker
    state = state_of(hold.folder, record, boot_id())
    voice.json(b"J", {"job": record, "state": state, "again": again, "marker": marker})
    leave(hold)
    prune(request)


spoken(main)
