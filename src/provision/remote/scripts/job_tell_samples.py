"""What the GPUs of a job were seen doing, in as many points as can be drawn."""

# A piece of tell_jobs.py: all pieces run in one namespace, and job_folder.py imports for them.

COLUMNS = 5
"""After moment and GPU: utilisation in %, memory used and there in MiB, power in W, temperature in degrees Celsius."""
IDLE = 5
"""Percent of utilisation below which a GPU does nothing."""
MOST_SAMPLES = 256 << 20
"""Bytes of the file that are read."""
LARGEST = 1e15


def samples(folder, points):
    """Return the points of each GPU, and in which share of its samples it was idle."""
    rows = {}
    try:
        with open(os.path.join(folder, "gpu.csv"), "rb") as stream:
            for line in stream.read(MOST_SAMPLES).split(b"\n"):
                parsed = sample(line)
                if parsed is not None:
                    rows.setdefault(parsed[0], []).append(parsed[1])
    except OSError:
        return {}, {}
    idle = {}
    for card, taken in rows.items():
        known = [row[1] for row in taken if row[1] is not None]
        if known:
            idle[card] = sum(one < IDLE for one in known) / len(known)
    return {card: thinned(taken, points) for card, taken in rows.items()}, idle


def sample(line):
    """Return GPU and numbers of a line; ``None`` where it is not whole."""
    fields = line.decode("utf-8", "replace").split(",")
    if len(fields) != COLUMNS + 2:
        return None
    values = [number(fields[0])] + [number(one) for one in fields[2:]]
    return None if values[0] is None else (fields[1].strip(), values)


def number(given):
    """Return a number of a line; ``None`` where it is not known."""
    try:
        value = float(given)
    except ValueError:
        return None
    # Neither is true of what is not a number.
    return value if -LARGEST < value < LARGEST else None


def thinned(rows, points):
    """Return at most so many rows: each stands for a part of the time, by the means of what was seen in it."""
    if len(rows) <= points:
        return rows
    if not points:
        return []
    begun = min(row[0] for row in rows)
    length = max(row[0] for row in rows) - begun or 1
    parts = {}
    for row in rows:
        parts.setdefault(min(int((row[0] - begun) / length * points), points - 1), []).append(row)
    return [[mean(column) for column in zip(*parts[one])] for one in sorted(parts)]  # noqa: B905 - not in Python 3.6


def mean(values):
    known = [one for one in values if one is not None]
    return round(sum(known) / len(known), 3) if known else None
