# Run a user's command, byte for byte the words that were typed, in the home folder.
#
# exec.sh WORD...

main() {
    cd || return 1
    exec "$@"
}

main "$@"
