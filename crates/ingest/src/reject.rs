//! Why a datagram was not used. Rejection is normal: it is counted by reason and node, never logged a packet.

use wavewitness_types::{Canonical, Sink};

/// Why a datagram was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reject {
    /// Shorter than a magic number, or than the header that its magic promises.
    TooShort = 0,
    /// Longer than any datagram that is accepted.
    TooLong = 1,
    /// The first four bytes name no format that we know.
    UnknownMagic = 2,
    /// The format is known, the length is not the one that it must have.
    WrongLength = 3,
    /// The CRC-32 does not fit the bytes.
    BadCrc = 4,
    /// A header field has a value that no node sends (channel, antennas, version, a float that is not finite).
    BadHeader = 5,
    /// No arrangement of tones has this many pairs (or none that fits the frame's PPDU type).
    UnknownLayout = 6,
    /// Arrangements with this many pairs exist, but the null tones are not where any of them has them.
    NullTones = 7,
    /// A tone of the grid was not measured and can't be restored.
    MissingTone = 8,
    /// Every sample is zero.
    AllZero = 9,
    /// Delta-compressed against a frame that may never have been sent.
    NotAlone = 10,
    /// A text line that is not a complete CSI line.
    BadText = 11,
    /// The heading of a CSV file.
    TextHeading = 12,
    /// More nodes than the hub follows.
    TooManyNodes = 13,
}

impl Reject {
    /// Every reason, by index.
    pub const ALL: [Reject; 14] = [
        Reject::TooShort,
        Reject::TooLong,
        Reject::UnknownMagic,
        Reject::WrongLength,
        Reject::BadCrc,
        Reject::BadHeader,
        Reject::UnknownLayout,
        Reject::NullTones,
        Reject::MissingTone,
        Reject::AllZero,
        Reject::NotAlone,
        Reject::BadText,
        Reject::TextHeading,
        Reject::TooManyNodes,
    ];

    /// Dense, for tables of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Reject::TooShort => "too-short",
            Reject::TooLong => "too-long",
            Reject::UnknownMagic => "unknown-magic",
            Reject::WrongLength => "wrong-length",
            Reject::BadCrc => "bad-crc",
            Reject::BadHeader => "bad-header",
            Reject::UnknownLayout => "unknown-layout",
            Reject::NullTones => "null-tones",
            Reject::MissingTone => "missing-tone",
            Reject::AllZero => "all-zero",
            Reject::NotAlone => "not-decodable-alone",
            Reject::BadText => "bad-text",
            Reject::TextHeading => "text-heading",
            Reject::TooManyNodes => "too-many-nodes",
        }
    }
}

impl core::fmt::Display for Reject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl Canonical for Reject {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}
