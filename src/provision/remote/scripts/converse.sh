# Run one of our Python programs that converse: it speaks first, and hears what it is to do on stdin.
#
# converse.sh STATE_DIR SOURCE
# The begin line and the first message are one write; an E message says that there is no Python.

main() {
    state=$1 source=$2
    # shellcheck disable=SC2016  # it is Python
    starter='exec(compile(sys.argv.pop(), "provision", "exec"))'
    if run_python "$state" "$starter" "$source"; then return; fi
    # shellcheck disable=SC2016  # these are no commands
    said='{"kind":"python","message":"no Python 3.6 or later there","hint":"`provision up HOST` installs one"}'
    # shellcheck disable=SC2059  # the format is our own: the length is an octal escape in it
    printf "\\n%s begin\\nE\\000\\000\\000\\$(printf %03o ${#said})%s" "$PROVISION_NONCE" "$said"
}

main "$@"
