# Take a file from stdin into the cache, checked by sha256, in place by one rename.
#
# receive.sh CACHE SHA256 SIZE
# Exit codes: 0 there, 65 it arrived damaged, 73 cannot write.

main() {
    cache=$1 want=$2 size=$3
    umask 077
    mkdir -p "$cache" || return 73
    # What an earlier, broken transfer left: one run at a time holds the host, so nobody writes there now.
    rm -f "$cache"/*.part
    part=$cache/$want.part
    head -c "$size" >"$part" || {
        rm -f "$part"
        return 73
    }
    got=$(sha256sum "$part" | cut -d ' ' -f 1)
    if [ "$got" != "$want" ]; then
        printf 'what arrived has sha256 %s, sent was %s\n' "$got" "$want" >&2
        rm -f "$part"
        return 65
    fi
    sync "$part" 2>/dev/null
    mv -f "$part" "$cache/$want" || return 73
}

main "$@"
