"""Remove generations, and what no other generation needs of the caches; or only tell what would go.

argv: STATE_DIR REQUEST, a JSON object: {"remove": [[project, environment, generation]...], "do": bool, "days": int}.
Prints one JSON object. What is current, or in use by now, stays whatever was asked for. Each thing is renamed aside
before it is deleted, and whatever stands aside goes with the next run: a kill leaves nothing half.
"""

# Text for an interpreter of the host, with its pieces in front.
# ruff: noqa: F821, PTH123, SIM115 - pieces run in one namespace, on hosts whose paths are any text

ARCHIVES = (".conda", ".tar.bz2")
DAY = 86400
AGAIN = 0.5
"""Seconds between two words on how far it is."""


def package_of(name):
    """Return the name that an archive and its folder share."""
    for end in ARCHIVES:
        if name.endswith(end):
            return name[: -len(end)]
    return name


def needed(state, gone):
    """Return the packages that a generation which stays is made of."""
    found = set()
    for _, _, base in environments(state):
        for generation in generations(base):
            meta = os.path.join(base, generation, "conda-meta")
            if (base, generation) in gone:
                continue
            for name in names(meta):
                if name.endswith(".json"):
                    found.add(name[: -len(".json")])
                    found.update(linked_from(os.path.join(meta, name)))
    return found


def linked_from(path):
    try:
        with open(path, encoding="utf-8") as stream:
            said = json.load(stream)
        link = said.get("link")
        origins = [said.get("extracted_package_dir"), said.get("fn"), link.get("source") if link else None]
    except (OSError, ValueError, AttributeError, RecursionError):
        return set()
    return {package_of(os.path.basename(one.rstrip("/"))) for one in origins if isinstance(one, str)}


def packages(state, gone):
    """Yield what the package caches hold that nothing needs."""
    kept = needed(state, gone)
    cache = os.path.join(state, "pkgs")
    for name in names(cache):
        path = os.path.join(cache, name)
        known = name.endswith(ARCHIVES) or os.path.isfile(os.path.join(path, "info/index.json"))
        if known and package_of(name) not in kept and not os.path.islink(path):
            yield path
    for part in ("channels", "packages"):
        for folder, _, files in os.walk(os.path.join(state, "cache", part)):
            for name in sorted(files):
                if name.endswith(ARCHIVES) and package_of(name) not in kept:
                    yield os.path.join(folder, name)


def old(state, days):
    """Yield what pip kept and installers, unused for so many days."""
    before = time.time() - days * DAY
    places = [(os.path.join(state, "cache"), names(os.path.join(state, "cache")))]
    places += [(folder, files) for folder, _, files in os.walk(os.path.join(state, "pip-cache"))]
    for folder, files in places:
        for name in files:
            path = os.path.join(folder, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and max(found.st_mtime, found.st_atime) < before:
                yield path


def aside(state):
    """Yield what an earlier run had no time to delete, and the work of a build that was killed."""
    for name in names(os.path.join(state, ASIDE)):
        yield os.path.join(state, ASIDE, name)
    for _, _, base in environments(state):
        for name in names(base):
            if name == ".work":
                yield os.path.join(base, name)


class Far:
    """Says on stderr how far it is, twice a second at most; what it is at may take many minutes."""

    def __init__(self, total):
        self._total = total
        self._at = time.monotonic()

    def at(self, what, number):
        if time.monotonic() - self._at < AGAIN:
            return
        self._at = time.monotonic()
        try:
            os.write(2, b"far|%s|%d|%d\n" % (what.encode(), number, self._total))
        except OSError:
            pass  # nobody listens any more: what was begun is brought to its end


def move_aside(state, path, number):
    """Rename it to where nobody looks for it; what lies on another disk is deleted where it stands."""
    target = os.path.join(state, ASIDE, "%d-%d-%s" % (time.time(), number, os.path.basename(path)))
    try:
        os.rename(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return path
    return target


def delete(path):
    """Delete it; a folder that even its owner may not write to is opened first."""
    if not is_folder(path):
        os.unlink(path)
        return
    for folder, folders, _ in os.walk(path):
        for one in [os.path.join(folder, name) for name in folders]:
            if not os.path.islink(one):
                os.chmod(one, stat.S_IMODE(os.lstat(one).st_mode) | 0o700)
    shutil.rmtree(path)


def chosen(state, request):
    """Return the generations that go, and why each of the others that were asked for stays."""
    used, gone, stays = users(state), [], []
    wanted = {tuple(one) for one in request["remove"]}
    for project, name, base in environments(state):
        for generation in generations(base):
            if (project, name, generation) not in wanted:
                continue
            by = used.get(os.path.realpath(os.path.join(base, generation)))
            if current_of(base) == generation:
                stays.append([project, name, generation, "it is current"])
            elif by:
                stays.append([project, name, generation, ", ".join(by)])
            else:
                gone.append((base, generation))
    return gone, stays


def main():
    state = os.path.realpath(os.path.expanduser(sys.argv[1]))
    request = json.loads(sys.argv[2])
    if request["do"]:
        # Ours for as long as this runs: no build begins meanwhile, whatever becomes of the client.
        lock = open(os.path.join(state, "step.lock"), "ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(json.dumps({"format": 1, "busy": True}))
            return
    elif step_held(state):
        print(json.dumps({"format": 1, "busy": True}))
        return
    gone, stays = chosen(state, request)
    lists = {
        "generations": [os.path.join(*one) for one in gone],
        "packages": list(packages(state, set(gone))),
        "old": list(old(state, request["days"])),
        "leftovers": list(aside(state)),
    }
    room, failed = Room(), []
    everything = [path for paths in lists.values() for path in paths]
    far = Far(len(everything))
    for number, path in enumerate(everything):
        far.at("counting", number)
        room.add(path)
    if request["do"]:
        os.makedirs(os.path.join(state, ASIDE), mode=0o700, exist_ok=True)
        for number, path in enumerate(everything):
            far.at("removing", number)
            try:
                delete(path if os.path.dirname(path) == os.path.join(state, ASIDE) else move_aside(state, path, number))
            except OSError as error:
                failed.append([path, error.strerror or str(error)])
    answer = {"format": 1, "busy": False, "freed": room.freed, "stays": stays, "failed": failed[:20]}
    answer["counts"] = {name: len(paths) for name, paths in lists.items()}
    answer["generations"] = lists["generations"]
    print(json.dumps(answer))


main()
