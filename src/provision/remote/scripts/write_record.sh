# Write one record, by rename, in the folder of this machine.
#
# write_record.sh STATE_DIR MACHINE NAME JSON

main() {
    folder=$1/record/$2
    umask 077
    mkdir -p "$folder" || return 73
    printf '%s\n' "$4" >"$folder/.$3.new" || return 73
    sync "$folder/.$3.new" 2>/dev/null
    mv -f "$folder/.$3.new" "$folder/$3.json"
}

main "$@"
