//! Several sorted sets, or sets, brought together: ZUNION, ZINTER, ZDIFF and what stores their results.

use super::*;

/// What ZUNION and its like take: sorted sets, and sets, whose members all have the score 1.
#[derive(Clone)]
pub(super) enum Source {
    None,
    Set(Arc<Set>),
    SortedSet(Arc<SortedSet>),
}

impl Source {
    fn read(context: &mut Context<'_>, key: &[u8]) -> Result<Self, CommandError> {
        match context.value(key) {
            None => Ok(Self::None),
            Some(Value::Set(set)) => Ok(Self::Set(Arc::clone(set))),
            Some(Value::SortedSet(set)) => Ok(Self::SortedSet(Arc::clone(set))),
            Some(_) => Err(CommandError::WRONG_TYPE),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::SortedSet(set) => set.score(member),
        }
    }

    fn get(&self, index: usize) -> Option<(&Blob, f64)> {
        match self {
            Self::None => None,
            Self::Set(set) => set.get_index(index).map(|member| (member, 1.0)),
            Self::SortedSet(set) => set.by_index(index),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&Blob, f64)> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => {
                let sum = one + other;
                // Infinity and its opposite.
                if sum.is_nan() { 0.0 } else { sum }
            }
            // Servers take the second unless the first is beyond it.
            Self::Min if one < other => one,
            Self::Max if one > other => one,
            Self::Min | Self::Max => other,
        }
    }
}

/// Sources with their weights, and how to bring them together.
pub(super) struct Combination {
    operation: Operation,
    sources: Vec<(Source, f64)>,
    aggregate: Aggregate,
    with_scores: bool,
}

/// The sources that `numkeys` at `index` counts, and the index behind them.
pub(super) fn sources(
    context: &mut Context<'_>,
    args: Args<'_>,
    index: usize,
    name: &str,
) -> Result<(Vec<(Source, f64)>, usize), CommandError> {
    if args.integer(index)? < 1 {
        return Err(CommandError::new(if context.engine.dialect.since(7, 0) {
            format!("ERR at least 1 input key is needed for '{name}' command")
        } else {
            format!("ERR at least 1 input key is needed for {name}")
        }));
    }
    let (keys, index) = args.keys(index, "")?;
    let read = |context: &mut Context<'_>| -> Result<_, CommandError> {
        keys.map(|key| Ok((Source::read(context, key)?, 1.0))).collect()
    };
    let sources = context.reading_to_store(read)?;
    Ok((sources, index))
}

impl Combination {
    fn read(
        context: &mut Context<'_>,
        args: Args<'_>,
        index: usize,
        operation: Operation,
        (stores, name): (bool, &str),
    ) -> Result<Self, CommandError> {
        let (sources, mut index) = sources(context, args, index, name)?;
        let mut combination = Self { operation, sources, aggregate: Aggregate::Sum, with_scores: false };
        let weighs = operation != Operation::Difference;
        while index < args.len() {
            if weighs && args.is(index, "WEIGHTS") && args.len() - index > combination.sources.len() {
                for (_, weight) in &mut combination.sources {
                    index += 1;
                    let not_float = CommandError::fixed("ERR weight value is not a float");
                    *weight = float(args.get(index)).ok_or(not_float)?;
                }
            } else if weighs && args.is(index, "AGGREGATE") && index + 1 < args.len() {
                index += 1;
                combination.aggregate = match () {
                    () if args.is(index, "SUM") => Aggregate::Sum,
                    () if args.is(index, "MIN") => Aggregate::Min,
                    () if args.is(index, "MAX") => Aggregate::Max,
                    () => return Err(CommandError::SYNTAX),
                };
            } else if !stores && args.is(index, "WITHSCORES") {
                combination.with_scores = true;
            } else {
                return Err(CommandError::SYNTAX);
            }
            index += 1;
        }
        Ok(combination)
    }

    fn result(mut self) -> SortedSet {
        if self.operation != Operation::Difference {
            // Sums of doubles depend on the order, which is that of the sizes.
            self.sources.sort_by_key(|(source, _)| source.len());
        }
        match self.operation {
            Operation::Union => self.union(),
            Operation::Intersection => {
                let mut found = SortedSet::default();
                intersect(&self.sources, self.aggregate, |member, score| {
                    found.insert(member, score);
                    true
                });
                found
            }
            Operation::Difference => self.difference(),
        }
    }

    fn union(&self) -> SortedSet {
        // Scores first, then the order: each member is put in its place once.
        let mut scores: indexmap::IndexMap<Blob, f64, foldhash::fast::RandomState> = indexmap::IndexMap::default();
        for (source, weight) in &self.sources {
            for (member, score) in source.iter() {
                let score = weighted(score, *weight);
                scores.entry(member.clone()).and_modify(|sum| *sum = self.aggregate.of(*sum, score)).or_insert(score);
            }
        }
        let mut found = SortedSet::default();
        for (member, score) in scores {
            found.insert(&member, score);
        }
        found
    }

    fn difference(&self) -> SortedSet {
        let mut found = SortedSet::default();
        if let Some(((first, _), others)) = self.sources.split_first() {
            for (member, score) in first.iter() {
                if !others.iter().any(|(source, _)| source.score(member).is_some()) {
                    found.insert(member, score);
                }
            }
        }
        found
    }
}

/// Infinity times zero is zero.
pub(super) fn weighted(score: f64, weight: f64) -> f64 {
    let product = score * weight;
    if product.is_nan() { 0.0 } else { product }
}

/// The members that all sources have, the smallest of which is the first, given to `visit` until it has enough.
pub(super) fn intersect(sources: &[(Source, f64)], aggregate: Aggregate, mut visit: impl FnMut(&Blob, f64) -> bool) {
    let Some(((first, weight), others)) = sources.split_first() else { return };
    for (member, score) in first.iter() {
        let start = Some(weighted(score, *weight));
        let sum =
            others.iter().fold(start, |sum, (source, weight)| Some(aggregate.of(sum?, source.score(member)? * weight)));
        if let Some(sum) = sum
            && !visit(member, sum)
        {
            return;
        }
    }
}

pub(super) fn answer_combination(
    context: &mut Context<'_>,
    args: Args<'_>,
    operation: Operation,
    name: &str,
) -> Outcome {
    let combination = Combination::read(context, args, 1, operation, (false, name))?;
    let with_scores = combination.with_scores;
    let found = combination.result();
    let members = found.ranked().iter().map(|scored| (&scored.member, scored.score));
    answer_members(context.reply, found.len(), members, with_scores, context.engine.dialect);
    Ok(())
}

pub(super) fn store_combination(
    context: &mut Context<'_>,
    args: Args<'_>,
    operation: Operation,
    name: &str,
) -> Outcome {
    let found = Combination::read(context, args, 2, operation, (true, name))?.result();
    store(context, args.get(1), found, name);
    Ok(())
}

pub(super) fn zunion(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_combination(context, args, Operation::Union, "zunion")
}

pub(super) fn zinter(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_combination(context, args, Operation::Intersection, "zinter")
}

pub(super) fn zdiff(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_combination(context, args, Operation::Difference, "zdiff")
}

pub(super) fn zunionstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store_combination(context, args, Operation::Union, "zunionstore")
}

pub(super) fn zinterstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store_combination(context, args, Operation::Intersection, "zinterstore")
}

pub(super) fn zdiffstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store_combination(context, args, Operation::Difference, "zdiffstore")
}

pub(super) fn zintercard(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut sources, index) = sources(context, args, 1, "zintercard")?;
    let limit = limit_option(args, index)?;
    sources.sort_by_key(|(source, _)| source.len());
    let mut found = 0;
    intersect(&sources, Aggregate::Sum, |_, _| {
        found += 1;
        found < limit
    });
    context.reply.count(found);
    Ok(())
}
