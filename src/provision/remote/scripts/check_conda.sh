# Does the conda that stands at this prefix run? Prints its version.
#
# check_conda.sh PREFIX SCRATCH

main() {
    prefix=$1 scratch=$2
    umask 077
    conda_isolated "$scratch" timeout 60 "$prefix/bin/conda" --version || return 1
    rm -rf "$scratch"
}

main "$@"
