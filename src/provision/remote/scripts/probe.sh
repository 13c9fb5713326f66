#!/bin/sh
# Reads what a host is and prints one fact a line: key|text. The last line is "end|".
# Arguments: state_dir=PATH workdir=PATH conda=PREFIX... path=PATH... package=NAME... sudo=1
# It writes nothing, talks to no network and starts no conda. packages_digest.sh and own_folder.sh go in front of it.

say() {
    printf '%s|%s\n' "$1" "$2"
}

# limited SECONDS COMMAND...: never waits longer; SIGKILL because a driver that hangs ignores anything less.
limited() {
    limited_seconds=$1
    shift
    timeout -s KILL "$limited_seconds" "$@"
}

# first_line FILE: sets $line to its first line, without a fork.
first_line() {
    line=
    [ -f "$1" ] && [ -r "$1" ] || return 1
    IFS= read -r line 2>/dev/null <"$1" || [ -n "$line" ]
}

# expand PATH: sets $expanded; a leading ~ is the login's home.
expand() {
    case $1 in
        "~") expanded=$home ;;
        "~"/*) expanded=${home%/}/${1#??} ;;
        /*) expanded=$1 ;;
        *) expanded=${home%/}/$1 ;;
    esac
}

# plain NAME: whether a file name can stand in a line of ours.
plain() {
    case $1 in
        *"|"* | *"$newline"* | "" | "*") return 1 ;;
    esac
}

system() {
    say uname "$(uname -s -n -r -m)"
    say clock "$(date +%s)"
    for file in /etc/os-release /usr/lib/os-release; do
        [ -r "$file" ] || continue
        while IFS= read -r line || [ -n "$line" ]; do
            case $line in
                PRETTY_NAME=* | ID=* | ID_LIKE=* | VERSION_ID=*) say os "$line" ;;
            esac
        done <"$file"
        break
    done
    libc
    say user "$user"
    say uid "$uid"
    say home "$home"
    say shell "$shell"
    say home.stat "$(stat -L -c '%u %G %a' -- "$home" 2>/dev/null)"
    first_line /proc/sys/kernel/random/boot_id && say boot_id "$line"
    say machine_id "$machine"
    first_line /proc/1/comm && say init "$line"
    say cpus "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null)"
    sudo_kind
    for name in curl wget python3 git flock timeout tar gzip bzip2 zstd xz sha256sum setsid systemctl systemd-run \
        loginctl tmux rsync nvidia-smi sudo apt-get dnf yum apk zypper bash modinfo npu-smi amd-smi rocm-smi; do
        command -v "$name" >/dev/null 2>&1 && say tool "$name"
    done
    virtualisation
    for name in sys_vendor product_name board_vendor bios_vendor chassis_asset_tag; do
        first_line "/sys/class/dmi/id/$name" && say dmi "$name=$line"
    done
    first_line /sys/hypervisor/uuid && say dmi "hypervisor_uuid=$line"
}

libc() {
    for file in /lib/ld-musl-*; do
        [ -e "$file" ] && [ ! -e /etc/debian_version ] && say libc musl && return
    done
    line=$(getconf GNU_LIBC_VERSION 2>/dev/null)
    case $line in
        glibc*) say libc "$line" ;;
        *) ldd --version 2>&1 | sed -n '1s/^/libc|ldd /p' ;;
    esac
}

sudo_kind() {
    if [ "$uid" = 0 ]; then
        say sudo root
    elif ! command -v sudo >/dev/null 2>&1; then
        say sudo none
    elif [ "$ask_sudo" != 1 ]; then
        say sudo unasked
    elif limited 5 sudo -n true >/dev/null 2>&1; then
        say sudo nopasswd
    else
        say sudo password
    fi
}

virtualisation() {
    if first_line /proc/version; then
        case $line in
            # What gVisor's own kernel calls itself.
            *"Jan 10 15:06:54 PST 2016"*) say virtualisation gvisor && return ;;
            *[Mm]icrosoft*) say virtualisation wsl && return ;;
        esac
    fi
    if [ -e /.dockerenv ]; then
        say virtualisation docker
    elif [ -e /run/.containerenv ]; then
        say virtualisation podman
    elif command -v systemd-detect-virt >/dev/null 2>&1; then
        say virtualisation "$(systemd-detect-virt 2>/dev/null)"
    elif [ -r /proc/1/cgroup ]; then
        while IFS= read -r line; do
            case $line in
                *kubepods*) say virtualisation kubernetes && return ;;
                *docker*) say virtualisation docker && return ;;
                *lxc*) say virtualisation lxc && return ;;
            esac
        done </proc/1/cgroup
    fi
}

memory() {
    [ -r /proc/meminfo ] && while read -r name value _; do
        case $name in
            MemTotal: | MemAvailable:) say meminfo "$name $value" ;;
            Buffers:) break ;;
        esac
    done </proc/meminfo
    # Version 2 and 1 of control groups: each level above us limits us, and the root of a container's namespace does.
    if [ -r /proc/self/cgroup ]; then
        while IFS=: read -r _ name value; do
            case $name in
                "") cgroup_limits /sys/fs/cgroup "$value" memory.max ;;
                *memory*) cgroup_limits /sys/fs/cgroup/memory "$value" memory.limit_in_bytes ;;
            esac
        done </proc/self/cgroup
    fi
}

# cgroup_limits ROOT GROUP FILE
cgroup_limits() {
    group=${2%/}
    while :; do
        first_line "$1$group/$3" && say cgroup "$line"
        [ -n "$group" ] || return 0
        group=${group%/*}
    done
}

# disks PATH...: the file system of each path's nearest existing parent.
disks() {
    places=
    for path in "$@"; do
        nearest=$path
        while [ -n "$nearest" ] && [ ! -d "$nearest" ]; do
            nearest=${nearest%/*}
        done
        nearest=$(cd -P -- "${nearest:-/}" 2>/dev/null && pwd -P) || nearest=
        if ! plain "$nearest"; then
            say problem "the folder above $path cannot be entered"
            continue
        fi
        access=read-only
        [ -w "$nearest" ] && access=writable
        say disk "$path|$nearest|$access"
        places=$places$nearest$newline
    done
    [ -d /dev/shm ] && places=$places/dev/shm$newline
    set -f
    old_ifs=$IFS
    IFS=$newline
    # shellcheck disable=SC2086 # split at the newlines, on purpose
    stat -f -c 'space|%n|%a %S %d %c %b' -- $places 2>/dev/null || say problem "stat -f does not work"
    IFS=$old_ifs
    set +f
    [ -r /proc/self/mounts ] || return 0
    PLACES=$places awk '
        BEGIN { count = split(ENVIRON["PLACES"], place, "\n") }
        {
            point = $2
            gsub(/\\040/, " ", point)
            for (i = 1; i < count; i++)
                if (point == "/" || index(place[i] "/", point "/") == 1) { print "mount|" $0; break }
        }' /proc/self/mounts
}

# held_locks: who holds the package manager's lock, from /proc/locks, so that nothing is locked or run to know it.
held_locks() {
    set --
    for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock \
        /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock; do
        [ -e "$file" ] && set -- "$@" "$file"
    done
    if [ $# -gt 0 ] && [ -r /proc/locks ]; then
        # Inode and path of each file, one word each, against the words "pid device:inode" of each lock.
        locks=
        while IFS= read -r line; do
            locks=$locks$line$newline
        done </proc/locks
        # shellcheck disable=SC2046 # words, on purpose: the paths above have no spaces
        set -- $(stat -c '%i %n' -- "$@" 2>/dev/null)
        while [ $# -ge 2 ]; do
            case $locks in
                *":$1 "*)
                    pid=${locks%%":$1 "*}
                    pid=${pid% *}
                    pid=${pid##* }
                    first_line "/proc/$pid/comm" || line=
                    say locked "$2 held by ${line:-an unseen process} (pid $pid)"
                    return
                    ;;
            esac
            shift 2
        done
    fi
    if first_line /run/yum.pid && [ -d "/proc/$line" ]; then
        say locked "/run/yum.pid held by yum (pid $line)"
        return
    fi
    # cloud-init writes status.json first and result.json last; one that crashed has no process any more.
    if [ -e /run/cloud-init/status.json ] && [ ! -e /run/cloud-init/result.json ]; then
        case $newline$(cat /proc/[0-9]*/comm 2>/dev/null)$newline in
            *"${newline}cloud-init$newline"*) say locked "cloud-init is still running" ;;
        esac
    fi
}

logind() {
    if [ ! -d /run/systemd/system ]; then
        say logind absent
        return
    fi
    set --
    for file in /usr/lib/systemd/logind.conf /etc/systemd/logind.conf /usr/lib/systemd/logind.conf.d/*.conf \
        /run/systemd/logind.conf.d/*.conf /etc/systemd/logind.conf.d/*.conf; do
        [ -r "$file" ] && set -- "$@" "$file"
    done
    say logind present
    [ $# -eq 0 ] || grep -H '^[#[:space:]]*KillUserProcesses=' -- "$@" 2>/dev/null | sed 's/^/logind.line|/'
}

# conda_prefix PREFIX
conda_prefix() {
    prefix=${1%/}
    case $seen in
        *"$newline$prefix$newline"*) return ;;
    esac
    seen=$seen$prefix$newline
    plain "$prefix" || return 0
    # A file or a link to nowhere is in the way too: a prefix that is neither empty nor conda's.
    if [ ! -d "$prefix" ]; then
        if [ -e "$prefix" ] || [ -h "$prefix" ]; then say conda "$prefix"; fi
        return 0
    fi
    set -- "$prefix"/* "$prefix"/.[!.]*
    say conda "$prefix"
    [ $# -eq 2 ] && [ ! -e "$1" ] && [ ! -e "$2" ] && [ -r "$prefix" ] && say conda.empty yes
    if [ -d "$prefix/conda-meta" ] || [ -e "$prefix/bin/conda" ]; then say conda.shaped yes; fi
    [ -f "$prefix/bin/python" ] && [ -x "$prefix/bin/python" ] && say conda.has python
    [ -f "$prefix/bin/conda" ] && [ -x "$prefix/bin/conda" ] && say conda.has conda
    for file in "$prefix"/lib/python3*/site-packages/conda/__init__.py; do
        [ -s "$file" ] && say conda.has package && break
    done
    for file in "$prefix"/conda-meta/conda-[0-9]*.json "$prefix"/conda-meta/anaconda-[0-9]*.json \
        "$prefix"/conda-meta/_anaconda_depends-*.json "$prefix"/conda-meta/mamba-[0-9]*.json \
        "$prefix"/conda-meta/conda-anaconda-tos-*.json; do
        [ -s "$file" ] && say conda.meta "${file##*/}"
    done
    if [ -r "$prefix/.condarc" ] && [ -f "$prefix/.condarc" ]; then
        sed -n 's/^/conda.rc|/;1,40p' "$prefix/.condarc"
    fi
    if [ -d "$state/installing" ] && [ -e "$state/installing/$(printf %s "$prefix" | tr / %)" ]; then
        say conda.installing yes
    fi
}

# environments: every generation, and the markers of all of them by one awk.
environments() {
    set --
    for folder in "$state"/envs/*/*; do
        [ -d "$folder" ] || continue
        name=${folder##*/}
        project=${folder%/*}
        project=${project##*/}
        plain "$project$name" || continue
        say environment "$project/$name"
        if [ -L "$folder/current" ]; then
            say "environment.current" "$project/$name|$(readlink "$folder/current")"
        fi
        for build in "$folder"/*; do
            if [ ! -d "$build" ] || [ -L "$build" ] || ! plain "${build##*/}"; then continue; fi
            key=$project/$name/${build##*/}
            say generation "$key"
            if [ -e "$build/.provision-rejected" ]; then
                # An empty one counts too: a person may have made it by hand.
                first_line "$build/.provision-rejected" || line=
                say rejected "$key|${line:-by hand}"
            fi
            if [ ! -f "$build/.provision-generation.json" ] || [ ! -r "$build/.provision-generation.json" ]; then continue; fi
            set -- "$@" "$build/.provision-generation.json"
            say packages "$key|$(packages_digest "$build")"
        done
    done
    [ $# -eq 0 ] || awk '{
        count = split(FILENAME, part, "/")
        print "marker|" part[count - 3] "/" part[count - 2] "/" part[count - 1] "|" $0
    }' "$@" 2>/dev/null
    for file in "$home"/.conda/envs/*; do
        name=${file##*/}
        plain "$name" || continue
        if [ -L "$file" ]; then
            say link "$name|link|$(readlink "$file")"
        elif [ -e "$file" ]; then
            say link "$name|foreign|"
        fi
    done
}

records() {
    set --
    for file in "$state/record/${machine:-none}"/*.json; do
        name=${file##*/}
        if [ ! -e "$file" ] || ! plain "${name%.json}"; then continue; fi
        say record "${name%.json}"
        if [ -f "$file" ] && [ -r "$file" ]; then set -- "$@" "$file"; fi
    done
    [ $# -eq 0 ] || awk '{
        name = FILENAME
        sub(/.*\//, "", name)
        sub(/\.json$/, "", name)
        print "record." name "|" $0
    }' "$@" 2>/dev/null
}

step_lock() {
    first_line "$state/step" && say step "$line"
    [ -f "$state/step.lock" ] && [ -r "$state/step.lock" ] || return 0
    # Shared, so that two probes never take each other for a step; the file is there, so nothing is made.
    if ! command -v flock >/dev/null 2>&1; then
        say problem "there is no flock: whether a step runs is unknown"
    elif ! flock -n -s 9 2>/dev/null 9<"$state/step.lock"; then
        say step.lock held
    fi
}

jobs_running() {
    for folder in "$state"/jobs/*; do
        if [ ! -d "$folder" ] || [ -e "$folder/exit" ] || ! plain "${folder##*/}"; then continue; fi
        first_line "$folder/pid" || continue
        pid=$line
        first_line "$folder/starttime" || continue
        began=$line
        first_line "/proc/$pid/stat" || continue
        # After the name in parentheses, which may hold spaces, the start time is the twentieth word.
        # shellcheck disable=SC2086 # words, on purpose
        set -- ${line##*) }
        [ "${20:-}" = "$began" ] && say job "${folder##*/}"
    done
    return 0
}

# answer PATH: what is there.
answer() {
    expand "$1"
    if [ -d "$expanded" ]; then
        say path "directory|$1"
    elif [ -f "$expanded" ]; then
        digest=unreadable
        if [ -r "$expanded" ]; then
            digest=$(sha256sum <"$expanded")
            digest=${digest%% *}
        fi
        say path "file:$(stat -L -c %a -- "$expanded"):$digest|$1"
    elif [ -e "$expanded" ] || [ -L "$expanded" ]; then
        say path "other|$1"
    else
        say path "absent|$1"
    fi
}

# packages NAME...
system_packages() {
    for name in "$@"; do
        say package "$name"
    done
    if command -v dpkg-query >/dev/null 2>&1; then
        # shellcheck disable=SC2016 # dpkg-query's own format, not the shell's
        dpkg-query -W -f 'package.dpkg|${db:Status-Abbrev}|${Package}|${Version}\n' -- "$@" 2>/dev/null
    elif command -v rpm >/dev/null 2>&1; then
        rpm -q --qf 'package.rpm|%{NAME}|%{VERSION}-%{RELEASE}\n' -- "$@" 2>/dev/null | grep '^package\.rpm|'
    else
        say problem "there is neither dpkg-query nor rpm: system packages are unknown"
    fi
    return 0
}

# tool MOST KEY COMMAND...: what a maker's tool prints, at most so many bytes, under KEY; the last line is its exit code. A
# flood is cut, and then has none.
tool() {
    most=$1
    key=$2
    shift 2
    {
        timeout -s KILL 18 "$@" 2>&1
        printf '\nexit=%s\n' $?
    } 2>/dev/null </dev/null | head -c "$most" | awk -v key="$key" '{ print key "|" $0 }'
}

# smi KEY ARGUMENT...: nvidia-smi's answer.
smi() {
    key=$1
    shift
    tool 262144 "$key" nvidia-smi "$@"
}

# vendor_tool KEY COMMAND...: that of another maker's tool, whose JSON is longer.
vendor_tool() {
    tool 1048576 "$@"
}

# smi_query: asks for the fields that this driver knows; one unknown field would fail the whole question.
smi_query() {
    wanted="index name uuid pci.bus_id driver_version compute_cap memory.total memory.used persistence_mode"
    wanted="$wanted compute_mode mig.mode.current ecc.mode.current ecc.errors.uncorrected.volatile.total"
    wanted="$wanted ecc.errors.corrected.volatile.total remapped_rows.pending remapped_rows.failure"
    wanted="$wanted remapped_rows.uncorrectable retired_pages.single_bit_ecc.count retired_pages.double_bit.count"
    wanted="$wanted retired_pages.pending gpu_recovery_action reset_status.reset_required"
    wanted="$wanted reset_status.drain_and_reset_recommended clocks_event_reasons.hw_slowdown"
    wanted="$wanted clocks_event_reasons.hw_thermal_slowdown clocks_event_reasons.hw_power_brake_slowdown"
    wanted="$wanted clocks_event_reasons.sw_thermal_slowdown pcie.link.width.current pcie.link.width.max"
    wanted="$wanted temperature.gpu fabric.state fabric.status fabric.health.summary"
    # The exit code of --help-query-gpu, a space, and those of the wanted fields that its text has in quotes.
    known=$({
        timeout -s KILL 18 nvidia-smi --help-query-gpu 2>&1
        printf '\nexit=%s\n' $?
    } 2>/dev/null </dev/null | head -c 262144 | awk -v wanted="$wanted" '
        /^exit=/ { code = substr($0, 6); next }
        {
            count = split($0, part, "\"")
            for (i = 2; i <= count; i += 2) known[part[i]] = 1
        }
        END {
            count = split(wanted, field, " ")
            for (i = 1; i <= count; i++) {
                name = field[i]
                # What the driver 535 renamed is asked by its old name before that, and by one name only.
                if (!(name in known)) sub(/^clocks_event_/, "clocks_throttle_", name)
                # The recovery action says all that these two say, and more.
                if (name ~ /^reset_status/ && "gpu_recovery_action" in known) continue
                if (name in known) list = list (list == "" ? "" : ",") name
            }
            print code " " list
        }')
    say gpu.help "exit=${known%% *}"
    case $known in
        "124 "* | "137 "*)
            say gpu.query "exit=124"
            return
            ;;
    esac
    fields=${known#* }
    fields=${fields:-index,name,uuid,pci.bus_id,driver_version,memory.total,memory.used}
    say gpu.fields "$fields"
    smi gpu.query "--query-gpu=$fields" --format=csv,noheader,nounits
}

nvidia() {
    nvidia_present=
    [ -e /proc/driver/nvidia/version ] && nvidia_present=yes
    for folder in /sys/bus/pci/devices/*; do
        first_line "$folder/vendor" || continue
        vendor=$line
        case $vendor in
            0x10de | 0x1002 | 0x19e5) ;;
            *) continue ;;
        esac
        first_line "$folder/class" || continue
        class=$line
        case $class in
            0x03* | 0x12* | 0x0b40*) ;;
            *) continue ;;
        esac
        first_line "$folder/device" || continue
        say pci "${vendor#0x}:${line#0x} ${class#0x} ${folder##*/}"
        [ "$vendor" = 0x10de ] && nvidia_present=yes
    done
    if first_line /sys/module/nvidia/version; then
        say gpu.loaded "$line"
    elif first_line /proc/driver/nvidia/version; then
        say gpu.loaded "$line"
    fi
    for folder in /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64 /usr/lib /usr/local/nvidia/lib64 \
        /usr/lib/wsl/lib; do
        [ -e "$folder/libcuda.so.1" ] && say gpu.libcuda "$folder/libcuda.so.1" && break
    done
    [ -n "$nvidia_present" ] || return 0
    command -v modinfo >/dev/null 2>&1 && say gpu.installed "$(modinfo -F version nvidia 2>/dev/null)"
    for folder in /usr/lib/systemd/system /lib/systemd/system /etc/systemd/system; do
        [ -e "$folder/nvidia-fabricmanager.service" ] || continue
        say gpu.fabric_manager "$(limited 5 systemctl is-active nvidia-fabricmanager 2>/dev/null)"
        if command -v nvidia-smi >/dev/null 2>&1 && command -v nv-fabricmanager >/dev/null 2>&1; then
            limited 5 nv-fabricmanager --version 2>&1 | head -c 4096 | sed -n '1,9s/^/gpu.fabric_manager_version|/p'
        fi
        break
    done
    limited 5 dmesg 2>/dev/null | grep 'NVRM: Xid' | tail -n 50 | cut -c 1-500 | sed 's/^/gpu.xid|/'
}

# was_ended ANSWER: whether the tool had to be ended; it is not asked again then.
was_ended() {
    case $1 in
        *"|exit=124" | *"|exit=137") return 0 ;;
    esac
    return 1
}

# amd: one question after the other, because they wait for the same lock. What older versions do not know, they reject.
amd() {
    if command -v amd-smi >/dev/null 2>&1; then
        first=$(vendor_tool gpu.amd.static amd-smi static --json)
        printf '%s\n' "$first"
        was_ended "$first" && return
        vendor_tool gpu.amd.list amd-smi list --json
        vendor_tool gpu.amd.metric amd-smi metric --mem-usage --ecc --pcie --json
        vendor_tool gpu.amd.pages amd-smi bad-pages --json
        vendor_tool gpu.amd.process amd-smi process --json
    else
        vendor_tool gpu.amd.rocm rocm-smi --showproductname --showuniqueid --showbus --showmeminfo vram \
            --showdriverversion --json
    fi
}

# ascend: the table of all cards, then each card's board and memory errors; the cards are asked at the same time.
ascend() {
    table=$(vendor_tool gpu.npu.info npu-smi info)
    printf '%s\n' "$table"
    was_ended "$table" && return
    list=$(vendor_tool gpu.npu.list npu-smi info -l)
    printf '%s\n' "$list"
    questions="board ecc"
    case $table in
        *Warning* | *Alarm* | *Critical* | *UNKNOWN*) questions="board ecc health" ;;
    esac
    # shellcheck disable=SC2046 # numbers, one word each
    ascend_cards $(printf '%s\n' "$list" | sed -n 's/.*NPU ID *: *\([0-9]\{1,9\}\) *$/\1/p' | head -n 64)
}

# ascend_cards ID...: each card's answers wait in their pipe for those of the cards after it.
ascend_cards() {
    [ $# -gt 0 ] || return 0
    for question in $questions; do
        vendor_tool "gpu.npu.$question.$1" npu-smi info -t "$question" -i "$1"
    done | {
        shift
        ascend_cards "$@" </dev/null
        cat
    }
}

other_vendors() {
    amd_tool=
    for name in amd-smi rocm-smi; do
        command -v "$name" >/dev/null 2>&1 && say gpu.amd "$name" && amd_tool=yes
    done
    [ -e /dev/kfd ] && say gpu.amd kfd
    [ -d /sys/module/amdgpu ] && say gpu.amd module
    first_line /sys/module/amdgpu/version && say gpu.amd "driver $line"
    npu_tool=
    command -v npu-smi >/dev/null 2>&1 && say gpu.ascend npu-smi && npu_tool=yes
    [ -e /dev/davinci_manager ] && say gpu.ascend davinci
    [ -n "$amd_tool$npu_tool" ] || return 0
    if ! command -v timeout >/dev/null 2>&1; then
        [ -z "$amd_tool" ] || say gpu.amd unasked
        [ -z "$npu_tool" ] || say gpu.ascend unasked
        say problem "there is no timeout: the GPUs' own tool was not asked, because it can hang for ever"
        return 0
    fi
    # A tool that hangs in the kernel cannot be killed: then its pipe is left, as that of nvidia-smi is.
    [ -z "$amd_tool" ] || { exec 2>/dev/null && amd & } | limited 20 cat
    [ -z "$npu_tool" ] || { exec 2>/dev/null && ascend & } | limited 20 cat
    return 0
}

# gpus: the three questions to the driver run at the same time; each answer waits in its pipe for the one before it.
gpus() {
    say gpu.smi present
    smi gpu.header | {
        smi gpu.apps --query-compute-apps=gpu_uuid,pid,process_name,used_memory --format=csv,noheader,nounits | {
            smi gpu.list -L | {
                smi_query </dev/null
                cat
            }
            cat
        }
        cat
    }
}

# login: sets $uid $user $home $shell from the user database; the environment's HOME counts where it is a path.
login() {
    uid=$(id -u)
    line=$(getent passwd "$uid" 2>/dev/null)
    if [ -z "$line" ] && [ -r /etc/passwd ]; then
        line=$(awk -F: -v uid="$uid" '$3 == uid { print; exit }' /etc/passwd)
    fi
    # No here-document anywhere in this file: some shells write a temporary file for it.
    set -f
    old_ifs=$IFS
    IFS=:
    # shellcheck disable=SC2086 # the fields of passwd(5)
    set -- $line
    IFS=$old_ifs
    set +f
    user=${1:-}
    home=${6:-}
    shell=${7:-}
    [ -n "$user" ] || user=$(id -un 2>/dev/null)
    case ${HOME:-} in
        /*) home=$HOME ;;
    esac
    plain "$home" || home=/
}

# everything ARGUMENT...: all but the driver's own answers.
everything() {
    login
    machine=
    for file in /etc/machine-id /var/lib/dbus/machine-id; do
        first_line "$file" && [ -n "$line" ] && machine=$line && break
    done
    state=${home%/}/.provision
    work=${home%/}/work
    ask_sudo=0
    for word in "$@"; do
        case $word in
            unless=*) ;;
            *"$newline"*) say problem "an argument with a line break was not read" ;;
            state_dir=*) expand "${word#*=}" && state=$expanded ;;
            workdir=*) expand "${word#*=}" && work=$expanded ;;
            sudo=*) ask_sudo=${word#*=} ;;
        esac
    done
    say state_dir "$state"
    say workdir "$work"
    # Below the home folder its own owner and mode tell enough.
    case $state in
        "${home%/}"/*) ;;
        *) if [ -e "$state" ]; then danger=$(own_folder "$state" "$state"/* "$state"/*/. 2>&1) || say state.danger "$danger"; fi ;;
    esac
    system
    memory
    held_locks
    logind
    asked "$@"
    environments
    records
    step_lock
    jobs_running
    nvidia
    other_vendors
}

# question "ID COMMAND": the exit code of a playbook's own question, asked in the home folder.
question() {
    (cd "$home" && limited 30 sh -c "${1#* }") >/dev/null 2>&1 </dev/null
    say unless "${1%% *}|$?"
}

# asked ARGUMENT...: conda prefixes, disks, paths and packages, which the arguments name.
asked() {
    seen=$newline
    wanted_packages=
    for word in "$@"; do
        case $word in
            unless=*) question "${word#*=}" && continue ;;
        esac
        plain "${word#*=}" || continue
        case $word in
            conda=*) expand "${word#*=}" && conda_prefix "$expanded" ;;
            path=*) answer "${word#*=}" ;;
            package=*) wanted_packages="$wanted_packages ${word#*=}" ;;
        esac
    done
    for prefix in "$home/miniconda3" "$home/anaconda3" "$home/miniforge3" "$home/mambaforge" /opt/conda \
        /opt/miniconda3 /opt/miniforge3 /opt/anaconda3 /root/miniconda3; do
        conda_prefix "$prefix"
    done
    set -f
    # shellcheck disable=SC2086 # names without spaces
    [ -z "$wanted_packages" ] || system_packages $wanted_packages
    set +f
    for word in "$@"; do
        shift
        plain "${word#*=}" || continue
        case $word in
            conda=*) expand "${word#*=}" && set -- "$@" "$expanded" ;;
        esac
    done
    disks "$home" "$work" "$state" "${TMPDIR:-/tmp}" "$@"
}

main() {
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/opt/rocm/bin:/usr/lib/wsl/lib:$PATH
    LC_ALL=C
    IFS=' 	
'
    newline='
'
    export PATH LC_ALL
    unset CDPATH GREP_OPTIONS POSIXLY_CORRECT
    set +e +u
    # For good: a shell that puts it back keeps a copy, and so would each process that is left behind when a tool hangs.
    exec 2>/dev/null
    if [ -r /proc/uptime ]; then read -r line _ </proc/uptime && say began "$line"; fi
    if ! command -v nvidia-smi >/dev/null 2>&1; then
        say gpu.smi absent
        everything "$@" 2>/dev/null
    elif ! command -v timeout >/dev/null 2>&1; then
        say gpu.smi unasked
        say problem "there is no timeout: nvidia-smi was not asked, because it can hang for ever"
        everything "$@" 2>/dev/null
    else
        # The driver is asked first, in the background; its answer waits in the pipe until all else is said. A process
        # that hangs in the kernel cannot be killed: then the pipe is left, and nobody waits for it. exec, because a
        # redirection of the function would keep a copy of the connection's stderr open in its process.
        { exec 2>/dev/null && gpus & } | {
            everything "$@" </dev/null
            limited 20 cat
        } 2>/dev/null
    fi
    if [ -r /proc/uptime ]; then read -r line _ </proc/uptime && say ended "$line"; fi
    say end ""
}

main "$@" </dev/null
