//! How much of what is sensed may be kept and published.

/// Privacy modes, each withholding more than the one before. `docs/privacy.md` says what, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PrivacyMode {
    /// Nothing is withheld: the radio frames are kept, and everything can be computed again.
    #[default]
    RawResearch = 0,
    /// Poses, breathing and falls of people who consented; the radio frames are not kept.
    ConsentedCare = 1,
    /// Where somebody is, not who and not how the body moves; no pose is kept.
    PrivateHome = 2,
    /// How many, and which zones are occupied; nobody is placed.
    Anonymous = 3,
    /// Whether somebody is there.
    Strict = 4,
}

impl PrivacyMode {
    /// Every mode, by its code.
    pub const ALL: [PrivacyMode; 5] = [
        PrivacyMode::RawResearch,
        PrivacyMode::ConsentedCare,
        PrivacyMode::PrivateHome,
        PrivacyMode::Anonymous,
        PrivacyMode::Strict,
    ];

    /// The name in configuration and messages.
    pub fn name(self) -> &'static str {
        match self {
            PrivacyMode::RawResearch => "raw-research",
            PrivacyMode::ConsentedCare => "consented-care",
            PrivacyMode::PrivateHome => "private-home",
            PrivacyMode::Anonymous => "anonymous",
            PrivacyMode::Strict => "strict",
        }
    }

    /// The mode of a name.
    pub fn parse(name: &str) -> Option<PrivacyMode> {
        PrivacyMode::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The mode of a code.
    pub fn from_code(code: u8) -> Option<PrivacyMode> {
        PrivacyMode::ALL.into_iter().find(|mode| *mode as u8 == code)
    }

    /// True if the journal holds datagrams, and the baselines that a boot carries over.
    pub fn keeps_inputs(self) -> bool {
        self < PrivacyMode::ConsentedCare
    }

    /// True if the journal holds what was published, and the genesis the whole configuration. Both name transmitters
    /// by their MAC addresses.
    pub fn keeps_outputs(self) -> bool {
        self < PrivacyMode::PrivateHome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_read_back_and_each_mode_keeps_no_more_than_the_one_before() {
        for (code, mode) in (0u8..).zip(PrivacyMode::ALL) {
            assert_eq!(PrivacyMode::from_code(code), Some(mode));
            assert_eq!(PrivacyMode::parse(mode.name()), Some(mode));
        }
        assert_eq!(PrivacyMode::from_code(5), None);
        assert_eq!(PrivacyMode::parse("Strict"), None);
        for pair in PrivacyMode::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].keeps_inputs() >= pair[1].keeps_inputs());
            assert!(pair[0].keeps_outputs() >= pair[1].keeps_outputs());
        }
    }
}
