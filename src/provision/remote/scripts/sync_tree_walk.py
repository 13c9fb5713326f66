"""What syncs put into a tree, and whether it is still there as it was."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, B905, PTH

FILE, EXECUTABLE, LINK = 1, 2, 3
MANIFEST_HEAD = struct.Struct("<4sIQ")
MANIFEST_RECORD = struct.Struct("<BQ32s")
STAMPS_HEAD = struct.Struct("<4s32sI")
STAMP = struct.Struct("<QqqQ")
"""Size, mtime and ctime in ns, inode: what a file looked like when its hash was known."""
NO_STAMP = (0, 0, 0, 0)
RACY = 2 * 10**9
"""A file hashed so soon (ns) after its last change may change again within the tick of the file system's clock."""


class Manifest:
    """What syncs put into a tree, as it stands in its canonical form: names, and records of kind, size and hash."""

    def __init__(self, blob):
        if len(blob) < MANIFEST_HEAD.size:
            raise ValueError("not a manifest")
        magic, count, length = MANIFEST_HEAD.unpack_from(blob)
        start = MANIFEST_HEAD.size + length
        if magic != b"PVM1" or len(blob) != start + count * MANIFEST_RECORD.size:
            raise ValueError("not a manifest")
        self.names = blob[MANIFEST_HEAD.size : start].split(b"\0")
        if self.names.pop() or len(self.names) != count:
            raise ValueError("not a manifest")
        self.records = list(MANIFEST_RECORD.iter_unpack(blob[start:]))
        self.blob = blob
        self.digest = hashlib.sha256(blob).digest()
        self.id = self.digest.hex()

    @classmethod
    def of(cls, entries):
        names = sorted(entries)
        pack = MANIFEST_RECORD.pack
        listed = b"".join([name + b"\0" for name in names])
        records = b"".join([pack(*entries[name]) for name in names])
        return cls(MANIFEST_HEAD.pack(b"PVM1", len(names), len(listed)) + listed + records)

    def with_records(self, entries):
        """Return the manifest with other records for some of its names."""
        import bisect

        blob = bytearray(self.blob)
        start = len(blob) - len(self.names) * MANIFEST_RECORD.size
        for name, record in entries.items():
            at = bisect.bisect_left(self.names, name)
            MANIFEST_RECORD.pack_into(blob, start + at * MANIFEST_RECORD.size, *record)
        return Manifest(bytes(blob))

    def entries(self):
        return dict(zip(self.names, self.records))


def manifest_at(tree, name):
    """Return the manifest in one of our files; ``None`` where there is none, or none that can be read."""
    blob = tree.read(name)
    try:
        return None if blob is None else Manifest(blob)
    except ValueError:
        return None


def stamps_for(tree, manifest):
    """Return a stamp for each entry of the manifest, `NO_STAMP` where none is known."""
    blob = tree.read(b"stamps") or b""
    count = len(manifest.names)
    fits = len(blob) == STAMPS_HEAD.size + count * STAMP.size
    if fits and STAMPS_HEAD.unpack_from(blob) == (b"PVS1", manifest.digest, count):
        return list(STAMP.iter_unpack(blob[STAMPS_HEAD.size :]))
    return [NO_STAMP] * count


def write_stamps(tree, manifest, stamps):
    """Keep the stamps for the next time; without them everything would only be hashed again."""

    def pack(*stamp):
        try:
            return STAMP.pack(*stamp)
        except struct.error:
            # A time that no 64 bits of nanoseconds hold: such a file is hashed each time.
            return STAMP.pack(*NO_STAMP)

    head = STAMPS_HEAD.pack(b"PVS1", manifest.digest, len(stamps))
    try:
        write_own(tree, b"stamps", head + b"".join([pack(*one) for one in stamps]))
    except OSError:
        pass


def walk(manifest, stamps, pending):
    """Compare each entry with what stands in the tree, which is the current folder; nothing else is looked at.

    Returns what is different, by path, and whether stamps were found anew; `pending` (path -> bool) says what an
    interrupted sync will still bring. A folder that is a link now is not followed: what is below it is not ours.
    """
    changed, renewed = {}, False
    known = {b"": True}
    last, real = b"", True
    at = os.lstat
    for index, name in enumerate(manifest.names):
        folder = name.rpartition(b"/")[0]
        if folder != last:
            last, real = folder, is_real(folder, known)
        try:
            found = at(name)
        except OSError:
            found = None
        if found is not None and real:
            stamp = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            if stamp == stamps[index]:
                continue
        if pending is not None and pending(name):
            continue
        if found is None or not real:
            changed[name] = "missing" if found is None else "type"
            stamps[index] = NO_STAMP
            continue
        now = int(time.time() * 1e9)
        difference = differs(name, None, found, manifest.records[index])
        stamps[index] = NO_STAMP
        if difference:
            changed[name] = difference
        elif now - max(found.st_mtime_ns, found.st_ctime_ns) > RACY and unchanged(found, lstat(name, None)):
            stamps[index] = stamp
            renewed = True
    return changed, renewed


def is_real(folder, known):
    """Whether a folder of the tree is reached without following a link (or is not there at all)."""
    unknown = []
    while folder not in known:
        unknown.append(folder)
        folder = folder.rpartition(b"/")[0]
    real = known[folder]
    for one in reversed(unknown):
        if real:
            found = lstat(one, None)
            real = found is None or not stat.S_ISLNK(found.st_mode)
        known[one] = real
    return real


def differs(name, fd, found, record):
    """Say how what stands there differs from a manifest's record; empty where it does not."""
    kind, size, digest = record
    there = kind_of(found)
    if there is None or (there == LINK) != (kind == LINK):
        return "type"
    if found.st_size != size or digest_at(name, fd, there) != digest:
        return "content"
    return "" if there == kind else "mode"


def kind_of(found):
    if stat.S_ISREG(found.st_mode):
        return EXECUTABLE if found.st_mode & 0o100 else FILE
    return LINK if stat.S_ISLNK(found.st_mode) else None


def digest_at(name, fd, kind):
    """Return the hash of a file's content or of a link's target; empty where it cannot be read."""
    try:
        if kind == LINK:
            return hashlib.sha256(os.readlink(name, dir_fd=fd)).digest()
        opened = os.open(name, PLAIN, dir_fd=fd)
    except OSError:
        return b""
    try:
        return digest_of(opened)
    finally:
        os.close(opened)


def digest_of(fd):
    digest = hashlib.sha256()
    while True:
        piece = os.read(fd, PIECE)
        if not piece:
            return digest.digest()
        digest.update(piece)


def unchanged(before, after):
    return after is not None and all(
        getattr(before, one) == getattr(after, one) for one in ("st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    )


def lstat(name, fd):
    """Return what stands there; ``None`` where nothing does."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
