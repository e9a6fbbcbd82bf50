//! XREAD and XREADGROUP: what is new, for whoever asks or as a group's share.

use super::*;

/// What XREAD and XREADGROUP are told.
pub(super) struct Reading<'a> {
    block: Option<i64>,
    count: usize,
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
    first: usize,
    keys: usize,
}

impl<'a> Reading<'a> {
    fn read(args: Args<'a>, name: &str, of_group: bool, in_script: bool) -> Result<Self, CommandError> {
        let mut found = Self { block: None, count: usize::MAX, group: None, no_ack: false, first: 0, keys: 0 };
        let mut index = 1;
        while index < args.len() {
            let more = args.len() - index - 1;
            match () {
                () if args.is(index, "BLOCK") && more >= 1 => {
                    if in_script {
                        let command = String::from_utf8_lossy(args.get(0));
                        return Err(CommandError::new(format!(
                            "ERR {command} command is not allowed with BLOCK option from scripts"
                        )));
                    }
                    let timeout = integer(args.get(index + 1))
                        .ok_or(CommandError::fixed("ERR timeout is not an integer or out of range"))?;
                    if timeout < 0 {
                        return Err(CommandError::fixed("ERR timeout is negative"));
                    }
                    found.block = Some(timeout);
                    index += 1;
                }
                () if args.is(index, "COUNT") && more >= 1 => {
                    let count = args.integer(index + 1)?;
                    found.count = usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
                    index += 1;
                }
                () if args.is(index, "STREAMS") && more >= 1 => {
                    found.first = index + 1;
                    let left = args.len() - found.first;
                    if !left.is_multiple_of(2) {
                        return Err(CommandError::new(format!("ERR {name}")));
                    }
                    found.keys = left / 2;
                    break;
                }
                () if args.is(index, "GROUP") && more >= 2 => {
                    if !of_group {
                        return Err(CommandError::fixed(
                            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                        ));
                    }
                    found.group = Some((args.get(index + 1), args.get(index + 2)));
                    index += 2;
                }
                () if args.is(index, "NOACK") => {
                    if !of_group {
                        return Err(CommandError::fixed(
                            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                        ));
                    }
                    found.no_ack = true;
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        if found.first == 0 {
            return Err(CommandError::SYNTAX);
        }
        if of_group && found.group.is_none() {
            return Err(CommandError::fixed("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(found)
    }

    /// To wait, if that was asked for: then the words of `again` are run later.
    fn wait(&self, context: &mut Context<'_>, args: Args<'_>, again: &[(usize, String)]) {
        let Some(timeout) = self.block else { return context.reply.null_array() };
        let keys = args.from(self.first).take(self.keys).map(Blob::from).collect();
        let until = (timeout > 0).then(|| context.now.saturating_add(timeout));
        context.request = Some(if again.is_empty() {
            Request::Block { keys, until }
        } else {
            let word = |(index, word)| match again.iter().find(|(at, _)| *at == index) {
                Some((_, other)) => Blob::from(other.as_str()),
                None => Blob::from(word),
            };
            Request::BlockAs { keys, until, words: args.from(0).enumerate().map(word).collect() }
        });
    }
}

pub(super) fn unbalanced(dialect: Dialect, name: &str) -> String {
    let symbols = match name {
        _ if !dialect.since(7, 2) => {
            return "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.".to_owned();
        }
        "xreadgroup" => " or '>'",
        _ if dialect.is_redis_since(7, 4) => ", '+', or '$'",
        _ => " or '$'",
    };
    format!("Unbalanced '{name}' list of streams: for each stream key an ID{symbols} must be specified.")
}

pub(super) fn xread(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let reading = Reading::read(args, &unbalanced(context.engine.dialect, "xread"), false, context.session.in_script)?;
    // `+` is the last entry, since Redis 7.4 and Valkey 8.
    let knows_last = context.engine.dialect.is_redis_since(7, 4) || context.engine.dialect.is_valkey_since(8, 0);
    let (mut after, mut again) = (Vec::with_capacity(reading.keys), Vec::new());
    for (number, key) in args.from(reading.first).take(reading.keys).enumerate() {
        let at = reading.first + reading.keys + number;
        let stream = context.stream(key)?;
        after.push(match args.get(at) {
            b"$" => {
                let last = stream.map_or(LEAST_ID, |stream| stream.last_id);
                again.push((at, last.to_string()));
                Some(last)
            }
            b"+" if !knows_last => return Err(INVALID_ID),
            b"+" if stream.is_some_and(|stream| !stream.entries.is_empty()) => {
                let top = stream.map_or(LEAST_ID, Stream::top_id);
                previous_id(top)
            }
            b"+" => Some(LEAST_ID),
            b">" => {
                return Err(CommandError::fixed(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            text => Some(strict_id(text, 0)?),
        });
    }
    let mut reply = std::mem::take(context.reply);
    let keys = args.from(reading.first).zip(after);
    let has_more = |(key, after): &(&[u8], Option<StreamId>)| {
        held(context, key).is_some_and(|stream| !stream.entries.is_empty() && Some(stream.top_id()) > *after)
    };
    let served: Vec<_> = keys.filter(has_more).collect();
    if !served.is_empty() {
        begin_streams(&mut reply, served.len());
        for (key, after) in served {
            begin_stream(&mut reply, key);
            let start = after.map_or(Some(LEAST_ID), next_id).unwrap_or(GREATEST_ID);
            if let Some(stream) = held(context, key) {
                reply_range(&mut reply, stream, start, GREATEST_ID, reading.count, false);
            }
        }
        *context.reply = reply;
        return Ok(());
    }
    *context.reply = reply;
    reading.wait(context, args, &again);
    Ok(())
}

pub(super) fn begin_streams(reply: &mut Reply, count: usize) {
    if reply.is_resp3() { reply.map(count) } else { reply.array(count) }
}

pub(super) fn begin_stream(reply: &mut Reply, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

pub(super) fn no_group(key: &[u8], group: &[u8], more: &str) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::new(format!("NOGROUP No such key '{key}' or consumer group '{group}'{more}"))
}

/// A claim as it goes into the stream.
pub(super) fn propagate_claim(
    context: &mut Context<'_>,
    args: &Claimed<'_>,
    id: &[u8],
    pending: &Pending,
    last: StreamId,
) {
    let (mut time, mut count) = (Decimal::new(), Decimal::new());
    let last = last.to_string();
    context.propagate(&[
        b"XCLAIM",
        args.key,
        args.group,
        &pending.consumer,
        b"0",
        id,
        b"TIME",
        time.format(pending.delivered_ms).as_bytes(),
        b"RETRYCOUNT",
        count.format(pending.count).as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last.as_bytes(),
    ]);
}

/// Whose entries change hands.
pub(super) struct Claimed<'a> {
    pub(super) key: &'a [u8],
    pub(super) group: &'a [u8],
}

/// Where a group stands, as it goes into the stream.
pub(super) fn propagate_place(
    context: &mut Context<'_>,
    claimed: &Claimed<'_>,
    last: StreamId,
    entries_read: Option<u64>,
) {
    let last = last.to_string();
    let words: &[&[u8]] = &[b"XGROUP", b"SETID", claimed.key, claimed.group, last.as_bytes()];
    if context.engine.dialect.since(7, 0) {
        let read = entries_read.map_or_else(|| "-1".to_owned(), |read| read.to_string());
        context.propagate(&[words, &[b"ENTRIESREAD", read.as_bytes()]].concat());
    } else {
        context.propagate(words);
    }
}

pub(super) fn xreadgroup(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let reading = Reading::read(args, &unbalanced(dialect, "xreadgroup"), true, context.session.in_script)?;
    let (group, consumer) = reading.group.unwrap_or_default();
    let mut from = Vec::with_capacity(reading.keys);
    for (number, key) in args.from(reading.first).take(reading.keys).enumerate() {
        if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(group)) {
            return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
        }
        from.push(match args.get(reading.first + reading.keys + number) {
            b">" => None,
            b"$" => {
                return Err(CommandError::fixed(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
                ));
            }
            text => Some(strict_id(text, 0)?),
        });
    }
    context.keep_from_stream();
    let mut reply = std::mem::take(context.reply);
    let (before, mut parts, mut served) = (reply.take(), Reply::new(reply.is_resp3()), 0);
    for (key, from) in args.from(reading.first).zip(from) {
        served += usize::from(read_one(context, &reading, &mut parts, &Claimed { key, group }, consumer, from)?);
    }
    reply.raw(&before);
    if served > 0 {
        begin_streams(&mut reply, served);
        reply.raw(parts.bytes());
        *context.reply = reply;
    } else {
        *context.reply = reply;
        reading.wait(context, args, &[]);
    }
    Ok(())
}

/// Reads one stream for a group's consumer; tells whether there was an answer: the history always is one.
pub(super) fn read_one(
    context: &mut Context<'_>,
    reading: &Reading<'_>,
    reply: &mut Reply,
    claimed: &Claimed<'_>,
    consumer: &[u8],
    from: Option<StreamId>,
) -> Result<bool, CommandError> {
    let (now, dialect) = (context.now, context.engine.dialect);
    let Some(stream) = context.stream_mut(claimed.key)? else { return Ok(false) };
    let Stream { entries, groups, .. } = stream;
    let Some(group) = groups.get_mut(claimed.group) else { return Ok(false) };
    let has_more = entries.last_key_value().is_some_and(|(top, _)| *top > group.last_id);
    if from.is_none() && !has_more && !dialect.since(7, 2) {
        return Ok(false);
    }
    let (known, is_new) = group.consumer(consumer, now);
    known.seen_ms = now;
    if let Some(after) = from {
        begin_stream(reply, claimed.key);
        let ids: Vec<StreamId> = match next_id(after) {
            Some(start) => known.pending.range(start..).take(reading.count).copied().collect(),
            None => Vec::new(),
        };
        reply.array(ids.len());
        for id in ids {
            match entries.get(&id) {
                Some(words) => reply_entry(reply, id, words),
                None => {
                    reply.array(2);
                    reply_id(reply, id);
                    reply.null_array();
                }
            }
            if let Some(pending) = group.pending.get_mut(&id).filter(|_| entries.contains_key(&id)) {
                pending.delivered_ms = now;
                pending.count += 1;
            }
        }
        if is_new {
            context.notify_consumer(claimed.key);
        }
        if is_new && reading.no_ack {
            propagate_consumer(context, claimed, consumer);
        }
        context.changes += 1;
        return Ok(true);
    }
    let start = next_id(group.last_id).filter(|_| has_more);
    let Some(start) = start else {
        if is_new {
            context.notify_consumer(claimed.key);
        }
        if is_new && reading.no_ack {
            propagate_consumer(context, claimed, consumer);
        }
        return Ok(false);
    };
    group.consumer(consumer, now).0.active_ms = now;
    begin_stream(reply, claimed.key);
    let ids: Vec<StreamId> = entries.range(start..).take(reading.count).map(|(id, _)| *id).collect();
    reply.array(ids.len());
    let mut delivered = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(words) = stream.entries.get(&id) {
            reply_entry(reply, id, words);
        }
        let Some(group) = stream.groups.get(claimed.group) else { continue };
        let entries_read = stream.entries_read_with(group, id, dialect);
        let Some(group) = stream.groups.get_mut(claimed.group) else { continue };
        group.entries_read = entries_read;
        group.last_id = id;
        if !reading.no_ack {
            let pending = Pending { consumer: consumer.into(), delivered_ms: now, count: 1 };
            group.deliver(id, pending.clone());
            delivered.push((id, pending));
        }
    }
    let place = stream.groups.get(claimed.group).map(|group| (group.last_id, group.entries_read));
    if is_new {
        context.notify_consumer(claimed.key);
    }
    if is_new && reading.no_ack {
        propagate_consumer(context, claimed, consumer);
    }
    for (id, pending) in delivered {
        propagate_claim(context, claimed, id.to_string().as_bytes(), &pending, id);
    }
    if let Some((last, entries_read)) = place
        && (reading.no_ack || tells_place(dialect))
    {
        propagate_place(context, claimed, last, entries_read);
    }
    context.regrouped(1);
    Ok(true)
}

pub(super) fn propagate_consumer(context: &mut Context<'_>, claimed: &Claimed<'_>, consumer: &[u8]) {
    context.propagate(&[b"XGROUP", b"CREATECONSUMER", claimed.key, claimed.group, consumer]);
}
