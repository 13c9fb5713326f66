"""The snapshot of a job: copies of what was synced, and links to all else that stands in the tree."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

SNAPSHOTS = b"snapshots"
UNFINISHED = b".new"


class Snapshot:
    """Builds a snapshot under another name; it gets its own when it is whole, and only then is it ever used.

    The tree is locked meanwhile, so that one of another name which stands there was left by a launcher that was killed.
    """

    def __init__(self, tree, manifest, request, progress):
        self.tree = tree
        self.manifest = manifest
        self.progress = progress
        self.name = raw(request["id"])
        self.path = os.path.join(tree.root, b".provision", SNAPSHOTS, self.name)
        self.persist = {raw(one.rstrip("/")) for one in request["persist"]}
        self.bytes = 0
        self.files = self.below()
        self.folders = parents(self.files)
        self.total = sum(map(len, self.files.values()))
        self.count = 0
        self.list = []
        self.copier = Copier(self.check_room)
        self.fd = None
        """The folder of all snapshots of this tree."""

    def below(self):
        """Return the names of what was synced, by folder; what stands in a folder that persists is not copied."""
        found = {}
        for path, size in zip(self.manifest.paths, self.manifest.sizes):  # noqa: B905 - Python 3.6 has no strict
            if not self.persists(path):
                folder, _, name = path.rpartition(b"/")
                found.setdefault(folder, set()).add(name)
                self.bytes += size
        return found

    def persists(self, path):
        return any(path == one or path.startswith(one + b"/") for one in self.persist)

    def build(self):
        try:
            os.mkdir(SNAPSHOTS, 0o700, dir_fd=self.tree.own)
        except FileExistsError:
            pass
        self.fd = os.open(SNAPSHOTS, FOLDER, dir_fd=self.tree.own)
        self.clear()
        draft = self.name + UNFINISHED
        os.mkdir(draft, 0o700, dir_fd=self.fd)
        top = os.open(draft, FOLDER, dir_fd=self.fd)
        here = b""
        try:
            os.fchmod(top, 0o755 & ~UMASK)
            todo = [b""]
            while todo:
                here = todo.pop()
                todo += self.fill(here, top)
        except OSError as error:
            if error.errno in FULL:
                raise self.no_room() from None
            at = os.path.join(self.tree.root, here)
            raise JobError("refused", "%s: %s" % (text(at), error.strerror or error)) from error
        finally:
            os.close(top)
        os.rename(draft, self.name, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def fill(self, folder, top):
        """Fill one folder of the snapshot; return the folders in it that are still to be filled."""
        source = open_below(self.tree.fd, folder)
        target = open_below(top, folder)
        further = []
        try:
            synced = self.files.get(folder, ())
            for name in map(os.fsencode, os.listdir(source)):
                path = join(folder, name)
                if path == b".provision":
                    continue
                if path in self.folders and path not in self.persist and self.made_folder(path, name, source, target):
                    further.append(path)
                elif name not in synced or not self.copied(path, name, source, target):
                    os.symlink(os.path.join(self.tree.root, path), name, dir_fd=target)
                    self.note(b"L", os.stat(name, dir_fd=target, follow_symlinks=False), path)
        finally:
            os.close(source)
            os.close(target)
        return further

    def made_folder(self, path, name, source, target):
        found = lstat(name, source)
        if found is None or not stat.S_ISDIR(found.st_mode):
            return False
        os.mkdir(name, 0o700, dir_fd=target)
        os.chmod(name, found.st_mode & 0o777 | 0o700, dir_fd=target)
        self.list.append(b"D 0 0 " + path)
        return True

    def copied(self, path, name, source, target):
        """Copy what was synced; return whether something of that kind stands there, or nothing any more."""
        self.count += 1
        self.progress.tell(self.count, self.total)
        found = lstat(name, source)
        if found is None:
            return True
        if stat.S_ISLNK(found.st_mode):
            os.symlink(self.goal(path, os.readlink(name, dir_fd=source)), name, dir_fd=target)
            self.note(b"L", os.stat(name, dir_fd=target, follow_symlinks=False), path)
            return True
        if not stat.S_ISREG(found.st_mode):
            return False
        try:
            made = self.copier.copy(name, source, target)
        except FileNotFoundError:
            # Removed just now, and not by a sync.
            return True
        if made is None:
            return False
        self.note(b"%d" % made.st_size, made, path)
        return True

    def goal(self, path, goal):
        """Return what a link leads to; a relative one that leaves the tree would lead elsewhere from the snapshot."""
        depth = path.count(b"/")
        if not goal.startswith(b"/"):
            for name in goal.split(b"/"):
                depth += -1 if name == b".." else 0 if name in (b"", b".") else 1
                if depth < 0:
                    return os.path.join(self.tree.root, os.path.dirname(path), goal)
        return goal

    def note(self, kind, found, path):
        self.list.append(b"%s %d %d %s" % (kind, found.st_mtime_ns, found.st_ino, path))

    def check_room(self):
        if self.bytes > self.free():
            raise self.no_room()

    def free(self):
        space = os.fstatvfs(self.fd)
        return space.f_bavail * space.f_frsize

    def no_room(self):
        self.clear()
        message = "the copy of the project for the job needs %d bytes, and %d bytes are free at %s" % (
            self.bytes,
            self.free(),
            self.tree,
        )
        return JobError("disk", message, "make room there, or remove jobs that have ended; nothing of the copy is left")

    def clear(self):
        """Remove what was never finished, while the tree is locked."""
        for name in os.listdir(self.fd):
            if os.fsencode(name).endswith(UNFINISHED):
                remove_whole(os.path.join(os.path.dirname(self.path), os.fsencode(name)))

    def drop(self):
        """Remove the snapshot of a job that never began."""
        if self.fd is not None:
            remove_whole(self.path + UNFINISHED)
            remove_whole(self.path)


def remove_whole(path):
    """Remove a folder of our own with all that is in it; links are removed, and nothing that they lead to."""
    shutil.rmtree(path, ignore_errors=True)


def parents(folders):
    """Return these folders and all above them."""
    found = set()
    for folder in folders:
        above = folder
        while above and above not in found:
            found.add(above)
            above = above.rpartition(b"/")[0]
    return found
