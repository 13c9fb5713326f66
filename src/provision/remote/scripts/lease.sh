# Hold the host for one run: a flock that ends itself when its client falls silent.
#
# lease.sh STATE_DIR HOLDER SILENCE
# Prints "held.", or "held again." where nobody else held it since HOLDER did, or "busy <who holds it>" with exit code
# 75. Every byte on stdin is a sign of life; after SILENCE seconds without one, or at the end of stdin, the lease is
# free again.
# Exit codes: 69 the host lacks a program without which nothing can be held or detached, 73 cannot write, 77 others
# could exchange what is in STATE_DIR, from which programs are run.

main() {
    state=$1 holder=$2 silence=$3
    for tool in flock timeout setsid; do
        command -v "$tool" >/dev/null 2>&1 || {
            echo "the host has no $tool" >&2
            return 69
        }
    done
    umask 077
    mkdir -p "$state" || return 73
    # Before anything in it is opened: a pipe in the place of the lock would hold us for ever.
    # And the folders that links in it lead to.
    own_folder "$state" "$state"/* "$state"/*/. || return 77
    exec 9>>"$state/lease" || return 73
    if ! flock -n 9; then
        printf 'busy %s\n' "$(head -n 1 "$state/lease.holder" 2>/dev/null)"
        return 75
    fi
    again=
    [ "$(head -n 1 "$state/lease.holder" 2>/dev/null)" != "$holder" ] || again=' again'
    printf '%s\n' "$holder" >"$state/lease.holder"
    printf 'held%s.\n' "$again"
    while :; do
        # Children do not inherit the lock: a reader left behind must not keep the host.
        sign=$(exec 9>&- && timeout "$silence" head -c 1)
        [ -n "$sign" ] || break
    done
}

main "$@"
