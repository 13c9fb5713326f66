# Run Python source with one interpreter, apart from the user's Python settings.
#
# python.sh PYTHON PREFIX SOURCE ARGUMENT...
# PREFIX: an environment of ours, whose bin is put first on the PATH, or empty.
# Exit codes: the interpreter's; 127 it is not there, 126 others could exchange what is in PREFIX.

main() {
    python=$1 prefix=$2 source=$3
    shift 3
    if [ ! -x "$python" ]; then
        printf 'no interpreter: %s\n' "$python"
        return 127
    fi
    if [ -n "$prefix" ]; then
        danger=$(own_folder "$prefix" 2>&1) || {
            printf 'refused: %s\n' "$danger"
            return 126
        }
        PATH=$prefix/bin:$PATH CONDA_PREFIX=$prefix
        export PATH CONDA_PREFIX
    fi
    cd / || return 1
    umask 022
    # Checking must not write: no byte code files in an environment that is never changed.
    exec "$python" -I -B -c "$source" "$@"
}

main "$@"
