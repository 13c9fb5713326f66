# Make a generation the current one, by one rename, and let `conda activate NAME` find it.
#
# switch_environment.sh BASE GENERATION LINK
# LINK: the entry of ~/.conda/envs, or empty.

main() {
    base=$1 generation=$2 link=$3
    # ~/.conda may be ours to make, whatever the user's umask: nobody else shall be able to turn the link.
    umask 022
    [ -f "$base/$generation/.provision-generation.json" ] || {
        echo "$base/$generation is not complete" >&2
        return 1
    }
    # Looked at first: nothing is switched where the name is taken.
    if [ -n "$link" ] && [ -e "$link" ] && [ ! -h "$link" ]; then
        echo "$link is not a link of ours" >&2
        return 1
    fi
    point "$generation" "$base/current" || return 73
    [ -n "$link" ] || return 0
    mkdir -p "${link%/*}" || return 73
    point "$base/current" "$link"
}

point() {
    rm -rf "$2.new" && ln -s "$1" "$2.new" && mv -fT "$2.new" "$2"
}

main "$@"
