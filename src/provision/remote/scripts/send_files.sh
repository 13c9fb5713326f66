# Send what a path of this host names, as the request asks: see send_files.py, which does the work.
#
# send_files.sh STATE_DIR REQUEST SOURCE
# The begin line and the first message are one write; an E message says that there is no Python.

main() {
    state=$1 request=$2 source=$3
    # shellcheck disable=SC2016  # it is Python
    starter='exec(compile(sys.argv.pop(), "send_files", "exec"))'
    if run_python "$state" "$starter" "$request" "$source"; then return; fi
    said='{"kind":"python","message":"no Python 3.6 or later there"}'
    # shellcheck disable=SC2059  # the format is our own: the length is an octal escape in it
    printf "\\n%s begin\\nE\\000\\000\\000\\$(printf %03o ${#said})%s" "$PROVISION_NONCE" "$said"
}

main "$@"
