"""The signals that a supervisor gets: they are taken down, and end a wait where there is one."""

# A piece of supervise_job.py: all pieces run in one namespace, and job_folder.py imports for them.

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOKING = (signal.SIGUSR1, signal.SIGALRM)


class WokenError(Exception):
    """A signal came while something was awaited."""


class Signals:
    """What signals have asked for. Within ``with signals:`` one raises `WokenError` whatever is waited for there."""

    def __init__(self):
        self.end = False
        """It was asked for that we end."""
        self.look = False
        """It was asked for that we look for what is new."""
        self.raises = False
        self.fd, wake = os.pipe()
        for fd in (self.fd, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake)
        for number in (*ENDING, *LOOKING, signal.SIGCHLD):
            signal.signal(number, self.take)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def take(self, number, _):
        if number == signal.SIGCHLD:
            return
        if number in ENDING:
            self.end = True
        else:
            self.look = True
        if self.raises:
            self.raises = False
            raise WokenError

    def __enter__(self):
        self.raises = True
        if self.end or self.look:
            self.raises = False
            raise WokenError

    def __exit__(self, *_):
        self.raises = False

    def drain(self):
        """Forget by how many signals we were woken."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass


def all_default():
    """Let every signal do what it does by itself, and block none: for what is about to be run."""
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            # Not to be changed, or the C library's own.
            pass
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
