# Ask servers, all at once, how well they serve this host: a small part of one file each.
#
# probe_mirrors.sh SECONDS BYTES QUESTION URL [QUESTION URL]...
# Prints for each "QUESTION<tab>STATUS<tab>BYTES<tab>MILLISECONDS<tab>REASON"; STATUS is 0 where no answer came at all.
# At most BYTES of each come, within SECONDS. Exit codes: 0, 69 nothing here can ask, 73 cannot write.

main() {
    seconds=$1 most=$2
    shift 2
    if command -v curl >/dev/null 2>&1; then
        tool=curl
    elif command -v wget >/dev/null 2>&1; then
        tool=wget
    elif command -v python3 >/dev/null 2>&1; then
        tool=python
    else
        echo 'nothing here can ask: no curl, wget or python3' >&2
        return 69
    fi
    work=$(mktemp -d) || return 73
    trap 'rm -rf "$work"' EXIT
    count=0
    while [ $# -gt 1 ]; do
        count=$((count + 1))
        ask "$count" "$1" "$2" &
        shift 2
    done
    wait
    cat "$work"/*.answer 2>/dev/null
    return 0
}

ask() {
    body=$work/$1.body
    began=$(hundredths)
    # A server may not know of ranges: the file system's own limit ends what is more than enough. In blocks of 512 bytes.
    said=$(
        ulimit -f $((most / 512))
        trap '' XFSZ
        LC_ALL=C
        export LC_ALL
        "once_$tool" "$3" "$body" 2>&1
    )
    took=$((($(hundredths) - began) * 10))
    status=$(printf '%s\n' "$said" | sed -n 's/^ *\(HTTP\/[0-9.]*\|status\) *\([0-9][0-9][0-9]\).*/\2/p' | tail -n 1)
    came=0
    [ ! -f "$body" ] || came=$(wc -c <"$body" | tr -d ' ')
    # Some tools do not tell: what came was an answer.
    [ "${status:-000}" != 000 ] || status=
    [ -n "$status" ] || [ "$came" -eq 0 ] || status=200
    reason=$(printf '%s\n' "$said" | grep -v '^ *HTTP/\|^status\|^  ' | grep . | tail -n 1 | tr -d '\000-\037\177' | cut -c 1-200)
    printf '%s\t%s\t%s\t%s\t%s\n' "$2" "${status:-0}" "$came" "$took" "$reason" >"$work/$1.answer"
    rm -f "$body"
}

once_curl() {
    plain=
    case $1 in http:*) plain=,http ;; esac
    curl -sSL --proto-redir "=https$plain" --connect-timeout "$seconds" --max-time "$seconds" -r "0-$((most - 1))" \
        -w '\nstatus %{http_code}\n' -o "$2" "$1"
}

# wget follows a redirect away from https, where a download would end: that is no server for us.
once_wget() {
    said_wget=$(within wget -nv -S --tries=1 --timeout="$seconds" --header="Range: bytes=0-$((most - 1))" -O "$2" "$1" 2>&1)
    case $1-$said_wget in https:*-*'ocation: http://'*)
        rm -f "$2"
        echo 'it redirects to an address that is not https'
        return
        ;;
    esac
    printf '%s\n' "$said_wget"
}

within() {
    if command -v timeout >/dev/null 2>&1; then timeout "$seconds" "$@"; else "$@"; fi
}

once_python() {
    within python3 -I -c "$PYTHON_ASK" "$1" "$2" "$seconds" "$most"
}

# Not the clock, which may be set meanwhile.
hundredths() {
    read -r up _ </proc/uptime
    whole=${up%.*} part=${up#*.}
    part=${part#0}
    echo $((whole * 100 + ${part:-0}))
}

PYTHON_ASK='
import sys, urllib.error, urllib.request

url, path, seconds, most = sys.argv[1:5]


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, answer, code, message, headers, target):
        if request.full_url.startswith("https:") and not target.lower().startswith("https:"):
            raise OSError("it redirects to an address that is not https")
        return super().redirect_request(request, answer, code, message, headers, target)


request = urllib.request.Request(url, headers={"Range": "bytes=0-%d" % (int(most) - 1)})
try:
    answer = urllib.request.build_opener(Redirects).open(request, timeout=int(seconds))
    print("status %d" % answer.getcode(), flush=True)
    came = 0
    with open(path, "wb", 0) as target:
        while came < int(most):
            piece = answer.read1(1 << 14)
            if not piece:
                break
            came += target.write(piece[: int(most) - came])
except urllib.error.HTTPError as error:
    print("status %d" % error.code)
except Exception as error:
    print(getattr(error, "reason", None) or error or repr(error))
    sys.exit(1)
'
main "$@"
