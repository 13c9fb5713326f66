"""The way to a tree: who could have laid what stands on it."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, PTH123

MOST_LINKS = 40
UNKNOWN_UID = 65534
"""Root of a network disk, or root outside of our namespace."""
HOST_INITS = ("systemd\n", "init\n", "runit", "openrc", "dinit\n", "s6-linux-init\n")
"""What runs first where it is no container."""


def refuse_laid_way(path):
    """Refuse a link or a folder on the way that another login could lay there: it would choose where the tree goes.

    That is one of neither this login nor root, in a folder that others can write. Root in a container is alone there,
    and its volumes have owners and modes of every kind: nothing is looked at.
    """
    uid = os.geteuid()
    if uid == 0 and in_container():
        return
    here, links = b"/", 0
    todo = path.split(b"/")[::-1]
    while todo and links < MOST_LINKS:
        name = todo.pop()
        if name in (b"", b".", b".."):
            here = os.path.dirname(here) if name == b".." else here
            continue
        at = os.path.join(here, name)
        try:
            found = os.lstat(at)
        except OSError:
            return
        linked = stat.S_ISLNK(found.st_mode)
        if found.st_uid not in (uid, 0, UNKNOWN_UID) and others_write(here, found.st_uid):
            raise SyncError(
                "refused",
                "%s on the way to the tree is a %s of another user (uid %d), in a folder that others can write"
                % (text(at), "link" if linked else "folder", found.st_uid),
                "name another `workdir:`, or the place itself where you trust that user; nothing was changed",
            )
        if not linked:
            here = at
            continue
        links += 1
        target = os.readlink(at)
        here = b"/" if target.startswith(b"/") else here
        todo += target.split(b"/")[::-1]


def others_write(folder, uid):
    """Whether this user, whose folder it is not, can write it all the same: as everyone can, or some group.

    A group is root's, this login's own, or some.
    """
    found = os.stat(folder)
    if found.st_uid == uid:
        return False
    if not found.st_mode & 0o020 or found.st_gid == 0:
        return bool(found.st_mode & 0o002)
    import grp
    import pwd

    try:
        own = grp.getgrgid(found.st_gid).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        own = False
    return bool(found.st_mode & 0o002) or not own


def in_container():
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return True
    try:
        with open("/proc/1/comm") as stream:
            return not stream.read().startswith(HOST_INITS)
    except OSError:
        return False
