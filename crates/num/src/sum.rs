//! Reductions with one written order, and Welford statistics.

/// Sum from the first element to the last, in `f64`.
pub fn sum(values: &[f32]) -> f64 {
    let mut total = 0.0;
    for &v in values {
        total += f64::from(v);
    }
    total
}

/// Sum of squares of two equally long arrays (energy of split complex samples), first to last, in `f64`.
///
/// # Panics
/// If the lengths differ.
pub fn energy(re: &[f32], im: &[f32]) -> f64 {
    assert_eq!(re.len(), im.len());
    let mut total = 0.0;
    for (&a, &b) in re.iter().zip(im) {
        total += f64::from(a) * f64::from(a) + f64::from(b) * f64::from(b);
    }
    total
}

/// Running mean and variance (Welford 1962, Technometrics 4(3) 419–420; Knuth TAOCP 2, 4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Welford {
    count: u64,
    mean: f64,
    m2: f64,
}

impl Welford {
    /// Nothing observed.
    pub const EMPTY: Welford = Welford { count: 0, mean: 0.0, m2: 0.0 };

    /// Adds one observation.
    pub fn push(&mut self, x: f64) {
        self.count += 1;
        let delta = x - self.mean;
        self.mean += delta / self.count as f64;
        self.m2 += delta * (x - self.mean);
    }

    /// How many were observed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; 0 if nothing was observed.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Unbiased variance; `None` below two observations.
    pub fn variance(&self) -> Option<f64> {
        (self.count >= 2).then(|| self.m2 / (self.count - 1) as f64)
    }

    /// The three numbers of the state, for canonical encoding: count, mean, sum of squared deviations.
    pub fn parts(&self) -> (u64, f64, f64) {
        (self.count, self.mean, self.m2)
    }

    /// The state from its three numbers; `None` if they can't be one.
    pub fn from_parts(count: u64, mean: f64, m2: f64) -> Option<Welford> {
        (mean.is_finite() && m2.is_finite() && m2 >= 0.0).then_some(Welford { count, mean, m2 })
    }
}

/// Median of `values`, which it puts into another order; the mean of the middle two for an even count; `None` if empty.
/// Values must be finite.
pub fn median_in_place(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    // The middle one alone: a whole order costs three times as much at a hundred values.
    let (below, &mut middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return Some(middle);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(0.5 * (lower + middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welford_agrees_with_two_passes_on_an_ill_conditioned_series() {
        let xs: Vec<f64> = (0..1000).map(|k| 1e9 + f64::from(k % 7)).collect();
        let mut w = Welford::EMPTY;
        xs.iter().for_each(|&x| w.push(x));
        let mean = 1e9 + xs.iter().map(|x| x - 1e9).sum::<f64>() / 1000.0;
        let variance = xs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 999.0;
        assert!((w.mean() - mean).abs() < 1e-5);
        assert!((w.variance().unwrap() - variance).abs() < 1e-4);
        assert_eq!(Welford::EMPTY.variance(), None);
    }

    #[test]
    fn median_of_even_and_odd_counts() {
        assert_eq!(median_in_place(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median_in_place(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median_in_place(&mut []), None);
    }
}
