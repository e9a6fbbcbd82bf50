# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_repltool_global_optspecs
    string join \n color= h/help V/version
end

function __fish_repltool_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_repltool_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_repltool_using_subcommand
    set -l cmd (__fish_repltool_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c repltool -n "__fish_repltool_needs_command" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_needs_command" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "sniff" -d 'Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "report" -d 'Sum up a capture: one summary per replication link, what happened, why, how long, how far behind'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "extract" -d 'Carve the RDB or the replication stream of a link out of a capture, byte for byte'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "rdb" -d 'Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "replay" -d 'Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "serve" -d 'Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "completions" -d 'Print shell completions'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "man" -d 'Print the man page, of repltool or of one command'
complete -c repltool -n "__fish_repltool_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s i -l interface -d 'Capture live on this interface; `any` is all of them' -r
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s r -l read -d 'Read a capture file instead; `-` is standard input' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s w -l write -d 'Also write the packets seen to a file: pcap, or pcapng where its name ends so; `-` is standard output, and then nothing else is printed' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s c -l count -d 'Stop after this many packets' -r
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s s -l snaplen -d 'Capture at most this many bytes of each packet (live only; 0 is all)' -r
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s B -l buffer-size -d 'The kernel\'s capture buffer: KiB as in tcpdump, or with a unit (64mb). Live only; 32 MiB unless given' -r
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -l max-bytes -d 'Show at most this many bytes of each argument, with a unit if need be (64kb); 0 is all. Text shows 256 unless told otherwise, JSON 1mb' -r
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s T -d 'Accepted for tcpdump\'s sake: everything is taken for RESP where it is' -r
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s D -l list-interfaces -d 'List the interfaces to capture on'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -l clients -d 'Show ordinary clients\' commands and replies too'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -l show-secrets -d 'Show passwords instead of ********'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s v -l verbose -d 'Show what is folded otherwise: heartbeats, equal ACKs, repeated connections'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s l -l line-buffered -d 'Write each line as soon as it is whole. Live captures do so anyway'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s n -d 'Accepted for tcpdump\'s sake: addresses and ports are never resolved to names'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand sniff" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand report" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand report" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand report" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand report" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand extract" -s l -l link -d 'The link, by the number that sniff and report give it. Needed where several could be meant' -r
complete -c repltool -n "__fish_repltool_using_subcommand extract" -l rdb -d 'Write the RDB here; `-` is standard output. Of a sync over two connections either one\'s number will do' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand extract" -l stream -d 'Write the replication stream here; `-` is standard output' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand extract" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand extract" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand extract" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "info" -d 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "keys" -d 'List its keys, a line each'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "dump" -d 'Write all of it: a JSON object a record, or the commands that rebuild the data'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "check" -d 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "convert" -d 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "diff" -d 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "explain" -d 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "salvage" -d 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and not __fish_seen_subcommand_from info keys dump check convert diff explain salvage help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from info" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from info" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from info" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from info" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from info" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l match -d 'Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \\ before a sign that stands for itself' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l type -d 'Keys of this type; more than one with commas, or by repeating the option' -r -f -a "string\t'Strings'
list\t'Lists'
set\t'Sets'
zset\t'Sorted sets'
hash\t'Hashes'
stream\t'Streams'
module\t'What modules keep, vector sets too'
array\t'Sparse arrays'
gcra\t'Rate limits'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l db -d 'Keys of this database; more than one with commas, or by repeating the option' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l expires -d 'Keys that have an expiry, or have none' -r -f -a "yes\t'They have'
no\t'They have not'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l min-bytes -d 'Keys that take at least so many bytes of the file, with a unit if need be (64kb)' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'JSON Lines'
csv\t'Comma-separated values'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from keys" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -s f -l format -d 'The form of the output' -r -f -a "json\t'JSON Lines'
resp\t'Commands in RESP'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l match -d 'Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \\ before a sign that stands for itself' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l type -d 'Keys of this type; more than one with commas, or by repeating the option' -r -f -a "string\t'Strings'
list\t'Lists'
set\t'Sets'
zset\t'Sorted sets'
hash\t'Hashes'
stream\t'Streams'
module\t'What modules keep, vector sets too'
array\t'Sparse arrays'
gcra\t'Rate limits'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l db -d 'Keys of this database; more than one with commas, or by repeating the option' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l expires -d 'Keys that have an expiry, or have none' -r -f -a "yes\t'They have'
no\t'They have not'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l min-bytes -d 'Keys that take at least so many bytes of the file, with a unit if need be (64kb)' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from dump" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from check" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from check" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from check" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from check" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -s o -l output -d 'Where the RDB goes, `-` for standard output. A file appears only when it is whole' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -l to -d 'The version: `same` as the input\'s; `lowest`, the oldest that holds every value; `lossless`, the oldest that holds everything; an RDB version, REDIS9 or VALKEY80; or the one that a server writes, redis-6.2 or valkey-9.1' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -l no-compress -d 'Leave the strings uncompressed'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -l no-checksum -d 'Write eight zero bytes in the checksum\'s place, which servers take for none'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -l skip -d 'Leave out the keys and other records that the version cannot hold, instead of writing nothing'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from convert" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -l link-a -d 'Where A is a capture, the link whose RDB is meant' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -l link-b -d 'Where B is a capture, the link whose RDB is meant' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from diff" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -s o -l offset -d 'The byte, from 0 at the magic; hexadecimal with 0x' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -l limit -d 'List at most so many records' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from explain" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -s l -l link -d 'Of a capture, the link whose RDB is meant; needed where it holds several' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -s o -l output -d 'Write the result here; `-` is standard output, and the list then goes to standard error' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -l assume -d 'The header of an RDB whose own is damaged, as REDIS0011 or VALKEY080. Unless given it is guessed by the server\'s version' -r
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from salvage" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "info" -d 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "keys" -d 'List its keys, a line each'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Write all of it: a JSON object a record, or the commands that rebuild the data'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "convert" -d 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "salvage" -d 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost'
complete -c repltool -n "__fish_repltool_using_subcommand rdb; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l link -d 'Only this link, by its number in the report; more than one by repeating the option' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l speed -d 'How fast: `max`, or so many times as fast as it was recorded; 1 where it is asked what becomes of links in time' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -s w -l write -d 'Write the replayed conversation to this capture' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l cut-at -d 'What if: cut the link when its replica has applied this offset, when packet:N has come, or when so many bytes of the RDB have; it comes back by itself. More than one by repeating the option' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l repl-backlog-size -d 'What if: with this backlog, not one in which everything holds that held. For bytes that the capture lacks others stand, as many as there were' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l diskless -d 'What if: full syncs over one connection are diskless, or go by a file' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l repl-timeout -d 'What if: the ends give each other up after so many seconds without a word' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l client-output-buffer-limit -d 'What if: a master drops replicas for whom this much waits, as in redis.conf: \'replica 256mb 64mb 60\'' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l delay -d 'What if: each byte is under way so long, in either direction, as in 250ms' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l bandwidth -d 'What if: no more than so many bytes go in a second, in either direction, as in 100kb' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l rdb -d 'What the master held where the capture begins after the sync: an RDB file' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l to -d 'Do what the recorded replica did to this real master; several, by commas or by repeating the option, one after the other. It is asked as the recorded one was, in the first place with the recorded history and offset; what is compared is whether it answers with a full or a partial sync, and how the RDB travels' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l listen -d 'Wait here for a real replica, and feed it the recorded master\'s side at the recorded offsets; several, one after the other. Afterwards it is asked for its DEBUG DIGEST. Without a host on 127.0.0.1' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l as -d 'The side that is played, a real server having the other: `replica` with --to, `master` with --listen' -r -f -a "replica\t'The recorded replica\'s'
master\t'The recorded master\'s'"
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l masterauth -d 'The password between master and replica: said to the master of --to, asked of the replica of --listen' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l masteruser -d 'The user whose password that is' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l compat -d 'Which server those are of which the capture does not tell: redis-2.8 to redis-8.2, valkey-8.1 or valkey-9.1' -r
complete -c repltool -n "__fish_repltool_using_subcommand replay" -s f -l format -d 'The form of the output' -r -f -a "text\t'For people'
json\t'For programs: JSON Lines from sniff, one object from report'"
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l dry-run -d 'Tell the story, and do not play it'
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l find-backlog -d 'Find the smallest backlog with which the replicas\' returns are partial syncs, those that overran it included'
complete -c repltool -n "__fish_repltool_using_subcommand replay" -l json -d 'Short for `--format json`'
complete -c repltool -n "__fish_repltool_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand replay" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l role -d 'What it begins as. A replica needs --replicaof, here or in the configuration file' -r -f -a "master\t'It takes writes'
replica\t'It follows a master'"
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replicaof -d 'Follow this master' -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l rdb -d 'Begin with this RDB: a dump, or whatever `repltool rdb` reads' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l load -d 'Begin with the full sync in this capture: its keys, its replid and its offset' -r -F
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l link -d 'Of a capture with several full syncs, the link whose sync is meant' -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l compat -d 'Which server to be like: redis-6.2, redis-7.0, redis-7.2, redis-7.4, redis-8.2, valkey-8.1 or valkey-9.1' -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l fault -d 'Break the protocol on purpose towards replicas and clients, and log when: cut-rdb:BYTES, cut-offset:N, no-reply:COMMAND, reply:COMMAND:TEXT, delay:PHASE:DURATION (handshake, sync, rdb, stream), wrong-replid, offset-skew:N, stream-newlines, lose-first-ack or late-eof-mark[:DURATION]. Each happens once on every connection, cut-offset once for every replica' -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l bind -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l port -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l tcp-backlog -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l unixsocket -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l protected-mode -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l timeout -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l tcp-keepalive -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l maxclients -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l requirepass -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l enable-debug-command -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l enable-protected-configs -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l enable-module-command -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l acllog-max-len -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l aclfile -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l acl-pubsub-default -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l daemonize -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l supervised -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l pidfile -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l logfile -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l loglevel -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l databases -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l always-show-logo -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l set-proc-title -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l shutdown-timeout -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l key-load-delay -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l hz -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l dynamic-hz -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l io-threads -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l cluster-enabled -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l save -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l dir -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l dbfilename -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l rdbcompression -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l rdbchecksum -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l rdb-del-sync-files -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l rdb-save-incremental-fsync -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l stop-writes-on-bgsave-error -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l sanitize-dump-payload -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l appendonly -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l appendfsync -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l masterauth -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l masteruser -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-serve-stale-data -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-read-only -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-priority -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-announce-ip -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-announce-port -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-announced -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-lazy-flush -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-ignore-maxmemory -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-diskless-sync -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-diskless-sync-delay -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-diskless-sync-max-replicas -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-diskless-load -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-ping-replica-period -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-timeout -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-disable-tcp-nodelay -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-backlog-size -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-backlog-ttl -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l replica-full-sync-buffer-limit -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l repl-rdb-channel -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l dual-channel-replication-enabled -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l min-replicas-to-write -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l min-replicas-max-lag -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l import-mode -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l propagation-error-behavior -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l maxmemory -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l maxmemory-policy -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l maxmemory-samples -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l maxmemory-eviction-tenacity -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l maxmemory-clients -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lfu-log-factor -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lfu-decay-time -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l client-output-buffer-limit -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l client-query-buffer-limit -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l proto-max-bulk-len -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lazyfree-lazy-eviction -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lazyfree-lazy-expire -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lazyfree-lazy-server-del -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lazyfree-lazy-user-del -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l lazyfree-lazy-user-flush -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l slowlog-log-slower-than -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l slowlog-max-len -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l latency-monitor-threshold -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l latency-tracking -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l latency-tracking-info-percentiles -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l tracking-table-max-keys -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l notify-keyspace-events -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l busy-reply-threshold -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l hash-max-listpack-entries -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l hash-max-listpack-value -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l list-max-listpack-size -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l list-compress-depth -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l set-max-intset-entries -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l set-max-listpack-entries -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l set-max-listpack-value -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l zset-max-listpack-entries -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l zset-max-listpack-value -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l hll-sparse-max-bytes -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l stream-node-max-bytes -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l stream-node-max-entries -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l activerehashing -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l active-expire-effort -r
complete -c repltool -n "__fish_repltool_using_subcommand serve" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand serve" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand completions" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand completions" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand man" -l color -d 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured' -r -f -a "auto\t'When the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c repltool -n "__fish_repltool_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repltool -n "__fish_repltool_using_subcommand man" -s V -l version -d 'Print version'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "sniff" -d 'Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "report" -d 'Sum up a capture: one summary per replication link, what happened, why, how long, how far behind'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "extract" -d 'Carve the RDB or the replication stream of a link out of a capture, byte for byte'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "rdb" -d 'Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "replay" -d 'Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "serve" -d 'Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "completions" -d 'Print shell completions'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "man" -d 'Print the man page, of repltool or of one command'
complete -c repltool -n "__fish_repltool_using_subcommand help; and not __fish_seen_subcommand_from sniff report extract rdb replay serve completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "info" -d 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "keys" -d 'List its keys, a line each'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "dump" -d 'Write all of it: a JSON object a record, or the commands that rebuild the data'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "check" -d 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "convert" -d 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "diff" -d 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "explain" -d 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records'
complete -c repltool -n "__fish_repltool_using_subcommand help; and __fish_seen_subcommand_from rdb" -f -a "salvage" -d 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost'
