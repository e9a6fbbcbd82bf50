//! Entries: added, read by their ids, trimmed and deleted.

use super::*;

pub(super) fn xadd(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let (mut trimming, at) = Trimming::read(context, args, 2, true)?;
    let since_7 = context.engine.dialect.since(7, 0);
    let given = match args.get(at) {
        b"*" => None,
        _ if at >= args.len() => None,
        // A number within the millisecond that is made up, since 7.0.
        text if since_7 || context.origin == Origin::Master => Some(id_and_whether_whole(text, 0)?),
        text => Some((strict_id(text, 0)?, true)),
    };
    trimming.check(context.origin, true, context.engine.guards.stream_node)?;
    let words = args.len().saturating_sub(at + 1);
    if words < 2 || !words.is_multiple_of(2) {
        let old = CommandError::fixed("ERR wrong number of arguments for XADD");
        return Err(if since_7 { CommandError::arity("xadd") } else { old });
    }
    if given == Some((LEAST_ID, true)) {
        return Err(CommandError::fixed("ERR The ID specified in XADD must be greater than 0-0"));
    }
    if args.from(at + 1).map(<[u8]>::len).sum::<usize>() > LONGEST_ENTRY {
        return Err(CommandError::fixed("ERR Elements are too large to be stored"));
    }
    let last = match context.stream(key)? {
        None if trimming.no_mkstream => {
            context.reply.null();
            return Ok(());
        }
        None => LEAST_ID,
        Some(stream) => stream.last_id,
    };
    if last == GREATEST_ID {
        return Err(CommandError::fixed("ERR The stream has exhausted the last possible ID, unable to add more items"));
    }
    let now = StreamId { ms: u64::try_from(context.now).unwrap_or(0), seq: 0 };
    let id = match given {
        None if now.ms > last.ms => now,
        None => next_id(last).unwrap_or(last),
        Some((id, true)) => id,
        Some((id, false)) if id.ms == last.ms => StreamId { seq: last.seq.saturating_add(1), ..id },
        Some((id, false)) => id,
    };
    if id <= last {
        return Err(CommandError::fixed(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ));
    }
    let entry = args.from(at + 1).map(Blob::from).collect();
    let size = context.engine.guards.stream_node;
    let stream = context.stream_or_new(key)?;
    stream.push_by(id, entry, size);
    let trimmed = trimming.trim(stream);
    let threshold = trimming.result(stream);
    context.changed(key, 1);
    context.signal(key);
    context.notify(Class::Stream, "xadd", key);
    if trimmed > 0 {
        context.notify(Class::Stream, "xtrim", key);
    }
    let text = id.to_string();
    let made = !since_7 || given.is_none_or(|(_, whole)| !whole);
    if threshold.is_some() || made {
        let mut other = Vec::with_capacity(3);
        if made {
            other.push((at, text.as_bytes()));
        }
        if let Some(threshold) = &threshold {
            other.push((trimming.sign, b"="));
            other.push((trimming.threshold, threshold.as_bytes()));
        }
        propagate_with(context, args, &other);
    }
    context.reply.bulk(text.as_bytes());
    Ok(())
}

pub(super) fn xtrim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let (mut trimming, _) = Trimming::read(context, args, 2, false)?;
    trimming.check(context.origin, false, context.engine.guards.stream_node)?;
    let Some(stream) = context.stream_mut(key)? else {
        context.reply.integer(0);
        return Ok(());
    };
    let removed = trimming.trim(stream);
    let threshold = trimming.result(stream);
    if removed > 0 {
        context.changed(key, removed);
        context.notify(Class::Stream, "xtrim", key);
        if let Some(threshold) = threshold {
            propagate_with(context, args, &[(trimming.sign, b"="), (trimming.threshold, threshold.as_bytes())]);
        }
    }
    context.reply.integer(removed.cast_signed());
    Ok(())
}

pub(super) fn xlen(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let length = context.stream(args.get(1))?.map_or(0, |stream| stream.entries.len());
    context.reply.count(length);
    Ok(())
}

/// The stream of a key that is there, without a borrow of the whole context.
pub(super) fn held<'a>(context: &'a Context<'_>, key: &[u8]) -> Option<&'a Stream> {
    match context.engine.keyspace.get(context.session.db, key).map(|entry| &entry.value) {
        Some(Value::Stream(stream)) => Some(stream),
        _ => None,
    }
}

pub(super) fn xrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(context, args, start_id(args.get(2))?, end_id(args.get(3))?, false)
}

pub(super) fn xrevrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // The errors come in the order of the range, not of the arguments.
    let start = start_id(args.get(3))?;
    range(context, args, start, end_id(args.get(2))?, true)
}

pub(super) fn range(
    context: &mut Context<'_>,
    args: Args<'_>,
    start: StreamId,
    end: StreamId,
    backwards: bool,
) -> Outcome {
    let (mut count, mut index) = (None, 4);
    while index < args.len() {
        if !args.is(index, "COUNT") || index + 1 >= args.len() {
            return Err(CommandError::SYNTAX);
        }
        count = Some(usize::try_from(args.integer(index + 1)?).unwrap_or(0));
        index += 2;
    }
    if context.stream(args.get(1))?.is_none() {
        context.reply.array(0);
        return Ok(());
    }
    if count == Some(0) {
        context.reply.null_array();
        return Ok(());
    }
    let mut reply = std::mem::take(context.reply);
    if let Some(stream) = held(context, args.get(1)) {
        reply_range(&mut reply, stream, start, end, count.unwrap_or(usize::MAX), backwards);
    }
    *context.reply = reply;
    Ok(())
}

pub(super) fn reply_range(
    reply: &mut Reply,
    stream: &Stream,
    start: StreamId,
    end: StreamId,
    count: usize,
    backwards: bool,
) {
    if start > end {
        return reply.array(0);
    }
    let entries = stream.entries.range(start..=end);
    reply.array(entries.clone().take(count).count());
    if backwards {
        entries.rev().take(count).for_each(|(id, words)| reply_entry(reply, *id, words));
    } else {
        entries.take(count).for_each(|(id, words)| reply_entry(reply, *id, words));
    }
}

/// The ids from this argument on, `count` of them.
pub(super) fn ids(args: Args<'_>, from: usize, count: usize) -> Result<Vec<StreamId>, CommandError> {
    args.from(from).take(count).map(|text| strict_id(text, 0)).collect()
}

pub(super) fn delete(stream: &mut Stream, id: StreamId) -> bool {
    let deleted = stream.remove(id);
    if deleted {
        stream.max_deleted_id = stream.max_deleted_id.max(id);
    }
    deleted
}

pub(super) fn xdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    if context.stream(key)?.is_none() {
        context.reply.integer(0);
        return Ok(());
    }
    let ids = ids(args, 2, usize::MAX)?;
    let mut deleted = 0;
    if let Some(stream) = context.stream_mut(key)? {
        deleted = ids.into_iter().filter(|id| delete(stream, *id)).count();
    }
    if deleted > 0 {
        context.changed(key, deleted as u64);
        context.notify(Class::Stream, "xdel", key);
    }
    context.reply.count(deleted);
    Ok(())
}

/// `[KEEPREF|DELREF|ACKED] IDS numids id…`
pub(super) fn ids_and_references(args: Args<'_>, from: usize) -> Result<(References, usize, usize), CommandError> {
    let (mut references, mut found, mut index) = (None, None, from);
    while index < args.len() {
        if let Some(word) = reference_word(args, index) {
            if references.replace(word).is_some() {
                return Err(CommandError::SYNTAX);
            }
            index += 1;
        } else if args.is(index, "IDS") && index + 1 < args.len() && found.is_none() {
            let count = args.integer(index + 1).ok().and_then(|count| usize::try_from(count).ok());
            let count = count.filter(|count| *count > 0);
            let count = count.ok_or(CommandError::fixed("ERR Number of IDs must be a positive integer"))?;
            if args.len() - index - 2 < count {
                return Err(CommandError::fixed("ERR The `numids` parameter must match the number of arguments"));
            }
            found = Some((index + 2, count));
            index += 2 + count;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let (first, count) = found.ok_or(CommandError::SYNTAX)?;
    Ok((references.unwrap_or_default(), first, count))
}

pub(super) fn xdelex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    context.stream(key)?;
    let (references, first, count) = ids_and_references(args, 2)?;
    if context.stream(key)?.is_none() {
        reply_numbers(context, &vec![-1; count]);
        return Ok(());
    }
    let ids = ids(args, first, count)?;
    let mut answers = Vec::with_capacity(ids.len());
    let mut changes = 0;
    match context.stream_mut(key)? {
        None => {}
        Some(stream) => {
            for id in ids {
                answers.push(match references {
                    References::Acknowledged if !stream.is_acknowledged(id) => 2,
                    _ if !stream.entries.contains_key(&id) => -1,
                    _ => {
                        if references == References::Delete {
                            stream.forget(id);
                        }
                        delete(stream, id);
                        changes += 1;
                        1
                    }
                });
            }
        }
    }
    if changes > 0 {
        context.changed(key, changes);
        context.notify(Class::Stream, "xdel", key);
    }
    reply_numbers(context, &answers);
    Ok(())
}

pub(super) fn reply_numbers(context: &mut Context<'_>, numbers: &[i64]) {
    context.reply.array(numbers.len());
    for number in numbers {
        context.reply.integer(*number);
    }
}

pub(super) fn xackdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    context.stream(key)?;
    let (references, first, count) = ids_and_references(args, 3)?;
    if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        reply_numbers(context, &vec![-1; count]);
        return Ok(());
    }
    let ids = ids(args, first, count)?;
    let mut answers = Vec::with_capacity(ids.len());
    let mut changes = 0;
    match context.stream_mut(key)? {
        Some(stream) if stream.groups.contains_key(name) => {
            for id in ids {
                if stream.groups.get_mut(name).and_then(|group| group.acknowledge(id)).is_none() {
                    answers.push(-1);
                    continue;
                }
                changes += 1;
                if references == References::Acknowledged && !stream.is_acknowledged(id) {
                    answers.push(2);
                    continue;
                }
                if references == References::Delete {
                    stream.forget(id);
                }
                delete(stream, id);
                answers.push(1);
            }
        }
        _ => {}
    }
    if changes > 0 {
        context.changed(key, changes);
        context.notify(Class::Stream, "xdel", key);
    }
    reply_numbers(context, &answers);
    Ok(())
}

pub(super) fn xsetid(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // Counts beside the id, since 7.0.
    if args.len() > 3 && context.origin == Origin::Client && !context.engine.dialect.since(7, 0) {
        return Err(CommandError::arity("xsetid"));
    }
    let key = args.get(1);
    if !context.engine.dialect.since(7, 0) {
        context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    }
    let last = strict_id(args.get(2), 0)?;
    let (mut added, mut deleted, mut index) = (None, LEAST_ID, 3);
    while index < args.len() {
        if args.is(index, "ENTRIESADDED") && index + 1 < args.len() {
            let negative = |_| CommandError::fixed("ERR entries_added must be positive");
            added = Some(u64::try_from(args.integer(index + 1)?).map_err(negative)?);
        } else if args.is(index, "MAXDELETEDID") && index + 1 < args.len() {
            deleted = strict_id(args.get(index + 1), 0)?;
            if last < deleted {
                return Err(CommandError::fixed(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 2;
    }
    let minds_deleted = context.engine.dialect.since(7, 2);
    let stream = context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    if minds_deleted && last < stream.max_deleted_id {
        return Err(CommandError::fixed("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"));
    }
    if !stream.entries.is_empty() {
        if last < stream.top_id() {
            return Err(CommandError::fixed(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| added < stream.entries.len() as u64) {
            return Err(CommandError::fixed(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    if let Some(stream) = context.stream_mut(key)? {
        stream.last_id = last;
        stream.entries_added = added.unwrap_or(stream.entries_added);
        if deleted != LEAST_ID {
            stream.max_deleted_id = deleted;
        }
    }
    context.regrouped(1);
    context.notify(Class::Stream, "xsetid", key);
    context.reply.ok();
    Ok(())
}
