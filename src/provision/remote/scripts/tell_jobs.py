"""Tell of the jobs of this host: all of them, one, or what the removal of one would take; and remove one.

Nothing is run for that, and a job whose files are damaged is told as that. Any Python from 3.6 runs this.
"""

# Text for an interpreter of the host, with its pieces in front.

LOOKED = 3
"""Seconds that are spent on the size of a snapshot where nobody is to decide upon it."""
LONG = 600


def entry(folder, boot):
    """Return what the list says of a job."""
    name = os.path.basename(folder)
    try:
        record = record_of(folder)
        state = state_now(folder, record, boot)
    except DamagedError as error:
        return {"id": name, "damaged": str(error)}
    return {"job": record, "state": state, "log_bytes": plain_size(folder, "log")}


def listed(request):
    """Return all jobs, the newest last; those that had ended long ago are counted alone, where that is asked for."""
    jobs, boot, now = jobs_folder(request), boot_id(), time.time()
    within = asked(request, "ended_within", (int, float, type(None)), 0)
    try:
        names = [name for name in os.listdir(jobs) if JOB_ID.fullmatch(name)]
    except FileNotFoundError:
        names = []
    found, old = [], 0
    for name in names:
        one = entry(os.path.join(jobs, name), boot)
        if "damaged" in one and not os.path.lexists(os.path.join(jobs, name)):
            # Removed at this very moment.
            continue
        if within is not None and "job" in one and one["state"]["state"] in ENDED:
            ended = one["state"]["ended"]
            if (one["job"]["submitted"] if ended is None else ended) < now - within:
                old += 1
                continue
        found.append(one)
    found.sort(key=lambda one: (one["job"]["submitted"], one["job"]["id"]) if "job" in one else (0, one["id"]))
    return {"now": now, "jobs": found, "old": old}


def shown(request):
    """Return all that is known of one job."""
    folder, record, state = the_job(request)
    lines, points = asked(request, "lines", int, 0), asked(request, "points", int, 0)
    log = Log(folder)
    try:
        size = log.size()
        ranges = log.tail(lines, size)
        tail = [
            [stream, base64.b64encode(data).decode()]
            for start, end in ranges
            for _, stream, data in log.parts(start, end)
        ]
    except ReplacedError:
        size, tail = plain_size(folder, "log"), []
    use, idle = samples(folder, points)
    return {
        "now": time.time(),
        "job": record,
        "state": state,
        "log_bytes": size,
        "tail": tail,
        "read": log.count,
        "samples": use,
        "idle": idle,
        "sizes": sizes(folder, record),
        "pruned": was_pruned(folder),
    }


def sizes(folder, record):
    try:
        found = made(folder, record, 0, LOOKED)
    except (JobError, OSError):
        # Told where it matters: when it is to be removed.
        found = Made(0)
        found.whole = False
    return {
        "log": plain_size(folder, "log"),
        "snapshot": found.all,
        "made_files": found.count,
        "made_bytes": found.bytes,
        "whole": found.whole,
    }


def removal(request):
    """Return what would go with a job."""
    folder = job_folder(request, asked(request, "id", str))
    try:
        found = made(folder, record_of(folder), NAMED, LONG)
    except DamagedError:
        # What was copied for it is not known: it stays.
        found = Made(0)
    return {
        "made": found.files,
        "made_files": found.count,
        "made_bytes": found.bytes,
        "log": plain_size(folder, "log"),
        "snapshot": found.all,
        "whole": found.whole,
    }


def removed(request):
    remove(request)
    return {"removed": True}


ANSWERS = {"list": listed, "show": shown, "removal": removal, "remove": removed}


def main(voice):
    request = read_request()
    voice.json(b"J", ANSWERS[asked(request, "what", str)](request))


spoken(main)
