# run_python STATE_DIR PROGRAM ARGUMENT...: runs a program by a Python of at least 3.6; returns 1 where there is none.
#
# A conda installation that has the package zstandard comes first, as what travels is smaller then; after it whatever
# is on the PATH, any conda, and an environment of ours in STATE_DIR (which may be empty). A file of that name proves
# nothing, and to run each one once only to see costs as much as all that a sync without changes does there: so the
# program itself is what is tried. It says by its exit code that it was run, whatever came of it then; not so where
# this Python lacks a module.

run_python() {
    state=$1
    shift
    case $state in
    \~ | \~/*) state=$HOME${state#\~} ;;
    esac
    for prefix in "$HOME/miniconda3" "$HOME/miniforge3" "$HOME/anaconda3" /opt/conda /opt/miniconda3 /opt/miniforge3; do
        for package in "$prefix"/lib/python3*/site-packages/zstandard; do
            if [ -d "$package" ] && was_run "$prefix/bin/python" "$@"; then return 0; fi
        done
    done
    # The last one is the system's own where RHEL 8 and its kin put nothing on the PATH.
    for name in python3 python /usr/libexec/platform-python; do
        found=$(command -v "$name" 2>/dev/null) || continue
        if was_run "$found" "$@"; then return 0; fi
    done
    for prefix in "$HOME/miniconda3" "$HOME/miniforge3" "$HOME/anaconda3" /opt/conda /opt/miniconda3 /opt/miniforge3; do
        if was_run "$prefix/bin/python" "$@"; then return 0; fi
    done
    [ -n "$state" ] || return 1
    for found in "$state"/envs/*/*/current/bin/python; do
        if was_run "$found" "$@"; then return 0; fi
    done
    return 1
}

# was_run FILE PROGRAM ARGUMENT...: runs it; fails where FILE is no such Python.
was_run() {
    [ -x "$1" ] || return 1
    python=$1 program=$2
    shift 2
    # Nothing is created on the host by that, and nobody's Python settings matter.
    "$python" -I -B -c "
import sys
if sys.version_info < (3, 6):
    sys.exit(1)
def crashed(kind, *error):
    sys.__excepthook__(kind, *error)
    sys.stderr.flush()
    import os
    os._exit(1 if issubclass(kind, ImportError) else 99)
sys.excepthook = crashed
$program" "$@"
    code=$?
    case $code in
    # Ended, or crashed.
    0 | 99) ;;
    # Was ended: SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM. No other Python is to do it again, and the client must see it.
    129 | 130 | 137 | 141 | 143) exit "$code" ;;
    *) return 1 ;;
    esac
}
