//! Places on the earth as scores: 26 bits of latitude and 26 of longitude in turn, which a double holds exactly.
//!
//! All arithmetic is done in the order in which servers do it, since what comes out is stored and compared bit by bit.

/// Latitudes of a web map, which is a square; beyond them nothing can be stored.
const LATITUDES: (f64, f64) = (-85.051_128_78, 85.051_128_78);
const LONGITUDES: (f64, f64) = (-180.0, 180.0);

/// Metres from the centre of the earth to its surface, as servers have it.
const RADIUS: f64 = 6_372_797.560_856;

/// Half of the web map's width in metres.
const MERCATOR_MOST: f64 = 20_037_726.37;

/// A score as bits. Those that are none of a place, which ZADD may give as well, are converted as servers' processors do
/// it: below 0 with the sign's bits, beyond 63 bits by what is more. (Seen on 6.2 to 9.1.)
fn bits_of(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    let signed = |number: f64| if (-HALF..HALF).contains(&number) { number as i64 } else { i64::MIN };
    match score >= HALF {
        true => signed(score - HALF).cast_unsigned() ^ (1 << 63),
        false => signed(score).cast_unsigned(),
    }
}

/// Bits of latitude and of longitude in a score.
const STEPS: u32 = 26;

/// A longitude and a latitude, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The longitude.
    pub longitude: f64,
    /// The latitude.
    pub latitude: f64,
}

impl Place {
    /// A place that can be stored.
    #[must_use]
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let within = |number, (least, most): (f64, f64)| number >= least && number <= most;
        (within(longitude, LONGITUDES) && within(latitude, LATITUDES)).then_some(Self { longitude, latitude })
    }

    /// The middle of the cell that a score names.
    #[must_use]
    pub fn of_score(score: f64) -> Self {
        Cell { bits: bits_of(score), steps: STEPS }.middle()
    }

    /// The score.
    #[must_use]
    pub fn score(self) -> u64 {
        Cell::around(self, STEPS, LONGITUDES, LATITUDES).bits
    }

    /// The eleven characters of the usual geohash, which has all latitudes. The last has no bits left and is always the
    /// same.
    #[must_use]
    pub fn geohash(self) -> [u8; 11] {
        const ALPHABET: [u8; 32] = *b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::around(self, STEPS, (-180.0, 180.0), (-90.0, 90.0)).bits;
        let mut text = [ALPHABET[0]; 11];
        for (index, character) in text.iter_mut().take(10).enumerate() {
            let digit = bits >> (52 - 5 * (index + 1)) & 31;
            *character = ALPHABET.get(digit as usize).copied().unwrap_or_default();
        }
        text
    }

    /// The way to another place along the surface, in metres.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        let v = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if v == 0.0 {
            return north_south(self.latitude, other.latitude);
        }
        let (own, its) = (radians(self.latitude), radians(other.latitude));
        let u = ((its - own) / 2.0).sin();
        let a = u * u + own.cos() * its.cos() * v * v;
        2.0 * RADIUS * a.sqrt().asin()
    }
}

fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

/// The way from one latitude to another, in metres.
fn north_south(one: f64, other: f64) -> f64 {
    RADIUS * (radians(other) - radians(one)).abs()
}

/// A cell of the grid that halves both ways in each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    bits: u64,
    steps: u32,
}

impl Cell {
    fn around(place: Place, steps: u32, longitudes: (f64, f64), latitudes: (f64, f64)) -> Self {
        let number = |degrees: f64, (least, most): (f64, f64)| {
            let share = (degrees - least) / (most - least);
            (share * (1_u64 << steps) as f64) as u32
        };
        let (latitude, longitude) = (number(place.latitude, latitudes), number(place.longitude, longitudes));
        Self { bits: spread(latitude) | spread(longitude) << 1, steps }
    }

    /// The numbers of its column and row.
    fn numbers(self) -> (u32, u32) {
        (gather(self.bits >> 1), gather(self.bits))
    }

    /// Its least and greatest longitude and latitude.
    fn bounds(self) -> ((f64, f64), (f64, f64)) {
        let (longitude, latitude) = self.numbers();
        let size = (1_u64 << self.steps) as f64;
        let side = |number: u32, (least, most): (f64, f64)| {
            let scale = most - least;
            (least + (f64::from(number) * 1.0 / size) * scale, least + ((f64::from(number) + 1.0) / size) * scale)
        };
        (side(longitude, LONGITUDES), side(latitude, LATITUDES))
    }

    fn middle(self) -> Place {
        let (longitude, latitude) = self.bounds();
        let middle = |(low, high): (f64, f64), (least, most): (f64, f64)| ((low + high) / 2.0).clamp(least, most);
        Place { longitude: middle(longitude, LONGITUDES), latitude: middle(latitude, LATITUDES) }
    }

    /// The cell so many columns to the east and rows to the north; at the edge it goes on at the other one.
    fn neighbour(self, east: i32, north: i32) -> Self {
        let (longitude, latitude) = self.numbers();
        let mask = (1_u64 << self.steps) as u32;
        let mask = mask.wrapping_sub(1);
        let moved = |number: u32, by: i32| number.wrapping_add_signed(by) & mask;
        Self { bits: spread(moved(latitude, north)) | spread(moved(longitude, east)) << 1, ..self }
    }

    /// The scores of what lies in it: from the first to the second, the second excluded.
    fn scores(self) -> (u64, u64) {
        let shift = 2 * (STEPS - self.steps);
        (self.bits << shift, (self.bits + 1) << shift)
    }
}

/// Puts a zero between any two bits.
fn spread(number: u32) -> u64 {
    [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ]
    .into_iter()
    .fold(u64::from(number), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// Every second bit.
fn gather(bits: u64) -> u32 {
    [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ]
    .into_iter()
    .fold(bits & 0x5555_5555_5555_5555, |bits, (shift, mask)| (bits | bits >> shift) & mask) as u32
}

/// What a search covers. All lengths are in metres.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// What is not farther away than this.
    Circle(f64),
    /// What is within a rectangle of this width and height.
    Rectangle(f64, f64),
    /// What is within a polygon, three vertices at least.
    Polygon(Vec<Place>),
}

impl Shape {
    /// How far away a place is, if it is within the shape around `centre`.
    #[must_use]
    pub fn distance(&self, centre: Place, place: Place) -> Option<f64> {
        match self {
            Self::Circle(radius) => Some(centre.distance(place)).filter(|distance| distance <= radius),
            Self::Rectangle(width, height) => {
                if north_south(place.latitude, centre.latitude) > height / 2.0 {
                    return None;
                }
                let beside = Place { longitude: centre.longitude, latitude: place.latitude };
                (place.distance(beside) <= width / 2.0).then(|| centre.distance(place))
            }
            Self::Polygon(vertices) => contains(vertices, place).then(|| centre.distance(place)),
        }
    }

    /// Half of its width and height, and how far its farthest place is from its centre.
    fn extent(&self) -> (f64, f64, f64) {
        match self {
            Self::Circle(radius) => (*radius, *radius, *radius),
            Self::Rectangle(width, height) => {
                let (width, height) = (width / 2.0, height / 2.0);
                (width, height, (width * width + height * height).sqrt())
            }
            Self::Polygon(_) => (f64::MAX, f64::MAX, f64::MAX),
        }
    }

    /// The ranges of scores in which members can be within the shape, in the order in which servers look through them:
    /// the cell in the middle and those of its neighbours that the shape reaches.
    #[must_use]
    pub fn areas(&self, centre: Place) -> Vec<(u64, u64)> {
        let (width, height, reach) = self.extent();
        if matches!(self, Self::Polygon(_)) {
            return vec![(0, 1 << 54)];
        }
        let beyond = degrees(height / RADIUS);
        let sideways = |latitude: f64| degrees(width / RADIUS / radians(latitude).cos());
        // At the side of the pole the shape is the wider.
        let across =
            if centre.latitude < 0.0 { sideways(centre.latitude - beyond) } else { sideways(centre.latitude + beyond) };
        let (west, east) = (centre.longitude - across, centre.longitude + across);
        let (south, north) = (centre.latitude - beyond, centre.latitude + beyond);

        let mut steps = steps_for(reach, centre.latitude);
        let mut cell = Cell::around(centre, steps, LONGITUDES, LATITUDES);
        let reaches_farther = |cell: Cell| {
            cell.neighbour(0, 1).bounds().1.1 < north
                || cell.neighbour(0, -1).bounds().1.0 > south
                || cell.neighbour(1, 0).bounds().0.1 < east
                || cell.neighbour(-1, 0).bounds().0.0 > west
        };
        if steps > 1 && reaches_farther(cell) {
            steps -= 1;
            cell = Cell::around(centre, steps, LONGITUDES, LATITUDES);
        }
        let ((own_west, own_east), (own_south, own_north)) = cell.bounds();
        let needed = |east_by: i32, north_by: i32| {
            steps < 2
                || !(north_by < 0 && own_south < south
                    || north_by > 0 && own_north > north
                    || east_by < 0 && own_west < west
                    || east_by > 0 && own_east > east)
        };
        const AROUND: [(i32, i32); 9] = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut areas: Vec<(u64, u64)> = Vec::with_capacity(AROUND.len());
        for (east, north) in AROUND {
            let area = cell.neighbour(east, north).scores();
            // Where cells are huge some neighbours are the same.
            if needed(east, north) && !areas.contains(&area) {
                areas.push(area);
            }
        }
        areas
    }
}

/// How often the map is halved, so that nine cells cover what is so near.
fn steps_for(metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEPS;
    }
    let (mut metres, mut steps) = (metres, 1_i32);
    while metres < MERCATOR_MOST && steps < 64 {
        metres *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Towards the poles cells are narrow.
    steps -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    steps.clamp(1, STEPS as i32) as u32
}

/// Whether a place is within a polygon: a line from it to the west crosses an odd number of sides.
fn contains(vertices: &[Place], place: Place) -> bool {
    let mut inside = false;
    let before = vertices.iter().cycle().skip(vertices.len().saturating_sub(1));
    for (one, other) in vertices.iter().zip(before) {
        if (one.latitude > place.latitude) != (other.latitude > place.latitude) {
            let share = (place.latitude - one.latitude) / (other.latitude - one.latitude);
            if place.longitude < (other.longitude - one.longitude) * share + one.longitude {
                inside = !inside;
            }
        }
    }
    inside
}

/// The place from which distances of a polygon are measured: below the mean of its vertices, which lie on a sphere.
#[must_use]
pub fn centre(vertices: &[Place]) -> Place {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for vertex in vertices {
        let (longitude, latitude) = (radians(vertex.longitude), radians(vertex.latitude));
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    let count = vertices.len() as f64;
    (x, y, z) = (x / count, y / count, z / count);
    Place { longitude: degrees(y.atan2(x)), latitude: degrees(z.atan2((x * x + y * y).sqrt())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scores_are_those_of_servers() {
        // By GEOADD and ZSCORE of 7.0.15.
        for (longitude, latitude, score) in [
            (13.361_389, 38.115_556, 3_479_099_956_230_698),
            (15.087_269, 37.502_669, 3_479_447_370_796_909),
            (180.0, 85.051_128_78, 13_510_798_882_111_488),
            (-180.0, -85.051_128_78, 0),
            (180.0, 0.0, 10_133_099_161_583_616),
            (1.0, 1.0, 3_377_822_707_026_402),
        ] {
            assert_eq!(Place::new(longitude, latitude).unwrap().score(), score);
        }
        assert_eq!(Place::new(180.1, 0.0), None);
        assert_eq!(Place::new(0.0, f64::NAN), None);
    }

    #[test]
    fn scores_of_no_place_are_bits_as_processors_have_them() {
        // GEOHASH of what ZADD gave, asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.
        let (least, greatest) = (b"00bh0hbj200", b"bp05b5048p0");
        for (score, hash) in [
            (-1.0, greatest),
            (1e300, least),
            (f64::INFINITY, least),
            (f64::NEG_INFINITY, least),
            (4_503_599_627_370_496.0, greatest),
            (1e18, greatest),
            (1.9e19, least),
        ] {
            assert_eq!(&Place::of_score(score).geohash(), hash, "{score}");
        }
        assert_eq!(bits_of(f64::NEG_INFINITY), 1 << 63);
        assert_eq!(bits_of(1.8e19), 18_000_000_000_000_000_000);
    }

    #[test]
    fn geohashes_and_distances() {
        let (palermo, catania) = (Place::of_score(3_479_099_956_230_698.0), Place::of_score(3_479_447_370_796_909.0));
        assert_eq!((&palermo.geohash(), &catania.geohash()), (b"sqc8b49rny0", b"sqdtr74hyu0"));
        assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
        assert_eq!(palermo.distance(palermo), 0.0);
    }

    #[test]
    fn a_polygon_contains_what_is_in_it() {
        let vertices = [(10.0, 30.0), (20.0, 30.0), (15.0, 45.0)].map(|(x, y)| Place::new(x, y).unwrap());
        let centre = centre(&vertices);
        let shape = Shape::Polygon(vertices.to_vec());
        let catania = Place::of_score(3_479_447_370_796_909.0);
        assert_eq!(
            shape.distance(centre, catania).map(|metres| format!("{metres:.4}")).as_deref(),
            Some("271790.7291")
        );
        assert_eq!(shape.distance(centre, Place::new(9.0, 31.0).unwrap()), None);
        assert_eq!(shape.distance(centre, Place::new(11.0, 40.0).unwrap()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn bits_are_spread_and_gathered(number: u32) {
            prop_assert_eq!(gather(spread(number)), number);
            prop_assert_eq!(gather(spread(number) << 1), 0);
        }

        /// Away from the poles and the date line, where servers miss some, too.
        #[test]
        fn nothing_within_a_shape_is_outside_its_areas(
            x in -90.0..90.0_f64, y in -60.0..60.0_f64, far in 0.0..5.0_f64, angle in 0.0..6.3_f64, size in 1.0..6.0_f64,
        ) {
            let centre = Place::new(x, y).unwrap();
            let place = Place::new(x + far * angle.cos(), y + far * angle.sin()).unwrap();
            let place = Place::of_score(place.score() as f64);
            for shape in [Shape::Circle(10_f64.powf(size)), Shape::Rectangle(10_f64.powf(size), 1e5)] {
                if shape.distance(centre, place).is_some() {
                    let score = place.score();
                    prop_assert!(shape.areas(centre).iter().any(|(from, until)| (*from..*until).contains(&score)));
                }
            }
        }
    }
}
