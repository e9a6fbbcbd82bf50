
use builtin;
use str;

set edit:completion:arg-completer[repltool] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'repltool'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'repltool'= {
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand sniff 'Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs'
            cand report 'Sum up a capture: one summary per replication link, what happened, why, how long, how far behind'
            cand extract 'Carve the RDB or the replication stream of a link out of a capture, byte for byte'
            cand rdb 'Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture'
            cand replay 'Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP'
            cand serve 'Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to'
            cand completions 'Print shell completions'
            cand man 'Print the man page, of repltool or of one command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'repltool;sniff'= {
            cand -i 'Capture live on this interface; `any` is all of them'
            cand --interface 'Capture live on this interface; `any` is all of them'
            cand -r 'Read a capture file instead; `-` is standard input'
            cand --read 'Read a capture file instead; `-` is standard input'
            cand -w 'Also write the packets seen to a file: pcap, or pcapng where its name ends so; `-` is standard output, and then nothing else is printed'
            cand --write 'Also write the packets seen to a file: pcap, or pcapng where its name ends so; `-` is standard output, and then nothing else is printed'
            cand -c 'Stop after this many packets'
            cand --count 'Stop after this many packets'
            cand -s 'Capture at most this many bytes of each packet (live only; 0 is all)'
            cand --snaplen 'Capture at most this many bytes of each packet (live only; 0 is all)'
            cand -B 'The kernel''s capture buffer: KiB as in tcpdump, or with a unit (64mb). Live only; 32 MiB unless given'
            cand --buffer-size 'The kernel''s capture buffer: KiB as in tcpdump, or with a unit (64mb). Live only; 32 MiB unless given'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --max-bytes 'Show at most this many bytes of each argument, with a unit if need be (64kb); 0 is all. Text shows 256 unless told otherwise, JSON 1mb'
            cand -T 'Accepted for tcpdump''s sake: everything is taken for RESP where it is'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -D 'List the interfaces to capture on'
            cand --list-interfaces 'List the interfaces to capture on'
            cand --json 'Short for `--format json`'
            cand --clients 'Show ordinary clients'' commands and replies too'
            cand --show-secrets 'Show passwords instead of ********'
            cand -v 'Show what is folded otherwise: heartbeats, equal ACKs, repeated connections'
            cand --verbose 'Show what is folded otherwise: heartbeats, equal ACKs, repeated connections'
            cand -l 'Write each line as soon as it is whole. Live captures do so anyway'
            cand --line-buffered 'Write each line as soon as it is whole. Live captures do so anyway'
            cand -n 'Accepted for tcpdump''s sake: addresses and ports are never resolved to names'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;report'= {
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;extract'= {
            cand -l 'The link, by the number that sniff and report give it. Needed where several could be meant'
            cand --link 'The link, by the number that sniff and report give it. Needed where several could be meant'
            cand --rdb 'Write the RDB here; `-` is standard output. Of a sync over two connections either one''s number will do'
            cand --stream 'Write the replication stream here; `-` is standard output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb'= {
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand info 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes'
            cand keys 'List its keys, a line each'
            cand dump 'Write all of it: a JSON object a record, or the commands that rebuild the data'
            cand check 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt'
            cand convert 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key'
            cand diff 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does'
            cand explain 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records'
            cand salvage 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'repltool;rdb;info'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;keys'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --match 'Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \ before a sign that stands for itself'
            cand --type 'Keys of this type; more than one with commas, or by repeating the option'
            cand --db 'Keys of this database; more than one with commas, or by repeating the option'
            cand --expires 'Keys that have an expiry, or have none'
            cand --min-bytes 'Keys that take at least so many bytes of the file, with a unit if need be (64kb)'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;dump'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --match 'Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \ before a sign that stands for itself'
            cand --type 'Keys of this type; more than one with commas, or by repeating the option'
            cand --db 'Keys of this database; more than one with commas, or by repeating the option'
            cand --expires 'Keys that have an expiry, or have none'
            cand --min-bytes 'Keys that take at least so many bytes of the file, with a unit if need be (64kb)'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;check'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;convert'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand -o 'Where the RDB goes, `-` for standard output. A file appears only when it is whole'
            cand --output 'Where the RDB goes, `-` for standard output. A file appears only when it is whole'
            cand --to 'The version: `same` as the input''s; `lowest`, the oldest that holds every value; `lossless`, the oldest that holds everything; an RDB version, REDIS9 or VALKEY80; or the one that a server writes, redis-6.2 or valkey-9.1'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --no-compress 'Leave the strings uncompressed'
            cand --no-checksum 'Write eight zero bytes in the checksum''s place, which servers take for none'
            cand --skip 'Leave out the keys and other records that the version cannot hold, instead of writing nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;diff'= {
            cand --link-a 'Where A is a capture, the link whose RDB is meant'
            cand --link-b 'Where B is a capture, the link whose RDB is meant'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;explain'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand -o 'The byte, from 0 at the magic; hexadecimal with 0x'
            cand --offset 'The byte, from 0 at the magic; hexadecimal with 0x'
            cand --limit 'List at most so many records'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;salvage'= {
            cand -l 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand --link 'Of a capture, the link whose RDB is meant; needed where it holds several'
            cand -o 'Write the result here; `-` is standard output, and the list then goes to standard error'
            cand --output 'Write the result here; `-` is standard output, and the list then goes to standard error'
            cand --assume 'The header of an RDB whose own is damaged, as REDIS0011 or VALKEY080. Unless given it is guessed by the server''s version'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;rdb;help'= {
            cand info 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes'
            cand keys 'List its keys, a line each'
            cand dump 'Write all of it: a JSON object a record, or the commands that rebuild the data'
            cand check 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt'
            cand convert 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key'
            cand diff 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does'
            cand explain 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records'
            cand salvage 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'repltool;rdb;help;info'= {
        }
        &'repltool;rdb;help;keys'= {
        }
        &'repltool;rdb;help;dump'= {
        }
        &'repltool;rdb;help;check'= {
        }
        &'repltool;rdb;help;convert'= {
        }
        &'repltool;rdb;help;diff'= {
        }
        &'repltool;rdb;help;explain'= {
        }
        &'repltool;rdb;help;salvage'= {
        }
        &'repltool;rdb;help;help'= {
        }
        &'repltool;replay'= {
            cand --link 'Only this link, by its number in the report; more than one by repeating the option'
            cand --speed 'How fast: `max`, or so many times as fast as it was recorded; 1 where it is asked what becomes of links in time'
            cand -w 'Write the replayed conversation to this capture'
            cand --write 'Write the replayed conversation to this capture'
            cand --cut-at 'What if: cut the link when its replica has applied this offset, when packet:N has come, or when so many bytes of the RDB have; it comes back by itself. More than one by repeating the option'
            cand --repl-backlog-size 'What if: with this backlog, not one in which everything holds that held. For bytes that the capture lacks others stand, as many as there were'
            cand --diskless 'What if: full syncs over one connection are diskless, or go by a file'
            cand --repl-timeout 'What if: the ends give each other up after so many seconds without a word'
            cand --client-output-buffer-limit 'What if: a master drops replicas for whom this much waits, as in redis.conf: ''replica 256mb 64mb 60'''
            cand --delay 'What if: each byte is under way so long, in either direction, as in 250ms'
            cand --bandwidth 'What if: no more than so many bytes go in a second, in either direction, as in 100kb'
            cand --rdb 'What the master held where the capture begins after the sync: an RDB file'
            cand --to 'Do what the recorded replica did to this real master; several, by commas or by repeating the option, one after the other. It is asked as the recorded one was, in the first place with the recorded history and offset; what is compared is whether it answers with a full or a partial sync, and how the RDB travels'
            cand --listen 'Wait here for a real replica, and feed it the recorded master''s side at the recorded offsets; several, one after the other. Afterwards it is asked for its DEBUG DIGEST. Without a host on 127.0.0.1'
            cand --as 'The side that is played, a real server having the other: `replica` with --to, `master` with --listen'
            cand --masterauth 'The password between master and replica: said to the master of --to, asked of the replica of --listen'
            cand --masteruser 'The user whose password that is'
            cand --compat 'Which server those are of which the capture does not tell: redis-2.8 to redis-8.2, valkey-8.1 or valkey-9.1'
            cand -f 'The form of the output'
            cand --format 'The form of the output'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand --dry-run 'Tell the story, and do not play it'
            cand --find-backlog 'Find the smallest backlog with which the replicas'' returns are partial syncs, those that overran it included'
            cand --json 'Short for `--format json`'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;serve'= {
            cand --role 'What it begins as. A replica needs --replicaof, here or in the configuration file'
            cand --replicaof 'Follow this master'
            cand --rdb 'Begin with this RDB: a dump, or whatever `repltool rdb` reads'
            cand --load 'Begin with the full sync in this capture: its keys, its replid and its offset'
            cand --link 'Of a capture with several full syncs, the link whose sync is meant'
            cand --compat 'Which server to be like: redis-6.2, redis-7.0, redis-7.2, redis-7.4, redis-8.2, valkey-8.1 or valkey-9.1'
            cand --fault 'Break the protocol on purpose towards replicas and clients, and log when: cut-rdb:BYTES, cut-offset:N, no-reply:COMMAND, reply:COMMAND:TEXT, delay:PHASE:DURATION (handshake, sync, rdb, stream), wrong-replid, offset-skew:N, stream-newlines, lose-first-ack or late-eof-mark[:DURATION]. Each happens once on every connection, cut-offset once for every replica'
            cand --bind 'bind'
            cand --port 'port'
            cand --tcp-backlog 'tcp-backlog'
            cand --unixsocket 'unixsocket'
            cand --protected-mode 'protected-mode'
            cand --timeout 'timeout'
            cand --tcp-keepalive 'tcp-keepalive'
            cand --maxclients 'maxclients'
            cand --requirepass 'requirepass'
            cand --enable-debug-command 'enable-debug-command'
            cand --enable-protected-configs 'enable-protected-configs'
            cand --enable-module-command 'enable-module-command'
            cand --acllog-max-len 'acllog-max-len'
            cand --aclfile 'aclfile'
            cand --acl-pubsub-default 'acl-pubsub-default'
            cand --daemonize 'daemonize'
            cand --supervised 'supervised'
            cand --pidfile 'pidfile'
            cand --logfile 'logfile'
            cand --loglevel 'loglevel'
            cand --databases 'databases'
            cand --always-show-logo 'always-show-logo'
            cand --set-proc-title 'set-proc-title'
            cand --shutdown-timeout 'shutdown-timeout'
            cand --key-load-delay 'key-load-delay'
            cand --hz 'hz'
            cand --dynamic-hz 'dynamic-hz'
            cand --io-threads 'io-threads'
            cand --cluster-enabled 'cluster-enabled'
            cand --save 'save'
            cand --dir 'dir'
            cand --dbfilename 'dbfilename'
            cand --rdbcompression 'rdbcompression'
            cand --rdbchecksum 'rdbchecksum'
            cand --rdb-del-sync-files 'rdb-del-sync-files'
            cand --rdb-save-incremental-fsync 'rdb-save-incremental-fsync'
            cand --stop-writes-on-bgsave-error 'stop-writes-on-bgsave-error'
            cand --sanitize-dump-payload 'sanitize-dump-payload'
            cand --appendonly 'appendonly'
            cand --appendfsync 'appendfsync'
            cand --masterauth 'masterauth'
            cand --masteruser 'masteruser'
            cand --replica-serve-stale-data 'replica-serve-stale-data'
            cand --replica-read-only 'replica-read-only'
            cand --replica-priority 'replica-priority'
            cand --replica-announce-ip 'replica-announce-ip'
            cand --replica-announce-port 'replica-announce-port'
            cand --replica-announced 'replica-announced'
            cand --replica-lazy-flush 'replica-lazy-flush'
            cand --replica-ignore-maxmemory 'replica-ignore-maxmemory'
            cand --repl-diskless-sync 'repl-diskless-sync'
            cand --repl-diskless-sync-delay 'repl-diskless-sync-delay'
            cand --repl-diskless-sync-max-replicas 'repl-diskless-sync-max-replicas'
            cand --repl-diskless-load 'repl-diskless-load'
            cand --repl-ping-replica-period 'repl-ping-replica-period'
            cand --repl-timeout 'repl-timeout'
            cand --repl-disable-tcp-nodelay 'repl-disable-tcp-nodelay'
            cand --repl-backlog-size 'repl-backlog-size'
            cand --repl-backlog-ttl 'repl-backlog-ttl'
            cand --replica-full-sync-buffer-limit 'replica-full-sync-buffer-limit'
            cand --repl-rdb-channel 'repl-rdb-channel'
            cand --dual-channel-replication-enabled 'dual-channel-replication-enabled'
            cand --min-replicas-to-write 'min-replicas-to-write'
            cand --min-replicas-max-lag 'min-replicas-max-lag'
            cand --import-mode 'import-mode'
            cand --propagation-error-behavior 'propagation-error-behavior'
            cand --maxmemory 'maxmemory'
            cand --maxmemory-policy 'maxmemory-policy'
            cand --maxmemory-samples 'maxmemory-samples'
            cand --maxmemory-eviction-tenacity 'maxmemory-eviction-tenacity'
            cand --maxmemory-clients 'maxmemory-clients'
            cand --lfu-log-factor 'lfu-log-factor'
            cand --lfu-decay-time 'lfu-decay-time'
            cand --client-output-buffer-limit 'client-output-buffer-limit'
            cand --client-query-buffer-limit 'client-query-buffer-limit'
            cand --proto-max-bulk-len 'proto-max-bulk-len'
            cand --lazyfree-lazy-eviction 'lazyfree-lazy-eviction'
            cand --lazyfree-lazy-expire 'lazyfree-lazy-expire'
            cand --lazyfree-lazy-server-del 'lazyfree-lazy-server-del'
            cand --lazyfree-lazy-user-del 'lazyfree-lazy-user-del'
            cand --lazyfree-lazy-user-flush 'lazyfree-lazy-user-flush'
            cand --slowlog-log-slower-than 'slowlog-log-slower-than'
            cand --slowlog-max-len 'slowlog-max-len'
            cand --latency-monitor-threshold 'latency-monitor-threshold'
            cand --latency-tracking 'latency-tracking'
            cand --latency-tracking-info-percentiles 'latency-tracking-info-percentiles'
            cand --tracking-table-max-keys 'tracking-table-max-keys'
            cand --notify-keyspace-events 'notify-keyspace-events'
            cand --busy-reply-threshold 'busy-reply-threshold'
            cand --hash-max-listpack-entries 'hash-max-listpack-entries'
            cand --hash-max-listpack-value 'hash-max-listpack-value'
            cand --list-max-listpack-size 'list-max-listpack-size'
            cand --list-compress-depth 'list-compress-depth'
            cand --set-max-intset-entries 'set-max-intset-entries'
            cand --set-max-listpack-entries 'set-max-listpack-entries'
            cand --set-max-listpack-value 'set-max-listpack-value'
            cand --zset-max-listpack-entries 'zset-max-listpack-entries'
            cand --zset-max-listpack-value 'zset-max-listpack-value'
            cand --hll-sparse-max-bytes 'hll-sparse-max-bytes'
            cand --stream-node-max-bytes 'stream-node-max-bytes'
            cand --stream-node-max-entries 'stream-node-max-entries'
            cand --activerehashing 'activerehashing'
            cand --active-expire-effort 'active-expire-effort'
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;completions'= {
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;man'= {
            cand --color 'When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'repltool;help'= {
            cand sniff 'Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs'
            cand report 'Sum up a capture: one summary per replication link, what happened, why, how long, how far behind'
            cand extract 'Carve the RDB or the replication stream of a link out of a capture, byte for byte'
            cand rdb 'Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture'
            cand replay 'Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP'
            cand serve 'Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to'
            cand completions 'Print shell completions'
            cand man 'Print the man page, of repltool or of one command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'repltool;help;sniff'= {
        }
        &'repltool;help;report'= {
        }
        &'repltool;help;extract'= {
        }
        &'repltool;help;rdb'= {
            cand info 'Sum it up: version, databases, types, encodings, the biggest keys, prefixes'
            cand keys 'List its keys, a line each'
            cand dump 'Write all of it: a JSON object a record, or the commands that rebuild the data'
            cand check 'Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt'
            cand convert 'Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by key. Takes the memory of its largest key'
            cand diff 'Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does'
            cand explain 'Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records'
            cand salvage 'Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost'
        }
        &'repltool;help;rdb;info'= {
        }
        &'repltool;help;rdb;keys'= {
        }
        &'repltool;help;rdb;dump'= {
        }
        &'repltool;help;rdb;check'= {
        }
        &'repltool;help;rdb;convert'= {
        }
        &'repltool;help;rdb;diff'= {
        }
        &'repltool;help;rdb;explain'= {
        }
        &'repltool;help;rdb;salvage'= {
        }
        &'repltool;help;replay'= {
        }
        &'repltool;help;serve'= {
        }
        &'repltool;help;completions'= {
        }
        &'repltool;help;man'= {
        }
        &'repltool;help;help'= {
        }
    ]
    $completions[$command]
}
