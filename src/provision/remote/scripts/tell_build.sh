# What the build of a generation kept of its packages, and which packages came after it. Prints key|text.
#
# tell_build.sh PREFIX
# kept|JSON    the list that was written when the build was proven
# since|SECONDS|PATH    metadata of a package that is newer than the build, and its time

main() {
    cd -- "$1" 2>/dev/null || return 0
    if [ -f .provision-packages.json ] && [ -r .provision-packages.json ]; then
        head -c 4194304 <.provision-packages.json | sed 's/^/kept|/'
    fi
    for folder in conda-meta lib/python3*/site-packages; do
        [ -d "$folder" ] || continue
        find "$folder" -maxdepth 1 -newer .provision-generation.json \
            \( -name '*.json' -o -name '*.dist-info' -o -name '*.egg-info' \) -exec stat -c 'since|%Y|%n' {} + 2>/dev/null |
            head -n 2000
    done
    return 0
}

main "$@"
