# conda_isolated HOME_FOLDER CONDA ARGUMENT... runs conda apart from every configuration of the user.
#
# A private HOME keeps ~/.condarc and ~/.conda out (/nonexistent: none at all, nothing is written); all CONDA_* and PIP_* variables are gone, but for those named here.
# Proxies and certificates stay: without them a host behind a proxy reaches nothing.
# Optional variables of the caller: conda_cuda (version for __cuda, or "none"), conda_packages (package cache),
# conda_terms ("yes" where the playbook accepts them), conda_solver_threads.

conda_isolated() {
    private=$1
    shift
    [ "$private" = /nonexistent ] || mkdir -p "$private" || return 73
    (
        for name in $(env | sed -n 's/^\(\(CONDA\|_CONDA\|_CE\|PIP\|PYTHON\|MAMBA\)[A-Za-z0-9_]*\)=.*/\1/p'); do
            unset "$name"
        done
        HOME=$private
        XDG_CONFIG_HOME=$private/.config
        XDG_CACHE_HOME=$private/.cache
        CONDA_PKGS_DIRS=${conda_packages:-}
        export HOME XDG_CONFIG_HOME XDG_CACHE_HOME CONDA_PKGS_DIRS
        [ -n "$CONDA_PKGS_DIRS" ] || unset CONDA_PKGS_DIRS
        case ${conda_cuda:-} in
        none) CONDA_OVERRIDE_CUDA= && export CONDA_OVERRIDE_CUDA ;;
        ?*) CONDA_OVERRIDE_CUDA=$conda_cuda && export CONDA_OVERRIDE_CUDA ;;
        esac
        [ "${conda_terms:-}" != yes ] || { CONDA_PLUGINS_AUTO_ACCEPT_TOS=yes && export CONDA_PLUGINS_AUTO_ACCEPT_TOS; }
        cd / || exit 1
        exec "$@" </dev/null
    )
}
