# Arm this machine to shut itself down once nothing has run on it for a while, or disarm it.
#
# idle_stop.sh STATE_DIR SECONDS SUDO PAUSE WATCH
# SECONDS of idleness; 0 disarms. SUDO: "sudo" or empty. PAUSE: seconds between two looks. WATCH: the text of
# idle_watch.sh. Prints "armed" or "disarmed". Exit codes: 0, 69 nothing here shuts down, 73 cannot write, 77 may not.

main() {
    state=$1 seconds=$2 sudo=$3 pause=$4 watch=$5
    folder=$state/idle unit=provision-idle-$(id -u)
    umask 077
    mkdir -p "$folder" || return 73
    disarm
    if [ "$seconds" -eq 0 ]; then
        echo disarmed
        return 0
    fi
    command -v shutdown >/dev/null 2>&1 || [ -x /sbin/shutdown ] || return 69
    [ -z "$sudo" ] || sudo -n true 2>/dev/null || return 77
    printf '%s\n' "$watch" >"$folder/watch.sh" || return 73
    : >"$folder/log" || return 73
    # As a service it outlives the login also where logging out ends what the login started.
    if [ -d /run/systemd/system ] && as_root systemd-run --quiet --collect --unit="$unit" --uid="$(id -u)" \
        sh "$folder/watch.sh" "$state" "$seconds" "$sudo" "$pause" 2>/dev/null; then
        echo armed
        return 0
    fi
    setsid sh "$folder/watch.sh" "$state" "$seconds" "$sudo" "$pause" </dev/null >/dev/null 2>&1 &
    echo armed
}

disarm() {
    [ ! -d /run/systemd/system ] || as_root systemctl stop "$unit" >/dev/null 2>&1
    if [ -f "$folder/pid" ]; then
        read -r pid <"$folder/pid"
        # The number may be another process's by now.
        if tr '\000' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$folder/watch.sh"; then kill "$pid"; fi
        rm -f "$folder/pid"
    fi
    return 0
}

as_root() {
    if [ -n "$sudo" ]; then sudo -n "$@" </dev/null; else "$@" </dev/null; fi
}

PATH=$PATH:/usr/sbin:/sbin
main "$@"
