"""Folders of a tree by their paths: opened name by name, and never through a link."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821

MOST_OPEN = 256


class Folders:
    """The folders below one folder; those that were asked for last stay open."""

    def __init__(self, fd):
        self.fd = fd
        self.opened = {b"": fd}

    def get(self, path, make=False):
        """Return a folder's descriptor, good until the next call.

        Raises `FileNotFoundError` where it is not there and shall not be made, `NotADirectoryError` where it or what
        is above it is something else, be it a link to a folder.
        """
        fd = self.opened.get(path)
        if fd is not None:
            return fd
        names = []
        above = path
        while above not in self.opened:
            above, _, name = above.rpartition(b"/")
            names.append(name)
        fd = self.opened[above]
        for name in reversed(names):
            try:
                below = self.enter(name, fd)
            except FileNotFoundError:
                if not make:
                    raise
                os.mkdir(name, 0o777, dir_fd=fd)
                below = self.enter(name, fd)
            if len(self.opened) > MOST_OPEN:
                self.forget()
            above = above + b"/" + name if above else name
            self.opened[above] = fd = below
        return fd

    def enter(self, name, fd):
        try:
            return os.open(name, FOLDER, dir_fd=fd)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotADirectoryError(errno.ENOTDIR, "is a link", text(name)) from None
            if error.errno == errno.EACCES:
                raise SyncError("refused", "%s: this login may not look into that folder" % text(name)) from None
            raise

    def find(self, path):
        """Return a folder's descriptor, or `None` where it is not there as a folder."""
        try:
            return self.get(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def forget(self):
        """Close all: what was opened may have been moved or removed."""
        for path, fd in self.opened.items():
            if path:
                os.close(fd)
        self.opened = {b"": self.fd}


def names_in(fd):
    return sorted(map(os.fsencode, os.listdir(fd)))


def split(path):
    folder, _, name = path.rpartition(b"/")
    return folder, name


def join(folder, name):
    return folder + b"/" + name if folder else name


def parents(paths):
    """Return every folder that these paths stand in."""
    found = set()
    for path in paths:
        folder = path.rpartition(b"/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition(b"/")[0]
    return found


def clear(fd):
    """Remove all that is in one of our own folders."""
    folders = Folders(fd)
    todo, order = [b""], []
    while todo:
        folder = todo.pop()
        order.append(folder)
        inside = folders.get(folder)
        for name in names_in(inside):
            if stat.S_ISDIR(lstat(name, inside).st_mode):
                todo.append(join(folder, name))
            else:
                os.unlink(name, dir_fd=inside)
    folders.forget()
    # Each folder comes after those above it.
    for folder in reversed(order[1:]):
        above, name = split(folder)
        os.rmdir(name, dir_fd=folders.get(above))
    folders.forget()


def remove(tree, name):
    """Remove one of our own folders, where it is there."""
    try:
        fd = os.open(name, FOLDER, dir_fd=tree.own)
    except FileNotFoundError:
        return
    try:
        clear(fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=tree.own)


def drop_empty(fd, name):
    """Remove a folder where nothing is in it."""
    try:
        os.rmdir(name, dir_fd=fd)
    except OSError:
        # Not empty, not there, or no folder.
        pass


def forget_in(fd, name):
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        pass


def forget_file(tree, name):
    forget_in(tree.own, name)
