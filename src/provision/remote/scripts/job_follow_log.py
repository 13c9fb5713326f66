"""What a job has printed: parts of it, from whom each byte came, and where its last lines or a time begin."""

# A piece of tell_jobs.py and follow_job.py: all pieces run in one namespace, and job_folder.py imports for them.

PIECE = 256 << 10
BLOCK = 64 << 10
LONGEST_LINE = 64 << 10
"""Bytes of a line that are told with the last lines: a progress bar may write for days without a new line."""
SEARCHED = (1 << 20, 64 << 20)
"""Bytes from the end that are at least, and at most, searched for the last lines."""


class ReplacedError(Exception):
    """The log is not the one, or not as long, as it was."""


class Log:
    """Reads the log of a job, and never more of it than is needed. It may not be there yet."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "log")
        self.fd = None
        self.same = None
        self.seen = 0
        self.count = 0
        """Bytes that were read, of the index as well."""
        self.index = Index(self, os.path.join(folder, "log.index"))

    def size(self):
        """Return how long it is now; raises `ReplacedError`."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            if self.fd is None:
                return 0
            raise ReplacedError from None
        if self.fd is None:
            if not stat.S_ISREG(found.st_mode):
                return 0
            self.fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            self.same = (found.st_dev, found.st_ino)
        if (found.st_dev, found.st_ino) != self.same or found.st_size < self.seen:
            raise ReplacedError
        self.seen = found.st_size
        # Now: the record of a byte is there before the byte.
        self.index.refresh()
        return found.st_size

    def read(self, start, end):
        """Return these bytes; raises `ReplacedError` where they are not there any more."""
        data = os.pread(self.fd, end - start, start)
        self.count += len(data)
        while len(data) < end - start:
            more = os.pread(self.fd, end - start - len(data), start + len(data))
            if not more:
                raise ReplacedError
            self.count += len(more)
            data += more
        return data

    def parts(self, start, end):
        """Yield offset, stream and bytes between two offsets: each part is of one stream."""
        while start < end:
            data = self.read(start, min(end, start + PIECE))
            at = 0
            while at < len(data):
                stream, until = self.index.run(start + at, end)
                upto = min(until - start, len(data))
                yield start + at, stream, data[at:upto]
                at = upto
            start += len(data)

    def since(self, moment, size):
        """Return where begins what was printed from this moment on (seconds since the epoch)."""
        return min(self.index.since(moment * 1000), size)

    def tail(self, lines, size, floor=0):
        """Return (start, end) of the last lines, in order; of a line that is too long, of its end."""
        found, end = [], size
        least = max(floor, size - min(max(lines * LONGEST_LINE, SEARCHED[0]), SEARCHED[1]))
        # The last byte ends the last line, if it is a new line at all.
        for newline in self.newlines(size - 1, least) if lines else ():
            found.append((max(newline + 1, end - LONGEST_LINE), end))
            end = newline + 1
            if len(found) == lines:
                break
        if end > least and len(found) < lines:
            found.append((max(least, end - LONGEST_LINE), end))
        return merged(reversed(found))

    def newlines(self, at, least):
        """Yield where new lines are before an offset, the last one first."""
        while at > least:
            start = max(least, at - BLOCK)
            data = self.read(start, at)
            place = data.rfind(b"\n")
            while place >= 0:
                yield start + place
                place = data.rfind(b"\n", 0, place)
            at = start


def merged(ranges):
    """Return ranges in order, those in one that meet."""
    whole = []
    for start, end in ranges:
        if whole and whole[-1][1] == start:
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole


class Index:
    """Says from whom each byte of the log came; where it is damaged, all of it came over stdout."""

    def __init__(self, log, path):
        self.log = log
        self.path = path
        self.fd = None
        self.records = 0
        self.damaged = False
        self.place = 0
        """The record of the last run that was asked for: the next one is likely asked for next."""
        self.first, self.cached = 0, []

    def refresh(self):
        """See how many records there are now."""
        try:
            if self.fd is None:
                fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    os.close(fd)
                    return
                self.fd = fd
            self.records = os.fstat(self.fd).st_size // RUN.size
        except OSError:
            return

    def record(self, number):
        """Return milliseconds, offset and stream."""
        if not self.first <= number < self.first + len(self.cached):
            # With the one before it: who goes on asks for both.
            self.first = max(0, number - 1)
            data = os.pread(self.fd, BLOCK, self.first * RUN.size)
            self.log.count += len(data)
            self.cached = list(RUN.iter_unpack(data[: len(data) // RUN.size * RUN.size]))
            if number >= self.first + len(self.cached):
                raise ReplacedError
        moment, place = self.cached[number - self.first]
        return moment, place >> 2, place & 3

    def last(self):
        """Return where the last record says that its run begins."""
        data = os.pread(self.fd, RUN.size, (self.records - 1) * RUN.size)
        return RUN.unpack(data)[1] >> 2 if len(data) == RUN.size else 0

    def run(self, offset, size):
        """Return the stream of a byte, and up to where it lasts."""
        if self.damaged or not self.records:
            return STDOUT, size
        try:
            found = self.covering(offset)
            if found is not None:
                after = self.record(found + 1)[1] if found + 1 < self.records else size
                if after <= size or after <= self.last():
                    return self.record(found)[2], min(after, size)
        except ReplacedError:
            # It is shorter than it was.
            pass
        self.damaged = True
        return STDOUT, size

    def covering(self, offset):
        """Return the last record at or before an offset; ``None`` where the records contradict each other."""
        for number in (self.place, self.place + 1):
            if number < self.records and self.covers(number, offset):
                break
        else:
            number = self.bisected(offset)
        if number is None or self.record(number)[2] > NOTE:
            return None
        self.place = number
        return number

    def covers(self, number, offset):
        begins = self.record(number)[1]
        return begins <= offset and (number + 1 >= self.records or offset < self.record(number + 1)[1])

    def bisected(self, offset):
        low, high = 0, self.records
        least, most = self.record(0)[1], self.record(self.records - 1)[1]
        if least != 0:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            begins = self.record(middle)[1]
            if not least <= begins <= most:
                return None
            if begins <= offset:
                low, least = middle, begins
            else:
                high, most = middle, begins
        return low

    def since(self, moment):
        """Return the offset of the first record from a moment on; past all, where there is none."""
        if not self.records:
            return 0
        low, high = 0, self.records
        while low < high:
            middle = (low + high) // 2
            if self.record(middle)[0] < moment:
                low = middle + 1
            else:
                high = middle
        if low == self.records:
            return 1 << 63
        # What is before the first record came without one.
        return self.record(low)[1] if low else 0
