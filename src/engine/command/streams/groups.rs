//! Groups and their consumers: made, moved, told of.

use super::*;

/// MKSTREAM and ENTRIESREAD.
pub(super) fn group_options(
    context: &Context<'_>,
    args: Args<'_>,
    creates: bool,
) -> Result<(bool, Option<u64>), CommandError> {
    let dialect = context.engine.dialect;
    let counts = context.origin == Origin::Master || dialect.since(7, 0);
    let (mut makes, mut entries_read, mut index) = (false, None, 5);
    while index < args.len() {
        if creates && args.is(index, "MKSTREAM") {
            makes = true;
        } else if counts && args.is(index, "ENTRIESREAD") && index + 1 < args.len() {
            entries_read = match args.integer(index + 1)? {
                -1 => None,
                number => Some(
                    u64::try_from(number)
                        .map_err(|_| CommandError::fixed("ERR value for ENTRIESREAD must be positive or -1"))?,
                ),
            };
            index += 1;
        } else {
            return Err(wrong_options(args, "XGROUP", dialect));
        }
        index += 1;
    }
    Ok((makes, entries_read))
}

pub(super) fn wrong_options(args: Args<'_>, container: &str, dialect: Dialect) -> CommandError {
    let (word, unknown) = (args.get(1), if dialect.since(7, 0) { "unknown" } else { "Unknown" });
    let word = String::from_utf8_lossy(word.get(..word.len().min(128)).unwrap_or_default());
    CommandError::new(format!(
        "ERR {unknown} subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    ))
}

pub(super) const NO_STREAM: CommandError = CommandError::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// A group of a stream to change.
pub(super) fn group_mut<'a>(context: &'a mut Context<'_>, args: Args<'_>) -> Result<&'a mut Group, CommandError> {
    let (key, name) = (args.get(2), args.get(3));
    let stream = context.stream(key)?.ok_or(NO_STREAM)?;
    if !stream.groups.contains_key(name) {
        return Err(unknown_group(key, name));
    }
    context.stream_mut(key)?.and_then(|stream| stream.groups.get_mut(name)).ok_or(NO_STREAM)
}

pub(super) fn unknown_group(key: &[u8], name: &[u8]) -> CommandError {
    let (key, name) = (String::from_utf8_lossy(key), String::from_utf8_lossy(name));
    CommandError::new(format!("NOGROUP No such consumer group '{name}' for key name '{key}'"))
}

/// Redis 8 takes no more for read than has been added; others believe whatever they are told. (Seen on 7.0 to 9.1.)
fn bounded_read(entries_read: Option<u64>, stream: &Stream, dialect: Dialect) -> Option<u64> {
    entries_read.map(|read| if dialect.is_redis_since(8, 0) { read.min(stream.entries_added) } else { read })
}

pub(super) fn xgroup_create(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(2), args.get(3));
    let (makes, entries_read) = group_options(context, args, true)?;
    let dialect = context.engine.dialect;
    let stream = context.stream(key)?;
    if stream.is_none() && !makes {
        return Err(NO_STREAM);
    }
    let last_id = match args.get(4) {
        b"$" => stream.map_or(LEAST_ID, |stream| stream.last_id),
        text => strict_id(text, 0)?,
    };
    let taken = stream.is_some_and(|stream| stream.groups.contains_key(name));
    if taken {
        return Err(CommandError::fixed("BUSYGROUP Consumer Group name already exists"));
    }
    let makes = stream.is_none();
    if makes {
        context.put(key, Value::Stream(std::sync::Arc::default()), NEVER);
    }
    if let Some(stream) = context.stream_mut(key)? {
        let entries_read = bounded_read(entries_read, stream, dialect);
        stream.groups.insert(name.into(), Group { last_id, entries_read, ..Group::default() });
    }
    if makes {
        context.changed(key, 1)
    } else {
        context.regrouped(1)
    }
    context.notify(Class::Stream, "xgroup-create", key);
    context.reply.ok();
    Ok(())
}

pub(super) fn xgroup_setid(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(2);
    let (_, entries_read) = group_options(context, args, false)?;
    let dialect = context.engine.dialect;
    let stream = context.stream(key)?;
    let last = stream.map(|stream| stream.last_id);
    let entries_read = stream.and_then(|stream| bounded_read(entries_read, stream, dialect));
    group_mut(context, args)?;
    let last_id = match args.get(4) {
        b"$" => last.unwrap_or_default(),
        text => id(text, 0)?,
    };
    let group = group_mut(context, args)?;
    (group.last_id, group.entries_read) = (last_id, entries_read);
    context.regrouped(1);
    context.notify(Class::Stream, "xgroup-setid", key);
    context.reply.ok();
    Ok(())
}

pub(super) fn xgroup_destroy(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(2), args.get(3));
    let there = context.stream(key)?.ok_or(NO_STREAM)?.groups.contains_key(name);
    if there {
        if let Some(stream) = context.stream_mut(key)? {
            stream.groups.remove(name);
        }
        context.regrouped(1);
        context.notify(Class::Stream, "xgroup-destroy", key);
        // Who waits for the group learns that it is gone.
        context.signal(key);
    }
    context.reply.flag(there);
    Ok(())
}

pub(super) fn xgroup_createconsumer(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = context.now;
    let (_, is_new) = group_mut(context, args)?.consumer(args.get(4), now);
    if is_new {
        context.regrouped(1);
        context.notify(Class::Stream, "xgroup-createconsumer", args.get(2));
    }
    context.reply.flag(is_new);
    Ok(())
}

pub(super) fn xgroup_delconsumer(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let group = group_mut(context, args)?;
    let gone = group.consumers.remove(args.get(4));
    let pending = gone.as_ref().map_or(0, |consumer| consumer.pending.len());
    for id in gone.iter().flat_map(|consumer| &consumer.pending) {
        group.pending.remove(id);
    }
    // Before 7.0 whether there was one or not.
    if gone.is_some() || !context.engine.dialect.since(7, 0) {
        context.regrouped(1);
        context.notify(Class::Stream, "xgroup-delconsumer", args.get(2));
    }
    context.reply.count(pending);
    Ok(())
}

/// An id, or the number of entries, or null.
pub(super) fn reply_known(reply: &mut Reply, number: Option<u64>) {
    match number {
        Some(number) => reply.integer(number.cast_signed()),
        None => reply.null(),
    }
}

pub(super) fn xinfo_stream(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(2);
    let full = args.len() > 3;
    let mut count = 10;
    context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    if full {
        if !args.is(3, "FULL") || !matches!(args.len(), 4 | 6) || args.len() == 6 && !args.is(4, "COUNT") {
            return Err(wrong_options(args, "XINFO", context.engine.dialect));
        }
        if args.len() == 6 {
            count = match args.integer(5)? {
                ..0 => 10,
                0 => usize::MAX,
                number => usize::try_from(number).unwrap_or(usize::MAX),
            };
        }
    }
    let dialect = context.engine.dialect;
    let mut reply = std::mem::take(context.reply);
    if let Some(stream) = held(context, key) {
        let since_7 = dialect.since(7, 0);
        reply.map(if full { 6 } else { 7 } + if since_7 { 3 } else { 0 });
        reply.bulk(b"length");
        reply.count(stream.entries.len());
        reply.bulk(b"radix-tree-keys");
        reply.count(stream.node_count());
        // The inner nodes of the servers' tree are not kept here: that of one key has two.
        reply.bulk(b"radix-tree-nodes");
        reply.count(stream.node_count() + 1);
        reply.bulk(b"last-generated-id");
        reply_id(&mut reply, stream.last_id);
        if since_7 {
            reply.bulk(b"max-deleted-entry-id");
            reply_id(&mut reply, stream.max_deleted_id);
            reply.bulk(b"entries-added");
            reply.integer(stream.entries_added.cast_signed());
            reply.bulk(b"recorded-first-entry-id");
            reply_id(&mut reply, stream.first_id());
        }
        if full {
            reply.bulk(b"entries");
            reply_range(&mut reply, stream, LEAST_ID, GREATEST_ID, count, false);
            reply.bulk(b"groups");
            reply.array(stream.groups.len());
            for (name, group) in &stream.groups {
                reply_group_in_full(&mut reply, stream, name, group, count, dialect);
            }
        } else {
            reply.bulk(b"groups");
            reply.count(stream.groups.len());
            for (name, entry) in
                [("first-entry", stream.entries.first_key_value()), ("last-entry", stream.entries.last_key_value())]
            {
                reply.bulk(name.as_bytes());
                match entry {
                    Some((id, words)) => reply_entry(&mut reply, *id, words),
                    None => reply.null(),
                }
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

pub(super) fn reply_group_in_full(
    reply: &mut Reply,
    stream: &Stream,
    name: &[u8],
    group: &Group,
    count: usize,
    dialect: Dialect,
) {
    let since_7 = dialect.since(7, 0);
    reply.map(if since_7 { 7 } else { 5 });
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    if since_7 {
        reply.bulk(b"entries-read");
        reply_known(reply, group.entries_read);
        reply.bulk(b"lag");
        reply_known(reply, stream.lag(group, dialect));
    }
    reply.bulk(b"pel-count");
    reply.count(group.pending.len());
    reply.bulk(b"pending");
    reply.array(group.pending.len().min(count));
    for (id, pending) in group.pending.iter().take(count) {
        reply.array(4);
        reply_id(reply, *id);
        reply.bulk(&pending.consumer);
        reply.integer(pending.delivered_ms);
        reply.integer(pending.count.cast_signed());
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers.len());
    for (name, consumer) in &group.consumers {
        reply.map(if dialect.since(7, 2) { 5 } else { 4 });
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"seen-time");
        reply.integer(consumer.seen_ms);
        if dialect.since(7, 2) {
            reply.bulk(b"active-time");
            reply.integer(consumer.active_ms);
        }
        reply.bulk(b"pel-count");
        reply.count(consumer.pending.len());
        reply.bulk(b"pending");
        reply.array(consumer.pending.len().min(count));
        for id in consumer.pending.iter().take(count) {
            let pending = group.pending.get(id);
            reply.array(3);
            reply_id(reply, *id);
            reply.integer(pending.map_or(0, |pending| pending.delivered_ms));
            reply.integer(pending.map_or(0, |pending| pending.count.cast_signed()));
        }
    }
}

pub(super) fn xinfo_groups(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let since_7 = dialect.since(7, 0);
    context.stream(args.get(2))?.ok_or(CommandError::NO_SUCH_KEY)?;
    let mut reply = std::mem::take(context.reply);
    if let Some(stream) = held(context, args.get(2)) {
        reply.array(stream.groups.len());
        for (name, group) in &stream.groups {
            reply.map(if since_7 { 6 } else { 4 });
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"consumers");
            reply.count(group.consumers.len());
            reply.bulk(b"pending");
            reply.count(group.pending.len());
            reply.bulk(b"last-delivered-id");
            reply_id(&mut reply, group.last_id);
            if since_7 {
                reply.bulk(b"entries-read");
                reply_known(&mut reply, group.entries_read);
                reply.bulk(b"lag");
                reply_known(&mut reply, stream.lag(group, dialect));
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

pub(super) fn xinfo_consumers(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(2), args.get(3));
    let (now, since_7_2) = (context.now, context.engine.dialect.since(7, 2));
    let stream = context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    if !stream.groups.contains_key(name) {
        return Err(unknown_group(key, name));
    }
    let mut reply = std::mem::take(context.reply);
    if let Some(group) = held(context, key).and_then(|stream| stream.groups.get(name)) {
        reply.array(group.consumers.len());
        for (name, consumer) in &group.consumers {
            reply.map(if since_7_2 { 4 } else { 3 });
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"pending");
            reply.count(consumer.pending.len());
            reply.bulk(b"idle");
            reply.integer(now.saturating_sub(consumer.seen_ms).max(0));
            if since_7_2 {
                reply.bulk(b"inactive");
                let active = consumer.active_ms;
                reply.integer(if active < 0 { -1 } else { now.saturating_sub(active).max(0) });
            }
        }
    }
    *context.reply = reply;
    Ok(())
}
