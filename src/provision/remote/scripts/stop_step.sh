# End a detached step and everything that it started.
#
# stop_step.sh STATE_DIR STEP

main() {
    state=$1 step=$2
    folder=$state/steps/$step
    [ -f "$folder/ready" ] || return 0
    pid=
    # A step notes its id in its first moment, which may just be passing.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        # Without the lock nothing of it runs, and its number may be another process's by now.
        ! flock -n -s "$state/step.lock" true || return 0
        pid=$(cat "$folder/pid" 2>/dev/null)
        [ -z "$pid" ] || break
        sleep 0.2 2>/dev/null || sleep 1
    done
    [ -n "$pid" ] || return 1
    for signal in TERM KILL; do
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            members "$pid"
            [ -n "$found" ] || return 0
            # shellcheck disable=SC2086  # numbers
            kill -s "$signal" $found 2>/dev/null
            sleep 0.2 2>/dev/null || sleep 1
        done
    done
}

# The whole session, not the process group alone: `timeout` and others make groups of their own within it.
members() {
    session=$1
    found=
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        # After the name in parentheses, which may hold anything: state, parent, group, session.
        # shellcheck disable=SC2086  # words
        set -- ${line##*) }
        if [ "$4" = "$session" ] && [ "$1" != Z ]; then
            one=${stat#/proc/}
            found="$found ${one%/stat}"
        fi
    done
}

main "$@"
