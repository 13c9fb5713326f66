# Run Python source with one interpreter, apart from the user's Python settings.
#
# python.sh PYTHON PREFIX SOURCE ARGUMENT...
# PREFIX: a conda environment whose bin is put first on the PATH, or empty.

main() {
    python=$1 prefix=$2 source=$3
    shift 3
    if [ ! -x "$python" ]; then
        printf 'no interpreter: %s\n' "$python"
        return 127
    fi
    if [ -n "$prefix" ]; then
        PATH=$prefix/bin:$PATH CONDA_PREFIX=$prefix
        export PATH CONDA_PREFIX
    fi
    cd / || return 1
    umask 022
    # Checking must not write: no byte code files in an environment that is never changed.
    exec "$python" -I -B -c "$source" "$@"
}

main "$@"
