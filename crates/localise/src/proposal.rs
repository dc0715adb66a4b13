//! Velocities that the spectra suggest to somebody at a place.
//!
//! A velocity at random is hardly ever near the true one: its Doppler shifts must agree on all paths within a hertz or two.
//! Two of the paths' strongest shifts give it by two linear equations.

use crate::geometry::leg;
use crate::path::Path;
use crate::sequence::Sequence;
use wavewitness_num::math;

/// Standard deviation of a strongest shift, Hz: a quarter of a line's width.
const PEAK_SD_HZ: f64 = 0.5;
/// A departure counts no more than this, Hz: an echo was stronger there.
const MOST_HZ: f64 = 3.0;
/// Nobody walks faster, m/s.
const FASTEST_M_S: f64 = 2.5;
/// Paths whose directions agree tell only one component: least determinant, m⁻² wavelengths².
const LEAST_DETERMINANT: f64 = 0.2;

/// A velocity of a body at a place, of two paths chosen at random; `None` if they give none.
pub(crate) fn velocity(
    paths: &[Path],
    body_m: [f64; 3],
    wavelength_m: f64,
    sequence: &mut Sequence,
) -> Option<[f64; 2]> {
    let mut draw = || ((sequence.uniform() * paths.len() as f64) as usize).min(paths.len().saturating_sub(1));
    let (i, j) = (draw(), draw());
    let (first, second) = (paths.get(i)?, paths.get(j)?);
    let (f, g) = (first.window.peak_hz?, second.window.peak_hz?);
    let (a, b) = (growth(first, body_m), growth(second, body_m));
    let determinant = a[0] * b[1] - a[1] * b[0];
    if i == j || determinant.abs() < LEAST_DETERMINANT {
        return None;
    }
    let (f, g) = (f + PEAK_SD_HZ * sequence.normal(), g + PEAK_SD_HZ * sequence.normal());
    // The sign of a shift is not seen: that of one against the other is what suits the remaining paths.
    let mut best: Option<([f64; 2], f64)> = None;
    for g in [g, -g] {
        let v = [f, g].map(|hz| hz * wavelength_m / determinant);
        let v = [b[1] * v[0] - a[1] * v[1], a[0] * v[1] - b[0] * v[0]];
        let mut misfit = 0.0;
        for path in paths {
            let Some(peak_hz) = path.window.peak_hz else { continue };
            let c = growth(path, body_m);
            let hz = (c[0] * v[0] + c[1] * v[1]).abs() / wavelength_m;
            let off = math::min_f64((hz - peak_hz).abs(), MOST_HZ);
            misfit += off * off;
        }
        let suits = best.is_none_or(|(_, least)| misfit < least);
        if suits && v[0] * v[0] + v[1] * v[1] < FASTEST_M_S * FASTEST_M_S {
            best = Some((v, misfit));
        }
    }
    let turn = if sequence.uniform() < 0.5 { -1.0 } else { 1.0 };
    best.map(|(v, _)| v.map(|x| turn * x))
}

/// How fast a path grows for each m/s of a body along x and y.
fn growth(path: &Path, body_m: [f64; 3]) -> [f64; 2] {
    [[1.0, 0.0], [0.0, 1.0]].map(|unit| {
        let [p, q] = &path.ends;
        leg(&p.at_m, &body_m, unit).rate_m_s + leg(&q.at_m, &body_m, unit).rate_m_s
    })
}

#[cfg(test)]
mod tests {
    //! Guards that the true velocity is suggested often, and nothing where nothing stands out.
    use super::*;
    use crate::fresnel::Fresnel;
    use crate::geometry::Antenna;
    use crate::rays::{MOST_RAYS, Walls};
    use crate::shade::Shade;
    use wavewitness_types::Room;

    const BODY_M: [f64; 3] = [2.2, 3.1, 1.15];

    fn paths(velocity_m_s: Option<[f64; 2]>) -> Vec<Path> {
        let room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] };
        let nodes = [[0.3, 0.3, 1.0], [5.7, 0.4, 1.8], [5.6, 4.7, 0.6], [0.4, 4.6, 1.4]];
        let walls = Walls { room, reflected: 0.25, wavelength_m: 0.123 };
        let (fresnel, mut out) = (Fresnel::new(), Vec::new());
        for a in 0..4 {
            for b in a + 1..4 {
                let ends_m = [nodes[a], nodes[b]];
                let shade = Shade::new(ends_m, &walls, MOST_RAYS, &fresnel);
                let mut path = Path::new(ends_m.map(|at_m| Antenna::new(at_m, &room)), shade);
                let c = growth(&path, BODY_M);
                path.window.peak_hz = velocity_m_s.map(|v| (c[0] * v[0] + c[1] * v[1]).abs() / 0.123);
                out.push(path);
            }
        }
        // One path is told by an echo.
        if let Some(hz) = &mut out[2].window.peak_hz {
            *hz = 15.0;
        }
        out
    }

    #[test]
    fn the_true_velocity_is_suggested_often() {
        let (truth, mut sequence, mut near) = ([0.8, -0.5], Sequence::new(), 0);
        let paths = paths(Some(truth));
        for _ in 0..1000 {
            if let Some(v) = velocity(&paths, BODY_M, 0.123, &mut sequence) {
                near += usize::from(math::hypot(v[0] - truth[0], v[1] - truth[1]) < 0.15);
            }
        }
        // At random with 0.7 m/s an axis: one in a hundred.
        assert!(near > 100, "{near} of 1000");
    }

    #[test]
    fn silence_suggests_nothing() {
        let (paths, mut sequence) = (paths(None), Sequence::new());
        assert!((0..100).all(|_| velocity(&paths, BODY_M, 0.123, &mut sequence).is_none()));
        assert!(velocity(&[], BODY_M, 0.123, &mut sequence).is_none());
    }
}
