//! The diagnoses: one table of code, evidence and words.
//!
//! A code is a stable word that programs may rely on. The text beside it is made for the case at hand: the cause, the
//! numbers that show it, what to change.

macro_rules! notes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A diagnosis by its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Note {
            $($(#[$doc])* $name,)*
        }

        impl Note {
            /// The stable word.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

notes! {
    /// Full sync: the replica has nothing to continue from.
    FullSyncFirst = "full-sync-first",
    /// Full sync: the replica knows another history.
    FullSyncReplidMismatch = "full-sync-replid-mismatch",
    /// Full sync: the bytes asked for have left the backlog.
    FullSyncBacklogOverrun = "full-sync-backlog-overrun",
    /// Full sync: the replica used SYNC, which knows no other kind.
    FullSyncForced = "full-sync-forced",
    /// Partial sync although the history's name has changed.
    PartialSyncAfterFailover = "partial-sync-after-failover",
    /// The password or user was refused.
    AuthFailed = "auth-failed",
    /// The master asks for a password, and none was sent.
    AuthMissing = "auth-missing",
    /// The user lacks the permission.
    NoPerm = "noperm",
    /// The master is a replica whose own master link is down.
    MasterLinkDown = "master-link-down",
    /// The master loads its data.
    MasterLoading = "master-loading",
    /// The master runs a script or function.
    MasterBusy = "master-busy",
    /// The master refuses connections from other hosts.
    ProtectedMode = "protected-mode",
    /// The master has no connection to spare.
    MaxClients = "max-clients",
    /// PSYNC was sent before the replies to earlier commands were read.
    PendingOutput = "pending-output",
    /// One sync after another.
    ResyncLoop = "resync-loop",
    /// One connection after another.
    ReconnectStorm = "reconnect-storm",
    /// The transfer stopped in the middle.
    RdbTruncated = "rdb-truncated",
    /// The payload's checksum is wrong.
    RdbChecksumBad = "rdb-checksum-bad",
    /// The master gave up after it had granted the sync.
    RdbAborted = "rdb-aborted",
    /// The connection is encrypted.
    Tls = "tls",
    /// The capture lacks packets.
    CaptureLoss = "capture-loss",
    /// The capture has one side of the connection only.
    OneDirection = "one-direction",
    /// The capture begins later than the connection.
    Midstream = "midstream",
}

/// What an error reply is the sign of. The texts are those of Redis 2.8 to 8.2 and Valkey 8.1 and 9.1.
const ERRORS: &[(&[u8], Note, &str)] = &[
    (
        b"-WRONGPASS",
        Note::AuthFailed,
        "the master refuses the password (or the user): set masterauth and masteruser on the replica to what the master's ACL or requirepass has",
    ),
    (
        b"-ERR invalid password",
        Note::AuthFailed,
        "the master refuses the password: set masterauth on the replica to the master's requirepass",
    ),
    (
        b"-ERR Client sent AUTH",
        Note::AuthFailed,
        "the replica sends a password to a master that has none: clear masterauth on the replica or set requirepass on the master",
    ),
    (
        b"-ERR AUTH <password> called without any password",
        Note::AuthFailed,
        "the replica sends a password to a master that has none: clear masterauth on the replica or set requirepass on the master",
    ),
    (
        b"-NOPERM",
        Note::NoPerm,
        "the user that the replica logs in as may not do this: give it `+psync +replconf +ping` with ACL SETUSER on the master",
    ),
    (
        b"-NOMASTERLINK Can't SYNC while failing over",
        Note::MasterLinkDown,
        "the master is in the middle of a FAILOVER; the replica tries again",
    ),
    (
        b"-NOMASTERLINK",
        Note::MasterLinkDown,
        "the master is itself a replica and has lost its own master: look there; the replica tries again",
    ),
    (
        b"-MASTERDOWN",
        Note::MasterLinkDown,
        "the master is itself a replica, has lost its own master, and may not serve stale data (replica-serve-stale-data no): look at its master",
    ),
    (b"-LOADING", Note::MasterLoading, "the master is loading its data set; the replica tries again until it is done"),
    (
        b"-BUSY",
        Note::MasterBusy,
        "the master runs a script or function that does not end: SCRIPT KILL or FUNCTION KILL there",
    ),
    (
        b"-DENIED",
        Note::ProtectedMode,
        "the master is in protected mode and takes no connections from other hosts: set a password and bind addresses, or `protected-mode no` on the master",
    ),
    (
        b"-ERR max number of clients",
        Note::MaxClients,
        "the master has reached maxclients: raise it, or find out who holds the connections",
    ),
    (
        b"-ERR SYNC and PSYNC are invalid with pending output",
        Note::PendingOutput,
        "PSYNC was sent before the replies to earlier commands had been read; a client that speaks replication must read them first",
    ),
];

/// The diagnosis that an error reply stands for, with its words. `-NOAUTH` is none by itself: a replica goes on to AUTH.
#[must_use]
pub(super) fn of_error(reply: &[u8]) -> Option<(Note, &'static str)> {
    ERRORS.iter().find(|(prefix, ..)| reply.starts_with(prefix)).map(|&(_, note, text)| (note, text))
}

/// Whether a server turns a connection away with this, whatever was asked.
#[must_use]
pub(super) fn turns_away(reply: &[u8]) -> bool {
    let notes = [Note::MasterLoading, Note::MasterLinkDown, Note::MasterBusy, Note::ProtectedMode, Note::MaxClients];
    of_error(reply).is_some_and(|(note, _)| notes.contains(&note))
}

/// Whether a reply refuses a login.
#[must_use]
pub(super) fn refuses_login(reply: &[u8]) -> bool {
    of_error(reply).is_some_and(|(note, _)| note == Note::AuthFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_unique() {
        let mut codes: Vec<&str> = Note::ALL.iter().map(|note| note.code()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Note::ALL.len());
    }

    #[test]
    fn the_more_special_reply_is_found_first() {
        let (_, text) = of_error(b"-NOMASTERLINK Can't SYNC while failing over").unwrap();
        assert!(text.contains("FAILOVER"));
        assert!(of_error(b"-NOAUTH Authentication required.").is_none());
    }
}
