use crate::engine::testing::Play;

/// Rows of scripts beside what they answer.
#[track_caller]
fn answers(dialect: &str, rows: &[(&str, &str)]) {
    let mut play = Play::new(dialect);
    for (script, answer) in rows {
        assert_eq!(&play.run(&format!("EVAL \"{script}\" 1 key arg")), answer, "{dialect}: {script}");
    }
}

#[test]
fn values_become_replies() {
    // Asked of redis-server 7.0.15.
    answers(
        "redis-7.0",
        &[
            ("return {1, 2.9, 'x', {3}, true, false, nil, 4}", "[1 2 x [3] 1 (nil)]"),
            ("return {KEYS[1], ARGV[1]}", "[key arg]"),
            ("return {ok='fine'}", "fine"),
            ("return {err='MY words'}", "-MY words"),
            ("return {map={a=1}}", "[a 1]"),
            ("return {double=1.5}", "1.5"),
            ("return 0/0", "-9223372036854775808"),
            ("return redis.error_reply('words')", "-ERR words"),
            ("return redis.sha1hex('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("return redis.call('set', KEYS[1], 10)", "OK"),
            ("return redis.call('incr', KEYS[1])", "11"),
            ("return redis.call('get', 'none')", "(nil)"),
            ("return redis.pcall('incr').err", "ERR Wrong number of args calling Redis command from script"),
            ("redis.setresp(3) return redis.call('get', 'none') == nil", "1"),
            ("return cjson.encode({1, {a='\\\\n'}, cjson.null})", r#"[1,{"a":"\n"},null]"#),
            ("return cjson.decode('{\\\"a\\\": [1, \\\"x\\\"]}').a[2]", "x"),
            ("return {cmsgpack.unpack(cmsgpack.pack({1, -200}, 'x', 70000))}", "[[1 -200] x 70000]"),
            ("return {struct.unpack('>Hs', struct.pack('>Hs', 258, 'ab'))}", "[258 ab 6]"),
            ("return bit.tohex(bit.bor(1, 16), 4)", "0011"),
            ("math.randomseed(0) return {math.random(1000), math.random(1000)}", "[171 750]"),
        ],
    );
}

#[test]
fn errors_say_where() {
    // Asked of Redis 6.2.14 and 7.0.15, Valkey 8.1.8 and 9.1.2.
    let unknown = "return redis.call('foo')";
    let sha = "cc78c5a793d041f28ab0f6b117a82d1428ccfd13";
    let rows = [
        (
            "redis-6.2",
            format!(
                "-ERR Error running script (call to f_{sha}): @user_script:1: @user_script: 1: Unknown Redis command called from Lua script"
            ),
        ),
        ("redis-7.0", format!("-ERR Unknown Redis command called from script script: {sha}, on @user_script:1.")),
        ("valkey-8.1", format!("-ERR Unknown command called from script script: {sha}, on @user_script:1.")),
        ("valkey-9.1", "-ERR Unknown command called from script script: on @user_script:1.".to_owned()),
    ];
    for (dialect, answer) in rows {
        answers(dialect, &[(unknown, &answer)]);
    }
    let mut play = Play::new("redis-7.0");
    play.rows(&[
        ("EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "-NOSCRIPT No matching script. Please use EVAL.", ""),
        ("EVAL \"return 1\" 2 a", "-ERR Number of keys can't be greater than number of args", ""),
        (
            "EVAL \"return (\" 0",
            "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'",
            "",
        ),
        ("EVAL \"#!lua flags=foo\\n\" 0", "-ERR Unexpected flag in script shebang: foo", ""),
    ]);
}

#[test]
fn the_sandbox_holds() {
    let locked = |script: &str| {
        let answer = Play::new("redis-7.0").run(&format!("EVAL \"{script}\" 0"));
        assert!(answer.contains("Attempt to modify a readonly table"), "{script}: {answer}");
    };
    for script in [
        "x = 1",
        "_G.x = 1",
        "redis.call = nil",
        "string.rep = nil",
        "getmetatable(_G).__index = {}",
        "getmetatable('').__index = {}",
        "rawset(_G, 'x', 1)",
        "setmetatable(redis, {})",
        "table.insert(math, 1)",
        "local f, t = pairs(redis) t.call = nil",
        "for k, v in pairs(_G) do if k == 'string' then v.rep = nil end end",
    ] {
        locked(script);
    }
    let absent = |name: &str| {
        let answer = Play::new("redis-7.0").run(&format!("EVAL \"return {name}\" 0"));
        assert!(answer.contains("nonexistent global variable"), "{name}: {answer}");
    };
    for name in ["print", "dofile", "loadfile", "require", "os", "io", "debug", "newproxy", "setfenv", "x", "package"] {
        absent(name);
    }
}

#[test]
fn nothing_that_a_script_does_breaks_the_engine() {
    // On a stack of the size that threads have, in a build that is optimized; others need more for each call.
    let size = if cfg!(debug_assertions) { 16 << 20 } else { 2 << 20 };
    let thread = std::thread::Builder::new().stack_size(size).spawn(hostile_scripts).unwrap();
    assert!(thread.join().is_ok());
}

fn hostile_scripts() {
    // Lua asserts, where it is built with assertions, what this does not hold to: pcall puts one value more on the stack
    // than it has asked for, which there is room for.
    let nested = "local function f() return pcall(f) end return f()";
    for script in Some(nested).filter(|_| !cfg!(debug_assertions)).into_iter().chain([
        "local t = {} t[1] = t return t",
        "local t = {} t.map = t return t",
        "local t = {} for i = 1, 100000 do t = {t} end return t",
        "local t = {'x'} for i = 1, 60 do t = {t, t} end return t",
        "local function f() return f() + 1 end return f()",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "return string.rep('x', 2e9)",
        "return string.rep('', 2e9)",
        "return string.find(string.rep('a', 100000), string.rep('a?', 50000))",
        "return string.find(string.rep('a', 100000), string.rep('(', 50000))",
        "return string.gsub('abc', '.', function() error({}) end)",
        "return cjson.decode(string.rep('[', 100000))",
        "return cjson.decode(string.rep('{\\\"a\\\":', 100000))",
        "cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[', 100000))",
        "cjson.encode_max_depth(1e9) local t = {} t[1] = t return cjson.encode(t)",
        "local t = {'x'} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
        "cjson.encode_sparse_array(false, 0, 0) return #cjson.encode({[2147483647] = 1})",
        "return cmsgpack.unpack(string.rep('\\\\145', 100000))",
        "return cmsgpack.unpack('\\\\221\\\\255\\\\255\\\\255\\\\255')",
        "return cmsgpack.unpack('\\\\219\\\\255\\\\255\\\\255\\\\255')",
        "return cmsgpack.unpack('\\\\129\\\\192\\\\1')",
        "return cmsgpack.unpack(string.rep('x', 100000))",
        "return struct.pack('c2147483647', 'x')",
        "return struct.pack(string.rep('i32', 100000), 1)",
        "return struct.unpack('c2147483647', 'x', 2147483647)",
        "return struct.unpack(string.rep('b', 100000), string.rep('x', 100000))",
        "return struct.size(string.rep('c2147483647', 1000))",
        "return struct.pack('!2147483648i', 1)",
        "return unpack({}, 1, 2147483647)",
        "return unpack({}, -2147483648, 2147483647)",
        "return {unpack({}, 1, 7900)}",
        "error(function() end)",
        "error(coroutine.create(function() end))",
        "error(setmetatable({}, {__index = function() error('x') end, __tostring = function() error('y') end}))",
        "return setmetatable({}, {__index = function() error('x') end})",
        "return coroutine.create(function() end)",
        "local function f() return coroutine.wrap(f)() end return f()",
        "return coroutine.wrap(function() return redis.call('incr', 'n') end)()",
        "coroutine.yield(1)",
        "return pcall(pcall, pcall, pcall, error)",
        "return xpcall(error, error)",
        "local function h() return xpcall(error, h) end return xpcall(error, h)",
        "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
        "return table.concat({}, 'x', 1, 2147483647)",
        "local t = {} for i = 1, 1000 do t[i] = 1000 - i end table.sort(t, function() return true end)",
        "return redis.call(unpack({'del', unpack({}, 1, 7000)}))",
        "return redis.call('echo', setmetatable({}, {__tostring = function() return 'x' end}))",
        "return string.format('%99.99f', 1e308)",
        "return string.format(string.rep('%d', 10000))",
        "return loadstring(string.rep('(', 100000))",
        "return loadstring('return ' .. string.rep('{', 100000))",
        "return loadstring('\\\\27Lua')",
        "return loadstring(string.dump(function() return 1 end))",
        "return loadstring('return 1', string.rep('x', 100000) .. '\\\\0y')()",
        "collectgarbage('stop') local t for i = 1, 1e6 do t = {t and 1} end return 1",
        "return load(function() return 'x' end)",
    ]) {
        let mut play = Play::new("redis-7.0");
        play.engine.scripts.most_slices = 500;
        let _ = play.raw(&format!("EVAL \"{script}\" 0"));
        assert_eq!(play.run("EVAL \"return redis.call('ping')\" 0"), "PONG", "{script}");
    }
}

#[test]
fn a_script_that_goes_on_for_ever_is_ended() {
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    ] {
        let mut play = Play::new("redis-7.0");
        play.engine.scripts.most_slices = 50;
        let answer = play.run(&format!("EVAL \"{script}\" 0"));
        assert!(answer.starts_with("-ERR"), "{script}: {answer}");
        assert_eq!(play.run("EVAL \"return 1\" 0"), "1");
    }
}

#[test]
fn effects_are_a_unit() {
    let both = "EVAL \"redis.call('set', KEYS[1], 1) redis.call('incr', KEYS[1])\" 1 k";
    let one = "EVAL \"return redis.call('set', KEYS[1], 1)\" 1 k";
    let read = "EVAL \"return redis.call('get', KEYS[1])\" 1 k";
    let other = "EVAL \"redis.call('select', 3) redis.call('set', 'a', 1)\" 0";
    let silent = "EVAL \"redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', 1) redis.set_repl(redis.REPL_ALL) redis.call('set', 'b', 1)\" 0";
    let failing = "EVAL \"redis.call('set', 'a', 1) error('x')\" 0";
    let mut play = Play::new("redis-7.0");
    play.rows(&[
        ("SET first 1", "OK", "SET first 1"),
        (both, "(nil)", "MULTI | set k 1 | incr k | EXEC"),
        (one, "OK", "set k 1"),
        (read, "1", ""),
        (other, "(nil)", "SELECT 3 | set a 1"),
        ("GET a", "(nil)", ""),
        (silent, "(nil)", "set b 1"),
        ("SCRIPT LOAD \"return 1\"", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", ""),
        ("EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0", "1", ""),
        ("SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x", "[1 0]", ""),
        ("SCRIPT FLUSH", "OK", ""),
        ("SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "[0]", ""),
    ]);
    play.run("MULTI");
    play.run("EVAL \"return 1\" 0");
    play.run("EXEC");
    assert!(play.run(failing).starts_with("-ERR user_script:1: x"));
    assert_eq!(play.stream(), "set a 1");
    let mut old = Play::new("redis-6.2");
    old.rows(&[
        ("SET first 1", "OK", "SET first 1"),
        (both, "(nil)", "MULTI | set k 1 | incr k | EXEC"),
        (one, "OK", "MULTI | set k 1 | EXEC"),
        (read, "1", ""),
        ("SCRIPT LOAD \"return 1\"", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "SCRIPT LOAD return 1"),
        ("SCRIPT FLUSH", "OK", "SCRIPT FLUSH"),
    ]);
}

#[test]
fn before_5_0_the_script_itself_goes_into_the_stream() {
    let set = "EVAL \"return redis.call('set', KEYS[1], ARGV[1])\" 1 k v";
    let switched = "EVAL \"redis.replicate_commands() return redis.call('set', 'k', 'w')\" 0";
    let mut play = Play::new("redis-4.0");
    play.run("SADD s c a b");
    play.stream();
    play.rows(&[
        (set, "OK", "EVAL return redis.call('set', KEYS[1], ARGV[1]) 1 k v"),
        ("EVAL \"return redis.call('get', KEYS[1])\" 1 k", "v", ""),
        (switched, "OK", "MULTI | set k w | EXEC"),
        ("EVAL \"return redis.call('smembers', 's')\" 0", "[a b c]", ""),
    ]);
    let sha = play.run("SCRIPT LOAD \"return redis.call('del', KEYS[1])\"");
    play.stream();
    assert_eq!(play.run(&format!("EVALSHA {sha} 1 k")), "1");
    assert_eq!(play.stream(), "EVAL return redis.call('del', KEYS[1]) 1 k");
}

#[test]
fn a_masters_script_is_run_by_its_rules() {
    let mut play = Play::new("redis-8.2");
    play.engine.set_replica(true);
    assert!(play.apply("SADD s c b a"));
    assert!(play.apply("EVAL \"redis.call('rpush', 'l', unpack(redis.call('smembers', 's')))\" 0"));
    // Numbers as they were written then, and the same random ones.
    assert!(play.apply("EVAL \"redis.call('set', 'n', 0.1) redis.call('set', 'r', math.random(1000))\" 0"));
    let text = "return redis.call('set', 'loaded', KEYS[1])";
    assert!(play.apply(&format!("SCRIPT LOAD \"{text}\"")));
    assert!(play.apply(&format!("EVALSHA {} 1 it", super::sha1_hex(text.as_bytes()))));
    assert_eq!(play.run("LRANGE l 0 -1"), "[a b c]");
    assert_eq!(play.run("GET n"), "0.10000000000000001");
    assert_eq!(play.run("GET r"), "171");
    assert_eq!(play.run("GET loaded"), "it");
    let refused = play.run("EVAL \"return redis.call('set', 'a', 1)\" 0");
    assert!(refused.starts_with("-READONLY You can't write against a read only replica. script: "), "{refused}");
}

#[test]
fn scripts_of_an_rdb_can_be_called_by_the_master() {
    let mut play = Play::new("redis-7.0");
    let text = b"return redis.call('set', KEYS[1], 'v')";
    play.engine.load_scripts(&[(b"lua".to_vec(), text.to_vec()), (b"lua".to_vec(), b"return (".to_vec())]);
    let sha = super::sha1_hex(text);
    assert!(play.apply(&format!("EVALSHA {sha} 1 k")));
    assert_eq!(play.run("GET k"), "v");
}

#[test]
fn functions_are_called() {
    let load = |name: &str, body: &str| format!("FUNCTION LOAD \"#!lua name={name}\\n{body}\"");
    let mut play = Play::new("redis-7.0");
    let body = "redis.register_function('f', function(keys, args) return redis.call('set', keys[1], args[1]) end)";
    assert_eq!(play.run(&load("one", body)), "one");
    play.stream();
    play.rows(&[
        ("FCALL f 1 k v", "OK", "set k v"),
        ("FCALL none 0", "-ERR Function not found", ""),
        ("FCALL f x", "-ERR Bad number of keys provided", ""),
        ("FCALL_RO f 1 k v", "-ERR Can not execute a script with write flag using *_ro command.", ""),
        (&load("two", body), "-ERR Function f already exists", ""),
        (&load("two", "return 1"), "-ERR No functions registered", ""),
        (
            &load("two", "math.abs(1)"),
            "-ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'math'",
            "",
        ),
    ]);
    let named = "redis.register_function{function_name='g', callback=function() return 5 end, flags={'no-writes'}, description='five'}";
    assert_eq!(play.run(&load("two", named)), "two");
    play.stream();
    play.rows(&[
        ("FCALL_RO g 0", "5", ""),
        (
            "FUNCTION LIST LIBRARYNAME two",
            "[[library_name two engine LUA functions [[name g description five flags [no-writes]]]]]",
            "",
        ),
        ("FUNCTION STATS", "[running_script (nil) engines [LUA [libraries_count 2 functions_count 2]]]", ""),
        ("FUNCTION DELETE two", "OK", "FUNCTION DELETE two"),
        ("FCALL g 0", "-ERR Function not found", ""),
        ("FUNCTION FLUSH", "OK", "FUNCTION FLUSH"),
        ("FCALL f 1 k v", "-ERR Function not found", ""),
    ]);
}

#[test]
fn what_is_refused_or_made_up_counts_once() {
    // Asked of redis-server 7.0.15.
    let mut play = Play::new("redis-7.0");
    let counts = |play: &Play| {
        let errors = &play.engine.stats.errors;
        errors.iter().map(|(code, count)| format!("{code} {count}")).collect::<Vec<_>>().join(", ")
    };
    for (line, expected) in [
        ("EVAL \"return redis.error_reply('MY words')\" 0", "MY 1"),
        ("EVAL \"return redis.pcall('nope')\" 0", "ERR 1"),
        ("EVAL \"redis.pcall('nope') return 1\" 0", "ERR 1"),
        ("EVAL \"return redis.call('nope')\" 0", "ERR 1"),
        ("EVAL \"return redis.pcall('incr', 'k', 'x')\" 0", "ERR 1"),
        ("EVAL \"return redis.status_reply('MY words')\" 0", ""),
    ] {
        play.engine.stats.errors.clear();
        play.run(line);
        assert_eq!(counts(&play), expected, "{line}");
    }
}

#[test]
fn a_script_is_no_place_to_wait() {
    // Asked of Redis 6.2.14 and 7.0.15.
    for dialect in ["redis-6.2", "redis-7.0"] {
        let rows = [
            "return redis.pcall('xread', 'BLOCK', 0, 'STREAMS', 's', '$')",
            "return redis.pcall('xreadgroup', 'GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', 's', '>')",
        ];
        for (row, command) in rows.into_iter().zip(["xread", "xreadgroup"]) {
            let answer = format!("-ERR {command} command is not allowed with BLOCK option from scripts");
            answers(dialect, &[(row, &answer)]);
        }
    }
}

#[test]
fn sets_come_in_order_and_attributes_are_no_answer() {
    answers(
        "redis-7.0",
        &[("redis.call('sadd', 's', 'aa', 'c', 'b') return redis.call('sort', 's', 'by', 'nosort')", "[aa b c]")],
    );
    let mut play = Play::new("redis-7.0");
    play.run("DEBUG SET-DISABLE-DENY-SCRIPTS 1");
    let line = "EVAL \"redis.setresp(3) return redis.call('debug', 'protocol', 'attrib')\" 0";
    assert_eq!(play.run(line), "Some real reply following the attribute");
    play.run("DEBUG SET-DISABLE-DENY-SCRIPTS 0");
    assert!(play.run(line).starts_with("-ERR This Redis command is not allowed from script"));
}

#[test]
fn the_same_text_is_the_same_script_until_it_is_forgotten() {
    let mut play = Play::new("redis-7.0");
    let (one, other) = ("EVAL \"return 1\" 0", "EVAL \"return 2\" 0");
    for (line, answer) in [(one, "1"), (one, "1"), (other, "2"), (one, "1")] {
        assert_eq!(play.run(line), answer);
    }
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    assert_eq!(play.run(&format!("SCRIPT EXISTS {sha}")), "[1]");
    play.run("SCRIPT FLUSH");
    assert_eq!(play.run(&format!("SCRIPT EXISTS {sha}")), "[0]");
    assert_eq!(play.run(one), "1");
    assert_eq!(play.run(&format!("SCRIPT EXISTS {sha}")), "[1]");
    assert_eq!(play.run(&format!("EVALSHA {} 0", sha.to_uppercase())), "1");
}

#[test]
fn a_library_that_takes_too_long_to_load_is_not() {
    let mut play = Play::new("redis-7.0");
    let answer = play.run(r##"FUNCTION LOAD "#!lua name=l\nwhile true do end""##);
    assert!(
        answer.starts_with("-ERR Error registering functions: ") && answer.contains("FUNCTION LOAD timeout"),
        "{answer}"
    );
    assert_eq!(
        play.run(r##"FUNCTION LOAD "#!lua name=\"q\"\nredis.register_function('f', function() return 7 end)""##),
        "q"
    );
    assert_eq!(play.run("FCALL f 0"), "7");
}

#[test]
fn few_words_come_as_many_do() {
    let mut play = Play::new("redis-7.0");
    let words = |count: usize| (0..count).map(|number| format!(" {number}")).collect::<String>();
    for (keys, count) in [(0, 0), (0, 2), (2, 2), (1, 3), (60, 100), (60, 101), (150, 300)] {
        let script = "return {#KEYS, #ARGV, KEYS[#KEYS] or '-', ARGV[1] or '-', ARGV[#ARGV] or '-'}";
        let word = |at: usize, there: bool| if there { at.to_string() } else { "-".to_owned() };
        let last = word(keys.max(1) - 1, keys > 0);
        let (first, end) = (word(keys, count > keys), word(count.max(1) - 1, count > keys));
        let answer = format!("[{keys} {} {last} {first} {end}]", count - keys);
        assert_eq!(play.run(&format!("EVAL \"{script}\" {keys}{}", words(count))), answer);
    }
}
