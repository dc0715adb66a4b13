//! From coefficients on the delay grid to paths, and their gains without the shrinkage of the ℓ1 term.

use crate::solver::{Gram, Split};
use wavewitness_num::complex::{abs, conj_mul};
use wavewitness_num::{C64, math};
use wavewitness_types::limits::MAX_TAPS;

/// Gains are refitted only while each path keeps at least this share of its energy outside the span of the others:
/// below it, least squares would amplify noise more than tenfold in power.
const MIN_PIVOT: f64 = 0.1;

/// Bins `first..=last` of the solution that belong to one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    first: usize,
    last: usize,
    /// Coherent sum of the coefficients, later the refitted gain.
    pub gain: C64,
    /// Magnitude-weighted mean delay.
    pub delay_ns: f64,
}

/// Groups the support into paths, ascending in delay. A path is a run of neighbouring bins with one maximum of the
/// magnitude and phases within a quarter turn: a delay between two bins excites both in phase (the kernel of symmetric
/// tones is real), while two unresolved paths of opposite sign must not be summed away.
pub(crate) fn group(x: &Split, delays_ns: &[f64], paths: &mut Vec<Path>) {
    paths.clear();
    let mut falling = false;
    let mut before = 0.0;
    let mut weight = 0.0;
    for g in 0..delays_ns.len() {
        let z = C64::new(x.re[g], x.im[g]);
        let magnitude = abs(z);
        if magnitude > 0.0 {
            let rises_again = falling && magnitude > before;
            match paths.last_mut() {
                Some(path) if before > 0.0 && !rises_again && conj_mul(path.gain, z).re > 0.0 => {
                    path.last = g;
                    path.gain += z;
                    weight += magnitude;
                    path.delay_ns += (delays_ns[g] - path.delay_ns) * (magnitude / weight);
                    falling = magnitude < before;
                }
                _ => {
                    paths.push(Path { first: g, last: g, gain: z, delay_ns: delays_ns[g] });
                    weight = magnitude;
                    falling = false;
                }
            }
        }
        before = magnitude;
    }
}

/// Refits the gain of every path by least squares, each path keeping its shape over its bins. Returns the squared
/// norm of what is left of unit-energy data; `None` (gains as they were) if there are more than [`MAX_TAPS`] paths or
/// they are not independent enough.
pub(crate) fn debias(
    gram: &Gram,
    b: &Split,
    x: &Split,
    paths: &mut [Path],
    one: &mut Split,
    image: &mut Split,
) -> Option<f64> {
    let n = paths.len();
    if n > MAX_TAPS {
        return None;
    }
    let mut m = [[C64::default(); MAX_TAPS]; MAX_TAPS];
    let mut rhs = [C64::default(); MAX_TAPS];
    for q in 0..n {
        one.clear();
        for g in paths[q].first..=paths[q].last {
            let shape = C64::new(x.re[g], x.im[g]) / paths[q].gain;
            one.re[g] = shape.re;
            one.im[g] = shape.im;
            rhs[q] += conj_mul(shape, C64::new(b.re[g], b.im[g]));
        }
        gram.apply(one, image);
        for p in q..n {
            for g in paths[p].first..=paths[p].last {
                let shape = C64::new(x.re[g], x.im[g]) / paths[p].gain;
                m[p][q] += conj_mul(shape, C64::new(image.re[g], image.im[g]));
            }
        }
    }
    let gains = solve_hermitian(&mut m, &rhs, n)?;
    let mut explained = 0.0;
    for p in 0..n {
        paths[p].gain = gains[p];
        explained += conj_mul(gains[p], rhs[p]).re;
    }
    Some(math::max_f64(0.0, 1.0 - explained))
}

/// Solves `M x = rhs` by Cholesky, `M` Hermitian and given by its lower triangle, which is overwritten.
fn solve_hermitian(
    m: &mut [[C64; MAX_TAPS]; MAX_TAPS],
    rhs: &[C64; MAX_TAPS],
    n: usize,
) -> Option<[C64; MAX_TAPS]> {
    for r in 0..n {
        for c in 0..=r {
            let mut total = m[r][c];
            for k in 0..c {
                total -= m[r][k] * m[c][k].conj();
            }
            if r == c {
                let least = MIN_PIVOT * m[r][r].re;
                if total.re.is_nan() || total.re <= least || total.re <= 0.0 {
                    return None;
                }
                m[r][r] = C64::new(total.re.sqrt(), 0.0);
            } else {
                m[r][c] = total / m[c][c].re;
            }
        }
    }
    let mut x = *rhs;
    for r in 0..n {
        for k in 0..r {
            x[r] -= m[r][k] * x[k];
        }
        x[r] /= m[r][r].re;
    }
    for r in (0..n).rev() {
        for k in r + 1..n {
            x[r] -= m[k][r].conj() * x[k];
        }
        x[r] /= m[r][r].re;
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    //! Guards the grouping rules and the complex Cholesky solution.
    use super::*;

    #[test]
    fn neighbours_in_phase_are_one_path_and_a_valley_or_a_turn_divides() {
        let delays: Vec<f64> = (0..9).map(f64::from).collect();
        let x = Split { re: vec![0.0, 1.0, 3.0, 1.0, 2.0, -2.0, 0.0, 0.5, 0.5], im: vec![0.0; 9] };
        let mut paths = Vec::new();
        group(&x, &delays, &mut paths);
        let bins: Vec<_> = paths.iter().map(|p| (p.first, p.last)).collect();
        assert_eq!(bins, [(1, 3), (4, 4), (5, 5), (7, 8)]);
        assert_eq!(paths[0].gain, C64::new(5.0, 0.0));
        assert!((paths[0].delay_ns - 2.0).abs() < 1e-12);
        assert!((paths[3].delay_ns - 7.5).abs() < 1e-12);
    }

    #[test]
    fn a_hermitian_system_is_solved_and_a_dependent_one_refused() {
        let mut m = [[C64::default(); MAX_TAPS]; MAX_TAPS];
        m[0][0] = C64::new(1.0, 0.0);
        m[1][0] = C64::new(0.3, 0.4);
        m[1][1] = C64::new(1.0, 0.0);
        let mut rhs = [C64::default(); MAX_TAPS];
        // M · (1, j): row 0 is 1 + conj(m10) j, row 1 is m10 + j.
        rhs[0] = C64::new(1.4, 0.3);
        rhs[1] = C64::new(0.3, 1.4);
        let x = solve_hermitian(&mut m.clone(), &rhs, 2).unwrap();
        assert!(
            (x[0] - C64::new(1.0, 0.0)).norm_sqr() < 1e-24 && (x[1] - C64::new(0.0, 1.0)).norm_sqr() < 1e-24
        );
        m[1][0] = C64::new(0.8, 0.59);
        assert!(solve_hermitian(&mut m, &rhs, 2).is_none());
    }
}
