"""The records of a delta become files in ``staging``, where they wait until all of them are there."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, TRY301

import os
import struct

MOST_CONTENT = 4 << 20
LONGEST_PATH = 4095
LONGEST_NAME = 255
TWO_BYTES = struct.Struct(">BH")
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
GROWING = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def check_path(path):
    """Refuse what is not the path of something in a tree; the client is not trusted either."""
    around = b"/" + path + b"/"
    if (
        not path
        or len(path) > LONGEST_PATH
        or b"\0" in path
        or b"//" in around
        or b"/./" in around
        or b"/../" in around
        or around.startswith(b"/.provision/")
        or (len(path) > LONGEST_NAME and max(map(len, path.split(b"/"))) > LONGEST_NAME)
    ):
        raise SyncError("protocol", "not a path in a tree: %r" % path[:60])
    return path


def stamp_at(found):
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


class Staging:
    """The new files under their paths in ``staging/t``, and what is known about them."""

    def __init__(self, known, client):
        self.tree = tree = known.tree
        self.client = client
        self.old = known.old
        self.received = {}
        """By path: the manifest's record, and the stamp that the file had here."""
        self.removed = []
        self.modes = {}
        self.earlier = known.earlier
        """What a broken sync left here, as long as nothing said that it is used."""
        self.damaged = []
        """What cannot be made of what a broken sync left here; it was thrown away."""
        self.resumed = 0
        self.bytes = 0
        for name in (b"staging/received", b"manifest.new", b"folders.new", b"owner.new", b"adopted.new"):
            # A killed receiver leaves no list, and then nothing here is used again.
            try:
                forget_file(tree, name)
            except NotADirectoryError:
                pass
        for name in (b"staging", b"partial"):
            found = lstat(name, tree.own)
            if found is not None and not stat.S_ISDIR(found.st_mode):
                forget_file(tree, name)
        if not self.earlier:
            remove(tree, b"staging")
        for name in (b"staging", b"staging/t", b"partial"):
            try:
                # What is in t goes into the tree as it is: folders too.
                os.mkdir(name, 0o777 if name.endswith(b"/t") else 0o700, dir_fd=tree.own)
            except FileExistsError:
                pass
        self.fd = os.open(b"staging/t", FOLDER, dir_fd=tree.own)
        self.partial = os.open(b"partial", FOLDER, dir_fd=tree.own)
        self.folders = Folders(self.fd)
        self.sources = Folders(tree.fd)
        self.umask = os.umask(0o077)
        os.umask(self.umask)
        if self.earlier:
            self.keep_listed()

    def keep_listed(self):
        """Drop what is here and not in the list, and from the list what is not here."""
        here = {}
        todo = [b""]
        while todo:
            folder = todo.pop()
            fd = self.folders.get(folder)
            for name in names_in(fd):
                path = join(folder, name)
                found = lstat(name, fd)
                if stat.S_ISDIR(found.st_mode):
                    todo.append(path)
                else:
                    here[path] = found
        for path, found in here.items():
            record = self.earlier.get(path)
            if record is None or kind_of(found) != record[0] or found.st_size != record[1]:
                self.drop(path)
        self.earlier = {path: record for path, record in self.earlier.items() if path in here}

    def drop(self, path):
        """Remove a file here, and the folders that it leaves empty."""
        self.earlier.pop(path, None)
        folder, name = split(path)
        os.unlink(name, dir_fd=self.folders.get(folder))
        self.folders.forget()
        while folder:
            above, name = split(folder)
            try:
                os.rmdir(name, dir_fd=self.folders.get(above))
            except OSError:
                return
            folder = above

    def take(self, stream):
        """Take all records; return the digest of the target's manifest."""
        take = stream.take
        # Bound once: there are tens of thousands of small files.
        head, size_of = TWO_BYTES.unpack, struct.Struct(">I").unpack
        count = 0
        while True:
            kind = take(1)
            if kind == b"F":
                of, length = head(take(3))
                path = take(length)
                (size,) = size_of(take(4))
                if size > MOST_CONTENT:
                    raise SyncError("protocol", "a file of %d bytes in one piece" % size)
                self.file(path, of, take(size))
            elif kind == b"Z":
                digest = take(32)
                # Only now: all that is damaged must be known when it is sent anew.
                if self.damaged:
                    raise SyncError(
                        "damaged",
                        "what an earlier sync left there of %d files was damaged (the first is %s): it is thrown away"
                        % (len(self.damaged), text(self.damaged[0][:200])),
                        "sync again",
                    )
                return digest
            else:
                self.other(kind, stream)
            count += 1
            if not count & 63:
                self.client.progress("receiving", count, self.bytes)

    def other(self, kind, stream):
        take = stream.take
        if kind == b"L":
            path = take(int.from_bytes(take(2), "big"))
            self.link(path, take(int.from_bytes(take(2), "big")))
        elif kind == b"D":
            path = check_path(take(int.from_bytes(take(2), "big")))
            if path not in self.old:
                raise SyncError("protocol", "nothing that is known to remove: %r" % path[:60])
            self.removed.append(path)
        elif kind in (b"B", b"K", b"M", b"U"):
            of, length = TWO_BYTES.unpack(take(3))
            path = take(length)
            if kind == b"M":
                self.mode(path, of)
            elif kind == b"U":
                self.use(path, of)
            elif kind == b"B":
                size, digest, offset = struct.unpack(">Q32sQ", take(48))
                self.big(path, (of, size, digest), offset, stream)
            else:
                source = take(int.from_bytes(take(2), "big"))
                size, digest = struct.unpack(">Q32s", take(40))
                self.copy(path, (of, size, digest), source)
        else:
            raise SyncError("protocol", "no record is %r" % kind)

    def place_for(self, path):
        """Return the folder's descriptor and the name for a new file here."""
        check_path(path)
        if path in self.received:
            raise SyncError("protocol", "twice in one stream: %r" % path[:60])
        folder, _, name = path.rpartition(b"/")
        if self.earlier:
            self.make_way(path)
        try:
            return self.folders.get(folder, True), name
        except NotADirectoryError:
            raise SyncError("protocol", "a folder and a file at once: %r" % folder[:60]) from None

    def make_way(self, path):
        """Drop what a broken sync left where this path, or a folder above it, must be."""
        if path in self.earlier:
            self.drop(path)
        for folder in parents([path]):
            if folder in self.earlier:
                self.drop(folder)
        fd = self.folders.find(split(path)[0])
        if fd is not None and lstat(split(path)[1], fd) is not None:
            for one in [one for one in self.earlier if one.startswith(path + b"/")]:
                self.drop(one)

    def create(self, path, kind):
        if kind not in (FILE, EXECUTABLE):
            raise SyncError("protocol", "no file is of the kind %d" % kind)
        fd, name = self.place_for(path)
        try:
            return os.open(name, NEW, 0o777 if kind == EXECUTABLE else 0o666, dir_fd=fd)
        except FileExistsError:
            raise SyncError("protocol", "a folder and a file at once: %r" % path[:60]) from None

    def file(self, path, kind, content):
        fd = self.create(path, kind)
        try:
            if os.write(fd, content) != len(content):
                raise OSError(errno.ENOSPC, "a file could not be written as a whole")
            found = os.fstat(fd)
        except OSError:
            self.unfinished(path)
            raise
        finally:
            os.close(fd)
        self.received[path] = ((kind, len(content), hashlib.sha256(content).digest()), stamp_at(found))
        self.bytes += len(content)

    def unfinished(self, path):
        folder, name = split(path)
        os.unlink(name, dir_fd=self.folders.get(folder))

    def link(self, path, target):
        if not target or b"\0" in target or len(target) > LONGEST_PATH:
            raise SyncError("protocol", "not where a link can lead: %r" % target[:60])
        fd, name = self.place_for(path)
        try:
            os.symlink(target, name, dir_fd=fd)
        except FileExistsError:
            raise SyncError("protocol", "a folder and a link at once: %r" % path[:60]) from None
        record = (LINK, len(target), hashlib.sha256(target).digest())
        self.received[path] = (record, stamp_at(lstat(name, fd)))

    def mode(self, path, kind):
        known = self.old.get(check_path(path))
        if known is None or LINK in (known[0], kind) or kind not in (FILE, EXECUTABLE):
            raise SyncError("protocol", "no file that is known to change the mode of: %r" % path[:60])
        self.modes[path] = kind

    def use(self, path, kind):
        """Use what a broken sync brought here; it is read, as a power cut may have hollowed it."""
        record = self.earlier.get(check_path(path))
        folder, name = split(path)
        if record is None or record[0] != kind:
            self.damaged.append(path)
            return
        fd = self.folders.get(folder)
        found = lstat(name, fd)
        if digest_at(name, fd, kind) != record[2]:
            self.drop(path)
            self.damaged.append(path)
            return
        del self.earlier[path]
        self.received[path] = (record, stamp_at(found))
        self.resumed += record[1]

    def big(self, path, record, offset, stream):
        """Take a big file, or the rest of it: what came before is in ``partial`` under its hash."""
        kind, size, digest = record
        if kind not in (FILE, EXECUTABLE):
            raise SyncError("protocol", "no file is of the kind %d" % kind)
        if offset > size:
            raise SyncError("protocol", "more than the whole is there: %r" % path[:60])
        check_path(path)
        name = digest.hex().encode()
        fd = os.open(name, GROWING, 0o666, dir_fd=self.partial)
        try:
            hashed = hashlib.sha256()
            left = offset if os.fstat(fd).st_size == offset else 0
            while left:
                piece = os.read(fd, min(left, PIECE))
                if not piece:
                    break
                hashed.update(piece)
                left -= len(piece)
                self.client.progress("receiving", len(self.received), self.bytes)
            left = size - offset
            while left:
                piece = stream.some(min(left, MOST_DECODED))
                write_all(fd, piece)
                hashed.update(piece)
                left -= len(piece)
                self.bytes += len(piece)
                self.client.progress("receiving", len(self.received), self.bytes)
            if os.fstat(fd).st_size != size or hashed.digest() != digest:
                os.unlink(name, dir_fd=self.partial)
                if offset:
                    self.damaged.append(path)
                    return
                raise SyncError("changed", "a file is not what was announced: %r" % path[:60], "sync again")
            os.fchmod(fd, (0o777 if kind == EXECUTABLE else 0o666) & ~self.umask)
            folder, last = self.place_for(path)
            if lstat(last, folder) is not None:
                raise SyncError("protocol", "a folder and a file at once: %r" % path[:60])
            os.rename(name, last, src_dir_fd=self.partial, dst_dir_fd=folder)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        self.resumed += offset
        self.received[path] = (record, stamp_at(found))

    def copy(self, path, record, source):
        """Take a content from another path, of this sync or of the tree."""
        kind, size, digest = record
        if source in self.damaged:
            self.damaged.append(check_path(path))
            return
        folder, name = split(check_path(source))
        above = (self.folders if source in self.received else self.sources).find(folder)
        try:
            opened = os.open(name, PLAIN, dir_fd=-1 if above is None else above)
        except OSError:
            raise SyncError("changed", "what was to be copied is not there: %r" % source[:60], "sync again") from None
        try:
            fd = self.create(path, kind)
            done = False
            try:
                hashed, count = hashlib.sha256(), 0
                while count <= size:
                    piece = os.read(opened, PIECE)
                    if not piece:
                        break
                    write_all(fd, piece)
                    hashed.update(piece)
                    count += len(piece)
                    self.client.progress("receiving", len(self.received), self.bytes)
                if count != size or hashed.digest() != digest:
                    raise SyncError("changed", "what was to be copied has changed: %r" % source[:60], "sync again")
                found = os.fstat(fd)
                done = True
            finally:
                os.close(fd)
                if not done:
                    self.unfinished(path)
        finally:
            os.close(opened)
        self.received[path] = (record, stamp_at(found))

    def drop_unused(self):
        """Drop what a broken sync brought and this one does not need."""
        for path in list(self.earlier):
            self.drop(path)

    def save(self):
        """List what is here for the next sync."""
        records = dict(self.earlier)
        records.update({path: record for path, (record, _) in self.received.items()})
        try:
            remove(self.tree, b"staging/kept")
            if records:
                write_own(self.tree, b"staging/received", Manifest.of(records).blob)
            else:
                remove(self.tree, b"staging")
        except OSError:
            self.discard()

    def discard(self):
        self.folders.forget()
        discard(self.tree)


def discard(tree):
    """Remove all that was brought and is not in the tree."""
    remove(tree, b"staging")
    drop_empty(tree.own, b"kept")
    for name in (b"manifest.new", b"folders.new", b"owner.new", b"adopted.new"):
        forget_file(tree, name)
        forget_file(tree, name + b".tmp")
    forget_file(tree, b"journal.tmp")
