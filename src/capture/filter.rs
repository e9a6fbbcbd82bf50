//! Filter expressions (pcap-filter(7)) on frames of any source. libpcap compiles an expression to a BPF program, which
//! depends on the link type, so there is one program per link type, made when its first frame comes.
//!
//! libpcap counts link types in its own numbers (`DLT_`), which differ from those in files (`LINKTYPE_`) for a few.
//!
//! One limit: `BpfProgram::filter` gives the recorded length for both lengths of a packet, so the primitives `len`,
//! `less` and `greater` see a packet that the snaplen cut as being as short as what was kept of it.

use super::{Frame, LinkType};

/// Why a filter cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// libpcap does not take the expression.
    #[error("the filter \"{expression}\" does not compile for link type {link_type}: {reason}; see `man pcap-filter`")]
    Bad {
        /// The expression as given.
        expression: String,
        /// The link type that it was compiled for: a name, or a number.
        link_type: String,
        /// libpcap's text.
        reason: String,
    },
    /// This build has no libpcap.
    #[error(
        "the filter \"{expression}\" needs libpcap, which this build of repltool has not (feature `live`): leave the \
         filter out, or cut the capture first with `tcpdump -r IN -w OUT {expression}`"
    )]
    NoLibpcap {
        /// The expression as given.
        expression: String,
    },
}

/// A filter expression, with its programs.
pub struct Filter {
    expression: String,
    #[cfg(feature = "live")]
    programs: Vec<(LinkType, Program)>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter({:?})", self.expression)
    }
}

/// An expression compiled for one link type.
#[cfg(feature = "live")]
enum Program {
    Bpf(pcap::BpfProgram),
    /// libpcap has found that no packet of this link type can match (`ip6` on raw IPv4).
    Nothing,
}

impl Filter {
    /// A filter of this expression; an empty one passes everything. Nothing is compiled yet: see [`Filter::check`].
    ///
    /// # Errors
    /// When the build has no libpcap, and the expression is not empty.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        let expression = expression.trim().to_owned();
        #[cfg(feature = "live")]
        return Ok(Self { expression, programs: Vec::new() });
        #[cfg(not(feature = "live"))]
        if expression.is_empty() { Ok(Self { expression }) } else { Err(FilterError::NoLibpcap { expression }) }
    }

    /// Whether every frame passes, because there is no expression.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expression.is_empty()
    }

    /// The expression, without blanks around it.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Compiles the expression for a link type, to report a bad one before the first frame. An expression that can match
    /// no packet of the link type is reported too, as tcpdump does.
    ///
    /// # Errors
    /// When libpcap does not take the expression.
    #[cfg(feature = "live")]
    pub fn check(&self, link_type: LinkType) -> Result<(), FilterError> {
        if self.is_empty() { Ok(()) } else { compile(&self.expression, link_type).map(drop) }
    }

    /// Whether the frame passes.
    ///
    /// # Errors
    /// When libpcap does not take the expression for the frame's link type. That it can match no packet of the link type
    /// is no error here: in a capture of several, it may well match another's.
    #[cfg(feature = "live")]
    pub fn matches(&mut self, frame: &Frame<'_>) -> Result<bool, FilterError> {
        if self.is_empty() {
            return Ok(true);
        }
        let known = self.programs.iter().position(|(link_type, _)| *link_type == frame.link_type);
        let index = match known {
            Some(index) => index,
            None => {
                let program = match compile(&self.expression, frame.link_type) {
                    Ok(program) => Program::Bpf(program),
                    // The text is libpcap's optimizer's, unchanged since 1999.
                    Err(FilterError::Bad { reason, .. }) if reason.contains("rejects all packets") => Program::Nothing,
                    Err(error) => return Err(error),
                };
                self.programs.push((frame.link_type, program));
                self.programs.len() - 1
            }
        };
        Ok(match &self.programs[index].1 {
            Program::Bpf(program) => program.filter(frame.data),
            Program::Nothing => false,
        })
    }

    /// Without libpcap only the empty filter exists.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "live"))]
    pub fn check(&self, _link_type: LinkType) -> Result<(), FilterError> {
        Ok(())
    }

    /// Without libpcap only the empty filter exists, and everything passes.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "live"))]
    pub fn matches(&mut self, _frame: &Frame<'_>) -> Result<bool, FilterError> {
        Ok(true)
    }
}

#[cfg(feature = "live")]
fn compile(expression: &str, link_type: LinkType) -> Result<pcap::BpfProgram, FilterError> {
    let program = pcap::Capture::dead(data_link(link_type)).and_then(|dead| dead.compile(expression, true));
    program.map_err(|error| FilterError::Bad {
        expression: expression.to_owned(),
        link_type: link_type.name().map_or_else(|| link_type.0.to_string(), str::to_owned),
        reason: reason(&error),
    })
}

/// libpcap's text without the crate's prefix.
#[cfg(feature = "live")]
pub(super) fn reason(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// libpcap's number for raw IP: 14 on OpenBSD, 12 elsewhere.
#[cfg(feature = "live")]
const DLT_RAW: i32 = if cfg!(target_os = "openbsd") { 14 } else { 12 };

/// libpcap's number for a file's link type. Of the types that we decode, only raw IP differs.
#[cfg(feature = "live")]
fn data_link(link_type: LinkType) -> pcap::Linktype {
    match link_type {
        LinkType(12 | 14) | LinkType::RAW => pcap::Linktype(DLT_RAW),
        LinkType(number) => pcap::Linktype(i32::from(number)),
    }
}

/// The file's number for libpcap's link type.
#[cfg(feature = "live")]
pub(super) fn link_type(data_link: pcap::Linktype) -> LinkType {
    match data_link.0 {
        DLT_RAW => LinkType::RAW,
        number => LinkType(number as u16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Stamp;

    fn frame(link_type: LinkType, data: &[u8]) -> Frame<'_> {
        Frame { stamp: Stamp::default(), link_type, original_length: data.len() as u32, data }
    }

    #[test]
    fn an_empty_filter_passes_everything() {
        let mut filter = Filter::new("  ").unwrap();
        assert!(filter.is_empty());
        // Not even the link type matters.
        filter.check(LinkType(9999)).unwrap();
        assert!(filter.matches(&frame(LinkType(9999), b"")).unwrap());
    }

    #[cfg(not(feature = "live"))]
    #[test]
    fn without_libpcap_a_filter_is_refused() {
        let text = Filter::new("port 6000").unwrap_err().to_string();
        assert!(text.starts_with("the filter \"port 6000\" needs libpcap, which this build"), "{text}");
    }

    /// An IPv4 and TCP header from port 6000 to port 6001.
    #[cfg(feature = "live")]
    fn segment() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        packet.extend([0x17, 0x70, 0x17, 0x71, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
        packet
    }

    #[cfg(feature = "live")]
    #[test]
    fn one_expression_matches_frames_of_several_link_types() {
        let ethernet = [&[0; 12][..], &[8, 0], &segment()].concat();
        let cooked = [&[8, 0, 0, 0][..], &[0; 16], &segment()].concat();
        let null = [&2u32.to_ne_bytes()[..], &segment()].concat();
        let types = [
            (LinkType::RAW, segment()),
            (LinkType::ETHERNET, ethernet),
            (LinkType::LINUX_SLL2, cooked),
            (LinkType::NULL, null),
            (LinkType::LOOP, [&2u32.to_be_bytes()[..], &segment()].concat()),
            (LinkType::IPV4, segment()),
            (LinkType(12), segment()),
        ];
        let (mut here, mut elsewhere) = (Filter::new("tcp port 6000").unwrap(), Filter::new("port 7000").unwrap());
        for (link_type, data) in types.iter().chain(&types) {
            assert!(here.matches(&frame(*link_type, data)).unwrap(), "{link_type:?}");
            assert!(!elsewhere.matches(&frame(*link_type, data)).unwrap(), "{link_type:?}");
            assert!(!here.matches(&frame(*link_type, &data[..3])).unwrap(), "{link_type:?}");
        }
        assert_eq!(here.programs.len(), 7);
    }

    #[cfg(feature = "live")]
    #[test]
    fn a_bad_expression_is_told_with_libpcaps_words() {
        let mut filter = Filter::new("tcp prot 6000").unwrap();
        let error = filter.check(LinkType::ETHERNET).unwrap_err();
        let text = error.to_string();
        let expected = "the filter \"tcp prot 6000\" does not compile for link type ETHERNET: ";
        assert!(text.starts_with(expected) && text.contains("syntax error"), "{text}");
        assert_eq!(filter.matches(&frame(LinkType::ETHERNET, b"")).unwrap_err(), error);
        assert!(Filter::new("tcp \0").unwrap().check(LinkType::ETHERNET).is_err());
    }

    #[cfg(feature = "live")]
    #[test]
    fn a_link_type_that_cannot_match_does_not() {
        let mut filter = Filter::new("ip6").unwrap();
        assert!(filter.check(LinkType::IPV4).is_err());
        assert!(!filter.matches(&frame(LinkType::IPV4, &segment())).unwrap());
    }
}
