# Does the conda that stands at this prefix run? Prints its version, and writes nothing: `verify` asks it too.
#
# check_conda.sh PREFIX

main() {
    conda_isolated /nonexistent env PYTHONDONTWRITEBYTECODE=1 timeout 60 "$1/bin/conda" --version
}

main "$@"
