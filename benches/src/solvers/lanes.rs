//! The windowed FISTA of eight links at once: lane `l` does, operation for operation, what [`Window::fista`] does for
//! link `l`, in elementwise loops that vectorise. A lane that has converged is copied out and goes on unheeded.

use super::OVERSAMPLING;
use super::window::{ITERATIONS, TOLERANCE, Window, momentum};

/// Links at once.
pub const LANES: usize = 8;
type Lane = [f64; LANES];

/// Complex vectors of eight links, delays outermost.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// Real parts.
    pub re: Vec<Lane>,
    /// Imaginary parts.
    pub im: Vec<Lane>,
}

impl Lanes {
    fn zero(n: usize) -> Lanes {
        Lanes { re: vec![[0.0; LANES]; n], im: vec![[0.0; LANES]; n] }
    }

    fn clear(&mut self) {
        self.re.fill([0.0; LANES]);
        self.im.fill([0.0; LANES]);
    }
}

/// Working storage.
pub struct Work {
    /// Correlations of the links.
    pub b: Lanes,
    /// Their solutions.
    pub solution: Lanes,
    x: Lanes,
    gx: Lanes,
    x_before: Lanes,
    gx_before: Lanes,
}

impl Work {
    /// Of a window.
    pub fn new(window: &Window) -> Work {
        let zero = || Lanes::zero(window.size);
        Work { b: zero(), solution: zero(), x: zero(), gx: zero(), x_before: zero(), gx_before: zero() }
    }
}

/// Solves eight links from zero. A link that is absent has `b` and λ zero. Returns the iterations of each and whether the
/// optimality condition holds.
pub fn fista(window: &Window, lambda: &Lane, w: &mut Work) -> ([u32; LANES], [bool; LANES]) {
    let (mut t, mut beta) = ([1.0; LANES], [0.0; LANES]);
    let (mut iterations, mut done) = ([ITERATIONS; LANES], [false; LANES]);
    for v in [&mut w.x, &mut w.gx, &mut w.x_before, &mut w.gx_before] {
        v.clear();
    }
    for iteration in 1..=ITERATIONS {
        core::mem::swap(&mut w.x, &mut w.x_before);
        core::mem::swap(&mut w.gx, &mut w.gx_before);
        let against = step(w, &beta, lambda);
        image(window, &w.x, &mut w.gx);
        let now = optimal(w, lambda);
        for l in 0..LANES {
            if !done[l] && (now[l] || iteration == ITERATIONS) {
                (done[l], iterations[l]) = (now[l], iteration);
                for g in 0..window.size {
                    w.solution.re[g][l] = w.x.re[g][l];
                    w.solution.im[g][l] = w.x.im[g][l];
                }
            }
            (t[l], beta[l]) = momentum(t[l], against[l]);
        }
        if done.iter().all(|d| *d) {
            break;
        }
    }
    (iterations, done)
}

/// As the scalar one: a column whose entry is zero in every lane is left out; a zero beside others adds `±0`, which
/// changes no sum that began at `+0`.
fn image(window: &Window, x: &Lanes, out: &mut Lanes) {
    out.clear();
    let n = window.size;
    for h in 0..n {
        let (re, im) = (&x.re[h], &x.im[h]);
        if re.iter().chain(im).all(|v| *v == 0.0) {
            continue;
        }
        let column = &window.kernel[n - 1 - h..2 * n - 1 - h];
        for ((o_re, o_im), k) in out.re.iter_mut().zip(&mut out.im).zip(column) {
            for l in 0..LANES {
                o_re[l] += k * re[l];
                o_im[l] += k * im[l];
            }
        }
    }
}

fn step(w: &mut Work, beta: &Lane, lambda: &Lane) -> Lane {
    let inverse = 1.0 / OVERSAMPLING as f64;
    let threshold = lambda.map(|x| x / OVERSAMPLING as f64);
    let mut against = [0.0; LANES];
    for g in 0..w.x.re.len() {
        let (x1_re, x1_im) = (&w.x_before.re[g], &w.x_before.im[g]);
        let (g1_re, g1_im) = (&w.gx_before.re[g], &w.gx_before.im[g]);
        let (g0_re, g0_im) = (&w.gx.re[g], &w.gx.im[g]);
        let (b_re, b_im) = (&w.b.re[g], &w.b.im[g]);
        let (x_re, x_im) = (&mut w.x.re[g], &mut w.x.im[g]);
        for l in 0..LANES {
            let z_re = x1_re[l] + beta[l] * (x1_re[l] - x_re[l]);
            let z_im = x1_im[l] + beta[l] * (x1_im[l] - x_im[l]);
            let gz_re = g1_re[l] + beta[l] * (g1_re[l] - g0_re[l]);
            let gz_im = g1_im[l] + beta[l] * (g1_im[l] - g0_im[l]);
            let v_re = z_re + (b_re[l] - gz_re) * inverse;
            let v_im = z_im + (b_im[l] - gz_im) * inverse;
            let size2 = v_re * v_re + v_im * v_im;
            let shortened = 1.0 - threshold[l] / size2.sqrt();
            let keep = if size2 > threshold[l] * threshold[l] { shortened } else { 0.0 };
            let (re, im) = (keep * v_re, keep * v_im);
            against[l] += (z_re - re) * (re - x1_re[l]) + (z_im - im) * (im - x1_im[l]);
            x_re[l] = re;
            x_im[l] = im;
        }
    }
    against
}

fn optimal(w: &Work, lambda: &Lane) -> [bool; LANES] {
    let slack = lambda.map(|x| x * TOLERANCE);
    let mut met = [true; LANES];
    for g in 0..w.x.re.len() {
        for l in 0..LANES {
            let (x_re, x_im) = (w.x.re[g][l], w.x.im[g][l]);
            let (r_re, r_im) = (w.b.re[g][l] - w.gx.re[g][l], w.b.im[g][l] - w.gx.im[g][l]);
            let ceiling2 = (lambda[l] + slack[l]) * (lambda[l] + slack[l]);
            let missed = if x_re == 0.0 && x_im == 0.0 {
                r_re * r_re + r_im * r_im > ceiling2
            } else {
                let scale = lambda[l] / (x_re * x_re + x_im * x_im).sqrt();
                let (e_re, e_im) = (r_re - scale * x_re, r_im - scale * x_im);
                e_re * e_re + e_im * e_im > slack[l] * slack[l]
            };
            met[l] &= !missed;
        }
    }
    met
}

#[cfg(test)]
mod tests {
    //! Guards the lanes: bit for bit the scalar solver, whatever the other lanes hold.
    use super::super::window::{self, Split};
    use super::*;
    use wavewitness_num::math;
    use wavewitness_types::ToneGrid;

    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        }
    }

    /// Correlations as hostile as they come: scale spans what `f32` samples can, zeros of both signs, one spike.
    fn correlation(kind: usize, n: usize, random: &mut Random) -> Split {
        let mut b = Split { re: Vec::new(), im: Vec::new() };
        for g in 0..n {
            let (re, im) = (random.uniform(), random.uniform());
            let (re, im) = match kind {
                0 => (re, im),
                1 => (0.0, 0.0),
                2 => (-0.0, if g % 2 == 0 { 0.0 } else { -0.0 }),
                3 => (re * 5e-324, im * f64::MIN_POSITIVE),
                4 => (f64::MIN_POSITIVE * re, f64::MIN_POSITIVE * im),
                5 => (re * 1e-150, im * 1e-150),
                6 => (re * 1e150, im * 1e-150),
                7 => (if g == n / 2 { 1.0 } else { 0.0 }, 0.0),
                8 => (if g % 2 == 0 { 1.0 } else { -1.0 }, 1e-12 * im),
                _ => (re * if g == 3 { 1e9 } else { 1e-9 }, im),
            };
            b.re.push(re);
            b.im.push(im);
        }
        b
    }

    fn scalar(window: &Window, b: &Split, lambda: f64) -> (Split, u32, bool) {
        let mut work = window::Work::new(window);
        work.b.clone_from(b);
        let (iterations, met) = window.fista(lambda, &mut work, false);
        (work.x, iterations, met)
    }

    fn check(window: &Window, links: &[(Split, f64)], work: &mut Work) {
        let mut lambda = [0.0; LANES];
        work.b.clear();
        for (l, (b, x)) in links.iter().enumerate() {
            lambda[l] = *x;
            for g in 0..window.size {
                work.b.re[g][l] = b.re[g];
                work.b.im[g][l] = b.im[g];
            }
        }
        let (iterations, met) = fista(window, &lambda, work);
        for (l, (b, x)) in links.iter().enumerate() {
            let (solution, count, ok) = scalar(window, b, *x);
            assert_eq!((iterations[l], met[l]), (count, ok), "lane {l}");
            for g in 0..window.size {
                assert_eq!(work.solution.re[g][l].to_bits(), solution.re[g].to_bits(), "lane {l}, delay {g}");
                assert_eq!(work.solution.im[g][l].to_bits(), solution.im[g].to_bits(), "lane {l}, delay {g}");
            }
        }
    }

    fn largest(b: &Split) -> f64 {
        (0..b.re.len()).fold(0.0, |m, g| math::max_f64(m, math::hypot(b.re[g], b.im[g])))
    }

    #[test]
    fn eight_lanes_are_eight_scalars_bit_for_bit() {
        let mut random = Random(1);
        for grid in [ToneGrid::Ht20, ToneGrid::Ht40] {
            let window = Window::new(grid);
            let mut work = Work::new(&window);
            let mut link = |kind: usize| {
                let b = correlation(kind, window.size, &mut random);
                let lambda = 0.3 * largest(&b);
                (b, lambda)
            };
            // All alike; every lane another; one odd among ordinary ones, in each place; links absent.
            let same = link(0);
            check(&window, &vec![same; LANES], &mut work);
            let all: Vec<_> = (0..LANES).map(&mut link).collect();
            check(&window, &all, &mut work);
            for kind in 1..10 {
                let mut links: Vec<_> = (0..LANES).map(|_| link(0)).collect();
                links[kind % LANES] = link(kind);
                check(&window, &links, &mut work);
                check(&window, &links[..1 + kind % LANES], &mut work);
            }
        }
    }
}
