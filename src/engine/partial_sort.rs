//! A sort of which only the first elements matter, and among equal ones the order in which servers leave them.
//!
//! GEOSEARCH with COUNT takes the nearest places from such a sort. Which of several at the same distance are among them
//! depends on the algorithm, and a replica that is told GEOSEARCHSTORE must come to the same: it is the quicksort of
//! Bentley and McIlroy ("Engineering a Sort Function", 1993), which leaves out parts that nobody asked for.

use std::cmp::Ordering;

/// So few are sorted by insertion.
const FEW: usize = 7;

/// From so many on the pivot is a median of medians.
const MANY: usize = 40;

/// Sorts so that the first `wanted` elements are the least ones, in order.
pub(super) fn partial_sort<T>(items: &mut [T], wanted: usize, compare: impl Fn(&T, &T) -> Ordering) {
    let mut parts = vec![(0, items.len())];
    while let Some((from, until)) = parts.pop() {
        if let Some(part) = items.get_mut(from..until).filter(|part| part.len() > 1)
            && from < wanted
            && let Some((less, more)) = partition(part, &compare)
        {
            parts.push((from, from + less));
            parts.push((until - more, until));
        }
    }
}

/// Puts what is less than a pivot in front of what equals it, and the rest behind. Gives how many are less and more;
/// nothing where they are so few that they were sorted at once.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> Option<(usize, usize)> {
    let length = items.len();
    if length < FEW {
        for end in 1..length {
            let mut at = end;
            while at > 0 && order(items, at - 1, at, compare).is_gt() {
                items.swap(at - 1, at);
                at -= 1;
            }
        }
        return None;
    }
    items.swap(0, pivot(items, compare));
    // Equal ones are gathered at both ends first, in front of `equal` and from `tail` on.
    let (mut equal, mut low, mut high, mut tail) = (1, 1, length, length);
    loop {
        while low < high {
            match order(items, low, 0, compare) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal, low);
                    equal += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low < high {
            match order(items, high - 1, 0, compare) {
                Ordering::Less => break,
                Ordering::Equal => {
                    tail -= 1;
                    items.swap(high - 1, tail);
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low >= high {
            break;
        }
        items.swap(low, high - 1);
        low += 1;
        high -= 1;
    }
    let (less, more) = (low - equal, tail - low);
    // Now they go to the middle, as few swaps as there can be.
    exchange(items, 0, low, equal.min(less));
    exchange(items, low, length, more.min(length - tail));
    Some((less, more))
}

/// Exchanges the first `count` from `from` on with the last ones before `until`.
fn exchange<T>(items: &mut [T], from: usize, until: usize, count: usize) {
    for index in 0..count {
        items.swap(from + index, until - count + index);
    }
}

fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let length = items.len();
    let (mut first, mut middle, mut last) = (0, length / 2, length - 1);
    if length == FEW {
        return middle;
    }
    if length > MANY {
        let step = length / 8;
        first = median(items, [0, step, 2 * step], compare);
        middle = median(items, [middle - step, middle, middle + step], compare);
        last = median(items, [last - 2 * step, last - step, last], compare);
    }
    median(items, [first, middle, last], compare)
}

/// Of equal ones the choice matters, too.
fn median<T>(items: &[T], [a, b, c]: [usize; 3], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (first, second) = (order(items, a, b, compare), order(items, b, c, compare));
    match (first.is_lt(), order(items, a, c, compare).is_lt()) {
        (true, _) if second.is_lt() => b,
        (false, _) if second.is_gt() => b,
        (true, true) => c,
        (false, false) => c,
        _ => a,
    }
}

fn order<T>(items: &[T], one: usize, other: usize, compare: &impl Fn(&T, &T) -> Ordering) -> Ordering {
    items.get(one).zip(items.get(other)).map_or(Ordering::Equal, |(one, other)| compare(one, other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_are_the_least(items in proptest::collection::vec(0..20_u8, 0..300), wanted in 0..300_usize) {
            let (mut sorted, mut partly) = (items.clone(), items.clone());
            sorted.sort_unstable();
            partial_sort(&mut partly, wanted, Ord::cmp);
            let wanted = wanted.min(items.len());
            prop_assert_eq!(&partly[..wanted], &sorted[..wanted]);
            partly.sort_unstable();
            prop_assert_eq!(partly, sorted);
        }
    }
}
