#!/bin/sh
# Replays a recording of the real nvidia-smi.
#
# The recording is a folder. NAME.out (or NAME.csv) is what was printed, NAME.rc the exit code (0 if absent):
#   smi                 nvidia-smi without arguments
#   help-query-gpu      --help-query-gpu
#   query-gpu           --query-gpu=...: a csv with the header that --format=csv prints; the asked columns are chosen
#                       from it, and one unknown field fails the whole query, as the real program does
#   query-compute-apps  --query-compute-apps=..., likewise
#   anything else       the arguments without dashes, joined by -: "-q -x" is q-x, "topo -m" is topo-m
# NAME.before and NAME.after are printed around a csv, as a library that is loaded into the real program prints there.
# The file `mode` may say hang=yes (never answers) or exit=N (prints what was recorded for it, fails).
# The driver's faults replace every answer: failure.out and failure.rc, where the folder has them.

recording=${RECORDED_NVIDIA_SMI:-/usr/share/recorded-nvidia-smi}

finish() {
    code=0
    if [ -f "$recording/$1.rc" ]; then read -r code <"$recording/$1.rc" || :; fi
    exit "${exit:-$code}"
}

columns() {
    awk -v asked="$2" -v format="$3" '
        function trim(text) { sub(/^[ \t]+/, "", text); sub(/[ \t\r]+$/, "", text); return text }
        BEGIN { FS = ","; count = split(asked, field, ","); plain = format ~ /nounits/ }
        NR == 1 {
            for (i = 1; i <= NF; i++) {
                title[i] = trim($i)
                name = title[i]
                sub(/ \[.*\]$/, "", name)
                at[name] = i
            }
            for (i = 1; i <= count; i++) {
                if (!(field[i] in at)) {
                    printf "Field \"%s\" is not a valid field to query.\n\n", field[i]
                    exit 2
                }
            }
            if (format ~ /noheader/) next
        }
        {
            line = ""
            for (i = 1; i <= count; i++) {
                cell = NR == 1 ? title[at[field[i]]] : trim($(at[field[i]]))
                if (plain && NR == 1) sub(/ \[.*\]$/, "", cell)
                if (plain && NR > 1 && cell ~ /^[0-9.]+ [A-Za-z%]+$/) sub(/ [A-Za-z%]+$/, "", cell)
                line = line (i > 1 ? ", " : "") cell
            }
            print line
        }' "$1"
}

query() {
    file=$recording/$1.csv
    [ -f "$file" ] || file=$recording/$1.out
    if [ -f "$recording/$1.before" ]; then cat "$recording/$1.before"; fi
    if [ ! -f "$file" ]; then finish "$1"; fi
    columns "$file" "$2" "$3" || exit "$?"
    if [ -f "$recording/$1.after" ]; then cat "$recording/$1.after"; fi
    finish "$1"
}

main() {
    hang='' exit=''
    # shellcheck source=/dev/null
    if [ -f "$recording/mode" ]; then . "$recording/mode"; fi
    if [ -n "$hang" ]; then
        while :; do sleep 3600; done
    fi
    if [ -f "$recording/failure.out" ] || [ -f "$recording/failure.rc" ]; then
        if [ -f "$recording/failure.out" ]; then cat "$recording/failure.out"; fi
        finish failure
    fi
    kind='' asked='' format='' name=''
    for argument in "$@"; do
        case $argument in
            --query-gpu=*) kind=query-gpu asked=${argument#*=} ;;
            --query-compute-apps=*) kind=query-compute-apps asked=${argument#*=} ;;
            --format=*) format=${argument#*=} ;;
            *)
                word=$argument
                while [ "${word#-}" != "$word" ]; do word=${word#-}; done
                name=${name:+$name-}$word
                ;;
        esac
    done
    if [ -n "$kind" ]; then query "$kind" "$asked" "$format"; fi
    name=$(printf '%s' "${name:-smi}" | tr -c 'A-Za-z0-9._-' '-')
    if [ ! -f "$recording/$name.out" ] && [ ! -f "$recording/$name.rc" ]; then
        printf 'Invalid combination of input arguments. Please run nvidia-smi -h for help.\n\n'
        exit 2
    fi
    if [ -f "$recording/$name.out" ]; then cat "$recording/$name.out"; fi
    finish "$name"
}

main "$@"
