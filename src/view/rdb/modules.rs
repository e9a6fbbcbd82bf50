//! Values of modules read for what they are, where their layout is known: RedisJSON's documents and Redis's vector sets.
//!
//! What is made of a value stands behind the values it was made of, and those are written as they come. So it waits in a
//! spool; and where a value departs from the layout, it is forgotten and the plain values are all there is.

use super::super::json::write_string;
use super::dump::write_double;
use crate::bounds::{GROUP_SPOOL, MAX_VECTOR, SPILL_READ};
use crate::rdb::{ModuleId, Number, Piece};
use crate::spill::{SpillError, Spool};

/// The module value under way, as JSON fields: `,"json":…` or `,"vectorset":…`.
#[derive(Debug)]
pub(super) struct ModuleView {
    layout: Layout,
    /// What is written of it.
    spool: Spool,
    /// What comes next into the spool.
    text: Vec<u8>,
    error: Option<SpillError>,
}

#[derive(Debug)]
enum Layout {
    Unknown,
    /// "ReJSON-RL" v3: one string, the document as JSON text. Whether it has come.
    Json(bool),
    VectorSet(VectorSet),
}

/// "vectorset" v0, as Redis 8.2 writes it:
///
/// ```text
/// UINT dimensions, UINT elements, UINT M << 8 | quantization, UINT flags
/// where flags has 1: UINT dimensions before the projection, STRING matrix of f32
/// per element: STRING name, where flags has 2 STRING attributes (empty for none), STRING vector, UINT n, n × UINT
/// ```
///
/// The numbers of an element are its place in the graph; the last one has two f32 in it, the vector's length below and
/// the range of its quantization above. What VEMB answers takes both: `byte * range / 127 * length` for Q8, `f32 * length`
/// where nothing is quantized, and 1 or -1 for a bit, whatever the length.
#[derive(Debug, Default)]
struct VectorSet {
    next: Next,
    dim: usize,
    /// Elements to come.
    elements: u64,
    quantization: Quantization,
    attributes: bool,
    projection: Option<u64>,
    /// The element's vector as it is stored.
    vector: Vec<u8>,
    /// It is not the first element.
    comma: bool,
}

/// What the next value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Dim,
    Elements,
    Config,
    Flags,
    Input,
    Matrix,
    Name,
    Attributes,
    Vector,
    Count,
    /// So many numbers are left.
    Numbers(u64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quantization {
    #[default]
    F32,
    Q8,
    Bin,
}

/// The value is not laid out as its module's values are.
struct Other;

impl Default for ModuleView {
    fn default() -> Self {
        Self { layout: Layout::Unknown, spool: Spool::new(GROUP_SPOOL), text: Vec::new(), error: None }
    }
}

impl ModuleView {
    /// A module's value begins.
    pub(super) fn begin(&mut self, id: ModuleId) {
        self.clear();
        self.layout = match (&id.name(), id.version()) {
            (b"ReJSON-RL", 3) => Layout::Json(false),
            (b"vectorset", 0) => Layout::VectorSet(VectorSet::default()),
            _ => Layout::Unknown,
        };
    }

    /// Whether the value under way is one of a module that is known here.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.layout, Layout::Unknown)
    }

    /// There is none.
    pub(super) fn clear(&mut self) {
        self.layout = Layout::Unknown;
        self.spool.clear();
        self.text.clear();
    }

    /// The first temporary file that could not be used, after which no more was made of the value under way.
    pub(super) fn take_error(&mut self) -> Option<SpillError> {
        self.error.take()
    }

    /// A string among its values, or a piece of one.
    pub(super) fn string(&mut self, piece: Piece<'_>) {
        let done = match &mut self.layout {
            Layout::Unknown => return,
            Layout::Json(told) => take_document(told, piece, &mut self.text),
            Layout::VectorSet(set) => set.string(piece, &mut self.text),
        };
        self.go_on(done);
    }

    /// A number among its values.
    pub(super) fn number(&mut self, number: Number) {
        let done = match (&mut self.layout, number) {
            (Layout::Unknown, _) => return,
            (Layout::VectorSet(set), Number::Unsigned(number)) => set.number(number, &mut self.text),
            _ => Err(Other),
        };
        self.go_on(done);
    }

    fn go_on(&mut self, done: Result<(), Other>) {
        if done.is_err() {
            self.clear();
        } else if self.text.len() >= SPILL_READ {
            self.spill();
        }
    }

    fn spill(&mut self) {
        let done = self.spool.append(&self.text);
        self.text.clear();
        if let Err(error) = done {
            self.error.get_or_insert(error);
            self.clear();
        }
    }

    /// The value is complete. Gives what was made of it.
    pub(super) fn end(&mut self) -> Option<&mut Spool> {
        match &self.layout {
            Layout::Json(true) => {}
            Layout::VectorSet(VectorSet { next: Next::Name, elements: 0, .. }) => self.text.extend_from_slice(b"]}"),
            _ => self.clear(),
        }
        self.spill();
        self.layout = Layout::Unknown;
        (!self.spool.is_empty()).then_some(&mut self.spool)
    }
}

fn take_document(told: &mut bool, piece: Piece<'_>, out: &mut Vec<u8>) -> Result<(), Other> {
    if *told {
        return Err(Other);
    }
    if piece.is_first() {
        out.extend_from_slice(b",\"json\":");
    }
    *told = piece.is_last();
    push_bytes(out, piece);
    Ok(())
}

/// A byte string, or a piece of one.
fn push_bytes(out: &mut Vec<u8>, piece: Piece<'_>) {
    if piece.is_first() && piece.is_last() {
        return write_string(out, piece.bytes);
    }
    out.extend_from_slice(if piece.is_first() { b"{\"parts\":[" } else { b"," });
    write_string(out, piece.bytes);
    if piece.is_last() {
        out.extend_from_slice(b"]}");
    }
}

/// A number as JSON can have it, in the fewest digits that are read as the same f32.
fn push_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        write_double(out, value.into());
    }
}

const HAS_PROJECTION: u64 = 1;
const HAS_ATTRIBUTES: u64 = 2;

impl VectorSet {
    /// Bytes of a stored vector.
    fn vector_size(&self) -> usize {
        match self.quantization {
            Quantization::F32 => 4 * self.dim,
            Quantization::Q8 => self.dim,
            Quantization::Bin => 8 * self.dim.div_ceil(64),
        }
    }

    fn number(&mut self, number: u64, out: &mut Vec<u8>) -> Result<(), Other> {
        self.next = match self.next {
            Next::Dim => {
                self.dim = usize::try_from(number).ok().filter(|dim| (1..=MAX_VECTOR).contains(dim)).ok_or(Other)?;
                Next::Elements
            }
            Next::Elements => {
                self.elements = number;
                Next::Config
            }
            Next::Config => {
                self.quantization = match number & 0xff {
                    0 => Quantization::F32,
                    1 => Quantization::Q8,
                    2 => Quantization::Bin,
                    _ => return Err(Other),
                };
                let word = match self.quantization {
                    Quantization::F32 => "f32",
                    Quantization::Q8 => "q8",
                    Quantization::Bin => "bin",
                };
                // Versions before it was saved had 16.
                let m = Some((number >> 8) & 0xffff).filter(|m| *m > 0).unwrap_or(16);
                let head = format!(",\"vectorset\":{{\"dim\":{},\"quantization\":\"{word}\",\"m\":{m}", self.dim);
                out.extend_from_slice(head.as_bytes());
                Next::Flags
            }
            Next::Flags if number & !(HAS_PROJECTION | HAS_ATTRIBUTES) == 0 => {
                self.attributes = number & HAS_ATTRIBUTES != 0;
                if number & HAS_PROJECTION != 0 {
                    Next::Input
                } else {
                    out.extend_from_slice(b",\"projection\":null,\"elements\":[");
                    Next::Name
                }
            }
            Next::Input => {
                self.projection = Some(number);
                out.extend_from_slice(format!(",\"projection\":{number},\"elements\":[").as_bytes());
                Next::Matrix
            }
            Next::Count if number > 0 => Next::Numbers(number - 1),
            Next::Numbers(0) => {
                self.push_vector(f32::from_bits(number as u32), f32::from_bits((number >> 32) as u32), out);
                self.elements -= 1;
                Next::Name
            }
            Next::Numbers(left) => Next::Numbers(left - 1),
            _ => return Err(Other),
        };
        Ok(())
    }

    fn string(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) -> Result<(), Other> {
        let next = match self.next {
            Next::Matrix => {
                let size = self.projection.and_then(|input| input.checked_mul(4 * self.dim as u64));
                if size != Some(piece.total) {
                    return Err(Other);
                }
                Next::Name
            }
            Next::Name if self.elements > 0 => {
                if piece.is_first() {
                    let head = if std::mem::replace(&mut self.comma, true) { ",{\"name\":" } else { "{\"name\":" };
                    out.extend_from_slice(head.as_bytes());
                }
                push_bytes(out, piece);
                if self.attributes {
                    Next::Attributes
                } else {
                    if piece.is_last() {
                        out.extend_from_slice(b",\"attributes\":null");
                    }
                    Next::Vector
                }
            }
            Next::Attributes => {
                if piece.is_first() {
                    out.extend_from_slice(b",\"attributes\":");
                }
                if piece.total == 0 {
                    out.extend_from_slice(b"null");
                } else {
                    push_bytes(out, piece);
                }
                Next::Vector
            }
            Next::Vector if piece.bytes.len() == self.vector_size() => {
                self.vector.clear();
                self.vector.extend_from_slice(piece.bytes);
                Next::Count
            }
            _ => return Err(Other),
        };
        if piece.is_last() {
            self.next = next;
        }
        Ok(())
    }

    /// The element's vector, now that its length and its range are known.
    fn push_vector(&self, length: f32, range: f32, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"vector\":[");
        let mut comma = false;
        let mut push = |value: f32| {
            if std::mem::replace(&mut comma, true) {
                out.push(b',');
            }
            push_float(out, value);
        };
        match self.quantization {
            Quantization::F32 => {
                let (numbers, _) = self.vector.as_chunks();
                numbers.iter().for_each(|bytes| push(f32::from_le_bytes(*bytes) * length));
            }
            // In this order, so that it is the server's number to the last digit.
            Quantization::Q8 => {
                self.vector.iter().for_each(|byte| push(f32::from(byte.cast_signed()) * range / 127.0 * length));
            }
            Quantization::Bin => {
                let bits = self.vector.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
                bits.take(self.dim).for_each(|bit| push(if bit { 1.0 } else { -1.0 }));
            }
        }
        out.extend_from_slice(b"]}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ReJSON-RL` and `vectorset`, of these versions.
    fn id(name: &[u8; 9], version: u64) -> ModuleId {
        const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let place = |byte: &u8| CHARACTERS.iter().position(|character| character == byte).unwrap() as u64;
        let id = ModuleId(name.iter().fold(0, |id, byte| id << 6 | place(byte)) << 10 | version);
        assert_eq!((&id.name(), u64::from(id.version())), (name, version));
        id
    }

    #[derive(Clone, Copy)]
    enum Told<'a> {
        Number(u64),
        String(&'a [u8]),
        Signed(i64),
    }
    use Told::{Number as U, String as S};

    fn view(id: ModuleId, told: &[Told<'_>]) -> Option<String> {
        let mut view = ModuleView::default();
        view.begin(id);
        for told in told {
            match *told {
                U(number) => view.number(Number::Unsigned(number)),
                Told::Signed(number) => view.number(Number::Signed(number)),
                S(bytes) => view.string(Piece::whole(bytes)),
            }
        }
        let mut bytes = vec![0; 10_000];
        let spool = view.end()?;
        let size = spool.read_at(0, &mut bytes).unwrap();
        assert_eq!(size as u64, spool.len());
        bytes.truncate(size);
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_document_is_its_text_and_nothing_beside_it() {
        let known = id(b"ReJSON-RL", 3);
        assert_eq!(view(known, &[S(b"{\"a\":1}")]).unwrap(), r#","json":"{\"a\":1}""#);
        assert_eq!(view(known, &[S(b"\xff")]).unwrap(), r#","json":{"base64":"/w=="}"#);
        assert_eq!(view(known, &[]), None);
        assert_eq!(view(known, &[S(b"1"), S(b"2")]), None);
        assert_eq!(view(known, &[S(b"1"), U(2)]), None);
        assert_eq!(view(id(b"ReJSON-RL", 2), &[S(b"1")]), None);
    }

    #[test]
    fn a_long_document_comes_in_parts() {
        let mut view = ModuleView::default();
        view.begin(id(b"ReJSON-RL", 3));
        for (offset, bytes) in [(0, b"ab"), (2, b"cd"), (4, b"ef")] {
            view.string(Piece { bytes, offset, total: 6 });
        }
        assert_eq!(view.end().unwrap().in_memory(), Some(&br#","json":{"parts":["ab","cd","ef"]}"#[..]));
        view.begin(id(b"ReJSON-RL", 3));
        view.string(Piece { bytes: b"ab", offset: 0, total: 6 });
        assert!(view.end().is_none());
    }

    const LENGTH_2: u64 = 0x4000_0000;

    /// Two dimensions, two elements, no quantization, attributes.
    fn set() -> Vec<Told<'static>> {
        let vector: &[u8] = &[0, 0, 0, 0x3f, 0, 0, 0x80, 0x3f];
        let numbers = [U(2), U(7), U(LENGTH_2)];
        let element = |name, attributes| [&[S(name), S(attributes), S(vector)][..], &numbers].concat();
        [vec![U(2), U(2), U(0x1000), U(2)], element(b"a", b"{}"), element(b"b", b"")].concat()
    }

    #[test]
    fn a_vector_set_is_read_and_what_is_not_one_is_left_alone() {
        let known = id(b"vectorset", 0);
        let whole = r#","vectorset":{"dim":2,"quantization":"f32","m":16,"projection":null,"elements":[{"name":"a","attributes":"{}","vector":[1.0,2.0]},{"name":"b","attributes":null,"vector":[1.0,2.0]}]}"#;
        assert_eq!(view(known, &set()).unwrap(), whole);
        assert_eq!(view(id(b"vectorset", 1), &set()), None);
        let empty = view(known, &[U(2), U(0), U(1), U(0)]).unwrap();
        assert_eq!(empty, r#","vectorset":{"dim":2,"quantization":"q8","m":16,"projection":null,"elements":[]}"#);
        for end in 0..set().len() {
            assert_eq!(view(known, &set()[..end]), None, "{end}");
        }
        let with = |place: usize, told: Told<'static>| {
            let mut set = set();
            set[place] = told;
            view(known, &set)
        };
        for place in 0..set().len() {
            assert_eq!(with(place, Told::Signed(2)), None, "{place}");
            assert_eq!(with(place, if matches!(set()[place], S(_)) { U(2) } else { S(b"x") }), None, "{place}");
        }
        for (place, told) in [(0, U(0)), (0, U(3)), (0, U(1 << 40)), (1, U(1)), (1, U(3)), (2, U(3)), (3, U(4))] {
            assert_eq!(with(place, told), None, "{place}");
        }
        assert_eq!(with(6, S(b"1234567")), None);
        assert_eq!(with(7, U(0)), None);
        let infinite = with(9, U(u64::from(f32::INFINITY.to_bits()))).unwrap();
        assert!(infinite.contains(r#""vector":["inf","inf"]"#), "{infinite}");
        let matrix = [0; 16];
        let projected = [&[U(2), U(0), U(1), U(1)][..], &[U(2), S(&matrix)]].concat();
        assert!(view(known, &projected).unwrap().contains(r#""projection":2,"elements":[]"#));
        let short = [&[U(2), U(0), U(1), U(1)][..], &[U(2), S(&matrix[1..])]].concat();
        assert_eq!(view(known, &short), None);
    }
}
