# find_python STATE_DIR: sets $python to a Python of at least 3.6, or fails where there is none.
#
# A conda installation that has the package zstandard comes first, as what travels is smaller then; after it whatever
# is on the PATH, any conda, and an environment of ours in STATE_DIR (which may be empty). Each one is run once: a
# file of that name proves nothing.

find_python() {
    state=$1
    case $state in
    \~ | \~/*) state=$HOME${state#\~} ;;
    esac
    for prefix in "$HOME/miniconda3" "$HOME/miniforge3" "$HOME/anaconda3" /opt/conda /opt/miniconda3 /opt/miniforge3; do
        for package in "$prefix"/lib/python3*/site-packages/zstandard; do
            if [ -d "$package" ] && is_python "$prefix/bin/python"; then return 0; fi
        done
    done
    # The last one is the system's own where RHEL 8 and its kin put nothing on the PATH.
    for name in python3 python /usr/libexec/platform-python; do
        found=$(command -v "$name" 2>/dev/null) || continue
        if is_python "$found"; then return 0; fi
    done
    for prefix in "$HOME/miniconda3" "$HOME/miniforge3" "$HOME/anaconda3" /opt/conda /opt/miniconda3 /opt/miniforge3; do
        if is_python "$prefix/bin/python"; then return 0; fi
    done
    [ -n "$state" ] || return 1
    for found in "$state"/envs/*/*/current/bin/python; do
        if is_python "$found"; then return 0; fi
    done
    return 1
}

# is_python FILE: whether it runs and is recent enough; sets $python.
is_python() {
    python=$1
    [ -x "$python" ] && "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 6))' </dev/null >/dev/null 2>&1
}
