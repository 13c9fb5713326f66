"""Room for what must make way: found before a journal is written, and told of when all is done."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, PTH123

NAMED = 300
"""Bytes that a name in a folder may take."""
GET_FLAGS = (0x80086601, 0x80046601)
"""FS_IOC_GETFLAGS of linux/fs.h, where a long has eight bytes and where it has four."""
IMMUTABLE = 0x10
"""FS_IMMUTABLE_FL; ioctl_iflags(2)."""


def kept_name(tree):
    """Return a name in ``kept`` that is still free."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    while tree.has(("kept/%s-%d" % (moment, number)).encode()):
        number += 1
    return "%s-%d" % (moment, number)


def kept_in(tree, journal):
    """Return pairs of path and place of what had to make way by this journal."""
    pairs, number = [], 1
    while True:
        top = kept_top(journal, number)
        try:
            fd = os.open(top, FOLDER, dir_fd=tree.own)
        except FileNotFoundError:
            return pairs
        folders = Folders(fd)
        todo = [b""]
        while todo:
            folder = todo.pop()
            inside = folders.get(folder)
            for name in names_in(inside):
                path = join(folder, name)
                if stat.S_ISDIR(lstat(name, inside).st_mode):
                    todo.append(path)
                elif text(name) != journal["temporary"]:
                    where = tree.root + b"/.provision/" + top
                    # A path that is too long for any command does not help: its folder does.
                    whole = where + b"/" + path
                    pairs.append([text(path), text(whole if len(whole) <= LONGEST_PATH else where)])
        folders.forget()
        os.close(fd)
        number += 1


def kept_top(journal, number):
    return raw("kept/" + journal["kept"] + ("" if number == 1 else "~%d" % number))


def is_old(known, path, name, fd, found):
    """Whether this is what an earlier sync put there; the rights to run it do not count, as they hold no work.

    `known` has the old list and its stamps, by path.
    """
    record = known.old.get(path)
    if record is None:
        return False
    return known.stamp_of.get(path) == stamp_at(found) or differs(name, fd, found, record) in ("", "mode")


def check_movable(path, name, fd, found):
    """Refuse what no rename moves although the folder may be written: another's in a sticky one, an immutable one."""
    folder, uid = os.fstat(fd), os.geteuid()
    if folder.st_mode & stat.S_ISVTX and uid not in (0, folder.st_uid, found.st_uid):
        why = "it belongs to uid %d, in a folder with the sticky bit" % found.st_uid
    elif stat.S_ISREG(found.st_mode) and not os.access(name, os.W_OK, dir_fd=fd) and is_immutable(name, fd):
        why = "it is immutable (chattr +i)"
    else:
        return
    raise SyncError(
        "refused",
        "%s: this login may not move it away: %s" % (text(path), why),
        "change that on the host, or leave the path out of the sync; the tree is as it was",
    )


def is_immutable(name, fd):
    """Whether a file has the attribute; where its file system knows none, or it cannot be asked, it has not."""
    try:
        opened = os.open(name, PLAIN, dir_fd=fd)
    except OSError:
        return False
    try:
        size = struct.calcsize("l")
        flags = struct.unpack("l", fcntl.ioctl(opened, GET_FLAGS[size == struct.calcsize("i")], bytes(size)))[0]
        return bool(flags & IMMUTABLE)
    except OSError:
        return False
    finally:
        os.close(opened)


def check_kept(tree, mount):
    """Refuse a folder for what makes way that no rename leads to."""
    try:
        fd = os.open(b"kept", FOLDER, dir_fd=tree.own)
    except OSError as error:
        why = error.strerror
    else:
        why = None if os.access(b".", os.W_OK | os.X_OK, dir_fd=fd) else "this login may not write there"
        if mount_of(fd) != mount:
            why = "another file system is mounted there"
        os.close(fd)
    if why:
        raise SyncError(
            "refused",
            "something must make way, and %s/.provision/kept cannot take it: %s" % (text(tree.root), why),
            "mend that on the host; the tree is as it was",
        )


def make_kept(tree, places, paths, temporary):
    """Make the folders for what must make way, and copy what no rename brings there, while nothing has moved."""
    own = tree.own
    remove(tree, b"staging/kept")
    for name in (b"kept", b"staging/kept"):
        try:
            os.mkdir(name, 0o700, dir_fd=own)
        except FileExistsError:
            if not stat.S_ISDIR(lstat(name, own).st_mode):
                raise SyncError("refused", "%s/.provision/kept is not a folder" % text(tree.root)) from None
    kept = Folders(os.open(b"staging/kept", FOLDER, dir_fd=own))
    mount, mounts = mount_of(kept.fd), {}
    check_kept(tree, mount)
    apart, needed = [], NAMED * len(paths)
    for path in sorted(paths):
        folder, name = split(path)
        kept.get(folder, True)
        fd = places.get(folder)
        if folder not in mounts:
            mounts[folder] = mount_of(fd)
        if mounts[folder] != mount:
            found = lstat(name, fd)
            if kind_of(found) is None:
                raise conflict(path, "it cannot be moved aside")
            apart.append((path, found))
            needed += found.st_size
    space = os.fstatvfs(kept.fd)
    if needed > space.f_bavail * space.f_frsize:
        raise SyncError(
            "space",
            "%d files there must make way, and for the %d MB that must be copied for that there is no room"
            % (len(paths), (needed >> 20) + 1),
            "remove something there (as in %s/.provision/kept); the tree is as it was" % text(tree.root),
        )
    for path, found in apart:
        folder, name = split(path)
        copy_file(name, found, places.get(folder), kept.get(folder), raw(temporary), lasting=True)
    kept.forget()
    os.close(kept.fd)


def take_kept(tree, journal):
    """Take the folders for what must make way, which were made while nothing had moved."""
    try:
        os.rename(b"staging/kept", kept_top(journal, 1), src_dir_fd=tree.own, dst_dir_fd=tree.own)
    except FileNotFoundError:
        # Nothing must make way, or they are there already.
        pass


def drop_unused_kept(tree, journal):
    """Remove those of these folders that nothing went into."""
    try:
        top = os.open(kept_top(journal, 1), FOLDER, dir_fd=tree.own)
    except FileNotFoundError:
        return
    folders = Folders(top)
    order = [b""]
    # It grows: each folder comes after those above it.
    for folder in order:
        fd = folders.get(folder)
        order += [join(folder, name) for name in names_in(fd) if stat.S_ISDIR(lstat(name, fd).st_mode)]
    for folder in reversed(order[1:]):
        above, name = split(folder)
        drop_empty(folders.get(above), name)
    folders.forget()
    os.close(top)
    drop_empty(tree.own, kept_top(journal, 1))
    drop_empty(tree.own, b"kept")


def same_content(name, found, fd, there, aside):
    """Whether two things of one name are the same file or link."""
    kind = kind_of(found)
    return (
        kind is not None
        and (kind_of(there), there.st_size) == (kind, found.st_size)
        and digest_at(name, fd, kind) == digest_at(name, aside, kind) != b""
    )


def mount_of(fd):
    """Return what tells mounts apart: a rename does not lead from one to another, not even on the same device."""
    try:
        with open("/proc/self/fdinfo/%d" % fd) as stream:
            return next(line for line in stream if line.startswith("mnt_id"))
    except (OSError, StopIteration):
        return os.fstat(fd).st_dev


def copy_file(name, found, source, target, temporary, *, lasting=False):
    """Copy a file or a link to where no rename reaches; a lasting copy survives a power cut."""
    forget_in(target, temporary)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), temporary, dir_fd=target)
    else:
        opened = os.open(name, PLAIN, dir_fd=source)
        try:
            fd = os.open(temporary, NEW, 0o600, dir_fd=target)
            try:
                while True:
                    piece = os.read(opened, PIECE)
                    if not piece:
                        break
                    write_all(fd, piece)
                os.fchmod(fd, stat.S_IMODE(found.st_mode) & 0o777)
                if lasting:
                    os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            forget_in(target, temporary)
            raise
        finally:
            os.close(opened)
    os.rename(temporary, name, src_dir_fd=target, dst_dir_fd=target)
