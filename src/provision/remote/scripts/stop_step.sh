# End a detached step and everything that it started.
#
# stop_step.sh STATE_DIR STEP

main() {
    state=$1 step=$2
    pid=$(cat "$state/steps/$step/pid" 2>/dev/null) || return 0
    [ ! -f "$state/steps/$step/code" ] || return 0
    for signal in TERM KILL; do
        kill -s "$signal" -- "-$pid" 2>/dev/null || return 0
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            sleep 0.2 2>/dev/null || sleep 1
            kill -s 0 -- "-$pid" 2>/dev/null || return 0
        done
    done
}

main "$@"
