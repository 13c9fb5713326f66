"""Room for new jobs: what ended ones had copied and printed goes when they are old, or when it is too much.

What a job made or changed stays, and so does what is known about the job.
"""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

ENDED = ("exited", "stopped", "lost")
PRUNING = 2.0
"""Seconds of a launch that this may take."""
PRINTED = ("log", "log.index", "gpu.csv")
SPENT = ("reserve", "snapshot.list", "size")
PRUNED = "pruned"
"""The empty file of a job that has nothing left to be pruned."""
UNREAD = 300
"""Seconds after which a job that has not begun is taken up by no client."""
DAY = 86400
FORSAKEN = DAY
"""Seconds after which nobody launches a job again whose launcher was killed before it was there."""


class TimeUpError(Exception):
    """The rest is for the next launch."""


def prune(request):
    """Prune jobs for at most so many seconds; what is begun is completed by a later launch."""
    keep = request["keep"]
    if keep is None:
        return
    try:
        jobs, deadline = jobs_folder(request), time.monotonic() + PRUNING
        # Not the one that was just launched: its client is about to read what it printed.
        others = (one for one in ended_jobs(jobs, deadline) if one[3]["id"] != request["id"])
        ended = sorted(others, key=lambda one: one[0])
        total = sum(size for _, size, _, _ in ended)
        for moment, size, folder, record in ended:
            if total <= keep["gib"] * (1 << 30) and moment >= time.time() - keep["days"] * DAY:
                break
            try:
                prune_job(folder, record, deadline)
            except OSError:
                # Nothing of ours to be moved there; it is not to keep the others.
                continue
            total -= size
        drop_forsaken(jobs, deadline)
    except TimeUpError:
        pass


def check_time(deadline):
    if time.monotonic() > deadline:
        raise TimeUpError


def ended_jobs(jobs, deadline):
    """Yield end, bytes, folder and record of each job that has ended and was not pruned."""
    boot = boot_id()
    for name in os.listdir(jobs):
        check_time(deadline)
        folder = os.path.join(jobs, name)
        if not JOB_ID.fullmatch(name) or os.path.exists(os.path.join(folder, PRUNED)):
            continue
        try:
            record = read_json(folder, "job.json")
            if record is None:
                continue
            state = end_of(folder, record, boot)
            if state is not None:
                drop_unread(folder, record, boot)
                yield float(state["ended"] or record["submitted"]), size_of(folder), folder, record
        except (OSError, ValueError, KeyError, TypeError):
            # A damaged one is left for a person to look at.
            continue


def drop_unread(folder, record, boot):
    """Remove the variables of a job that nobody begins any more: there are secrets among them."""
    if record["boot_id"] != boot or uptime() > record["uptime"] + UNREAD:
        remove_file(os.path.join(folder, "env"))


def size_of(folder):
    """Return the bytes of a job that can be pruned: they are counted once, as it has ended."""
    try:
        with open(os.path.join(folder, "size")) as stream:
            return int(stream.read())
    except (FileNotFoundError, ValueError):
        pass
    total = 0
    for name in PRINTED:
        try:
            total += os.stat(os.path.join(folder, name)).st_size
        except FileNotFoundError:
            pass
    total += sum(int(kind) for kind, _, _, _ in copied_into(folder) if kind.isdigit())
    write_whole(folder, "size", b"%d" % total)
    return total


def copied_into(folder):
    """Return the records of what was put into a snapshot: kind or size, time, inode, path."""
    try:
        with open(os.path.join(folder, "snapshot.list"), "rb") as stream:
            return [tuple(one.split(b" ", 3)) for one in stream.read().split(b"\0") if one]
    except FileNotFoundError:
        return []


def prune_job(folder, record, deadline):
    prune_snapshot(folder, record, deadline)
    for name in PRINTED + SPENT:
        remove_file(os.path.join(folder, name))
    write_whole(folder, PRUNED, b"")


def prune_snapshot(folder, record, deadline):
    """Remove what is in a snapshot as it was put there, and then the folders in which nothing is left."""
    if record.get("snapshot") is None or os.path.basename(record["snapshot"]) != record["id"]:
        return
    tree = raw(record["tree"])
    if raw(record["snapshot"]) != os.path.join(tree, b".provision", SNAPSHOTS, raw(record["id"])):
        return
    try:
        above = open_below(os.open(tree, FOLDER), b".provision/" + SNAPSHOTS)
        top = os.open(raw(record["id"]), FOLDER, dir_fd=above)
    except OSError:
        # The tree or the snapshot is gone, or something else is there now.
        return
    known = copied_into(folder)
    for kind, moment, inode, path in known:
        if kind != b"D":
            check_time(deadline)
            prune_one(top, kind, int(moment), int(inode), path)
    folders = [path for kind, _, _, path in known if kind == b"D"]
    for path in sorted(folders, key=lambda one: one.count(b"/"), reverse=True):
        check_time(deadline)
        drop_empty(top, path)
    os.close(top)
    try:
        os.rmdir(raw(record["id"]), dir_fd=above)
    except OSError:
        # The job made something in it, which stays.
        pass
    os.close(above)


def prune_one(top, kind, moment, inode, path):
    """Remove one copy or link where it is the very one that was put there."""
    folder, _, name = path.rpartition(b"/")
    try:
        fd = open_below(top, folder)
    except OSError:
        # Gone, or the job put something else in its place.
        return
    try:
        found = lstat(name, fd)
        if found is None or (found.st_mtime_ns, found.st_ino) != (moment, inode):
            return
        if stat.S_ISLNK(found.st_mode) if kind == b"L" else found.st_size == int(kind) and stat.S_ISREG(found.st_mode):
            os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)


def drop_empty(top, path):
    folder, _, name = path.rpartition(b"/")
    try:
        fd = open_below(top, folder)
    except OSError:
        return
    try:
        os.rmdir(name, dir_fd=fd)
    except OSError:
        # Something is left in it, or it is gone.
        pass
    finally:
        os.close(fd)


def drop_forsaken(jobs, deadline):
    """Remove what was left by launchers that were killed, and whose jobs nobody launched again."""
    for name in os.listdir(jobs):
        draft = os.path.join(jobs, name)
        if not DRAFT.fullmatch(name) or time.time() - os.stat(draft).st_mtime < FORSAKEN:
            continue
        check_time(deadline)
        if not is_locked(os.path.join(draft, LAUNCHER)):
            claimed = claimed_by(draft)
            if claimed is not None:
                remove_whole(claimed)
            remove_whole(draft)
