# Install system packages; waits for the first boot's own set-up and for the package manager's lock, and says so.
#
# install_packages.sh MANAGER SUDO PACKAGE...
# MANAGER: apt-get, dnf or yum. SUDO: "sudo" or empty.

main() {
    manager=$1 sudo=$2
    shift 2
    if command -v cloud-init >/dev/null 2>&1 && [ -d /run/cloud-init ] && [ ! -e /run/cloud-init/result.json ]; then
        echo 'waiting for cloud-init to finish (at most 10 minutes)'
        timeout 600 cloud-init status --wait >/dev/null 2>&1
    fi
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    if [ "$manager" = apt-get ]; then
        wait_for_dpkg
        as_root apt-get -q -o DPkg::Lock::Timeout=600 update || echo 'apt-get update failed: going on with the lists that are there'
        as_root apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold \
            --no-install-recommends install -- "$@"
    else
        as_root "$manager" -y install "$@"
    fi
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
