# Note that a generation was judged unusable, so that nothing ever switches to it.
#
# reject_generation.sh PREFIX REASON

main() {
    printf '%s\n' "$2" >"$1/.provision-rejected"
}

main "$@"
