# Start a script apart from the connection, holding step.lock, with its output in a file.
#
# detach.sh STATE_DIR STEP LENGTH
# stdin: LENGTH bytes of script, then the script's own data. Asking twice for the same STEP starts it once.
# Exit codes: 0 started (or it had been), 73 cannot write, 74 the script did not arrive whole, 75 another step runs.

main() {
    state=$1 step=$2 length=$3
    folder=$state/steps/$step
    incoming=$folder.$$
    umask 077
    mkdir -p "$state/steps" || return 73
    [ ! -f "$folder/ready" ] || return 0
    # All of stdin is read before the lock is asked for: a link that dies meanwhile must not keep the lock.
    take_in || {
        code=$?
        rm -rf "$incoming"
        return "$code"
    }
    exec 9>>"$state/step.lock" || return 73
    # Others look at the lock for a moment, shared: that is no reason to give up.
    if ! flock -w 2 9; then
        rm -rf "$incoming"
        [ -f "$folder/ready" ] || return 75
        return 0
    fi
    if [ -f "$folder/ready" ]; then
        rm -rf "$incoming"
        return 0
    fi
    # By one rename, marked already: whoever asks a second time finds all of it or nothing.
    mv "$incoming" "$folder" || return 73
    forget_old_steps
    printf '%s\n' "$step" >"$state/step.new" && mv -f "$state/step.new" "$state/step" || return 73
    # The lock's descriptor goes along on purpose: every process of the step keeps it held.
    # shellcheck disable=SC2016  # the inner shell expands
    setsid sh -c '
        cd / || exit 1
        printf "%s\n" "$$" >"$1/pid"
        sh "$1/script" <"$1/data" >>"$1/log" 2>&1
        code=$?
        rm -f "$1/data"
        printf "%s\n" "$code" >"$1/code.new" && mv -f "$1/code.new" "$1/code"
    ' sh "$folder" </dev/null >/dev/null 2>&1 &
}

take_in() {
    mkdir "$incoming" || return 73
    # By way of a file: some systems' head reads ahead, and what it took is lost to the next.
    cat >"$incoming/all" || return 73
    head -c "$length" <"$incoming/all" >"$incoming/script" || return 73
    tail -c "+$((length + 1))" <"$incoming/all" >"$incoming/data" || return 73
    rm "$incoming/all" || return 73
    [ "$(wc -c <"$incoming/script")" -eq "$length" ] || return 74
    : >"$incoming/log" || return 73
    : >"$incoming/ready" || return 73
}

# Keeps this one and the four newest before it: their logs are what a person asks for.
forget_old_steps() {
    count=0
    # shellcheck disable=SC2045  # step ids are ours: digits, letters, dashes and dots
    for old in $(ls -1t "$state/steps" 2>/dev/null); do
        # Named, for it may be as old as the others: a clock of whole seconds orders steps of one second by chance.
        [ "$old" != "$step" ] || continue
        count=$((count + 1))
        [ "$count" -le 4 ] || rm -rf "${state:?}/steps/$old"
    done
}

main "$@"
