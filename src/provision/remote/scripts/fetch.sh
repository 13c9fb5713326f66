# Bring a file to the cache by download: resumed where it stopped, checked by sha256, in place by one rename.
#
# fetch.sh CACHE NAME SHA256 URL...
# SHA256 may be empty: the first use pins it. Prints "sha256 <digest>" at the end.
# Exit codes: 0 there, 69 no way out (no tool, or no server answered), 65 wrong content, 73 cannot write.
# A partial file of an earlier run is taken up; where the whole is wrong then, it is fetched once more from its start.

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
    # Without a digest nobody could tell whether both halves are of one file.
    [ -n "$want" ] || rm -f "$part"
    wrong=
    for url in "$@"; do
        resumed=
        [ ! -s "$part" ] || resumed=1
        printf 'download %s\n' "$url"
        download "$url" "$part"
        got=$(digest "$part")
        if [ "$code" -eq 0 ] && [ -n "$resumed" ] && [ "$got" != "$want" ]; then
            printf 'what an earlier run began does not fit: once more from the start\n'
            rm -f "$part"
            download "$url" "$part"
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
        printf 'sha256 %s\n' "$got"
        return 0
    done
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

# Each tool resumes a partial file, gives up on a server that sends nothing for 30 s, and checks certificates.
# Leaves its exit code in $code: 73 where the file could not be written.
download() {
    code=69
    if command -v curl >/dev/null 2>&1; then
        fetch_curl "$1" "$2"
    # wget follows a redirect from https to http: only a checksum makes that harmless.
    elif [ -n "$want" ] && command -v wget >/dev/null 2>&1; then
        wget -q -c --tries=3 --timeout=30 -O "$2" "$1"
    elif command -v python3 >/dev/null 2>&1; then
        python3 -I -c "$PYTHON_DOWNLOAD" "$1" "$2"
    else
        echo 'nothing here can download it: no curl, wget or python3'
        return
    fi
    code=$?
    [ "$code" -eq 0 ] || printf 'failed with code %s: %s\n' "$code" "$1"
    free=$(df -Pk "${2%/*}" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
    if [ "$code" -ne 0 ] && [ "${free:-9999}" -lt 1024 ]; then
        printf 'No space left on device: %s kB free for %s\n' "$free" "$2"
        code=73
    fi
}

fetch_curl() {
    plain=
    case $1 in http:*) plain=,http ;; esac
    for attempt in 1 2 3; do
        curl -fsSL --proto-redir "=https$plain" --connect-timeout 15 --speed-limit 1 --speed-time 30 -C - -o "$2" "$1"
        code=$?
        # 33 and 416: the server cannot resume, or the partial file is already longer than the whole.
        case $code in
        0) return 0 ;;
        22 | 33 | 36) rm -f "$2" ;;
        # 23: it could not write; the others: no name, no server, no trust.
        6 | 7 | 23 | 60) return "$code" ;;
        esac
        sleep "$attempt"
    done
    return "$code"
}

PYTHON_DOWNLOAD='
import os, shutil, sys, time, urllib.request
from http.client import HTTPException

url, path = sys.argv[1:3]


def attempt():
    have = os.path.getsize(path) if os.path.exists(path) else 0
    request = urllib.request.Request(url, headers={"Range": "bytes=%d-" % have} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        os.unlink(path)
        answer = urllib.request.urlopen(url, timeout=30)
    if url.startswith("https:") and not answer.geturl().startswith("https:"):
        raise SystemExit("%s redirects to %s, which is not https" % (url, answer.geturl()))
    resumed = answer.getcode() == 206
    with open(path, "ab" if resumed else "wb") as target:
        before = target.tell() if resumed else 0
        shutil.copyfileobj(answer, target)
        announced = answer.headers.get("Content-Length")
        if announced and target.tell() - before != int(announced):
            raise IOError("cut short after %d of %s bytes" % (target.tell() - before, announced))


for number in range(1, 4):
    try:
        attempt()
        break
    except (IOError, HTTPException) as error:
        refused = getattr(error, "code", 0) // 100 == 4
        if number == 3 or refused:
            raise SystemExit("%s: %s" % (url, error))
        time.sleep(number)
'

main "$@"
