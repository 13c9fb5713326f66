# What may exchange parts of the system under a running job, or waits for a restart to do so. Prints key|text.
#
# tell_system.sh CONDA RECORD
# CONDA: the prefix of the conda that builds environments; RECORD: the file that was written when it was last run by us.
# It changes nothing, takes no lock and asks no network.

# limited COMMAND...: package managers may wait for each other.
limited() {
    timeout -s KILL 10 "$@" 2>/dev/null </dev/null
}

restart() {
    for file in /run/reboot-required /var/run/reboot-required; do
        [ -e "$file" ] || continue
        stat -c 'restart|%Y' -- "$file"
        [ -r "$file.pkgs" ] && LC_ALL=C sort -u "$file.pkgs" | head -n 40 | sed 's/^/restart.for|/'
        return
    done
    command -v needs-restarting >/dev/null 2>&1 || return
    # Exit code 1 says that it is due; the lines with a star name the packages.
    said=$(limited needs-restarting -r)
    [ $? -eq 1 ] || return
    echo 'restart|'
    printf '%s\n' "$said" | sed -n 's/^ *\* *//p' | head -n 40 | sed 's/^/restart.for|/'
}

# timer NAME...: which of these timers systemd starts; without systemd cron does what they would do.
timer() {
    if [ ! -d /run/systemd/system ]; then
        [ "$1" != apt-daily-upgrade.timer ] || [ ! -x /etc/cron.daily/apt-compat ] || echo 'timer|cron.daily/apt-compat'
        return
    fi
    for name in "$@"; do
        [ "$(limited systemctl is-enabled "$name")" != enabled ] || echo "timer|$name"
    done
}

apt() {
    command -v apt-config >/dev/null 2>&1 && command -v unattended-upgrade >/dev/null 2>&1 || return
    limited apt-config dump --no-empty | sed -n 's/^\(APT::Periodic::[A-Za-z-]* .*\|Unattended-Upgrade::Package-Blacklist:: .*\)/apt|\1/p'
    timer apt-daily-upgrade.timer
    # shellcheck disable=SC2016 # dpkg-query's own format, not the shell's
    limited dpkg-query -W -f 'driver|${db:Status-Abbrev}|${Package}|${Version}\n' \
        'nvidia-driver-*' 'nvidia-dkms-*' 'nvidia-kernel-*' 'linux-modules-nvidia-*' 'libnvidia-compute-*'
}

dnf() {
    command -v rpm >/dev/null 2>&1 && [ -r /etc/dnf/automatic.conf ] || return
    sed -n 's/^ *apply_updates *= *\([a-z]*\).*/dnf|apply_updates=\1/p' /etc/dnf/automatic.conf
    timer dnf-automatic.timer dnf-automatic-install.timer
    for file in /etc/dnf/dnf.conf /etc/dnf/plugins/versionlock.list; do
        [ -r "$file" ] && sed -n '/nvidia/s/^/dnf.kept|/p' "$file"
    done
    limited rpm -qa --qf 'driver|ii |%{NAME}|%{VERSION}-%{RELEASE}\n' 'nvidia-driver*' 'kmod-nvidia*' 'nvidia-kmod*'
}

# When the driver and the kernel were exchanged, as the package manager noted it.
exchanged() {
    for file in /var/log/dpkg.log.1 /var/log/dpkg.log; do
        [ -r "$file" ] && grep -hE '^[0-9: -]{19} (upgrade|install) (nvidia-(driver|dkms|kernel)|libnvidia-compute|linux-(image|modules-nvidia)|libc6:)' "$file"
    done 2>/dev/null | tail -n 40 | sed 's/^/log|/'
}

conda() {
    [ -d "$1/conda-meta" ] && [ -f "$2" ] || return
    find "$1/conda-meta" -maxdepth 1 -name '*.json' -newer "$2" -exec stat -c 'conda|%Y|%n' {} + 2>/dev/null | head -n 400
}

main() {
    export LC_ALL=C
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
    restart
    apt
    dnf
    exchanged
    conda "$1" "$2"
    echo 'end|'
}

main "$@"
