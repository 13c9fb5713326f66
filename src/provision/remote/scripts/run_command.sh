# Run a playbook's shell command in a folder.
#
# run_command.sh FOLDER COMMAND

main() {
    cd "$1" || return 1
    # A daemon that the command starts must not hold the step's lock for ever.
    sh -c "$2" 9>&-
}

main "$@"
