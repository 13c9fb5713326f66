# Install system packages; waits for the first boot's own set-up and for the package manager's lock, and says so.
#
# install_packages.sh MANAGER SUDO MIRROR PACKAGE...
# MANAGER: apt-get, dnf or yum. SUDO: "sudo" or empty. MIRROR: a URL that has the folders ubuntu, ubuntu-ports and debian,
# asked in place of whoever serves apt's archives; or empty. The host's own lists of sources stay as they are.

main() {
    manager=$1 sudo=$2 mirror=$3
    shift 3
    if command -v cloud-init >/dev/null 2>&1 && [ -d /run/cloud-init ] && [ ! -e /run/cloud-init/result.json ]; then
        echo 'waiting for cloud-init to finish (at most 10 minutes)'
        timeout 600 cloud-init status --wait >/dev/null 2>&1
    fi
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    if [ "$manager" = apt-get ]; then
        wait_for_dpkg
        if [ -n "$mirror" ]; then
            sources=$(mktemp -d) || return 73
            trap 'rm -rf "$sources"' EXIT
            mirrored_sources
            if apt_install "$@" -- -o Dir::Etc::sourcelist="$sources/sources.list" \
                -o Dir::Etc::sourceparts="$sources/sources.list.d"; then
                return 0
            fi
            echo "not by way of $mirror: going on with the host's own sources"
        fi
        apt_install "$@" --
    else
        as_root "$manager" -y install "$@"
    fi
}

# apt_install PACKAGE... -- OPTION...
apt_install() {
    wanted=
    while [ "$1" != -- ]; do
        wanted="$wanted $1"
        shift
    done
    shift
    as_root apt-get -q -o DPkg::Lock::Timeout=600 "$@" update || echo 'apt-get update failed: going on with the lists that are there'
    # shellcheck disable=SC2086  # names of packages have no spaces
    as_root apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold \
        --no-install-recommends "$@" install -- $wanted
}

# The archives come from the mirror; security updates do not, as mirrors themselves advise: they lag behind.
mirrored_sources() {
    chmod 755 "$sources"
    mkdir -p "$sources/sources.list.d"
    escaped=$(printf '%s' "$mirror" | sed 's/[&#\\]/\\&/g')
    swap="s#https\\{0,1\\}://[^/ ]*/\\(ubuntu\\|ubuntu-ports\\|debian\\)/\\{0,1\\}\\([ ]\\|\$\\)#$escaped/\\1/\\2#"
    : >"$sources/sources.list"
    for one in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$one" ] || sed "/-security/!$swap" "$one" >"$sources/${one#/etc/apt/}"
    done
    for one in /etc/apt/sources.list.d/*.sources; do
        [ -f "$one" ] || continue
        awk 'BEGIN { RS = ""; ORS = "\n\n" } { print > (/(^|\n)Suites:[^\n]*-security/ ? own : other) }' \
            own="$sources/own" other="$sources/other" "$one"
        {
            [ ! -f "$sources/own" ] || cat "$sources/own"
            [ ! -f "$sources/other" ] || sed "/^URIs:/$swap" "$sources/other"
        } >"$sources/${one#/etc/apt/}"
        rm -f "$sources/own" "$sources/other"
    done
}

as_root() {
    if [ -n "$sudo" ]; then
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
    else
        "$@" </dev/null
    fi
}

# apt waits by itself, but in silence: this names who holds the lock while it lasts.
wait_for_dpkg() {
    waited=0
    while [ "$waited" -lt 600 ]; do
        # shellcheck disable=SC2009  # pgrep is not everywhere
        holder=$(ps -e -o comm= 2>/dev/null | grep -E '^(apt|apt-get|dpkg|unattended-upgr|aptitude)$' | head -n 1)
        [ -n "$holder" ] || return 0
        [ $((waited % 10)) -ne 0 ] || echo "the package manager is busy ($holder): waited $waited s of at most 600"
        sleep 2
        waited=$((waited + 2))
    done
}

main "$@"
