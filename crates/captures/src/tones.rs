//! Which tones a PPDU occupies, which of them are pilots, and how the standard turns whole parts of the band.
//!
//! Source: IEEE Std 802.11-2020, 17.3.5.10 (legacy), 19.3.9 and 19.3.11.11 (HT), 21.3.7.5 and 21.3.10 (VHT); IEEE Std
//! 802.11ax-2021, 27.3.10 and 27.3.12.13 (HE, the resource unit that fills the channel). Every set is symmetric about DC.

/// The PHY format of a PPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phy {
    /// 802.11a/g, also called non-HT.
    Legacy,
    /// 802.11n.
    Ht,
    /// 802.11ac.
    Vht,
    /// 802.11ax, single user.
    He,
}

impl Phy {
    /// Distance between tones in hertz.
    pub fn spacing_hz(self) -> f64 {
        if self == Phy::He { 78_125.0 } else { 312_500.0 }
    }
}

/// One tone set: its positive half as inclusive ranges, and its positive pilots.
struct Set {
    phys: &'static [Phy],
    mhz: u16,
    ranges: &'static [(i16, i16)],
    pilots: &'static [i16],
}

const HT_VHT: &[Phy] = &[Phy::Ht, Phy::Vht];
const VHT: &[Phy] = &[Phy::Vht];
const HE: &[Phy] = &[Phy::He];

static SETS: [Set; 9] = [
    Set { phys: &[Phy::Legacy], mhz: 20, ranges: &[(1, 26)], pilots: &[7, 21] },
    Set { phys: HT_VHT, mhz: 20, ranges: &[(1, 28)], pilots: &[7, 21] },
    Set { phys: HT_VHT, mhz: 40, ranges: &[(2, 58)], pilots: &[11, 25, 53] },
    Set { phys: VHT, mhz: 80, ranges: &[(2, 122)], pilots: &[11, 39, 75, 103] },
    Set {
        phys: VHT,
        mhz: 160,
        ranges: &[(6, 126), (130, 250)],
        pilots: &[25, 53, 89, 117, 139, 167, 203, 231],
    },
    Set { phys: HE, mhz: 20, ranges: &[(2, 122)], pilots: &[22, 48, 90, 116] },
    Set { phys: HE, mhz: 40, ranges: &[(3, 244)], pilots: &[10, 36, 78, 104, 144, 170, 212, 238] },
    Set { phys: HE, mhz: 80, ranges: &[(3, 500)], pilots: &[24, 92, 158, 226, 266, 334, 400, 468] },
    Set {
        phys: HE,
        mhz: 160,
        ranges: &[(12, 509), (515, 1012)],
        pilots: &[44, 112, 178, 246, 286, 354, 420, 488, 536, 604, 670, 738, 778, 846, 912, 980],
    },
];

fn set(phy: Phy, mhz: u16) -> Option<&'static Set> {
    SETS.iter().find(|s| s.mhz == mhz && s.phys.contains(&phy))
}

/// How many tones a PPDU of `mhz` MHz occupies, pilots included; `None` where the standard has no such PPDU.
pub fn count(phy: Phy, mhz: u16) -> Option<usize> {
    let ranges = set(phy, mhz)?.ranges;
    Some(ranges.iter().map(|&(a, b)| 2 * usize::from((b - a + 1).unsigned_abs())).sum())
}

/// Signed indices of the occupied tones, ascending; nothing where the standard has no such PPDU.
pub fn occupied(phy: Phy, mhz: u16) -> impl Iterator<Item = i16> + Clone {
    let ranges = set(phy, mhz).map_or(&[][..], |s| s.ranges);
    let down = ranges.iter().rev().flat_map(|&(a, b)| -b..=-a);
    down.chain(ranges.iter().flat_map(|&(a, b)| a..=b))
}

/// Whether tone `k` is a pilot.
pub fn is_pilot(phy: Phy, mhz: u16, k: i16) -> bool {
    set(phy, mhz).is_some_and(|s| s.pilots.contains(&k.saturating_abs()))
}

/// γ of tone `k`, as quarter turns counter-clockwise: what the transmitter multiplies it by so that the copies of a
/// field in each 20 MHz do not add up to peaks (802.11-2020, equations 21-14 to 21-17; 19.3.9.3.4 for HT40). HE fields
/// after the preamble, and 20 MHz, have none. A receiver that divides by the unturned training field reports it as if
/// it were channel.
pub fn rotation(phy: Phy, mhz: u16, k: i16) -> u8 {
    match (phy, mhz) {
        (Phy::He, _) => 0,
        (_, 40) if k >= 0 => 1,
        (_, 80) if k >= -64 => 2,
        (_, 160) if (-192..0).contains(&k) || k >= 64 => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavewitness_types::ToneGrid;

    #[test]
    fn sets_are_those_of_the_grids() {
        let pairs = [
            (Phy::Legacy, 20, ToneGrid::Legacy20),
            (Phy::Ht, 20, ToneGrid::Ht20),
            (Phy::Ht, 40, ToneGrid::Ht40),
            (Phy::He, 20, ToneGrid::He20),
            (Phy::He, 40, ToneGrid::He40),
        ];
        for (phy, mhz, grid) in pairs {
            assert_eq!(occupied(phy, mhz).collect::<Vec<_>>(), grid.indices());
            assert_eq!(phy.spacing_hz(), grid.spacing_hz());
        }
    }

    #[test]
    fn counts_ascend_and_pilots_belong() {
        let counts = [
            (Phy::Vht, 80, 242, 8),
            (Phy::Vht, 160, 484, 16),
            (Phy::He, 80, 996, 16),
            (Phy::He, 160, 1992, 32),
        ];
        for (phy, mhz, tones, pilots) in counts {
            let k: Vec<i16> = occupied(phy, mhz).collect();
            assert_eq!((k.len(), count(phy, mhz)), (tones, Some(tones)));
            assert!(k.windows(2).all(|w| w[0] < w[1]));
            assert_eq!(k.iter().filter(|&&k| is_pilot(phy, mhz, k)).count(), pilots);
        }
        assert_eq!(count(Phy::Ht, 80), None);
        assert_eq!(occupied(Phy::Legacy, 40).count(), 0);
    }
}
