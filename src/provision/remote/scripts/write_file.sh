# Write a file from stdin, by rename, with its mode; its folder is made where it is missing.
#
# write_file.sh PATH MODE

main() {
    path=$1 mode=$2
    umask 077
    mkdir -p "${path%/*}" || return 73
    part=$path.provision-new
    rm -f "$part"
    # Never through a link that somebody else put there meanwhile: the folder may be one that all can write.
    set -C
    cat >"$part" || return 73
    chmod "$mode" "$part" || return 73
    sync "$part" 2>/dev/null
    mv -f "$part" "$path"
}

main "$@"
