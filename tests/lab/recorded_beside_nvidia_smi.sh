#!/bin/sh
# Stands in for dmesg, systemctl and nv-fabricmanager beside a recorded nvidia-smi; it is installed under those names.
#
# The recording's folder holds what each of them printed:
#   dmesg.out                   the kernel's log; without it the log is empty
#   fabric-manager.out          systemctl is-active nvidia-fabricmanager
#   fabric-manager-version.out  nv-fabricmanager --version
# Whatever else systemctl is asked, the machine's own one answers.

recording=${RECORDED_NVIDIA_SMI:-/usr/share/recorded-nvidia-smi}

systemctl() {
    if [ "$*" != "is-active nvidia-fabricmanager" ]; then exec /usr/bin/systemctl "$@"; fi
    read -r state <"$recording/fabric-manager.out" || return 4
    printf '%s\n' "$state"
    # As systemctl(1) has it for a unit that is not active.
    [ "$state" = active ] || exit 3
}

case ${0##*/} in
    dmesg) if [ -f "$recording/dmesg.out" ]; then cat "$recording/dmesg.out"; fi ;;
    systemctl) systemctl "$@" ;;
    nv-fabricmanager) if [ "$*" = --version ]; then cat "$recording/fabric-manager-version.out"; else exit 1; fi ;;
    *) exit 64 ;;
esac
