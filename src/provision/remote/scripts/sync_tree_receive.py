"""Take a delta from its first byte to the last step of its journal."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, B905

import signal


class Known:
    """What the question found out: the tree, the old manifest with its stamps, and what a broken sync left."""

    def __init__(self, tree, request, manifest, stamps, staged):
        self.tree = tree
        self.request = request
        self.manifest = manifest
        self.old = manifest.entries() if manifest else {}
        self.stamp_of = dict(zip(manifest.names, stamps)) if manifest else {}
        self.earlier = staged.entries() if staged else {}
        self.recovering = manifest is None and is_own(tree, request)
        """The list of what syncs put there is lost, and it was this project."""


def receive(known, client, codec, blocks):
    """Take the records of a delta, and place what they make."""
    tree = known.tree
    refuse_other_owner(tree, known.request)
    staging = None
    stream = Stream(decoded(codec, data_of(with_origin(blocks, known.request))))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        staging = Staging(known, client)
        target = staging.take(stream)
        delta = Delta(known, staging, target)
        delta.check()
        delta.prepare()
        journal = delta.draft()
        delta.settle()
    except (LostError, SyncError) as error:
        ignore_signals()
        # Whatever went wrong, the hash of what is listed is known; only where there is no room nothing stays.
        if isinstance(error, SyncError) and error.kind == "space":
            discard(tree)
            remove(tree, b"partial")
        elif staging is not None:
            staging.save()
        raise
    except OSError as error:
        ignore_signals()
        discard(tree)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remove(tree, b"partial")
            raise SyncError(
                "space", "there is no room for it: %s" % error.strerror, "remove something there; the tree is as it was"
            ) from None
        raise
    # From here on it goes forward only, whoever listens.
    ignore_signals()
    delta.begin()
    placing = Placing(tree, journal, delta.old, delta.stamp_of, delta.new)
    try:
        client.progress("placing", len(staging.received), 0)
    except LostError:
        pass
    finish(placing)
    result = {"id": delta.target.id, "kept": kept_in(tree, journal), "removed": placing.removed}
    result.update(placed=len(staging.received) - placing.adopted, adopted=placing.adopted, resumed=staging.resumed)
    result["left"] = len(delta.gone & delta.adopted)
    try:
        client.tell(b"R", result)
    except LostError:
        pass
    write_stamps(tree, delta.target, delta.stamps_now())


def with_origin(blocks, request):
    """Take out what the client says of where the tree comes from, which it found out while it was sending."""
    for kind, payload in blocks:
        if kind != b"O":
            yield kind, payload
            continue
        try:
            said = json.loads(payload.decode())
            request["origin"].update((name, said[name]) for name in ("commit", "branch", "dirty"))
        except (ValueError, KeyError, TypeError) as error:
            raise SyncError("protocol", "not an origin: %s" % error) from None


def leave(*_):
    raise LostError("told to end")


def ignore_signals():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def refuse_other_owner(tree, request):
    owner, origin = owner_of(tree), request["origin"]
    if owner is None or request.get("take_over"):
        return
    if (owner.get("client"), owner.get("root")) != (origin["client"], origin["root"]):
        raise SyncError(
            "owner",
            "%s is the tree of %s from %s" % (text(tree.root), owner.get("who"), owner.get("root")),
            "sync to another tree, or take this one over with --take-over",
        )
