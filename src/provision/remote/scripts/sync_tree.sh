# Receive a tree, as sync_tree.py does it.
#
# sync_tree.sh REQUEST SOURCE [STATE_DIR]
# The begin line and the first message are one write; an E message says that there is no Python.

main() {
    request=$1 source=$2 state=${3-}
    # What applies a delta is compiled only where one comes: mostly nothing has changed.
    # shellcheck disable=SC2016  # it is Python
    starter='
late, _, early = sys.argv.pop().rpartition("\n# What stands above this line is compiled when something is to change.\n")
exec(compile(early, "sync_tree", "exec"))'
    if run_python "$state" "$starter" "$request" "$source"; then return; fi
    # shellcheck disable=SC2016  # these are no commands
    said='{"kind":"python","message":"no Python 3.6 or later there","hint":"`provision up HOST` installs one"}'
    # shellcheck disable=SC2059  # the format is our own: the length is an octal escape in it
    printf "\\n%s begin\\nE\\000\\000\\000\\$(printf %03o ${#said})%s" "$PROVISION_NONCE" "$said"
}

main "$@"
