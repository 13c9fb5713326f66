"""What is known of one job: its record, its state now, and how much it has printed."""

# A piece of tell_jobs.py, follow_job.py and stop_job.py: all pieces run in one namespace, and job_folder.py imports
# for them.

ENDED = ("exited", "stopped", "lost")
STATES = ("queued", "running", *ENDED)
NUMBERS = (int, float)
WRONG = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading a damaged file raises."""


class DamagedError(Exception):
    """The files of a job do not say what they should."""


def asked(request, name, kinds, least=None):
    """Return a part of the request, which must be of one of these types."""
    value = request.get(name)
    wrong = not isinstance(value, kinds) or isinstance(value, bool) != (kinds is bool)
    if wrong or (least is not None and value is not None and not value >= least):
        raise JobError("protocol", "%s: %r was asked for" % (name, value))
    return value


def record_of(folder):
    """Return the record of the job in a folder; raises `DamagedError`."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        raise DamagedError("it is no folder")
    try:
        record = read_json(folder, "job.json")
        if record is None:
            raise DamagedError("it has no record")
        right = (
            record["id"] == os.path.basename(folder)
            and isinstance(record["submitted"], NUMBERS)
            and isinstance(record["command"], list)
            and isinstance(record["boot_id"], str)
            and isinstance(record.get("uptime", 0), NUMBERS)
        )
    except WRONG as error:
        raise DamagedError("its record is damaged: %s" % error) from error
    except OSError as error:
        raise DamagedError("its record cannot be read: %s" % error.strerror) from error
    if not right:
        raise DamagedError("its record is damaged")
    return record


def state_now(folder, record, boot):
    """Return the state of a job as `state_of` does; raises `DamagedError`.

    The lock is left alone where the answer is known without it: its holder takes it as the job begins, and would find
    it held by us.
    """
    try:
        state = known_state(folder, record, boot) or state_of(folder, record, boot)
        right = (
            state["state"] in STATES
            and isinstance(state["gpus"], list)
            and all(state[name] is None or isinstance(state[name], NUMBERS) for name in ("started", "ended"))
        )
    except WRONG as error:
        raise DamagedError("what became of it is damaged: %s" % error) from error
    except OSError as error:
        raise DamagedError("what became of it cannot be read: %s" % error.strerror) from error
    if not right:
        raise DamagedError("what became of it is damaged")
    return state


def known_state(folder, record, boot):
    told = read_json(folder, "state.json")
    ended = read_json(folder, "end.json")
    if ended is not None:
        state = {"gpus": (told or {}).get("gpus") or [], "waiting": None}
        state.update((name, ended.get(name)) for name in END)
        return state
    if told is None and record["boot_id"] == boot and uptime() < record.get("uptime", 0) + STARTING:
        return {"gpus": [], "waiting": None, **dict.fromkeys(END), "state": "queued"}
    return None


def plain_size(folder, name):
    """Return the bytes of a file of a job; 0 where there is none."""
    try:
        found = os.lstat(os.path.join(folder, name))
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def was_pruned(folder):
    """Whether what the job had printed was removed to make room."""
    return os.path.lexists(os.path.join(folder, "pruned"))


def the_job(request):
    """Return folder, record and state of the one job that was asked for."""
    folder = job_folder(request, asked(request, "id", str))
    try:
        record = record_of(folder)
        return folder, record, state_now(folder, record, boot_id())
    except DamagedError as error:
        raise damaged(folder, error) from error


def damaged(folder, error):
    hint = "look into %s, or remove the job" % ascii(folder)[1:-1]
    return JobError("damaged", "job %s: %s" % (os.path.basename(folder), error), hint)
