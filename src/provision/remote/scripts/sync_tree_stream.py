"""The coded stream of a sync: from blocks to decoded pieces to bytes that are asked for."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# Codecs are loaded only where they are used.
# ruff: noqa: BLE001, B904, F821, PLW2901

MOST_DECODED = 1 << 20


class Stream:
    """The decoded bytes, taken as they are asked for; no more than that is ever held."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.piece = b""
        self.at = 0

    def take(self, count):
        end = self.at + count
        if end > len(self.piece):
            return self.gather(count)
        data = self.piece[self.at : end]
        self.at = end
        return data

    def gather(self, count):
        parts = [self.piece[self.at :]]
        have = len(parts[0])
        while have < count:
            parts.append(self.following())
            have += len(parts[-1])
        self.piece = b"".join(parts)
        self.at = count
        return self.piece[:count]

    def some(self, most):
        """Return the next bytes, at least one and at most so many."""
        while self.at == len(self.piece):
            self.piece, self.at = self.following(), 0
        return self.take(min(most, len(self.piece) - self.at))

    def following(self):
        piece = next(self.pieces, None)
        if piece is None:
            raise LostError("the stream ended early")
        return piece


def data_of(blocks):
    """Yield the pieces of the coded stream; an empty one ends it. A client that is gone before is no broken stream."""
    for kind, payload in blocks:
        if kind != b"D":
            raise SyncError("protocol", "not a piece of the stream: %r" % kind)
        if not payload:
            return
        yield payload
    raise LostError("the stream ended early")


def decoded(codec, pieces):
    """Yield what the pieces of a coded stream say, never much more than `MOST_DECODED` bytes at once."""
    if codec == "none":
        return pieces
    if codec == "gzip":
        return gunzipped(pieces)
    if codec != "zstd":
        raise SyncError("protocol", "no codec %r here" % codec)
    try:
        from compression import zstd  # Python 3.14

        return unzstd_by_python(pieces, zstd)
    except ImportError:
        pass
    try:
        import zstandard

        return unzstd_by_module(pieces, zstandard)
    except Exception:
        # Not there, or one whose compiled half does not fit.
        program = program_zstd()
    if program is None:
        raise SyncError("io", "nothing here reads zstd")
    return unzstd_by_program(pieces, program)


def gunzipped(pieces):
    import zlib

    decoder = zlib.decompressobj(31)
    for piece in pieces:
        while True:
            try:
                out = decoder.decompress(piece, MOST_DECODED)
            except zlib.error as error:
                raise SyncError("protocol", "the gzip stream is broken: %s" % error)
            if out:
                yield out
            if decoder.eof:
                piece = decoder.unused_data
                decoder = zlib.decompressobj(31)
            else:
                piece = decoder.unconsumed_tail
            # A full piece may have left more within the decoder.
            if not piece and len(out) < MOST_DECODED:
                break


def unzstd_by_python(pieces, zstd):
    decoder = zstd.ZstdDecompressor()
    for piece in pieces:
        while True:
            try:
                out = decoder.decompress(piece, MOST_DECODED)
            except zstd.ZstdError as error:
                raise SyncError("protocol", "the zstd stream is broken: %s" % error)
            if out:
                yield out
            if decoder.eof:
                piece = decoder.unused_data
                decoder = zstd.ZstdDecompressor()
                if not piece:
                    break
            elif decoder.needs_input:
                break
            else:
                piece = b""


class Reading:
    """Pieces as a file that is read."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.rest = b""

    def read(self, count):
        data = self.rest or next(self.pieces, b"")
        self.rest = data[count:]
        return data[:count]


def unzstd_by_module(pieces, zstandard):
    reader = zstandard.ZstdDecompressor().stream_reader(Reading(pieces), read_size=PIECE, read_across_frames=True)
    while True:
        try:
            # Not read: that waits until it has all, and the end of the stream comes only after our answer.
            out = reader.read1(MOST_DECODED)
        except zstandard.ZstdError as error:
            raise SyncError("protocol", "the zstd stream is broken: %s" % error)
        if not out:
            return
        yield out


def unzstd_by_program(pieces, program):
    import subprocess
    import threading

    process = subprocess.Popen(
        [program, "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    failures = []

    def pump():
        try:
            for piece in pieces:
                write_all(process.stdin.fileno(), piece)
        except BaseException as error:
            failures.append(error)
        finally:
            process.stdin.close()

    # It may wait for the client for ever, and shall not keep us.
    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    try:
        while True:
            out = os.read(process.stdout.fileno(), MOST_DECODED)
            if not out:
                break
            yield out
        thread.join()
        failed = process.wait()
        for failure in failures:
            if not isinstance(failure, OSError):
                raise failure
        if failed:
            raise SyncError("protocol", "the zstd stream is broken")
    finally:
        process.stdout.close()
        process.kill()
        process.wait()
