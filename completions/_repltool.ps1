
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
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to')
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
        'repltool;replay' {
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Only this link, by its number in the report; more than one by repeating the option')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'How fast: `max`, or so many times as fast as it was recorded; 1 where it is asked what becomes of links in time')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Write the replayed conversation to this capture')
            [CompletionResult]::new('--write', '--write', [CompletionResultType]::ParameterName, 'Write the replayed conversation to this capture')
            [CompletionResult]::new('--cut-at', '--cut-at', [CompletionResultType]::ParameterName, 'What if: cut the link when its replica has applied this offset, when packet:N has come, or when so many bytes of the RDB have; it comes back by itself. More than one by repeating the option')
            [CompletionResult]::new('--repl-backlog-size', '--repl-backlog-size', [CompletionResultType]::ParameterName, 'What if: with this backlog, not one in which everything holds that held. For bytes that the capture lacks others stand, as many as there were')
            [CompletionResult]::new('--diskless', '--diskless', [CompletionResultType]::ParameterName, 'What if: full syncs over one connection are diskless, or go by a file')
            [CompletionResult]::new('--repl-timeout', '--repl-timeout', [CompletionResultType]::ParameterName, 'What if: the ends give each other up after so many seconds without a word')
            [CompletionResult]::new('--client-output-buffer-limit', '--client-output-buffer-limit', [CompletionResultType]::ParameterName, 'What if: a master drops replicas for whom this much waits, as in redis.conf: ''replica 256mb 64mb 60''')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'What if: each byte is under way so long, in either direction, as in 250ms')
            [CompletionResult]::new('--bandwidth', '--bandwidth', [CompletionResultType]::ParameterName, 'What if: no more than so many bytes go in a second, in either direction, as in 100kb')
            [CompletionResult]::new('--rdb', '--rdb', [CompletionResultType]::ParameterName, 'What the master held where the capture begins after the sync: an RDB file')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Do what the recorded replica did to this real master; several, by commas or by repeating the option, one after the other. It is asked as the recorded one was, in the first place with the recorded history and offset; what is compared is whether it answers with a full or a partial sync, and how the RDB travels')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Wait here for a real replica, and feed it the recorded master''s side at the recorded offsets; several, one after the other. Afterwards it is asked for its DEBUG DIGEST. Without a host on 127.0.0.1')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'The side that is played, a real server having the other: `replica` with --to, `master` with --listen')
            [CompletionResult]::new('--masterauth', '--masterauth', [CompletionResultType]::ParameterName, 'The password between master and replica: said to the master of --to, asked of the replica of --listen')
            [CompletionResult]::new('--masteruser', '--masteruser', [CompletionResultType]::ParameterName, 'The user whose password that is')
            [CompletionResult]::new('--compat', '--compat', [CompletionResultType]::ParameterName, 'Which server those are of which the capture does not tell: redis-2.8 to redis-8.2, valkey-8.1 or valkey-9.1')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Tell the story, and do not play it')
            [CompletionResult]::new('--find-backlog', '--find-backlog', [CompletionResultType]::ParameterName, 'Find the smallest backlog with which the replicas'' returns are partial syncs, those that overran it included')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for `--format json`')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'repltool;serve' {
            [CompletionResult]::new('--role', '--role', [CompletionResultType]::ParameterName, 'What it begins as. A replica needs --replicaof, here or in the configuration file')
            [CompletionResult]::new('--replicaof', '--replicaof', [CompletionResultType]::ParameterName, 'Follow this master')
            [CompletionResult]::new('--rdb', '--rdb', [CompletionResultType]::ParameterName, 'Begin with this RDB: a dump, or whatever `repltool rdb` reads')
            [CompletionResult]::new('--load', '--load', [CompletionResultType]::ParameterName, 'Begin with the full sync in this capture: its keys, its replid and its offset')
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Of a capture with several full syncs, the link whose sync is meant')
            [CompletionResult]::new('--compat', '--compat', [CompletionResultType]::ParameterName, 'Which server to be like: redis-6.2, redis-7.0, redis-7.2, redis-7.4, redis-8.2, valkey-8.1 or valkey-9.1')
            [CompletionResult]::new('--fault', '--fault', [CompletionResultType]::ParameterName, 'Break the protocol on purpose towards replicas and clients, and log when: cut-rdb:BYTES, cut-offset:N, no-reply:COMMAND, reply:COMMAND:TEXT, delay:PHASE:DURATION (handshake, sync, rdb, stream), wrong-replid, offset-skew:N, stream-newlines, lose-first-ack or late-eof-mark[:DURATION]. Each happens once on every connection, cut-offset once for every replica')
            [CompletionResult]::new('--bind', '--bind', [CompletionResultType]::ParameterName, 'bind')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'port')
            [CompletionResult]::new('--tcp-backlog', '--tcp-backlog', [CompletionResultType]::ParameterName, 'tcp-backlog')
            [CompletionResult]::new('--unixsocket', '--unixsocket', [CompletionResultType]::ParameterName, 'unixsocket')
            [CompletionResult]::new('--protected-mode', '--protected-mode', [CompletionResultType]::ParameterName, 'protected-mode')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'timeout')
            [CompletionResult]::new('--tcp-keepalive', '--tcp-keepalive', [CompletionResultType]::ParameterName, 'tcp-keepalive')
            [CompletionResult]::new('--maxclients', '--maxclients', [CompletionResultType]::ParameterName, 'maxclients')
            [CompletionResult]::new('--requirepass', '--requirepass', [CompletionResultType]::ParameterName, 'requirepass')
            [CompletionResult]::new('--enable-debug-command', '--enable-debug-command', [CompletionResultType]::ParameterName, 'enable-debug-command')
            [CompletionResult]::new('--enable-protected-configs', '--enable-protected-configs', [CompletionResultType]::ParameterName, 'enable-protected-configs')
            [CompletionResult]::new('--enable-module-command', '--enable-module-command', [CompletionResultType]::ParameterName, 'enable-module-command')
            [CompletionResult]::new('--acllog-max-len', '--acllog-max-len', [CompletionResultType]::ParameterName, 'acllog-max-len')
            [CompletionResult]::new('--aclfile', '--aclfile', [CompletionResultType]::ParameterName, 'aclfile')
            [CompletionResult]::new('--acl-pubsub-default', '--acl-pubsub-default', [CompletionResultType]::ParameterName, 'acl-pubsub-default')
            [CompletionResult]::new('--daemonize', '--daemonize', [CompletionResultType]::ParameterName, 'daemonize')
            [CompletionResult]::new('--supervised', '--supervised', [CompletionResultType]::ParameterName, 'supervised')
            [CompletionResult]::new('--pidfile', '--pidfile', [CompletionResultType]::ParameterName, 'pidfile')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'logfile')
            [CompletionResult]::new('--loglevel', '--loglevel', [CompletionResultType]::ParameterName, 'loglevel')
            [CompletionResult]::new('--databases', '--databases', [CompletionResultType]::ParameterName, 'databases')
            [CompletionResult]::new('--always-show-logo', '--always-show-logo', [CompletionResultType]::ParameterName, 'always-show-logo')
            [CompletionResult]::new('--set-proc-title', '--set-proc-title', [CompletionResultType]::ParameterName, 'set-proc-title')
            [CompletionResult]::new('--shutdown-timeout', '--shutdown-timeout', [CompletionResultType]::ParameterName, 'shutdown-timeout')
            [CompletionResult]::new('--key-load-delay', '--key-load-delay', [CompletionResultType]::ParameterName, 'key-load-delay')
            [CompletionResult]::new('--hz', '--hz', [CompletionResultType]::ParameterName, 'hz')
            [CompletionResult]::new('--dynamic-hz', '--dynamic-hz', [CompletionResultType]::ParameterName, 'dynamic-hz')
            [CompletionResult]::new('--io-threads', '--io-threads', [CompletionResultType]::ParameterName, 'io-threads')
            [CompletionResult]::new('--cluster-enabled', '--cluster-enabled', [CompletionResultType]::ParameterName, 'cluster-enabled')
            [CompletionResult]::new('--save', '--save', [CompletionResultType]::ParameterName, 'save')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'dir')
            [CompletionResult]::new('--dbfilename', '--dbfilename', [CompletionResultType]::ParameterName, 'dbfilename')
            [CompletionResult]::new('--rdbcompression', '--rdbcompression', [CompletionResultType]::ParameterName, 'rdbcompression')
            [CompletionResult]::new('--rdbchecksum', '--rdbchecksum', [CompletionResultType]::ParameterName, 'rdbchecksum')
            [CompletionResult]::new('--rdb-del-sync-files', '--rdb-del-sync-files', [CompletionResultType]::ParameterName, 'rdb-del-sync-files')
            [CompletionResult]::new('--rdb-save-incremental-fsync', '--rdb-save-incremental-fsync', [CompletionResultType]::ParameterName, 'rdb-save-incremental-fsync')
            [CompletionResult]::new('--stop-writes-on-bgsave-error', '--stop-writes-on-bgsave-error', [CompletionResultType]::ParameterName, 'stop-writes-on-bgsave-error')
            [CompletionResult]::new('--sanitize-dump-payload', '--sanitize-dump-payload', [CompletionResultType]::ParameterName, 'sanitize-dump-payload')
            [CompletionResult]::new('--appendonly', '--appendonly', [CompletionResultType]::ParameterName, 'appendonly')
            [CompletionResult]::new('--appendfsync', '--appendfsync', [CompletionResultType]::ParameterName, 'appendfsync')
            [CompletionResult]::new('--masterauth', '--masterauth', [CompletionResultType]::ParameterName, 'masterauth')
            [CompletionResult]::new('--masteruser', '--masteruser', [CompletionResultType]::ParameterName, 'masteruser')
            [CompletionResult]::new('--replica-serve-stale-data', '--replica-serve-stale-data', [CompletionResultType]::ParameterName, 'replica-serve-stale-data')
            [CompletionResult]::new('--replica-read-only', '--replica-read-only', [CompletionResultType]::ParameterName, 'replica-read-only')
            [CompletionResult]::new('--replica-priority', '--replica-priority', [CompletionResultType]::ParameterName, 'replica-priority')
            [CompletionResult]::new('--replica-announce-ip', '--replica-announce-ip', [CompletionResultType]::ParameterName, 'replica-announce-ip')
            [CompletionResult]::new('--replica-announce-port', '--replica-announce-port', [CompletionResultType]::ParameterName, 'replica-announce-port')
            [CompletionResult]::new('--replica-announced', '--replica-announced', [CompletionResultType]::ParameterName, 'replica-announced')
            [CompletionResult]::new('--replica-lazy-flush', '--replica-lazy-flush', [CompletionResultType]::ParameterName, 'replica-lazy-flush')
            [CompletionResult]::new('--replica-ignore-maxmemory', '--replica-ignore-maxmemory', [CompletionResultType]::ParameterName, 'replica-ignore-maxmemory')
            [CompletionResult]::new('--repl-diskless-sync', '--repl-diskless-sync', [CompletionResultType]::ParameterName, 'repl-diskless-sync')
            [CompletionResult]::new('--repl-diskless-sync-delay', '--repl-diskless-sync-delay', [CompletionResultType]::ParameterName, 'repl-diskless-sync-delay')
            [CompletionResult]::new('--repl-diskless-sync-max-replicas', '--repl-diskless-sync-max-replicas', [CompletionResultType]::ParameterName, 'repl-diskless-sync-max-replicas')
            [CompletionResult]::new('--repl-diskless-load', '--repl-diskless-load', [CompletionResultType]::ParameterName, 'repl-diskless-load')
            [CompletionResult]::new('--repl-ping-replica-period', '--repl-ping-replica-period', [CompletionResultType]::ParameterName, 'repl-ping-replica-period')
            [CompletionResult]::new('--repl-timeout', '--repl-timeout', [CompletionResultType]::ParameterName, 'repl-timeout')
            [CompletionResult]::new('--repl-disable-tcp-nodelay', '--repl-disable-tcp-nodelay', [CompletionResultType]::ParameterName, 'repl-disable-tcp-nodelay')
            [CompletionResult]::new('--repl-backlog-size', '--repl-backlog-size', [CompletionResultType]::ParameterName, 'repl-backlog-size')
            [CompletionResult]::new('--repl-backlog-ttl', '--repl-backlog-ttl', [CompletionResultType]::ParameterName, 'repl-backlog-ttl')
            [CompletionResult]::new('--replica-full-sync-buffer-limit', '--replica-full-sync-buffer-limit', [CompletionResultType]::ParameterName, 'replica-full-sync-buffer-limit')
            [CompletionResult]::new('--repl-rdb-channel', '--repl-rdb-channel', [CompletionResultType]::ParameterName, 'repl-rdb-channel')
            [CompletionResult]::new('--dual-channel-replication-enabled', '--dual-channel-replication-enabled', [CompletionResultType]::ParameterName, 'dual-channel-replication-enabled')
            [CompletionResult]::new('--min-replicas-to-write', '--min-replicas-to-write', [CompletionResultType]::ParameterName, 'min-replicas-to-write')
            [CompletionResult]::new('--min-replicas-max-lag', '--min-replicas-max-lag', [CompletionResultType]::ParameterName, 'min-replicas-max-lag')
            [CompletionResult]::new('--import-mode', '--import-mode', [CompletionResultType]::ParameterName, 'import-mode')
            [CompletionResult]::new('--propagation-error-behavior', '--propagation-error-behavior', [CompletionResultType]::ParameterName, 'propagation-error-behavior')
            [CompletionResult]::new('--maxmemory', '--maxmemory', [CompletionResultType]::ParameterName, 'maxmemory')
            [CompletionResult]::new('--maxmemory-policy', '--maxmemory-policy', [CompletionResultType]::ParameterName, 'maxmemory-policy')
            [CompletionResult]::new('--maxmemory-samples', '--maxmemory-samples', [CompletionResultType]::ParameterName, 'maxmemory-samples')
            [CompletionResult]::new('--maxmemory-eviction-tenacity', '--maxmemory-eviction-tenacity', [CompletionResultType]::ParameterName, 'maxmemory-eviction-tenacity')
            [CompletionResult]::new('--maxmemory-clients', '--maxmemory-clients', [CompletionResultType]::ParameterName, 'maxmemory-clients')
            [CompletionResult]::new('--lfu-log-factor', '--lfu-log-factor', [CompletionResultType]::ParameterName, 'lfu-log-factor')
            [CompletionResult]::new('--lfu-decay-time', '--lfu-decay-time', [CompletionResultType]::ParameterName, 'lfu-decay-time')
            [CompletionResult]::new('--client-output-buffer-limit', '--client-output-buffer-limit', [CompletionResultType]::ParameterName, 'client-output-buffer-limit')
            [CompletionResult]::new('--client-query-buffer-limit', '--client-query-buffer-limit', [CompletionResultType]::ParameterName, 'client-query-buffer-limit')
            [CompletionResult]::new('--proto-max-bulk-len', '--proto-max-bulk-len', [CompletionResultType]::ParameterName, 'proto-max-bulk-len')
            [CompletionResult]::new('--lazyfree-lazy-eviction', '--lazyfree-lazy-eviction', [CompletionResultType]::ParameterName, 'lazyfree-lazy-eviction')
            [CompletionResult]::new('--lazyfree-lazy-expire', '--lazyfree-lazy-expire', [CompletionResultType]::ParameterName, 'lazyfree-lazy-expire')
            [CompletionResult]::new('--lazyfree-lazy-server-del', '--lazyfree-lazy-server-del', [CompletionResultType]::ParameterName, 'lazyfree-lazy-server-del')
            [CompletionResult]::new('--lazyfree-lazy-user-del', '--lazyfree-lazy-user-del', [CompletionResultType]::ParameterName, 'lazyfree-lazy-user-del')
            [CompletionResult]::new('--lazyfree-lazy-user-flush', '--lazyfree-lazy-user-flush', [CompletionResultType]::ParameterName, 'lazyfree-lazy-user-flush')
            [CompletionResult]::new('--slowlog-log-slower-than', '--slowlog-log-slower-than', [CompletionResultType]::ParameterName, 'slowlog-log-slower-than')
            [CompletionResult]::new('--slowlog-max-len', '--slowlog-max-len', [CompletionResultType]::ParameterName, 'slowlog-max-len')
            [CompletionResult]::new('--latency-monitor-threshold', '--latency-monitor-threshold', [CompletionResultType]::ParameterName, 'latency-monitor-threshold')
            [CompletionResult]::new('--latency-tracking', '--latency-tracking', [CompletionResultType]::ParameterName, 'latency-tracking')
            [CompletionResult]::new('--latency-tracking-info-percentiles', '--latency-tracking-info-percentiles', [CompletionResultType]::ParameterName, 'latency-tracking-info-percentiles')
            [CompletionResult]::new('--tracking-table-max-keys', '--tracking-table-max-keys', [CompletionResultType]::ParameterName, 'tracking-table-max-keys')
            [CompletionResult]::new('--notify-keyspace-events', '--notify-keyspace-events', [CompletionResultType]::ParameterName, 'notify-keyspace-events')
            [CompletionResult]::new('--busy-reply-threshold', '--busy-reply-threshold', [CompletionResultType]::ParameterName, 'busy-reply-threshold')
            [CompletionResult]::new('--hash-max-listpack-entries', '--hash-max-listpack-entries', [CompletionResultType]::ParameterName, 'hash-max-listpack-entries')
            [CompletionResult]::new('--hash-max-listpack-value', '--hash-max-listpack-value', [CompletionResultType]::ParameterName, 'hash-max-listpack-value')
            [CompletionResult]::new('--list-max-listpack-size', '--list-max-listpack-size', [CompletionResultType]::ParameterName, 'list-max-listpack-size')
            [CompletionResult]::new('--list-compress-depth', '--list-compress-depth', [CompletionResultType]::ParameterName, 'list-compress-depth')
            [CompletionResult]::new('--set-max-intset-entries', '--set-max-intset-entries', [CompletionResultType]::ParameterName, 'set-max-intset-entries')
            [CompletionResult]::new('--set-max-listpack-entries', '--set-max-listpack-entries', [CompletionResultType]::ParameterName, 'set-max-listpack-entries')
            [CompletionResult]::new('--set-max-listpack-value', '--set-max-listpack-value', [CompletionResultType]::ParameterName, 'set-max-listpack-value')
            [CompletionResult]::new('--zset-max-listpack-entries', '--zset-max-listpack-entries', [CompletionResultType]::ParameterName, 'zset-max-listpack-entries')
            [CompletionResult]::new('--zset-max-listpack-value', '--zset-max-listpack-value', [CompletionResultType]::ParameterName, 'zset-max-listpack-value')
            [CompletionResult]::new('--hll-sparse-max-bytes', '--hll-sparse-max-bytes', [CompletionResultType]::ParameterName, 'hll-sparse-max-bytes')
            [CompletionResult]::new('--stream-node-max-bytes', '--stream-node-max-bytes', [CompletionResultType]::ParameterName, 'stream-node-max-bytes')
            [CompletionResult]::new('--stream-node-max-entries', '--stream-node-max-entries', [CompletionResultType]::ParameterName, 'stream-node-max-entries')
            [CompletionResult]::new('--activerehashing', '--activerehashing', [CompletionResultType]::ParameterName, 'activerehashing')
            [CompletionResult]::new('--active-expire-effort', '--active-expire-effort', [CompletionResultType]::ParameterName, 'active-expire-effort')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
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
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to')
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
        'repltool;help;replay' {
            break
        }
        'repltool;help;serve' {
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
