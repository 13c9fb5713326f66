# packages_digest PREFIX: 32 hex digits that change when a conda package or a pip distribution comes or goes.
# It is the SHA-256, cut to 32 digits, of the names of the metadata of both, sorted as bytes, one a line, relative to
# PREFIX; a pattern that matches nothing stands for itself. Nothing is printed where PREFIX cannot be entered.
packages_digest() (
    unset CDPATH
    cd -- "$1" 2>/dev/null || return 1
    digest=$(
        printf '%s\n' conda-meta/*.json \
            lib/python3*/site-packages/*.dist-info lib/python3*/site-packages/*.egg-info \
            lib/python3*/site-packages/*.egg-link lib/python3*/site-packages/*.pth |
            LC_ALL=C sort | sha256sum
    ) || return 1
    printf '%.32s\n' "$digest"
)
