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
