# Run a playbook's shell command in a folder.
#
# run_command.sh FOLDER COMMAND

main() {
    cd "$1" || return 1
    sh -c "$2"
}

main "$@"
