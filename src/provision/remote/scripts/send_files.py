"""Sends files of this host to whoever asks over stdin and stdout; the messages are told in provision.sync.pulling.

Argument: the request, JSON. Standard library of Python 3.6 alone. Every path is bytes: what the locale of this host
is does not matter. Nothing is written, and no shell sees a path. It ends with the end of its input, or when nothing is
asked for in a while.
"""

# Paths are bytes here, which pathlib knows nothing of.
# ruff: noqa: PTH115, PTH116, PTH119, PTH122, PTH123, PTH207, PTH208

import errno
import glob
import hashlib
import json
import os
import pwd
import re
import select
import stat
import struct
import sys
import time
import zlib

PIECE = 256 << 10
FLUSH = 128 << 10
LISTED = 60 << 10
PATIENCE = 300
BEAT = 5
FILE, EXECUTABLE, LINK, FOLDER, OTHER, CLOSED = 1, 2, 3, 4, 5, 6
SAME, GREW, CHANGED, UNREADABLE = 0, 1, 2, 3
RAW, ZSTD, GZIP = 0, 1, 2
HEAD = struct.Struct(">cI")
ENTRY = struct.Struct(">BQqHH")
ASK = struct.Struct(">IQ")
PACKED = frozenset(
    (
        ".7z",
        ".avif",
        ".br",
        ".bz2",
        ".conda",
        ".flac",
        ".gif",
        ".gz",
        ".heic",
        ".jpeg",
        ".jpg",
        ".lz4",
        ".m4a",
        ".mkv",
        ".mov",
        ".mp3",
        ".mp4",
        ".npz",
        ".ogg",
        ".opus",
        ".png",
        ".rar",
        ".tbz",
        ".tgz",
        ".txz",
        ".webm",
        ".webp",
        ".whl",
        ".xz",
        ".zip",
        ".zst",
    )
)


class RefusedError(Exception):
    """Nothing is sent, and why."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind
        self.message = message


class Out:
    """Messages, gathered so that small ones do not wait for each other."""

    def __init__(self, nonce):
        self.buffer = bytearray(b"\n" + nonce.encode() + b" begin\n")
        self.told = time.time()

    def say(self, kind, *parts):
        self.buffer += HEAD.pack(kind, sum(map(len, parts)))
        for part in parts:
            self.buffer += part
        if len(self.buffer) >= FLUSH:
            self.flush()

    def json(self, kind, value):
        self.say(kind, json.dumps(value).encode())

    def beat(self, hashed):
        """Say that we are alive, and how many bytes of the present file have been read only to be hashed."""
        if time.time() - self.told >= BEAT:
            self.say(b"H", struct.pack(">Q", hashed))
            self.flush()

    def flush(self):
        data = memoryview(bytes(self.buffer))
        del self.buffer[:]
        while data:
            data = data[os.write(1, data) :]
        self.told = time.time()


class Listing:
    """What the asked path names, in the order: a folder, then what is in it."""

    def __init__(self, out, most, skip, unlike=None):
        self.out = out
        self.most = most
        self.skip = skip
        self.unlike = unlike
        self.folders = []
        self.count = 0
        self.bytes = 0
        self.files = {}
        self.piece = bytearray()

    def match(self, full):
        """List one match; a link that was named itself is followed."""
        name = os.path.basename(os.path.normpath(full))
        if not name:
            raise RefusedError("path", "/ has no name: name what is below it")
        try:
            self.walk(full, name, os.stat(full))
        except OSError as error:
            self.record(CLOSED, 0, 0, name, error.strerror.encode())

    def walk(self, full, name, status):
        waiting = [(full, name, status)]
        while waiting:
            full, name, status = waiting.pop()
            if status is None:
                try:
                    status = os.lstat(full)
                except OSError as error:
                    if not isinstance(error, FileNotFoundError):
                        self.record(CLOSED, 0, 0, name, error.strerror.encode())
                    continue
                waiting.extend(self.one(full, name, status, os.O_NOFOLLOW))
            else:
                waiting.extend(self.one(full, name, status, 0))

    def one(self, full, name, status, flag):
        """Record one path, and return what is in it."""
        mode, inside = status.st_mode, []
        try:
            if self.unlike is not None and self.unlike.has(name, status):
                if not stat.S_ISDIR(mode):
                    return inside
                # Told of only where something below it is.
                self.folders.append((name, status.st_mtime_ns))
            if stat.S_ISDIR(mode):
                found = sorted(one.name for one in os.scandir(full))
                inside = [(full + b"/" + one, name + b"/" + one, None) for one in reversed(found)]
                inside = [one for one in inside if one[0] != self.skip]
                if not self.folders or self.folders[-1][0] != name:
                    self.record(FOLDER, 0, status.st_mtime_ns, name)
            elif stat.S_ISLNK(mode):
                self.record(LINK, 0, status.st_mtime_ns, name, os.readlink(full))
            elif stat.S_ISREG(mode):
                self.announce(name)
                self.files[self.count] = [full, status.st_size, status.st_mtime_ns, flag]
                self.bytes += status.st_size
                self.record(EXECUTABLE if mode & 0o100 else FILE, status.st_size, status.st_mtime_ns, name)
            else:
                self.record(OTHER, 0, status.st_mtime_ns, name)
        except OSError as error:
            self.record(CLOSED, 0, 0, name, error.strerror.encode())
        return inside

    def announce(self, name):
        """Tell of the folders above that nothing was told of yet."""
        waiting, self.folders = self.folders, []
        for folder, changed in waiting:
            if name.startswith(folder + b"/"):
                self.record(FOLDER, 0, changed, folder)

    def record(self, kind, size, mtime, name, target=b""):
        self.announce(name)
        self.count += 1
        if self.count > self.most:
            raise RefusedError("many", "more than {:,} files and folders".format(self.most))
        self.piece += ENTRY.pack(kind, size, mtime, len(name), len(target)) + name + target
        if len(self.piece) >= LISTED or time.time() - self.out.told >= BEAT:
            self.give()
            self.out.flush()

    def give(self):
        if self.piece:
            self.out.say(b"N", bytes(self.piece))
            del self.piece[:]


class Unlike:
    """What a job's snapshot was made of: such files, links and folders are no work of the job."""

    def __init__(self, path):
        self.known = {}
        with open(path, "rb") as stream:
            for record in stream.read().split(b"\0")[:-1]:
                what, mtime, inode, name = record.split(b" ", 3)
                self.known[name] = what, mtime, inode

    def has(self, name, status):
        """Whether a listed path is as it was copied; its first name is the snapshot's own."""
        _, _, path = name.partition(b"/")
        if not path:
            return True
        known = self.known.get(path)
        if known is None:
            return False
        if stat.S_ISDIR(status.st_mode):
            return known[0] == b"D"
        if stat.S_ISLNK(status.st_mode):
            return known[0] == b"L"
        return known == (b"%d" % status.st_size, b"%d" % status.st_mtime_ns, b"%d" % status.st_ino)


class Coder:
    """Makes pieces smaller where that is worth it."""

    def __init__(self, wanted):
        self.code, self.coded = RAW, None
        for name in wanted:
            if name == "zstd":
                self.coded = zstd()
                self.code = ZSTD
            elif name == "gzip":
                self.coded = lambda data: zlib.compress(data, 1)
                self.code = GZIP
            if self.coded is not None:
                return
        self.code = RAW

    def attempts(self, full):
        """Return how many pieces in a row may come out as large before the rest of the file goes as it is."""
        packed = os.path.splitext(full)[1].lower().decode("ascii", "replace") in PACKED
        return 0 if self.coded is None or packed else 2


def zstd():
    """Return what compresses a piece, or None where this Python has no zstd."""
    try:
        import zstandard

        coder = zstandard.ZstdCompressor(level=1)
    except Exception:  # noqa: BLE001 - a broken installation is one without it
        try:
            from compression.zstd import compress
        except Exception:  # noqa: BLE001 - likewise
            return None
        return lambda data: compress(data, level=1)
    return coder.compress


class Sender:
    """Answers what is asked for."""

    def __init__(self, out, files, coder):
        self.out = out
        self.files = files
        self.coder = coder

    def send(self, number, offset):
        """Send a file from an offset on; what is before it is read for the hash alone."""
        known = self.files.get(number)
        if known is None:
            raise RefusedError("protocol", "asked for what is no file")
        try:
            file = os.open(known[0], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | known[3])
        except OSError as error:
            self.end(number, UNREADABLE, 0, b"", error.strerror)
            return
        try:
            self.content(file, number, offset, known)
        except OSError as error:
            self.end(number, UNREADABLE, 0, b"", error.strerror)
        finally:
            os.close(file)

    def content(self, file, number, offset, known):
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            self.end(number, UNREADABLE, 0, b"", "no longer a file")
            return
        if [status.st_size, status.st_mtime_ns] != known[1:3]:
            # Another content than the one that was listed: it is told, and sent from its beginning.
            known[1:3] = status.st_size, status.st_mtime_ns
            self.out.say(b"U", struct.pack(">IQq", number, *known[1:3]))
            offset = 0
        size, at, digest = known[1], 0, hashlib.sha256()
        left = self.coder.attempts(known[0])
        while at < size:
            data = os.read(file, min(PIECE, (offset if at < offset else size) - at))
            if not data:
                break
            digest.update(data)
            if at >= offset:
                code = RAW
                packed = self.coder.coded(data) if left else data
                if left and len(packed) < 0.9 * len(data):
                    code, data_sent, left = self.coder.code, packed, 2
                else:
                    data_sent, left = data, max(0, left - 1)
                self.out.say(b"D", struct.pack(">IQB", number, at, code), data_sent)
            at += len(data)
            self.out.beat(min(at, offset))
        after = os.fstat(file)
        ended = SAME
        if at != size or (after.st_size, after.st_mtime_ns) != (size, known[2]):
            ended = GREW if at == size and after.st_size > size else CHANGED
        self.end(number, ended, at, digest.digest())

    def end(self, number, ended, length, digest, why=""):
        self.out.say(b"F", struct.pack(">IBQ32s", number, ended, length, digest), (why or "").encode()[:300])


def home():
    """Return the home folder."""
    return os.fsencode(os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)


def absolute(path, root):
    """Return a path of the request, in full."""
    if path == b"~" or path.startswith(b"~/"):
        return home() + path[1:]
    return path if path.startswith(b"/") else root + b"/" + path


def matches(path, root):
    """Return what a path names: itself where that exists, else what it matches as a pattern."""
    full = absolute(path, root)
    try:
        os.lstat(full)
    except OSError as error:
        # What may not be looked at is not the same as nothing: a pattern would match nothing there either.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise RefusedError("closed", closed(full, error)) from error
    else:
        return [full]
    magic = re.search(rb"[*?[]", path)
    if not magic:
        return []
    barred(full, absolute(path[: magic.start()] + b"x", root).rpartition(b"/")[0] or b"/")
    if path.startswith(b"~/"):
        return glob.iglob(glob.escape(home()) + path[1:])
    return glob.iglob(path if path.startswith(b"/") else glob.escape(root) + b"/" + path)


def closed(full, error):
    """Return why a path cannot be looked at, with the first folder on its way that bars us."""
    names = os.path.normpath(full).split(b"/")
    for depth in range(1, len(names)):
        folder = b"/".join(names[:depth]) or b"/"
        if not os.access(folder, os.X_OK):
            return "{}: {} ({})".format(shown(full), error.strerror, belongs(folder))
    return "{}: {}".format(shown(full), error.strerror)


def barred(full, folder):
    """Refuse a pattern whose folder may not be read: nothing matches in what nobody may list."""
    try:
        os.listdir(folder)
    except PermissionError as error:
        raise RefusedError("closed", "{}: {} ({})".format(shown(full), error.strerror, belongs(folder))) from error
    except OSError:
        pass


def belongs(folder):
    """Return whose a folder is."""
    try:
        number = os.stat(folder).st_uid
    except OSError:
        return "its folder {} is closed".format(shown(folder))
    try:
        owner = pwd.getpwuid(number).pw_name
    except KeyError:
        owner = "number {}".format(number)
    return "its folder {} belongs to {}".format(shown(folder), owner)


def shown(path):
    """Return a path as text that any locale can say."""
    return ascii(os.path.normpath(path))[2:-1]


def blocks(out):
    """Give each block of stdin, and flush what there is to say before we wait."""
    buffer = b""
    while True:
        while len(buffer) >= HEAD.size:
            kind, length = HEAD.unpack_from(buffer)
            if length > PIECE:
                raise RefusedError("protocol", "too long a block")
            if len(buffer) < HEAD.size + length:
                break
            yield kind, buffer[HEAD.size : HEAD.size + length]
            buffer = buffer[HEAD.size + length :]
        if not select.select([0], [], [], 0)[0]:
            out.flush()
            if not select.select([0], [], [], PATIENCE)[0]:
                return
        data = os.read(0, 65536)
        if not data:
            return
        buffer += data


def unlike(request):
    """Return what is left out where it is as it was; a job of which nothing was kept has made all there is."""
    if not request.get("unlike"):
        return None
    try:
        return Unlike(absolute(request["unlike"].encode("utf-8", "surrogateescape"), home()))
    except FileNotFoundError:
        return None


def serve(out, request):
    """Answer one request."""
    root, path = (request[name].encode("utf-8", "surrogateescape") for name in ("root", "path"))
    root = absolute(root, home())
    coder = Coder(request["codecs"])
    out.json(b"A", {"protocol": 1, "codec": coder.code})
    listing = Listing(out, request["most"], os.path.normpath(root) + b"/.provision", unlike(request))
    seen = set()
    for full in matches(path, root):
        name = os.path.basename(os.path.normpath(full))
        if name in seen:
            raise RefusedError("path", "several matches are called {}: pull them one by one".format(ascii(name)[2:-1]))
        seen.add(name)
        listing.match(os.path.normpath(full))
    if not seen:
        raise RefusedError("missing", "no such file or folder: {}".format(shown(absolute(path, root))))
    if not listing.count:
        raise RefusedError("unmade", "the job has made no files: nothing but what it was started with is there")
    listing.give()
    out.json(b"Z", {"entries": listing.count, "bytes": listing.bytes})
    sender = Sender(out, listing.files, coder)
    for kind, payload in blocks(out):
        if kind == b"G":
            for ask in ASK.iter_unpack(payload):
                sender.send(*ask)
    out.flush()


def main():
    """Answer until the other side has gone."""
    out = Out(os.environ.get("PROVISION_NONCE", ""))
    try:
        try:
            serve(out, json.loads(sys.argv[1]))
        except RefusedError as error:
            out.json(b"E", {"kind": error.kind, "message": error.message})
            out.flush()
    except BrokenPipeError:
        os._exit(0)


main()
