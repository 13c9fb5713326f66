# Build one generation of an environment: conda's packages, then pip's, then variables, then our marker, last.
#
# build_environment.sh STATE_DIR CONDA BASE GENERATION CHANNELS SPECS REQUIREMENTS CONSTRAINTS \
#     VARIABLES MARKER CUDA TERMS PIP_INDEXES FETCH OFFLINE
# CHANNELS: one a line; below an empty line those that are asked where these do not serve. PIP_INDEXES: one a line
# with who serves PyTorch's wheels, asked where those before do not serve; "-" is the original. SPECS: match specifications, one a line. REQUIREMENTS: a pip requirements file's text, or empty.
# VARIABLES: conda-meta/state's JSON, or empty. MARKER: a JSON object without its closing brace.
# FETCH: the Python text of fetch_packages.py where the environment has a lock, or empty; its list is on stdin then, and
# REQUIREMENTS name every distribution with its checksum. OFFLINE: "yes" where all of them are in the cache already.
# Exit codes: 0 built (or it had been), 10 conda failed, 11 pip failed, 12 pip is missing, 14 an archive of the lock could
# not be had, 73 cannot write.

NEWLINE='
'
BETWEEN=$NEWLINE$NEWLINE
TORCH='https://download\.pytorch\.org/whl'
# What conda says where a server, and not what was asked for, stands in the way.
NOT_SERVED='CondaHTTPError|HTTP [45][0-9][0-9]|[45][0-9][0-9] (Client|Server) Error|UnavailableInvalidChannel|ConnectionFailed|NewConnectionError|ConnectTimeout|ReadTimeout|Connection (refused|reset)|Could not resolve host|Temporary failure in name|SSLError|CERTIFICATE_VERIFY_FAILED|ChecksumMismatchError|CondaVerificationError|CorruptedEnvironmentError|InvalidArchiveError|appears to be corrupted'
# The same of pip, which takes an index that refuses for one that has nothing.
INDEX_FAILED='No matching distribution found|HTTP error|HTTPError|ConnectTimeout|ReadTimeout|ConnectionError|Connection (refused|reset|broken)|NewConnectionError|Temporary failure in name|SSLError|DO NOT MATCH THE HASHES'

main() {
    work=
    build "$@"
    code=$?
    [ -z "$work" ] || rm -rf "$work"
    # A failure gives the room back; what runs now is another generation and stays.
    # What was chosen to download from did not serve: it is chosen anew.
    case $code in 10 | 11 | 14) rm -f "$state"/record/*/mirrors.json ;; esac
    if [ "$code" -ne 0 ] && [ -n "$work" ] && [ "$(readlink "$base/current")" != "$generation" ]; then
        rm -rf "$prefix"
    fi
    return "$code"
}

build() {
    state=$1 conda=$2 base=$3 generation=$4 channels=$5 specs=$6 requirements=$7 constraints=$8 variables=$9
    shift 9
    marker=$1
    shift
    # shellcheck disable=SC2034  # read by conda_isolated
    conda_cuda=$1 conda_terms=$2 pip_indexes=$3 fetch=$4 offline=$5
    conda_packages=$state/pkgs
    prefix=$base/$generation
    umask 022
    if [ -f "$prefix/.provision-generation.json" ] && [ ! -f "$prefix/.provision-rejected" ]; then
        echo "generation $generation is there"
        return 0
    fi
    mkdir -p "$base" || return 73
    work=$base/.work
    chmod 700 "$state" || return 73
    forget_unfinished
    rm -rf "$work"
    mkdir -p "$work/home" "$conda_packages" || return 73
    if [ -n "$fetch" ]; then
        fetch_locked || return $?
    else
        printf '%s\n' "$specs" >"$work/specs.txt" || return 73
    fi
    create || return 10
    if [ -n "$requirements" ]; then
        install_requirements || return $?
    fi
    if [ -n "$variables" ]; then
        printf '%s\n' "$variables" >"$prefix/conda-meta/state" || return 73
    fi
    sync -f "$prefix" 2>/dev/null
    printf '%s,"packages":"%s","built":%s}\n' "$marker" "$(packages_digest "$prefix")" "$(date +%s)" \
        >"$prefix/.provision-generation.new" || return 73
    mv -f "$prefix/.provision-generation.new" "$prefix/.provision-generation.json" || return 73
    echo "generation $generation is complete"
}

# What a kill or a rejection left behind is never used, so it goes before its name is used again.
forget_unfinished() {
    for one in "$base"/*-*; do
        if [ ! -d "$one" ] || [ -h "$one" ]; then continue; fi
        [ "$(readlink "$base/current")" != "${one##*/}" ] || continue
        if [ ! -f "$one/.provision-generation.json" ] || [ -f "$one/.provision-rejected" ]; then
            echo "removing the unfinished ${one##*/}"
            rm -rf "$one"
        fi
    done
}

# The archives come by a program of ours: it resumes, checks each by its SHA-256, and asks one server after the other.
# conda then only unpacks and links: nothing is solved.
fetch_locked() {
    cat >"$work/lock.json" || return 73
    "${conda%/*}/python" -I -c "$fetch" "$work/lock.json" "$state/cache/channels" "$work/specs.txt" </dev/null
}

create() {
    rest=$channels
    while :; do
        channels=${rest%%"$BETWEEN"*}
        create_from && return 0
        case $rest in *"$BETWEEN"*) ;; *) return 1 ;; esac
        grep -Eqi "$NOT_SERVED" "$work/conda.log" || return 1
        rest=${rest#*"$BETWEEN"}
        printf 'these channels do not serve, asking the next ones: %s\n' "$(printf '%s' "$channels" | tr '\n' ' ')"
    done
}

create_from() {
    attempt_create && return 0
    if grep -Eqi 'errno[: ]*28|no space left|disk quota' "$work/conda.log" || full; then
        echo "No space left on device for $base: removing the package cache, which is damaged now"
        conda_isolated "$work/home" "$conda" clean --packages --tarballs -y >/dev/null 2>&1
        return 1
    fi
    grep -Eq 'CondaVerificationError|CorruptedEnvironmentError|InvalidArchiveError|ChecksumMismatchError|appears to be corrupted' \
        "$work/conda.log" || return 1
    echo 'the package cache is damaged (an earlier kill does that): cleaning it and trying once more'
    conda_isolated "$work/home" "$conda" clean --packages --tarballs -y || return 1
    attempt_create
}

# conda does not always say it: a full disk may read as a damaged package alone.
full() {
    free=$(df -Pk "$base" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
    [ "${free:-9999}" -lt 1024 ]
}

attempt_create() {
    rm -rf "$prefix"
    set --
    while IFS= read -r channel; do
        [ -z "$channel" ] || set -- "$@" -c "$channel"
    done <<END
$channels
END
    [ -z "$fetch" ] || set -- "$@" --offline
    echo "conda create -p $prefix --override-channels $*"
    {
        conda_isolated "$work/home" "$conda" create -y -p "$prefix" --no-default-packages --override-channels "$@" \
            --file "$work/specs.txt" 2>&1
        echo $? >"$work/conda.code"
    } | tee "$work/conda.log"
    [ "$(cat "$work/conda.code")" = 0 ] && [ -f "$prefix/conda-meta/history" ]
}

install_requirements() {
    set --
    python=$prefix/bin/python
    [ -x "$python" ] || {
        echo 'there is a pip section, but the environment has no python'
        return 12
    }
    printf '%s\n' "$constraints" >"$work/constraints.txt" || return 73
    rest=$pip_indexes
    while :; do
        pip_index=${rest%%"$NEWLINE"*}
        torch=${pip_index#* } pip_index=${pip_index%% *}
        [ "$pip_index" != - ] || pip_index=
        pip_install
        code=$?
        [ "$code" -ne 0 ] || return 0
        case $rest in *"$NEWLINE"*) ;; *) return 11 ;; esac
        grep -Eqi "$INDEX_FAILED" "$work/pip.log" || return 11
        rest=${rest#*"$NEWLINE"}
        echo "this index does not serve: ${pip_index:-that of pip itself}; asking the next one"
    done
}

pip_install() {
    printf '%s\n' "$requirements" >"$work/requirements.txt" || return 73
    # Every line keeps its checksum where it has one: who serves the file does not matter then.
    [ "$torch" = - ] || sed -i "s|$TORCH|$(printf '%s' "$torch" | sed 's/[&|\\]/\\&/g')|g" "$work/requirements.txt" || return 73
    echo "pip install -r requirements.txt"
    {
        run_pip 2>&1
        echo $? >"$work/pip.code"
    } | tee "$work/pip.log"
    [ "$(cat "$work/pip.code")" = 0 ]
}

run_pip() {
    (
        # PYTHON* too: -I keeps them from pip itself, not from what it starts to build a package.
        for name in $(env | sed -n 's/^\(\(PIP_\|PYTHON\)[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
        # Logins of private indexes stand there, and the home of this build is another one.
        [ -n "${NETRC:-}" ] || NETRC=$HOME/.netrc
        HOME=$work/home
        PATH=$prefix/bin:$PATH
        CONDA_PREFIX=$prefix
        PIP_CONFIG_FILE=/dev/null
        PIP_CACHE_DIR=$state/pip-cache
        export NETRC HOME PATH CONDA_PREFIX PIP_CONFIG_FILE PIP_CACHE_DIR
        [ -z "$pip_index" ] || { PIP_INDEX_URL=$pip_index && export PIP_INDEX_URL; }
        # pip leaves an index by http aside unless its server is named: the mirror is the user's own word.
        case $pip_index in
        http://*)
            PIP_TRUSTED_HOST=${pip_index#http://}
            PIP_TRUSTED_HOST=${PIP_TRUSTED_HOST%%/*}
            export PIP_TRUSTED_HOST
            ;;
        esac
        cd "$work" || exit 73
        # A lock names all of them: what they need is in it, and nothing else is to come along.
        [ -z "$fetch" ] || set -- --no-deps --require-hashes
        [ -z "$offline" ] || set -- "$@" --no-index --find-links "$state/cache/wheels"
        "$python" -I -m pip install "$@" --no-input --disable-pip-version-check --no-warn-script-location \
            --progress-bar off -r "$work/requirements.txt" -c "$work/constraints.txt" </dev/null
    )
}

main "$@"
