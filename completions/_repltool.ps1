
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'repltool' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'repltool'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'repltool' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('sniff', 'sniff', [CompletionResultType]::ParameterValue, 'Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Sum up a capture: one summary per replication link, what happened, why, how long, how far behind')
            [CompletionResult]::new('extract', 'extract', [CompletionResultType]::ParameterValue, 'Carve the RDB or the replication stream of a link out of a capture, byte for byte')
            [CompletionResult]::new('rdb', 'rdb', [CompletionResultType]::ParameterValue, 'Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print shell completions')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the man page, of repltool or of one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'repltool;sniff' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Capture live on this interface; `any` is all of them')
            [CompletionResult]::new('--interface', '--interface', [CompletionResultType]::ParameterName, 'Capture live on this interface; `any` is all of them')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Read a capture file instead; `-` is standard input')
            [CompletionResult]::new('--read', '--read', [CompletionResultType]::ParameterName, 'Read a capture file instead; `-` is standard input')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Also write the packets seen to a file: pcap, or pcapng where its name ends so; `-` is standard output, and then nothing else is printed')
            [CompletionResult]::new('--write', '--write', [CompletionResultType]::ParameterName, 'Also write the packets seen to a file: pcap, or pcapng where its name ends so; `-` is standard output, and then nothing else is printed')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Stop after this many packets')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Stop after this many packets')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Capture at most this many bytes of each packet (live only; 0 is all)')
            [CompletionResult]::new('--snaplen', '--snaplen', [CompletionResultType]::ParameterName, 'Capture at most this many bytes of each packet (live only; 0 is all)')
            [CompletionResult]::new('-B', '-B ', [CompletionResultType]::ParameterName, 'The kernel''s capture buffer: KiB as in tcpdump, or with a unit (64mb). Live only; 32 MiB unless given')
            [CompletionResult]::new('--buffer-size', '--buffer-size', [CompletionResultType]::ParameterName, 'The kernel''s capture buffer: KiB as in tcpdump, or with a unit (64mb). Live only; 32 MiB unless given')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--max-bytes', '--max-bytes', [CompletionResultType]::ParameterName, 'Show at most this many bytes of each argument, with a unit if need be (64kb); 0 is all. Text shows 256 unless told otherwise, JSON 1mb')
            [CompletionResult]::new('-T', '-T ', [CompletionResultType]::ParameterName, 'Accepted for tcpdump''s sake: everything is taken for RESP where it is')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'List the interfaces to capture on')
            [CompletionResult]::new('--list-interfaces', '--list-interfaces', [CompletionResultType]::ParameterName, 'List the interfaces to capture on')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'Show ordinary clients'' commands and replies too')
            [CompletionResult]::new('--show-secrets', '--show-secrets', [CompletionResultType]::ParameterName, 'Show passwords instead of ********')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show what is folded otherwise: heartbeats, equal ACKs, repeated connections')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show what is folded otherwise: heartbeats, equal ACKs, repeated connections')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Write each line as soon as it is whole. Live captures do so anyway')
            [CompletionResult]::new('--line-buffered', '--line-buffered', [CompletionResultType]::ParameterName, 'Write each line as soon as it is whole. Live captures do so anyway')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Accepted for tcpdump''s sake: addresses and ports are never resolved to names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;report' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;extract' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'The link, by the number that sniff and report give it. Needed where several could be meant')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'The link, by the number that sniff and report give it. Needed where several could be meant')
            [CompletionResult]::new('--rdb', '--rdb', [CompletionResultType]::ParameterName, 'Write the RDB here; `-` is standard output. Of a sync over two connections either one''s number will do')
            [CompletionResult]::new('--stream', '--stream', [CompletionResultType]::ParameterName, 'Write the replication stream here; `-` is standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes')
            [CompletionResult]::new('keys', 'keys', [CompletionResultType]::ParameterValue, 'List its keys, a line each')
            [CompletionResult]::new('dump', 'dump', [CompletionResultType]::ParameterValue, 'Write all of it: a JSON object a record, or the commands that rebuild the data')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records')
            [CompletionResult]::new('salvage', 'salvage', [CompletionResultType]::ParameterValue, 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'repltool;rdb;info' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;keys' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--match', '--match', [CompletionResultType]::ParameterName, 'Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \ before a sign that stands for itself')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Keys of this type; more than one with commas, or by repeating the option')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Keys of this database; more than one with commas, or by repeating the option')
            [CompletionResult]::new('--expires', '--expires', [CompletionResultType]::ParameterName, 'Keys that have an expiry, or have none')
            [CompletionResult]::new('--min-bytes', '--min-bytes', [CompletionResultType]::ParameterName, 'Keys that take at least so many bytes of the file, with a unit if need be (64kb)')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;dump' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--match', '--match', [CompletionResultType]::ParameterName, 'Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \ before a sign that stands for itself')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Keys of this type; more than one with commas, or by repeating the option')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Keys of this database; more than one with commas, or by repeating the option')
            [CompletionResult]::new('--expires', '--expires', [CompletionResultType]::ParameterName, 'Keys that have an expiry, or have none')
            [CompletionResult]::new('--min-bytes', '--min-bytes', [CompletionResultType]::ParameterName, 'Keys that take at least so many bytes of the file, with a unit if need be (64kb)')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;check' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;convert' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where the RDB goes, `-` for standard output. A file appears only when it is whole')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Where the RDB goes, `-` for standard output. A file appears only when it is whole')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The version: `same` as the input''s; `lowest`, the oldest that holds every value; `lossless`, the oldest that holds everything; an RDB version, REDIS9 or VALKEY80; or the one that a server writes, redis-6.2 or valkey-9.1')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--no-compress', '--no-compress', [CompletionResultType]::ParameterName, 'Leave the strings uncompressed')
            [CompletionResult]::new('--no-checksum', '--no-checksum', [CompletionResultType]::ParameterName, 'Write eight zero bytes in the checksum''s place, which servers take for none')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Leave out the keys and other records that the version cannot hold, instead of writing nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;diff' {
            [CompletionResult]::new('--link-a', '--link-a', [CompletionResultType]::ParameterName, 'Where A is a capture, the link whose RDB is meant')
            [CompletionResult]::new('--link-b', '--link-b', [CompletionResultType]::ParameterName, 'Where B is a capture, the link whose RDB is meant')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;explain' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The byte, from 0 at the magic; hexadecimal with 0x')
            [CompletionResult]::new('--offset', '--offset', [CompletionResultType]::ParameterName, 'The byte, from 0 at the magic; hexadecimal with 0x')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'List at most so many records')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;salvage' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture, the link whose RDB is meant; needed where it holds several')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the result here; `-` is standard output, and the list then goes to standard error')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the result here; `-` is standard output, and the list then goes to standard error')
            [CompletionResult]::new('--assume', '--assume', [CompletionResultType]::ParameterName, 'The header of an RDB whose own is damaged, as REDIS0011 or VALKEY080. Unless given it is guessed by the server''s version')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;rdb;help' {
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes')
            [CompletionResult]::new('keys', 'keys', [CompletionResultType]::ParameterValue, 'List its keys, a line each')
            [CompletionResult]::new('dump', 'dump', [CompletionResultType]::ParameterValue, 'Write all of it: a JSON object a record, or the commands that rebuild the data')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records')
            [CompletionResult]::new('salvage', 'salvage', [CompletionResultType]::ParameterValue, 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'repltool;rdb;help;info' {
            break
        }
        'repltool;rdb;help;keys' {
            break
        }
        'repltool;rdb;help;dump' {
            break
        }
        'repltool;rdb;help;check' {
            break
        }
        'repltool;rdb;help;convert' {
            break
        }
        'repltool;rdb;help;diff' {
            break
        }
        'repltool;rdb;help;explain' {
            break
        }
        'repltool;rdb;help;salvage' {
            break
        }
        'repltool;rdb;help;help' {
            break
        }
        'repltool;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;help' {
            [CompletionResult]::new('sniff', 'sniff', [CompletionResultType]::ParameterValue, 'Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Sum up a capture: one summary per replication link, what happened, why, how long, how far behind')
            [CompletionResult]::new('extract', 'extract', [CompletionResultType]::ParameterValue, 'Carve the RDB or the replication stream of a link out of a capture, byte for byte')
            [CompletionResult]::new('rdb', 'rdb', [CompletionResultType]::ParameterValue, 'Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print shell completions')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the man page, of repltool or of one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'repltool;help;sniff' {
            break
        }
        'repltool;help;report' {
            break
        }
        'repltool;help;extract' {
            break
        }
        'repltool;help;rdb' {
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes')
            [CompletionResult]::new('keys', 'keys', [CompletionResultType]::ParameterValue, 'List its keys, a line each')
            [CompletionResult]::new('dump', 'dump', [CompletionResultType]::ParameterValue, 'Write all of it: a JSON object a record, or the commands that rebuild the data')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records')
            [CompletionResult]::new('salvage', 'salvage', [CompletionResultType]::ParameterValue, 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost')
            break
        }
        'repltool;help;rdb;info' {
            break
        }
        'repltool;help;rdb;keys' {
            break
        }
        'repltool;help;rdb;dump' {
            break
        }
        'repltool;help;rdb;check' {
            break
        }
        'repltool;help;rdb;convert' {
            break
        }
        'repltool;help;rdb;diff' {
            break
        }
        'repltool;help;rdb;explain' {
            break
        }
        'repltool;help;rdb;salvage' {
            break
        }
        'repltool;help;completions' {
            break
        }
        'repltool;help;man' {
            break
        }
        'repltool;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
