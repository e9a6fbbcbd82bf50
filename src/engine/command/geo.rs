//! Places in sorted sets.

use std::sync::Arc;

use super::sorted_sets::{store, zadd_all};
use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::{Args, float};
use crate::engine::context::Origin;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::geohash::{Place, Shape, centre};
use crate::engine::number::score_text;
use crate::engine::partial_sort::partial_sort;
use crate::engine::reply::Reply;
use crate::engine::value::{Blob, SortedSet, Value};

const GROW: &[Flag] = &[Flag::Write, Flag::DenyOom];
const READ: &[Flag] = &[Flag::Read];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("GEOADD", -5, GROW, Keys::ONE, geoadd).since(3, 2),
    Spec::new("GEOPOS", -2, READ, Keys::ONE, geopos).since(3, 2),
    Spec::new("GEODIST", -4, READ, Keys::ONE, geodist).since(3, 2),
    Spec::new("GEOHASH", -2, READ, Keys::ONE, geohash).since(3, 2),
    Spec::new("GEOSEARCH", -7, READ, Keys::ONE, geosearch).since(6, 2),
    Spec::new("GEOSEARCHSTORE", -8, GROW, Keys::TWO, geosearchstore).since(6, 2),
    Spec::new("GEORADIUS", -6, GROW, Keys::ONE, georadius).since(3, 2),
    Spec::new("GEORADIUS_RO", -6, READ, Keys::ONE, georadius_ro).since(3, 2),
    Spec::new("GEORADIUSBYMEMBER", -5, GROW, Keys::ONE, georadiusbymember).since(3, 2),
    Spec::new("GEORADIUSBYMEMBER_RO", -5, READ, Keys::ONE, georadiusbymember_ro).since(3, 2),
];

/// A longitude and a latitude at `index`.
fn place(args: Args<'_>, index: usize) -> Result<Place, CommandError> {
    let (longitude, latitude) = (args.float(index)?, args.float(index + 1)?);
    Place::new(longitude, latitude)
        .ok_or_else(|| CommandError::new(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// A unit's metres.
fn unit(args: Args<'_>, index: usize, dialect: Dialect) -> Result<f64, CommandError> {
    match () {
        () if args.is(index, "M") => Ok(1.0),
        () if args.is(index, "KM") => Ok(1000.0),
        () if args.is(index, "FT") => Ok(0.3048),
        () if args.is(index, "MI") => Ok(1609.34),
        () if dialect.since(7, 0) => {
            Err(CommandError::fixed("ERR unsupported unit provided. please use M, KM, FT, MI"))
        }
        () => Err(CommandError::fixed("ERR unsupported unit provided. please use m, km, ft, mi")),
    }
}

/// GEOADD is a ZADD, and goes into the stream as one.
fn geoadd(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut only_new, mut only_old, mut tells_changed, mut index) = (false, false, false, 2);
    loop {
        match () {
            () if args.is(index, "NX") => only_new = true,
            () if args.is(index, "XX") => only_old = true,
            () if args.is(index, "CH") => tells_changed = true,
            () => break,
        }
        index += 1;
    }
    let options = args.until(index).from(2);
    let places = args.skip(index);
    if !places.len().is_multiple_of(3) || (only_new && only_old) {
        return Err(CommandError::SYNTAX);
    }
    let starts = (0..places.len()).step_by(3);
    let scores = starts.map(|at| place(places, at).map(Place::score)).collect::<Result<Vec<_>, _>>()?;
    let members = places.from(2).step_by(3);
    let pairs = members.clone().zip(scores.iter().map(|score| *score as f64));
    let before = context.changes;
    zadd_all(context, args.get(1), (only_new, only_old), tells_changed, pairs)?;
    if context.changes > before {
        let word: &[u8] = if context.engine.dialect.is_valkey_since(9, 0) { b"ZADD" } else { b"zadd" };
        let texts: Vec<String> = scores.iter().map(u64::to_string).collect();
        let mut words: Vec<&[u8]> = vec![word, args.get(1)];
        words.extend(options);
        words.extend(texts.iter().zip(members).flat_map(|(text, member)| [text.as_bytes(), member]));
        context.propagate(&words);
    }
    Ok(())
}

/// A coordinate in an answer: in Redis since 8.0 like a score, else in full, up to 17 digits behind the point.
fn tell_coordinate(reply: &mut Reply, number: f64, dialect: Dialect) {
    if dialect.is_redis_since(8, 0) {
        reply.double(&score_text(number, dialect));
    } else {
        let text = format!("{number:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        reply.double(if text == "-0" { b"0" } else { text.as_bytes() });
    }
}

fn tell_place(reply: &mut Reply, place: Place, dialect: Dialect) {
    reply.array(2);
    tell_coordinate(reply, place.longitude, dialect);
    tell_coordinate(reply, place.latitude, dialect);
}

/// A distance, with four digits behind the point.
fn tell_distance(reply: &mut Reply, distance: f64) {
    reply.bulk(format!("{distance:.4}").as_bytes());
}

fn geopos(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    context.answer(|context, reply| {
        let set = context.sorted_set(args.get(1))?;
        reply.array(args.len() - 2);
        for member in args.from(2) {
            match set.and_then(|set| set.score(member)) {
                Some(score) => tell_place(reply, Place::of_score(score), dialect),
                None => reply.null_array(),
            }
        }
        Ok(())
    })
}

fn geohash(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.answer(|context, reply| {
        let set = context.sorted_set(args.get(1))?;
        reply.array(args.len() - 2);
        for member in args.from(2) {
            let score = set.and_then(|set| set.score(member));
            reply.bulk_or_null(score.map(|score| Place::of_score(score).geohash()).as_ref().map(|text| &text[..]));
        }
        Ok(())
    })
}

fn geodist(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let metres = match args.len() {
        4 => 1.0,
        5 => unit(args, 4, context.engine.dialect)?,
        _ => return Err(CommandError::SYNTAX),
    };
    let distance = context.sorted_set(args.get(1))?.and_then(|set| {
        let (one, other) = (set.score(args.get(2))?, set.score(args.get(3))?);
        Some(Place::of_score(one).distance(Place::of_score(other)))
    });
    match distance {
        Some(distance) => tell_distance(context.reply, distance / metres),
        None => context.reply.null(),
    }
    Ok(())
}

/// Which of the searches, since they take different options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Search,
    SearchStore,
    Radius { by_member: bool, may_store: bool },
}

/// What a search asks for.
struct Search<'a> {
    /// From where it goes out; the place is `None` for a member of a key that is not there.
    from: Option<Option<Place>>,
    shape: Option<Shape>,
    /// The unit's metres.
    unit: f64,
    with_distance: bool,
    with_score: bool,
    with_place: bool,
    /// 0 for all.
    count: usize,
    /// The first that are found will do.
    any: bool,
    ascending: Option<bool>,
    /// Where to store the result, and whether by distance.
    target: Option<(&'a [u8], bool)>,
}

/// A length, not below zero.
fn length(args: Args<'_>, index: usize, no_number: &'static str, negative: &'static str) -> Result<f64, CommandError> {
    let number = float(args.get(index)).ok_or(CommandError::fixed(no_number))?;
    if number < 0.0 { Err(CommandError::fixed(negative)) } else { Ok(number) }
}

fn radius(args: Args<'_>, index: usize) -> Result<f64, CommandError> {
    length(args, index, "ERR need numeric radius", "ERR radius cannot be negative")
}

/// A polygon's vertices: their number at `index`, then their places.
fn polygon(args: Args<'_>, index: usize) -> Result<Vec<Place>, CommandError> {
    let count = args.integer(index).map_err(|_| CommandError::fixed("ERR invalid number of vertices"))?;
    let room = args.len().saturating_sub(index + 1) / 2;
    let count = usize::try_from(count).ok().filter(|count| (3..=room).contains(count));
    let count = count.ok_or(CommandError::fixed("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"))?;
    (0..count).map(|vertex| place(args, index + 1 + 2 * vertex)).collect()
}

/// The place of a member; `None` if there is no set.
fn place_of(set: Option<&SortedSet>, member: &[u8], dialect: Dialect) -> Result<Option<Place>, CommandError> {
    let Some(set) = set else { return Ok(None) };
    match set.score(member) {
        Some(score) => Ok(Some(Place::of_score(score))),
        None if dialect.is_valkey_since(9, 0) => {
            Err(CommandError::new(format!("ERR member {} does not exist", String::from_utf8_lossy(member))))
        }
        None => Err(CommandError::fixed("ERR could not decode requested zset member")),
    }
}

impl<'a> Search<'a> {
    /// Reads what a search says of the set that it goes through.
    fn read(
        set: Option<&SortedSet>,
        args: Args<'a>,
        kind: Kind,
        (origin, dialect): (Origin, Dialect),
    ) -> Result<Self, CommandError> {
        let mut search = Self {
            from: None,
            shape: None,
            unit: 1.0,
            with_distance: false,
            with_score: false,
            with_place: false,
            count: 0,
            any: false,
            ascending: None,
            target: None,
        };
        let index = match kind {
            Kind::Search => 2,
            Kind::SearchStore => {
                search.target = Some((args.get(1), false));
                3
            }
            Kind::Radius { by_member, .. } => {
                let index = if by_member { 3 } else { 4 };
                let from = if by_member { place_of(set, args.get(2), dialect)? } else { Some(place(args, 2)?) };
                // The radius around a member of no set is not looked at.
                let radius = if from.is_some() {
                    let radius = radius(args, index)?;
                    search.unit = unit(args, index + 1, dialect)?;
                    radius * search.unit
                } else {
                    0.0
                };
                search.from = Some(from);
                search.shape = Some(Shape::Circle(radius));
                index + 2
            }
        };
        let polygons = origin == Origin::Master || dialect.is_valkey_since(9, 0);
        search.options(set, args, index, kind, (polygons, dialect))?;
        search.check(kind, args, dialect)?;
        Ok(search)
    }

    fn options(
        &mut self,
        set: Option<&SortedSet>,
        args: Args<'a>,
        mut index: usize,
        kind: Kind,
        (polygons, dialect): (bool, Dialect),
    ) -> Outcome {
        let searches = matches!(kind, Kind::Search | Kind::SearchStore);
        while index < args.len() {
            let left = args.len() - index - 1;
            match () {
                () if args.is(index, "WITHDIST") => self.with_distance = true,
                () if args.is(index, "WITHHASH") => self.with_score = true,
                () if args.is(index, "WITHCOORD") => self.with_place = true,
                () if args.is(index, "ANY") => self.any = true,
                () if args.is(index, "ASC") => self.ascending = Some(true),
                () if args.is(index, "DESC") => self.ascending = Some(false),
                () if args.is(index, "COUNT") && left >= 1 => {
                    index += 1;
                    let count = usize::try_from(args.integer(index)?).unwrap_or(0);
                    if count == 0 {
                        return Err(CommandError::fixed("ERR COUNT must be > 0"));
                    }
                    self.count = count;
                }
                () if (args.is(index, "STORE") || args.is(index, "STOREDIST"))
                    && left >= 1
                    && matches!(kind, Kind::Radius { may_store: true, .. }) =>
                {
                    self.target = Some((args.get(index + 1), args.is(index, "STOREDIST")));
                    index += 1;
                }
                () if kind == Kind::SearchStore && args.is(index, "STOREDIST") => {
                    self.target = self.target.map(|(key, _)| (key, true));
                }
                () if searches && self.from.is_none() && left >= 1 && args.is(index, "FROMMEMBER") => {
                    self.from = Some(place_of(set, args.get(index + 1), dialect)?);
                    index += 1;
                }
                () if searches && self.from.is_none() && left >= 2 && args.is(index, "FROMLONLAT") => {
                    self.from = Some(Some(place(args, index + 1)?));
                    index += 2;
                }
                () if searches && self.shape.is_none() && left >= 2 && args.is(index, "BYRADIUS") => {
                    let radius = radius(args, index + 1)?;
                    self.unit = unit(args, index + 2, dialect)?;
                    self.shape = Some(Shape::Circle(radius * self.unit));
                    index += 2;
                }
                () if searches && self.shape.is_none() && left >= 3 && args.is(index, "BYBOX") => {
                    const NEGATIVE: &str = "ERR height or width cannot be negative";
                    let width = float(args.get(index + 1)).ok_or(CommandError::fixed("ERR need numeric width"))?;
                    let height = length(args, index + 2, "ERR need numeric height", NEGATIVE)?;
                    if width < 0.0 {
                        return Err(CommandError::fixed(NEGATIVE));
                    }
                    self.unit = unit(args, index + 3, dialect)?;
                    self.shape = Some(Shape::Rectangle(width * self.unit, height * self.unit));
                    index += 3;
                }
                () if polygons
                    && searches
                    && self.shape.is_none()
                    && self.from.is_none()
                    && left >= 1
                    && args.is(index, "BYPOLYGON") =>
                {
                    let vertices = polygon(args, index + 1)?;
                    index += 1 + 2 * vertices.len();
                    self.from = Some(Some(centre(&vertices)));
                    self.shape = Some(Shape::Polygon(vertices));
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        Ok(())
    }

    /// Whether what was said fits together.
    fn check(&self, kind: Kind, args: Args<'_>, dialect: Dialect) -> Outcome {
        let name = match kind {
            Kind::Search => "GEOSEARCH",
            Kind::SearchStore => "GEOSEARCHSTORE",
            Kind::Radius { .. } => "GEORADIUS",
        };
        let told = self.with_distance || self.with_score || self.with_place;
        if self.target.is_some() && told {
            return Err(CommandError::new(match kind {
                _ if !dialect.since(7, 0) => {
                    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORDS options"
                        .to_owned()
                }
                Kind::SearchStore => {
                    format!("ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
                }
                _ => format!(
                    "ERR STORE option in {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                ),
            }));
        }
        let own_name = String::from_utf8_lossy(args.get(0)).into_owned();
        if self.from.is_none() {
            return Err(CommandError::new(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {own_name}"
            )));
        }
        if self.shape.is_none() {
            let last =
                if dialect.is_valkey_since(9, 0) { "BYRADIUS, BYBOX and BYPOLYGON" } else { "BYRADIUS and BYBOX" };
            return Err(CommandError::new(format!("ERR exactly one of {last} can be specified for {own_name}")));
        }
        if self.any && self.count == 0 {
            return Err(CommandError::fixed("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The members that are within the shape, in the order that is wanted, as many as are.
    fn found(&self, set: &SortedSet, centre: Place, shape: &Shape) -> Vec<Found> {
        let limit = if self.any { self.count } else { usize::MAX };
        let mut found = Vec::new();
        'areas: for (from, until) in shape.areas(centre) {
            let ranked = set.ranked();
            let start = ranked.partition(|scored| scored.score < from as f64);
            for scored in ranked.range(start..set.len()) {
                if scored.score >= until as f64 {
                    break;
                }
                let place = Place::of_score(scored.score);
                if let Some(distance) = shape.distance(centre, place) {
                    found.push(Found { member: scored.member.clone(), score: scored.score, distance, place });
                    if found.len() >= limit {
                        break 'areas;
                    }
                }
            }
        }
        let nearest_first = self.ascending.or((self.count > 0 && !self.any).then_some(true));
        if let Some(ascending) = nearest_first {
            let order = |one: &Found, other: &Found| {
                let order = one.distance.total_cmp(&other.distance);
                if ascending { order } else { order.reverse() }
            };
            match self.count {
                // Who of those at the same distance comes first depends on how many are wanted.
                1.. if self.count < found.len() => partial_sort(&mut found, self.count, order),
                _ => found.sort_by(order),
            }
        }
        if self.count > 0 {
            found.truncate(self.count);
        }
        for found in &mut found {
            found.distance /= self.unit;
        }
        found
    }
}

/// A member that was found.
struct Found {
    member: Blob,
    score: f64,
    /// In the unit that was asked for.
    distance: f64,
    place: Place,
}

fn search(context: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Outcome {
    let key = args.get(if kind == Kind::SearchStore { 2 } else { 1 });
    let set = match context.value(key) {
        None => None,
        Some(Value::SortedSet(set)) => Some(Arc::clone(set)),
        Some(_) => return Err(CommandError::WRONG_TYPE),
    };
    let search = Search::read(set.as_deref(), args, kind, (context.origin, context.engine.dialect))?;
    let found = match (&set, search.from, &search.shape) {
        (Some(set), Some(Some(centre)), Some(shape)) => search.found(set, centre, shape),
        _ => Vec::new(),
    };
    match search.target {
        Some((target, by_distance)) => {
            let mut result = SortedSet::default();
            for found in &found {
                result.insert(&found.member, if by_distance { found.distance } else { found.score });
            }
            let event = if args.is(0, "GEOSEARCHSTORE") { "geosearchstore" } else { "georadiusstore" };
            store(context, target, result, event);
        }
        None => answer(context, &search, &found),
    }
    Ok(())
}

fn answer(context: &mut Context<'_>, search: &Search<'_>, found: &[Found]) {
    let dialect = context.engine.dialect;
    let reply = &mut *context.reply;
    let more = [search.with_distance, search.with_score, search.with_place].into_iter().filter(|told| *told).count();
    reply.array(found.len());
    for found in found {
        if more > 0 {
            reply.array(1 + more);
        }
        reply.bulk(&found.member);
        if search.with_distance {
            tell_distance(reply, found.distance);
        }
        if search.with_score {
            reply.integer(found.score as i64);
        }
        if search.with_place {
            tell_place(reply, found.place, dialect);
        }
    }
}

fn geosearch(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    search(context, args, Kind::Search)
}

fn geosearchstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    search(context, args, Kind::SearchStore)
}

fn georadius(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    search(context, args, Kind::Radius { by_member: false, may_store: true })
}

fn georadius_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    search(context, args, Kind::Radius { by_member: false, may_store: false })
}

fn georadiusbymember(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    search(context, args, Kind::Radius { by_member: true, may_store: true })
}

fn georadiusbymember_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    search(context, args, Kind::Radius { by_member: true, may_store: false })
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn answers_and_effects() {
        let mut play = Play::new("redis-7.0");
        let rows = [
            (
                "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
                "2",
                "zadd g 3479099956230698 Palermo 3479447370796909 Catania",
            ),
            ("GEOADD g CH 13.361389 38.115556 Palermo", "0", ""),
            ("GEOADD g CH XX 1 1 Palermo", "1", "zadd g CH XX 3377822707026402 Palermo"),
            ("GEOADD g XX 13.361389 38.115556 Palermo", "0", "zadd g XX 3479099956230698 Palermo"),
            ("GEOADD g NX XX 1 1 a", "-ERR syntax error", ""),
            ("GEOADD g 1 1 a 2", "-ERR syntax error", ""),
            ("GEOADD g x 1 a", "-ERR value is not a valid float", ""),
            ("GEOADD g 1 90 a", "-ERR invalid longitude,latitude pair 1.000000,90.000000", ""),
            ("GEOPOS g Palermo nope", "[[13.36138933897018433 38.11555639549629859] (nil)]", ""),
            ("GEODIST g Palermo Catania", "166274.1516", ""),
            ("GEODIST g Palermo Catania KM", "166.2742", ""),
            ("GEODIST g Palermo nope", "(nil)", ""),
            ("GEODIST g Palermo nope foo", "-ERR unsupported unit provided. please use M, KM, FT, MI", ""),
            ("GEOHASH g Palermo nope", "[sqc8b49rny0 (nil)]", ""),
            (
                "GEORADIUS g 15 37 200 km WITHDIST WITHHASH DESC",
                "[[Palermo 190.4424 3479099956230698] [Catania 56.4413 3479447370796909]]",
                "",
            ),
            ("GEORADIUS g 15 37 200 km COUNT 1", "[Catania]", ""),
            ("GEORADIUS g 15 37 200 km COUNT 0", "-ERR COUNT must be > 0", ""),
            ("GEORADIUS g 15 37 200 km ANY", "-ERR the ANY argument requires COUNT argument", ""),
            ("GEORADIUS no 15 37 200 km", "[]", ""),
            ("GEORADIUS_RO g 15 37 200 km STORE d", "-ERR syntax error", ""),
            ("GEORADIUS g 15 37 -1 km", "-ERR radius cannot be negative", ""),
            ("GEORADIUSBYMEMBER g nope 100 km", "-ERR could not decode requested zset member", ""),
            ("GEORADIUSBYMEMBER g nope x km COUNT 0", "-ERR could not decode requested zset member", ""),
            ("GEOSEARCH g FROMMEMBER nope BYRADIUS x km", "-ERR could not decode requested zset member", ""),
            ("GEORADIUSBYMEMBER no nope 100 km", "[]", ""),
            ("GEORADIUSBYMEMBER no nope x km", "[]", ""),
            ("GEORADIUSBYMEMBER no nope x km COUNT 0", "-ERR COUNT must be > 0", ""),
            ("GEORADIUSBYMEMBER g Palermo 200 km STOREDIST d", "2", "GEORADIUSBYMEMBER g Palermo 200 km STOREDIST d"),
            ("ZRANGE d 0 -1 WITHSCORES", "[Palermo 0 Catania 166.27415156960032]", ""),
            (
                "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST",
                "[[Catania 56.4413] [Palermo 190.4424]]",
                "",
            ),
            ("GEOSEARCH g FROMLONLAT 15 37 BYBOX 100 400 km", "[Catania]", ""),
            ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 km WITHDIST ASC STORE", "-ERR syntax error", ""),
            ("GEOSEARCH g BYPOLYGON 3 10 30 20 30 15 45", "-ERR syntax error", ""),
            (
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST",
                "2",
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST",
            ),
            ("ZRANGE d 0 -1 WITHSCORES", "[Catania 56.441257870158204 Palermo 190.44242984775784]", ""),
            (
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km WITHDIST",
                "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                "",
            ),
            (
                "GEOSEARCHSTORE d no FROMLONLAT 15 37 BYBOX 400 400 km",
                "0",
                "GEOSEARCHSTORE d no FROMLONLAT 15 37 BYBOX 400 400 km",
            ),
            ("EXISTS d", "0", ""),
        ];
        play.rows(&rows);
        assert!(play.apply("GEOSEARCHSTORE d g BYPOLYGON 3 10 30 20 30 15 45 STOREDIST"));
        assert_eq!(play.run("ZCARD d"), "2", "what one family has is applied by all");
    }

    /// Asked of redis-server 7.0.15.
    #[test]
    fn who_is_taken_of_those_at_the_same_distance() {
        let rows = [
            (6, 2, "[m1 m2]", "[m0 m3]"),
            (7, 3, "[m5 m2 m4]", "[m0 m3 m6]"),
            (12, 3, "[m1 m10 m11]", "[m0 m3 m6]"),
            (50, 4, "[m25 m10 m11 m13]", "[m9 m12 m15 m18]"),
        ];
        for (members, count, nearest, farthest) in rows {
            let mut play = Play::new("redis-7.0");
            for member in 0..members {
                let score = if member % 3 == 0 { "3000000000000000" } else { "3" };
                play.run(&format!("ZADD g {score} m{member}"));
            }
            for (order, expected) in [("ASC", nearest), ("DESC", farthest)] {
                let line = format!("GEOSEARCH g FROMLONLAT -29 -77 BYRADIUS 50000 km {order} COUNT {count}");
                assert_eq!(play.run(&line), expected, "{members}: {line}");
            }
        }
    }

    #[test]
    fn dialects() {
        let mut play = Play::new("valkey-9.1");
        assert_eq!((play.run("GEOADD g 1 1 x").as_str(), play.stream().as_str()), ("1", "ZADD g 3377822707026402 x"));
        assert_eq!(play.run("GEORADIUSBYMEMBER g nope 1 m"), "-ERR member nope does not exist");
        let mut play = Play::new("redis-8.2");
        play.run("GEOADD g 13.361389 38.115556 Palermo");
        assert_eq!(play.run("GEOPOS g Palermo"), "[[13.361389338970184 38.1155563954963]]");
    }
}
