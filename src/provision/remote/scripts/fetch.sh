# Bring a file to the cache by download: resumed where it stopped, checked by sha256, in place by one rename.
#
# fetch.sh CACHE NAME SHA256 URL...
# SHA256 may be empty: the first use pins it. Prints "not from URL: why" for each address that did not serve,
# "taken from URL" and "sha256 <digest>" at the end.
# Exit codes: 0 there, 69 no way out (no tool, or no server answered), 65 wrong content, 73 cannot write.
# A partial file of an earlier run is taken up; where the whole is wrong then, it is fetched once more from its start.

SLOWEST=2048 # bytes a second: at less, the 160 MB of an installer would take a day
PATIENCE=30  # seconds at less than that end a transfer
NEWLINE='
'

main() {
    cache=$1 name=$2 want=$3
    shift 3
    umask 077
    mkdir -p "$cache" || return 73
    if [ -n "$want" ] && [ -f "$cache/$want" ] && [ "$(digest "$cache/$want")" = "$want" ]; then
        printf 'sha256 %s\n' "$want"
        return 0
    fi
    part=$cache/$name.part
    forget_other_parts
    wrong=
    for url in "$@"; do
        resumed=
        [ ! -s "$part" ] || resumed=1
        printf 'download %s\n' "$url"
        download
        got=$(digest "$part")
        if [ "$code" -eq 0 ] && [ -n "$want" ] && [ -n "$resumed" ] && [ "$got" != "$want" ]; then
            printf 'what an earlier run began does not fit: once more from the start\n'
            rm -f "$part"
            download
            got=$(digest "$part")
        fi
        if [ "$code" -eq 73 ]; then
            rm -f "$part"
            return 73
        fi
        [ "$code" -eq 0 ] || continue
        if [ -n "$want" ] && [ "$got" != "$want" ]; then
            printf 'wrong content from %s: sha256 %s, expected %s\n' "$url" "$got" "$want"
            rm -f "$part"
            wrong=1
            continue
        fi
        sync "$part" 2>/dev/null
        mv -f "$part" "$cache/$got" || return 73
        printf 'taken from %s\nsha256 %s\n' "$url" "$got"
        return 0
    done
    # What was chosen to download from did not serve: it is chosen anew.
    rm -f "${cache%/*}"/record/*/mirrors.json
    [ -z "$wrong" ] || return 65
    return 69
}

# What broken transfers of other files left: one run at a time holds the host, so nobody writes there now.
forget_other_parts() {
    for one in "$cache"/*.part; do
        [ "$one" = "$part" ] || rm -f "$one"
    done
}

digest() {
    sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1
}

# Three attempts with the first tool that is there. Leaves $code: 0, or 73 where the file could not be written.
download() {
    code=69
    if command -v curl >/dev/null 2>&1; then
        tool=curl
    # What wget follows is known from its words alone: where they are misread, a checksum makes that harmless.
    elif [ -n "$want" ] && gnu_wget; then
        tool=wget
    elif command -v python3 >/dev/null 2>&1; then
        tool=python
    else
        echo 'nothing here can download it: no curl, wget or python3'
        return
    fi
    for attempt in 1 2 3; do
        # Without a digest nobody could tell whether both halves are of one file.
        [ -n "$want" ] || rm -f "$part"
        began=0
        [ ! -s "$part" ] || began=1
        status='' reason=''
        "once_$tool"
        # It has nothing beyond what is there: that may be the whole.
        [ "$code$status" != 22416 ] || [ "$(digest "$part")" != "$want" ] || code=0
        [ "$code" -ne 0 ] || return
        [ -s "$part" ] || rm -f "$part"
        reason=$(printf '%s' "${reason:-$tool ended with code $code}" | tr -d '\000-\037\177')
        if hopeless || [ "$attempt" -eq 3 ]; then
            break
        fi
        printf 'attempt %s: %s\n' "$attempt" "$reason"
        sleep "$attempt"
    done
    printf 'not from %s: %s\n' "$url" "$reason"
    free=$(df -Pk "$cache" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
    if [ "${free:-9999}" -lt 1024 ]; then
        printf 'No space left on device: %s kB free for %s\n' "$free" "$part"
        code=73
    fi
}

# Small ones know fewer options; wget2 takes what was cut short for the whole, and tells of redirects in other words.
gnu_wget() {
    case $(wget --version 2>/dev/null) in
    'GNU Wget 1.'*) return 0 ;;
    esac
    return 1
}

# Whether another attempt would end the same way. The codes are curl's, whichever tool it was.
hopeless() {
    case $code in
    # A refusal; but the server is busy, or the partial file is longer than the whole.
    22)
        case $status in
        408 | 425 | 429 | 5??) return 1 ;;
        416) ;;
        *) return 0 ;;
        esac
        rm -f "$part"
        ;;
    # The server cannot resume.
    33 | 36) rm -f "$part" ;;
    # A redirect away from https; no name, no server; it could not write; no trust.
    1 | 6 | 7 | 23 | 60) return 0 ;;
    esac
    return 1
}

once_curl() {
    plain=
    case $url in http:*) plain=,http ;; esac
    said=$(curl -fsSL --proto-redir "=https$plain" --connect-timeout 15 --speed-limit "$SLOWEST" \
        --speed-time "$PATIENCE" -C - -w '\nstatus %{http_code}\n' -o "$part" "$url" 2>&1)
    code=$?
    each_line "$said"
    [ "$code" -ne 1 ] || [ -n "$plain" ] || reason='it redirects to an address that is not https'
}

once_wget() {
    away=
    said=$(LC_ALL=C watched wget -nv -S -c --tries=1 --timeout="$PATIENCE" -O "$part" "$url" 2>&1)
    code=$?
    each_line "$said"
    case $code in
    0)
        case $url$away in
        https:*1)
            rm -f "$part"
            code=1 reason='it redirects to an address that is not https'
            ;;
        esac
        ;;
    3) code=23 ;;
    4)
        code=56
        case $said in *'Connection refused'* | *'unable to resolve'*) code=7 ;; esac
        ;;
    5) code=60 ;;
    8) code=22 ;;
    28)
        too_slow
        # It reads what it has once more, to pass over it: no byte is added meanwhile.
        [ "$began$status" != 1200 ] || rm -f "$part"
        ;;
    esac
}

once_python() {
    said=$(watched python3 -I -c "$PYTHON_DOWNLOAD" "$url" "$part" "$PATIENCE" 2>&1)
    code=$?
    each_line "$said"
    [ "$code" -ne 28 ] || too_slow
}

too_slow() {
    reason="less than $SLOWEST bytes a second came for $PATIENCE s"
}

# Finds the last status and the reason in what a tool said.
each_line() {
    old_ifs=$IFS
    IFS=$NEWLINE
    set -f
    for line in $1; do
        case $line in
        'status '*) status=${line#status } ;;
        '  HTTP/'*)
            status=${line#* HTTP/* }
            status=${status%% *}
            ;;
        '  '[Ll]ocation:*[Hh][Tt][Tt][Pp]://*) away=1 ;;
        '  '*) ;;
        curl:*) reason=${line#curl: } ;;
        *ERROR* | *rror:* | *failed:*) reason=$line ;;
        *) reason=${reason:-$line} ;;
        esac
    done
    set +f
    IFS=$old_ifs
}

# Runs a tool that has no such limit of its own; 28 where the file grew too slowly.
watched() {
    slow=$cache/slow.part
    rm -f "$slow"
    "$@" &
    running=$!
    # Without the step's lock: nothing of it may outlast the step.
    watch "$running" >/dev/null 2>&1 9>&- &
    watcher=$!
    wait "$running" 2>/dev/null
    ended=$?
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    [ ! -e "$slow" ] || ended=28
    rm -f "$slow"
    return "$ended"
}

watch() {
    pause=
    trap 'kill $pause 2>/dev/null; exit' TERM
    seen=$(size)
    since=$(uptime_seconds)
    while kill -0 "$1"; do
        sleep 1 &
        pause=$!
        wait "$pause"
        [ $(($(uptime_seconds) - since)) -ge "$PATIENCE" ] || continue
        now=$(size)
        if [ $((now - seen)) -lt $((SLOWEST * PATIENCE)) ]; then
            : >"$slow"
            kill "$1"
            return
        fi
        seen=$now
        since=$(uptime_seconds)
    done
}

size() {
    if [ -f "$part" ]; then wc -c <"$part"; else echo 0; fi
}

# Not the clock, which may be set meanwhile.
uptime_seconds() {
    read -r seconds _ </proc/uptime
    echo "${seconds%.*}"
}

# One attempt; it exits as curl does.
PYTHON_DOWNLOAD='
import os, socket, sys, urllib.request
from http.client import HTTPException

url, path, patience = sys.argv[1:4]


def end(code, text):
    print("%s" % text)
    sys.exit(code)


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, answer, code, message, headers, target):
        if request.full_url.startswith("https:") and not target.lower().startswith("https:"):
            end(1, "it redirects to an address that is not https")
        return super().redirect_request(request, answer, code, message, headers, target)


have = os.path.getsize(path) if os.path.exists(path) else 0
request = urllib.request.Request(url, headers={"Range": "bytes=%d-" % have} if have else {})
try:
    answer = urllib.request.build_opener(Redirects).open(request, timeout=int(patience))
    resumed = answer.getcode() == 206
    announced = answer.headers.get("Content-Length")
    came = 0
    with open(path, "ab" if resumed else "wb", 0) as target:
        while True:
            piece = answer.read1(1 << 16)
            if not piece:
                break
            came += len(piece)
            try:
                target.write(piece)
            except OSError as error:
                end(23, error)
    if announced and came != int(announced):
        end(18, "cut short after %d of %s bytes" % (came, announced))
except urllib.error.HTTPError as error:
    print("status %d" % error.code)
    end(22, "HTTP error %d" % error.code)
except urllib.error.URLError as error:
    if "CERTIFICATE_VERIFY_FAILED" in str(error.reason):
        end(60, error.reason)
    end(7 if isinstance(error.reason, (ConnectionRefusedError, socket.gaierror)) else 56, error.reason)
except (OSError, ValueError, HTTPException) as error:
    end(56, error or repr(error))
'

main "$@"
