# Let a public key log in as this user: one line more in ~/.ssh/authorized_keys, whose other lines stay.
#
# install_key.sh TYPE BASE64 COMMENT
#
# Prints what came of it: "added"; "present"; "restricted": the key stands there behind options that limit it. A second
# line "open PATH" names a folder that others can write, for which sshd refuses every key.

# home_folder: the login user's home as the user database has it, which is where sshd looks.
home_folder() {
    name=$(id -un 2>/dev/null)
    case $name in
        '' | *[!A-Za-z0-9._-]*) printf '%s\n' "$HOME" ;;
        *) eval "printf '%s\n' ~$name" ;;
    esac
}

# standing: how the key stands in the file; nothing where it does not.
standing() {
    found=
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line#"${line%%[! 	]*}"}
        case $line in
            '#'*) ;;
            "$type"['	 ']*"$key"*) found=present && break ;;
            *"$key"*) found=restricted && break ;;
        esac
    done <"$1"
    printf '%s' "$found"
}

# writable_by_others PATH
writable_by_others() {
    case $(ls -ldL "$1" 2>/dev/null) in
        ?????w* | ????????w*) return 0 ;;
    esac
    return 1
}

refuse() {
    printf '%s\n' "$1" >&2
    rm -f "$part"
    exit 73
}

main() {
    type=$1 key=$2 comment=$3 part=
    umask 077
    home=$(home_folder)
    folder=$home/.ssh
    file=$folder/authorized_keys
    if [ ! -d "$folder" ]; then
        mkdir "$folder" || refuse "$folder: cannot be made"
    fi
    if writable_by_others "$folder"; then
        chmod go-w "$folder" || refuse "$folder: others can write it, and it cannot be changed"
    fi
    # A link stays a link: its target is what is written.
    if [ -L "$file" ]; then
        file=$(readlink -f "$file") || refuse "$folder/authorized_keys: a link that leads nowhere"
    fi
    if [ -e "$file" ] && [ ! -f "$file" ]; then
        refuse "$file: not a file"
    fi
    said=
    [ -f "$file" ] && { [ -r "$file" ] || refuse "$file: cannot be read"; }
    [ -f "$file" ] && said=$(standing "$file")
    if [ -z "$said" ]; then
        part=$file.provision-$$
        trap 'rm -f "$part"' EXIT
        rm -f "$part"
        : >"$part" || refuse "$folder: cannot be written"
        if [ -f "$file" ]; then
            cat "$file" >"$part" || refuse "$folder: cannot be written"
            if [ -s "$part" ] && [ -n "$(tail -c 1 "$part")" ]; then
                printf '\n' >>"$part" || refuse "$folder: cannot be written"
            fi
        fi
        printf '%s %s%s\n' "$type" "$key" "${comment:+ $comment}" >>"$part" || refuse "$folder: cannot be written"
        [ "$(standing "$part")" = present ] || refuse "$folder: what was written cannot be read back"
        chmod 600 "$part" || refuse "$folder: cannot be written"
        sync "$part" 2>/dev/null
        mv -f "$part" "$file" || refuse "$file: cannot be replaced"
        command -v restorecon >/dev/null && restorecon -F "$folder" "$file" 2>/dev/null
        said=added
    elif writable_by_others "$file"; then
        chmod go-w "$file" || refuse "$file: others can write it, and it cannot be changed"
    fi
    printf '%s\n' "$said"
    if writable_by_others "$home"; then
        printf 'open %s\n' "$home"
    fi
}

main "$@" </dev/null
