"""Receive a tree on a host: say what is there, take what differs, and exchange it so that nothing is half done.

Argument: a request in JSON. Messages go out on stdout, blocks come in on stdin; both are ``type(1) length(u32 BE)
payload``. Next to the tree's files stands the folder ``.provision`` with all that is known about them. Any Python from
3.6 runs this.
"""

# Text for an interpreter of the host, as old as 3.6 and given with -c: no module of the package. It comes with its
# pieces in front: what changes a tree, the line that stands first in sync_tree_client.py, what every run needs.
# ruff: noqa: F821, PTH

MOST_TOP = 1000
SOON = 0.02
DIGITS = 64
"""Of a SHA-256 in a file's name."""
UNLIMITED = 1 << 53
"""Files that a file system takes which does not count them (btrfs)."""


def answer(tree, manifest, changed, extra):
    """Say what is there and what this host can take."""
    base = {
        "protocol": 1,
        "tree": text(tree.root),
        "id": manifest.id if manifest else "",
        "owner": owner_of(tree),
        "codecs": (["zstd"] if knows_zstd() else []) + ["gzip"],
        "changed": {text(path): how for path, how in changed.items()},
        "partial": partial_of(tree),
        "top": [],
    }
    place = tree.root
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    space = os.statvfs(place)
    base["free_bytes"] = space.f_bavail * space.f_frsize
    base["free_files"] = space.f_favail if space.f_files else UNLIMITED
    if not manifest and tree.fd is not None:
        base["top"] = [text(one) for one in sorted(map(os.fsencode, os.listdir(tree.fd))) if one != b".provision"][
            :MOST_TOP
        ]
    base.update(extra)
    return base


def owner_of(tree):
    """Return whose tree it is; ``None`` where no sync ever was. A damaged record is nobody's, and no free tree."""
    said = tree.read(b"owner.json")
    if said is None and not tree.has(b"owner.json") and not tree.has(b"manifest"):
        return None
    try:
        owner = json.loads((said or b"").decode())
    except ValueError:
        owner = None
    return owner if isinstance(owner, dict) else {"client": "", "root": "", "who": "somebody (its record is damaged)"}


def knows_zstd():
    """Whether `decoded` will find something that reads zstd, without loading it."""
    if sys.version_info >= (3, 14) or program_zstd():
        return True
    return any(os.path.isdir(os.path.join(one, "zstandard")) for one in sys.path)


def program_zstd():
    for folder in os.environ.get("PATH", "").split(":"):
        if folder.startswith("/") and os.access(folder + "/zstd", os.X_OK):
            return folder + "/zstd"
    return None


def partial_of(tree):
    """Return how much of each big file is there from a sync that broke."""
    if tree.own is None:
        return {}
    try:
        fd = os.open(b"partial", FOLDER, dir_fd=tree.own)
    except OSError:
        return {}
    try:
        found = [(name, lstat(name, fd)) for name in os.listdir(fd) if len(name) == DIGITS]
        return {name: one.st_size for name, one in found if stat.S_ISREG(one.st_mode)}
    finally:
        os.close(fd)


def load_late():
    """Compile what is needed only for changing something, where the starter left it out."""
    if "late" in globals() and "receive" not in globals():
        exec(compile(late, "sync_tree_late", "exec"), globals())  # noqa: S102 - the other half of this program


def good_manifest(tree, name):
    """Return what syncs put there; ``None`` where its list is not there, or not the one that the record speaks of."""
    manifest = manifest_at(tree, name)
    if manifest is None or name != b"manifest":
        return manifest
    synced = (owner_of(tree) or {}).get("synced")
    said = synced.get("id") if isinstance(synced, dict) else None
    return None if said and said != manifest.id else manifest


def is_own(tree, request):
    """Whether the record says that the tree is that of this client's project."""
    owner, origin = owner_of(tree), request.get("origin", {})
    return owner is not None and all(owner.get(one) == origin.get(one) for one in ("client", "root"))


def finish_earlier(tree):
    """Do what a killed receiver left to do; return which manifest is good then, and what a dry run has to imagine."""
    if not tree.has(b"journal"):
        return b"manifest", None, {"rolled_forward": False}
    load_late()
    if tree.writes:
        return b"manifest", None, {"rolled_forward": True, "kept": roll_forward(tree)}
    if list_of(tree, journal_of(tree)):
        return b"manifest.new", pending_in(tree), {"rolled_forward": True}
    return b"manifest", None, {"rolled_forward": True}


def converse(request, client):
    if request.get("protocol") != 1:
        raise SyncError("protocol", "this receiver speaks protocol 1")
    tree = Tree(request)
    held = lock(tree, request)
    name, pending, extra = finish_earlier(tree)
    manifest = good_manifest(tree, name)
    stamps, changed, renewed = [], {}, False
    if manifest:
        stamps = [NO_STAMP] * len(manifest.names) if request.get("rehash") else stamps_for(tree, manifest)
        changed, renewed = walk(manifest, stamps, pending)
    staged = None if tree.has(b"journal") else manifest_at(tree, b"staging/received")
    extra.update(staged=len(staged.names) if staged else 0, recovering=manifest is None and is_own(tree, request))
    client.tell(b"A", answer(tree, manifest, changed, extra))
    if manifest and manifest.id not in (request.get("base"), request.get("target")):
        client.say(b"M", manifest.blob)
    if staged and staged.names:
        client.say(b"S", staged.blob)
    if not tree.writes and held is not None:
        os.close(held)
    if renewed and tree.writes:
        write_stamps(tree, manifest, stamps)
    # A client that does not leave at once is about to send a delta: what takes it is made ready meanwhile.
    if tree.writes and not select.select([0], [], [], SOON)[0]:
        load_late()
    blocks = client.blocks()
    kind, payload = next(blocks, (None, None))
    if kind == b"J":
        load_late()
        known = Known(tree, request, manifest, stamps, staged)
        work = receive if tree.writes else foresee
        work(known, client, json.loads(payload.decode())["codec"], blocks)
    elif kind is not None:
        raise SyncError("protocol", "not what was expected: %r" % kind)


def main(argument):
    nonce = os.environ.pop("PROVISION_NONCE", "")
    client = None
    try:
        request = json.loads(os.fsencode(argument).decode("utf-8", "surrogateescape"))
        client = Client(nonce, float(request.get("silence", 60)))
        converse(request, client)
    except LostError:
        return
    except Exception as error:
        known = error
        if not isinstance(error, SyncError):
            kind = "io"
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                kind = "space"
            words = str(error) if isinstance(error, OSError) else "%s: %s" % (type(error).__name__, error)
            known = SyncError(kind, words)
        try:
            client = client or Client(nonce, 60.0)
            client.tell(b"E", {"kind": known.kind, "message": str(known), "hint": known.hint})
        except LostError:
            pass
        if not isinstance(error, (SyncError, OSError)):
            raise


if __name__ == "__main__":
    main(sys.argv[1])
