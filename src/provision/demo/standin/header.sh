#!/bin/sh
# Miniconda's place is taken here by the stand-in (not conda): this file keeps the real installer's command line only.
# Everything after this script is its payload.
main() {
    EMULATES='@EMULATES@'
    HEADER=@HEADER@
    EARLY=@EARLY@
    REST=@REST@
    MD5='@MD5@'
    NEEDED_KB=@NEEDED_KB@
    MACHINE='@MACHINE@'
    OLDEST_GLIBC='2.28'

    self=$0
    batch=0
    force=0
    prefix=${HOME:-/root}/miniconda3
    while getopts 'bfhikmp:suct' option; do
        case $option in
        b) batch=1 ;;
        f | u) force=1 ;;
        p) prefix=$OPTARG ;;
        i) batch=0 ;;
        k | m | s | c | t) : ;;
        h)
            usage
            exit 2
            ;;
        *)
            printf 'ERROR: option not recognised; try -h\n' >&2
            exit 1
            ;;
        esac
    done
    check_glibc
    if [ "$(uname -m)" != "$MACHINE" ]; then
        printf 'WARNING: this installer is for %s, the machine says %s.\n' "$MACHINE" "$(uname -m)"
    fi
    [ "$batch" = 1 ] || agree
    case $prefix in
    *' '*)
        printf 'ERROR: Cannot install into directories with spaces\n' >&2
        exit 1
        ;;
    esac
    if [ "$force" = 0 ] && [ -e "$prefix" ]; then
        printf "ERROR: File or directory already exists: '%s'\n" "$prefix" >&2
        printf 'An existing installation can be updated with the -u option.\n' >&2
        exit 1
    fi
    check_itself
    if ! mkdir -p "$prefix"; then
        printf "ERROR: Could not create directory: '%s'\n" "$prefix" >&2
        exit 1
    fi
    prefix=$(cd "$prefix" && pwd)
    printf 'PREFIX=%s\n' "$prefix"
    check_disk
    unpack
    printf 'installation finished.\n'
}

usage() {
    printf 'usage: %s [options]\n\n' "$self"
    printf 'Installs the stand-in (not conda), which behaves like Miniconda %s.\n\n' "$EMULATES"
    printf '  -b         no questions\n  -f         no error when the prefix exists\n  -h         this text\n'
    printf '  -p PREFIX  where to install\n  -u         update an existing installation\n'
}

agree() {
    printf 'This is the stand-in (not conda). Do you accept that? [yes|no] >>> '
    read -r answer || answer=no
    case $answer in
    yes | YES | Yes) : ;;
    *)
        printf '\nNot accepted, nothing installed.\n'
        exit 2
        ;;
    esac
}

check_glibc() {
    glibc=$(knob glibc)
    [ -n "$glibc" ] || glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
    [ -n "$glibc" ] || return 0
    oldest=$(printf '%s\n%s\n' "$glibc" "$OLDEST_GLIBC" | sort -t. -k1,1n -k2,2n | head -n 1)
    if [ "$oldest" != "$OLDEST_GLIBC" ]; then
        printf 'Installer requires GLIBC >=%s, but system has %s.\n' "$OLDEST_GLIBC" "$glibc"
        exit 1
    fi
}

# Damage is only warned of; what it breaks shows later.
check_itself() {
    size=$(wc -c <"$self")
    expected=$((HEADER + EARLY + REST))
    if [ "$size" -ne "$expected" ]; then
        printf 'WARNING: size of %s should be %s bytes\n' "$self" "$expected" >&2
    fi
    sum=$(tail -c +$((HEADER + 1)) "$self" | md5sum 2>/dev/null | cut -d' ' -f1)
    if [ -n "$sum" ] && [ "$sum" != "$MD5" ]; then
        printf 'WARNING: md5sum mismatch of the payload\nexpected: %s\n     got: %s\n' "$MD5" "$sum" >&2
    fi
}

# The prefix is made before the room is looked at, so a refusal leaves it behind empty.
check_disk() {
    free=$(df -Pk "$prefix" | tail -n 1 | tr -s ' ' | cut -d' ' -f4)
    if [ "$free" -lt "$NEEDED_KB" ]; then
        printf 'ERROR: Not enough free disk space: %s MB are there, %s MB are needed.\n' \
            $((free / 1024)) $((NEEDED_KB / 1024)) >&2
        exit 1
    fi
}

# bin/conda and the history come first: a run killed later leaves what looks like an installation.
unpack() {
    printf 'Unpacking payload ...\n'
    early | tar -xzf - -C "$prefix" || broken
    for path in bin/conda bin/activate etc/profile.d/conda.sh; do
        point_to_prefix "$prefix/$path"
    done
    at installer:early
    printf 'Installing base environment...\n'
    if knob_is kill_at installer:half; then
        rest | head -c $((REST / 2)) | tar -xzf - -C "$prefix" 2>/dev/null
        kill -s "$(signal)" $$
    fi
    at installer:half
    rest | tar -xzf - -C "$prefix" || broken
    point_to_prefix "$prefix/bin/pip"
    at installer:end
    "$prefix/bin/python" -c 'pass' || broken
}

early() { tail -c +$((HEADER + 1)) "$self" | head -c "$EARLY"; }
rest() { tail -c +$((HEADER + EARLY + 1)) "$self"; }

point_to_prefix() {
    [ -f "$1" ] || return 0
    escaped=$(printf '%s' "$prefix" | sed 's/[\\&|]/\\&/g')
    sed "s|@PLACEHOLDER@|$escaped|g" "$1" >"$1.new" && cat "$1.new" >"$1" && rm -f "$1.new"
}

broken() {
    printf 'Traceback (most recent call last):\n  File "entry_point.py", line 1, in <module>\n' >&2
    printf 'EOFError: Compressed file ended before the end-of-stream marker was reached\n' >&2
    exit 1
}

at() {
    if knob_is sleep_at "$1"; then sleep "$(number seconds 5)"; fi
    if knob_is kill_at "$1"; then kill -s "$(signal)" $$; fi
    if knob_is fail_at "$1"; then broken; fi
}

faults() { printf '%s' "${STANDIN_FAULTS:-/etc/standin-faults.json}"; }

knob() {
    [ -f "$(faults)" ] || return 0
    sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$(faults)" | head -n 1
}

number() {
    value=$(sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*\([0-9.]*\).*/\1/p' "$(faults)" 2>/dev/null | head -n 1)
    printf '%s' "${value:-$2}"
}

signal() {
    name=$(knob signal)
    printf '%s' "${name:-KILL}"
}

knob_is() {
    [ "$(knob "$1")" = "$2" ] || return 1
    times=$(number times '')
    [ -n "$times" ] || return 0
    used=$(cat "$(faults).count" 2>/dev/null || printf 0)
    [ "$used" -lt "$times" ] || return 1
    printf '%s' $((used + 1)) >"$(faults).count"
}

main "$@"
exit 0
