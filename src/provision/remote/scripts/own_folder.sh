# own_folder FOLDER [ENTRY...]: whether nobody but the login user and root can exchange what stands in FOLDER.
#
# Where somebody can, one line on stderr says how, and it fails. Looked at are FOLDER and all above it, by the way that
# was named and by the one without links; above it a sticky bit will do, as /tmp has one. ENTRY is something in FOLDER,
# which must be a file or a folder and belong to nobody else.
# root in a container is alone there, and its volumes have owners and modes of every kind: nothing is looked at.

own_folder() {
    folder=$1
    shift
    uid=$(id -u)
    if [ "$uid" = 0 ] && in_container; then return 0; fi
    real=$(cd -P -- "$folder" 2>/dev/null && pwd -P) || {
        printf '%s cannot be entered\n' "$folder" >&2
        return 1
    }
    for way in "$folder" "$real"; do
        while [ -n "$way" ]; do
            set -- "$@" "$way"
            way=${way%/*}
        done
    done
    danger=$(stat -c '%u|%a|%G|%n' -- "$@" / 2>/dev/null | while IFS='|' read -r owner mode group name; do
        exchangeable "$owner" "$mode" "$group" "$name" && break
    done)
    [ -n "$danger" ] || return 0
    printf '%s: others could exchange what runs from there\n' "$danger" >&2
    return 1
}

# exchangeable OWNER MODE GROUP NAME: says how others could exchange it; fails where they cannot.
exchangeable() {
    case $1 in
    # 65534: root of a network disk, or root outside of our namespace.
    "$uid" | 0 | 65534) ;;
    *)
        printf '%s belongs to another user (uid %s)' "$4" "$1"
        return
        ;;
    esac
    case $4 in
    "$folder"/*)
        [ ! -f "$4" ] && [ ! -d "$4" ] && printf '%s is neither a file nor a folder' "$4"
        return
        ;;
    esac
    # The rights of a link mean nothing.
    [ ! -h "$4" ] || return 1
    case $2 in
    [1357]???) if [ "$4" != "$folder" ] && [ "$4" != "$real" ]; then return 1; fi ;;
    esac
    case $2 in
    *[2367]) printf 'everyone can write %s' "$4" ;;
    *[2367]?) [ "$3" != root ] && [ "$3" != "$(id -un)" ] && printf 'the group %s can write %s' "$3" "$4" ;;
    *) return 1 ;;
    esac
}

in_container() {
    if [ -e /.dockerenv ] || [ -e /run/.containerenv ]; then return 0; fi
    first=
    read -r first 2>/dev/null </proc/1/comm
    case $first in
    systemd | init | runit* | openrc* | dinit | s6-linux-init) return 1 ;;
    esac
}
