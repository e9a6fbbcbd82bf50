//! What consumers were given and have not acknowledged: acknowledged, claimed, listed.

use super::*;

pub(super) fn xack(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        context.reply.integer(0);
        return Ok(());
    }
    let ids = ids(args, 3, usize::MAX)?;
    let mut acknowledged = 0;
    if let Some(group) = context.stream_mut(key)?.and_then(|stream| stream.groups.get_mut(name)) {
        acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id).is_some()).count();
    }
    if acknowledged > 0 {
        context.regrouped(acknowledged as u64);
    }
    context.reply.count(acknowledged);
    Ok(())
}

/// What XCLAIM is told behind the ids.
pub(super) struct Claim {
    min_idle: i64,
    ids: Vec<StreamId>,
    delivered_ms: i64,
    count: Option<u64>,
    force: bool,
    just_ids: bool,
    last_id: StreamId,
}

impl Claim {
    fn read(args: Args<'_>, now: i64) -> Result<Self, CommandError> {
        let number = |index, what: &str| {
            integer(args.get(index)).ok_or_else(|| CommandError::new(format!("ERR Invalid {what} argument for XCLAIM")))
        };
        let min_idle = number(4, "min-idle-time")?.max(0);
        let ids: Vec<StreamId> = args.from(5).map_while(|text| strict_id(text, 0).ok()).collect();
        let mut claim =
            Self { min_idle, ids, delivered_ms: now, count: None, force: false, just_ids: false, last_id: LEAST_ID };
        let (mut index, mut time) = (5 + claim.ids.len(), None);
        while index < args.len() {
            let more = index + 1 < args.len();
            match () {
                () if args.is(index, "FORCE") => claim.force = true,
                () if args.is(index, "JUSTID") => claim.just_ids = true,
                () if args.is(index, "IDLE") && more => {
                    time = Some(now.saturating_sub(number(index + 1, "IDLE option")?));
                    index += 1;
                }
                () if args.is(index, "TIME") && more => {
                    time = Some(number(index + 1, "TIME option")?);
                    index += 1;
                }
                () if args.is(index, "RETRYCOUNT") && more => {
                    claim.count = u64::try_from(number(index + 1, "RETRYCOUNT option")?).ok();
                    index += 1;
                }
                () if args.is(index, "LASTID") && more => {
                    claim.last_id = strict_id(args.get(index + 1), 0)?;
                    index += 1;
                }
                () => {
                    let word = String::from_utf8_lossy(args.get(index));
                    return Err(CommandError::new(format!("ERR Unrecognized XCLAIM option '{word}'")));
                }
            }
            index += 1;
        }
        // A time that cannot be is taken for now.
        claim.delivered_ms = time.filter(|time| (0..=now).contains(time)).unwrap_or(now);
        Ok(claim)
    }
}

pub(super) fn xclaim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let claimed = Claimed { key: args.get(1), group: args.get(2) };
    let consumer = args.get(3);
    if context.stream(claimed.key)?.is_none_or(|stream| !stream.groups.contains_key(claimed.group)) {
        return Err(no_group(claimed.key, claimed.group, ""));
    }
    // A master's clock is not ours: it says when.
    let (now, dialect, origin) = (context.now, context.engine.dialect, context.origin);
    let claim = Claim::read(args, if origin == Origin::Master { i64::MAX } else { now })?;
    context.keep_from_stream();
    let Some(stream) = context.stream_mut(claimed.key)? else { return Ok(()) };
    let Stream { entries, groups, .. } = stream;
    let Some(group) = groups.get_mut(claimed.group) else { return Ok(()) };
    let mut place = false;
    if claim.last_id > group.last_id {
        group.last_id = claim.last_id;
        place = true;
    }
    let mut created = false;
    // Since 7.2 the consumer is made even where nothing is claimed.
    if dialect.since(7, 2) && origin == Origin::Client {
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, created) = (now, is_new);
    }
    let (mut effects, mut given) = (Vec::new(), Vec::new());
    // Before 7.0 an entry that was deleted stayed pending and went from hand to hand.
    let claims_deleted = !dialect.since(7, 0);
    for (id, text) in claim.ids.into_iter().zip(args.from(5)) {
        let claimable = claims_deleted && group.pending.contains_key(&id);
        if !entries.contains_key(&id) && !claimable {
            if let Some(pending) = group.acknowledge(id) {
                effects.push((text, pending));
                place = false;
            }
            continue;
        }
        let before = group.pending.get(&id);
        if before.is_none() && !claim.force {
            continue;
        }
        if before.is_some_and(|before| now.saturating_sub(before.delivered_ms) < claim.min_idle) {
            continue;
        }
        let count = match claim.count {
            Some(count) => count,
            None => before.map_or(1, |before| before.count) + u64::from(!claim.just_ids),
        };
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, known.active_ms) = (now, now);
        created |= is_new;
        let delivered_ms = if claim.delivered_ms == i64::MAX { now } else { claim.delivered_ms };
        let pending = Pending { consumer: consumer.into(), delivered_ms, count };
        group.deliver(id, pending.clone());
        effects.push((text, pending));
        given.push((id, (!claim.just_ids).then(|| entries.get(&id).cloned())));
        place = false;
    }
    let (last, entries_read) = (group.last_id, group.entries_read);
    if !effects.is_empty() || created || place {
        context.regrouped(1);
    }
    if created {
        context.notify_consumer(claimed.key);
    }
    for (id, pending) in &effects {
        propagate_claim(context, &claimed, id, pending, last);
    }
    if place {
        propagate_place(context, &claimed, last, entries_read);
    }
    reply_claimed(context, &given);
    Ok(())
}

/// An entry that was claimed: only its id where that was asked for, else its words, unless it was deleted.
pub(super) type Given = (StreamId, Option<Option<Box<[Blob]>>>);

pub(super) fn reply_claimed(context: &mut Context<'_>, given: &[Given]) {
    context.reply.array(given.len());
    for (id, words) in given {
        match words {
            Some(Some(words)) => reply_entry(context.reply, *id, words),
            Some(None) => context.reply.null(),
            None => reply_id(context.reply, *id),
        }
    }
}

pub(super) fn xautoclaim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let claimed = Claimed { key: args.get(1), group: args.get(2) };
    let consumer = args.get(3);
    let invalid = CommandError::fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM");
    let min_idle = integer(args.get(4)).ok_or(invalid)?.max(0);
    let start = start_id(args.get(5))?;
    let (mut count, mut just_ids, mut index) = (100_usize, false, 6);
    while index < args.len() {
        if args.is(index, "COUNT") && index + 1 < args.len() {
            let wrong = CommandError::fixed("ERR COUNT must be > 0");
            let number = integer(args.get(index + 1)).and_then(|number| usize::try_from(number).ok());
            count = number.filter(|number| (1..=1 << 59).contains(number)).ok_or(wrong)?;
            index += 1;
        } else if args.is(index, "JUSTID") {
            just_ids = true;
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 1;
    }
    if context.stream(claimed.key)?.is_none_or(|stream| !stream.groups.contains_key(claimed.group)) {
        return Err(no_group(claimed.key, claimed.group, ""));
    }
    let (now, dialect) = (context.now, context.engine.dialect);
    context.keep_from_stream();
    let Some(stream) = context.stream_mut(claimed.key)? else { return Ok(()) };
    let Stream { entries, groups, .. } = stream;
    let Some(group) = groups.get_mut(claimed.group) else { return Ok(()) };
    let mut created = false;
    if dialect.since(7, 2) {
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, created) = (now, is_new);
    }
    // Ten are looked at for each that may be given.
    let (mut attempts, mut cursor) = (count.saturating_mul(10), Some(start));
    let (mut effects, mut given, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = LEAST_ID;
    while let Some(from) = cursor {
        let Some((id, before)) = group.pending.range(from..).next() else { break };
        let id = *id;
        if attempts == 0 || count == 0 {
            next = id;
            break;
        }
        attempts -= 1;
        cursor = next_id(id);
        if !entries.contains_key(&id) && dialect.since(7, 0) {
            if let Some(pending) = group.acknowledge(id) {
                effects.push((id, pending));
                gone.push(id);
            }
            count -= 1;
            continue;
        }
        if now.saturating_sub(before.delivered_ms) < min_idle {
            continue;
        }
        let times = before.count + u64::from(!just_ids);
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, known.active_ms) = (now, now);
        created |= is_new;
        let pending = Pending { consumer: consumer.into(), delivered_ms: now, count: times };
        group.deliver(id, pending.clone());
        effects.push((id, pending));
        given.push((id, (!just_ids).then(|| entries.get(&id).cloned())));
        count -= 1;
    }
    let last = group.last_id;
    if !effects.is_empty() || created {
        context.regrouped(1);
    }
    if created {
        context.notify_consumer(claimed.key);
    }
    for (id, pending) in &effects {
        propagate_claim(context, &claimed, id.to_string().as_bytes(), pending, last);
    }
    let since_7 = dialect.since(7, 0);
    context.reply.array(if since_7 { 3 } else { 2 });
    reply_id(context.reply, next);
    reply_claimed(context, &given);
    if since_7 {
        context.reply.array(gone.len());
        for id in gone {
            reply_id(context.reply, id);
        }
    }
    Ok(())
}

pub(super) fn xpending(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    if args.len() != 3 && !(6..=9).contains(&args.len()) {
        return Err(CommandError::SYNTAX);
    }
    let (mut first, mut min_idle) = (3, 0);
    let mut wanted = None;
    if args.len() >= 6 {
        if args.is(3, "IDLE") {
            min_idle = args.integer(4)?;
            if args.len() < 8 {
                return Err(CommandError::SYNTAX);
            }
            first = 5;
        }
        let count = usize::try_from(args.integer(first + 2)?).unwrap_or(0);
        wanted = Some((start_id(args.get(first))?, end_id(args.get(first + 1))?, count));
    }
    if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        return Err(no_group(key, name, ""));
    }
    let now = context.now;
    let mut reply = std::mem::take(context.reply);
    if let Some(group) = held(context, key).and_then(|stream| stream.groups.get(name)) {
        match wanted {
            None => reply_pending(&mut reply, group),
            Some((start, end, count)) => {
                let of = args.find(first + 3);
                let mine = |pending: &Pending| of.is_none_or(|name| *pending.consumer == *name);
                let old = |pending: &Pending| min_idle <= 0 || now.saturating_sub(pending.delivered_ms) >= min_idle;
                let entries: Vec<_> = if start > end {
                    Vec::new()
                } else {
                    group.pending.range(start..=end).filter(|(_, it)| mine(it) && old(it)).take(count).collect()
                };
                reply.array(entries.len());
                for (id, pending) in entries {
                    reply.array(4);
                    reply_id(&mut reply, *id);
                    reply.bulk(&pending.consumer);
                    reply.integer(now.saturating_sub(pending.delivered_ms).max(0));
                    reply.integer(pending.count.cast_signed());
                }
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

/// XPENDING without a range.
pub(super) fn reply_pending(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.count(group.pending.len());
    match (group.pending.first_key_value(), group.pending.last_key_value()) {
        (Some((first, _)), Some((last, _))) => {
            reply_id(reply, *first);
            reply_id(reply, *last);
            let busy = group.consumers.iter().filter(|(_, consumer)| !consumer.pending.is_empty());
            reply.array(busy.clone().count());
            for (name, consumer) in busy {
                reply.array(2);
                reply.bulk(name);
                reply.bulk_integer(consumer.pending.len() as i64);
            }
        }
        _ => {
            reply.null();
            reply.null();
            reply.null_array();
        }
    }
}
