# Print a detached step's output from a byte offset on, until it ends.
#
# follow.sh STATE_DIR STEP OFFSET
# Exit codes: the step's own; 251 where the step vanished (killed, or the machine restarted); 252 never started.

main() {
    state=$1 step=$2 offset=$3
    folder=$state/steps/$step
    [ -f "$folder/ready" ] || return 252
    gone=0
    while :; do
        code=
        [ ! -f "$folder/code" ] || code=$(cat "$folder/code")
        size=$(wc -c <"$folder/log") || return 251
        if [ "$size" -gt "$offset" ]; then
            tail -c "+$((offset + 1))" "$folder/log" | head -c "$((size - offset))"
            offset=$size
        fi
        [ -z "$code" ] || return "$code"
        # Looked at twice: the lock goes free a moment before or after the code is there.
        if flock -n -s "$state/step.lock" true; then
            gone=$((gone + 1))
            [ "$gone" -lt 3 ] || return 251
        fi
        sleep 0.2 2>/dev/null || sleep 1
    done
}

main "$@"
