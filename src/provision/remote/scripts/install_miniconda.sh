# Install Miniconda from the cached, checked installer; a half-installed prefix is repaired.
#
# install_miniconda.sh STATE_DIR INSTALLER_SHA256 PREFIX MARK MODE
# MODE: "fresh" (PREFIX is absent or empty) or "repair" (an installation began there and was not finished).
# MARK is a file that exists while an installation of ours is not finished.

main() {
    state=$1 sha=$2 prefix=$3 mark=$4 mode=$5
    umask 022
    installer=$state/cache/$sha
    [ "$(sha256sum "$installer" | cut -d ' ' -f 1)" = "$sha" ] || {
        echo "the cached installer $installer is damaged"
        rm -f "$installer"
        return 65
    }
    mkdir -p "${mark%/*}" "${prefix%/*}" || return 73
    printf '%s\n' "$prefix" >"$mark" || return 73
    # The installer refuses any folder that exists, also the empty one that a full disk left behind.
    [ ! -d "$prefix" ] || rmdir "$prefix" 2>/dev/null
    update=
    if [ -e "$prefix" ]; then
        if [ "$mode" != repair ]; then
            echo "$prefix is there meanwhile: it is not ours to replace"
            rm -f "$mark"
            return 1
        fi
        update=-u
    fi
    private=$state/cache/home
    mkdir -p "$private" || return 73
    (
        for name in $(env | sed -n 's/^\(\(CONDA\|_CONDA\|PYTHON\)[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
        HOME=$private
        TMPDIR=$private
        export HOME TMPDIR
        cd / || exit 1
        # shellcheck disable=SC2086  # empty or one word
        exec bash "$installer" -b $update -p "$prefix"
    )
    code=$?
    rm -rf "$private"
    if [ "$code" -ne 0 ]; then
        echo "the installer ended with code $code"
        say_when_full
        forget_attempt
        return 1
    fi
    check || {
        echo "the installer said that it was done, but $prefix/bin/conda does not run"
        forget_attempt
        return 1
    }
    sync -f "$prefix" 2>/dev/null
    rm -f "$mark"
}

# Where there was nothing before us, a failure leaves nothing: a full disk gets its room back.
forget_attempt() {
    if [ -z "$update" ]; then
        rm -rf "$prefix"
        rm -f "$mark"
    fi
}

say_when_full() {
    free=$(df -Pk "${prefix%/*}" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
    [ "${free:-9999}" -ge 1024 ] || echo "No space left on device: $free kB free for $prefix"
}

check() {
    "$prefix/bin/python" -I -c 'import ssl, lzma, zlib' && "$prefix/bin/conda" --version
}

main "$@"
