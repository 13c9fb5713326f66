# The stand-in (not conda): sourced by a POSIX shell, it makes `conda activate NAME` work there.
# shellcheck shell=sh
CONDA_EXE='@PLACEHOLDER@/bin/conda'
export CONDA_EXE

conda() {
    case ${1-} in
    activate | deactivate)
        _standin_lines=$("$CONDA_EXE" shell.posix "$@") || return
        eval "$_standin_lines"
        unset _standin_lines
        hash -r
        ;;
    *) "$CONDA_EXE" "$@" ;;
    esac
}

if [ -z "${CONDA_SHLVL+x}" ]; then
    export CONDA_SHLVL=0
    PATH='@PLACEHOLDER@/condabin':$PATH
    export PATH
fi
