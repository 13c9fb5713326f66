"""Copies of files: shared with the original where the file system can do that."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

FICLONE = 0x40049409
"""Of linux/fs.h; ioctl_ficlone(2)."""
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FULL = (errno.ENOSPC, errno.EDQUOT)
SMALL = 256 << 10
"""Bytes up to which reading and writing costs no more than any other way."""
MOST = 1 << 30


class Copier:
    """Copies files with their rights and times, in the quickest way that this kernel and these file systems take."""

    def __init__(self, when_not_shared):
        self.shares = True
        self.when_not_shared = when_not_shared
        """Called once, when it is known that copies take room."""

    def copy(self, name, source, target):
        """Copy a file between two folders; return what the copy is, or ``None`` where it is no file any more."""
        opened = os.open(name, PLAIN, dir_fd=source)
        try:
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                return None
            fd = os.open(name, NEW, 0o600, dir_fd=target)
            try:
                if found.st_size:
                    self.fill(opened, fd, found.st_size)
                os.fchmod(fd, found.st_mode & 0o777)
                os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
                return os.fstat(fd)
            finally:
                os.close(fd)
        finally:
            os.close(opened)

    def fill(self, source, target, size):
        if self.shares and self.shared(source, target):
            return
        if size > SMALL:
            # Each goes on where the one before it stopped, and whatever they leave is read and written.
            if hasattr(os, "copy_file_range"):
                moved(lambda: os.copy_file_range(source, target, MOST))
            moved(lambda: os.sendfile(target, source, None, MOST))
        piece = os.read(source, SMALL)
        while piece:
            view = memoryview(piece)
            while view:
                view = view[os.write(target, view) :]
            # A file that came whole in one piece is not asked for more.
            piece = os.read(source, SMALL) if len(piece) != size else b""

    def shared(self, source, target):
        try:
            fcntl.ioctl(target, FICLONE, source)
        except OSError as error:
            if error.errno in FULL:
                raise
            self.shares = False
            self.when_not_shared()
            return False
        return True


def moved(step):
    """Repeat a step of copying to the end; one that this kernel or this file system does not know copies nothing."""
    try:
        while step():
            pass
    except OSError as error:
        if error.errno in FULL:
            raise
