# Look every while whether this machine has work, and shut it down when it had none for long enough.
#
# idle_watch.sh STATE_DIR SECONDS SUDO PAUSE
# Work is: a job of ours that runs or waits, a step of `up`, any process on a GPU. What it saw is in STATE_DIR/idle/log.

main() {
    state=$1 seconds=$2 sudo=$3 pause=$4
    folder=$state/idle
    printf '%s\n' "$$" >"$folder/pid"
    since=$(uptime_seconds)
    while :; do
        sleep "$pause"
        if what=$(work); then
            since=$(uptime_seconds)
            note "at work: $what"
        elif [ $(($(uptime_seconds) - since)) -ge "$seconds" ]; then
            note "idle for $seconds s: shutting down"
            if [ -n "$sudo" ]; then sudo -n shutdown -h now; else shutdown -h now; fi </dev/null >>"$folder/log" 2>&1
            sleep 300
        fi
    done
}

# Says what there is to do; fails where there is nothing.
work() {
    for job in "$state"/jobs/*; do
        if [ ! -d "$job" ] || [ -e "$job/exit" ] || [ ! -f "$job/pid" ]; then continue; fi
        read -r pid <"$job/pid"
        read -r began <"$job/starttime" 2>/dev/null || continue
        read -r line <"/proc/$pid/stat" 2>/dev/null || continue
        # After the name in parentheses, which may hold spaces, the start time is the twentieth word.
        # shellcheck disable=SC2086 # words, on purpose
        set -- ${line##*) }
        if [ "${20:-}" = "$began" ]; then
            echo "job ${job##*/}"
            return 0
        fi
    done
    if [ -f "$state/step.lock" ] && command -v flock >/dev/null 2>&1 && ! flock -n -s 9 2>/dev/null 9<"$state/step.lock"; then
        echo 'a step of provision'
        return 0
    fi
    # A GPU that does not answer is no reason to stop the machine: somebody has to look at it.
    if command -v nvidia-smi >/dev/null 2>&1; then
        if ! found=$(timeout 30 nvidia-smi --query-compute-apps=pid --format=csv,noheader 2>/dev/null); then
            echo 'nvidia-smi does not answer'
            return 0
        fi
        found=$(printf '%s\n' "$found" | grep -c '[0-9]')
        if [ "$found" -gt 0 ]; then
            echo "$found processes on the GPUs"
            return 0
        fi
    fi
    return 1
}

# The newest lines alone are kept.
note() {
    printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" >>"$folder/log"
    tail -n 200 "$folder/log" >"$folder/log.new" && mv -f "$folder/log.new" "$folder/log"
}

# Not the clock, which may be set meanwhile.
uptime_seconds() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

PATH=$PATH:/usr/sbin:/sbin
main "$@"
