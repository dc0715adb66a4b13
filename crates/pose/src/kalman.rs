//! The motion filter: joint position and velocity in three dimensions.
//!
//! State x = (p, v), p in metres, v in m/s. Motion is continuous white-noise acceleration of spectral density q per
//! axis, discretised exactly (Bar-Shalom, Li and Kirubarajan 2001, Estimation with Applications to Tracking and
//! Navigation, 6.2.2):
//! ```text
//! F = [I  dt·I]    Q = [q dt³/3  q dt²/2]    H = [I 0]
//!     [0     I]        [q dt²/2  q dt   ]
//! ```
//! The covariance is joint: its position–velocity block is what turns a position innovation into velocity, without it
//! a filter lags behind a walker for ever.

use wavewitness_num::matrix::{Cholesky, Matrix, Vector};

/// Mean and covariance of (p, v).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gaussian {
    pub mean: Vector<6>,
    pub covariance: Matrix<6, 6>,
}

/// What a position measurement says about a predicted state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Innovation {
    residual: Vector<3>,
    /// Factor of S = H P Hᵀ + R.
    factor: Cholesky<3>,
    noise: Matrix<3, 3>,
    /// Squared Mahalanobis distance νᵀ S⁻¹ ν, χ² with three degrees of freedom if the model holds (the NIS).
    pub distance2: f64,
    /// ln det S.
    pub ln_determinant: f64,
}

impl Gaussian {
    /// The state after `dt` seconds; `psd` is q for each axis, m²/s³.
    pub fn predict(&mut self, dt: f64, psd: &Vector<3>) {
        let mut f = Matrix::<6, 6>::identity();
        let mut q = Matrix::<6, 6>::ZERO;
        for k in 0..3 {
            f.0[k][k + 3] = dt;
            q.0[k][k] = psd[k] * (dt * dt * dt / 3.0);
            q.0[k][k + 3] = psd[k] * (dt * dt / 2.0);
            q.0[k + 3][k] = q.0[k][k + 3];
            q.0[k + 3][k + 3] = psd[k] * dt;
        }
        self.mean = f.times_vector(&self.mean);
        self.covariance = f.times(&self.covariance).times(&f.transpose()).plus(&q).symmetrised();
    }

    /// Compares a measured position, covariance `noise` in m², with the state. `None` if S is not positive definite.
    pub fn innovation(&self, position: &Vector<3>, noise: &Matrix<3, 3>) -> Option<Innovation> {
        let mut s = *noise;
        let mut residual = [0.0; 3];
        for r in 0..3 {
            residual[r] = position[r] - self.mean[r];
            for c in 0..3 {
                s.0[r][c] += self.covariance.0[r][c];
            }
        }
        let factor = s.symmetrised().cholesky()?;
        Some(Innovation {
            residual,
            factor,
            noise: *noise,
            distance2: factor.mahalanobis2(&residual),
            ln_determinant: factor.ln_determinant(),
        })
    }

    /// Updates by a measurement. The gain K = P Hᵀ S⁻¹ is solved for, not inverted; the covariance takes Joseph's form
    /// (I − KH) P (I − KH)ᵀ + K R Kᵀ, which stays positive definite under rounding (Bucy and Joseph 1968).
    pub fn update(&mut self, innovation: &Innovation) {
        let mut hp = Matrix::<3, 6>::ZERO;
        hp.0.copy_from_slice(&self.covariance.0[..3]);
        let gain = innovation.factor.solve_matrix(&hp).transpose();
        let shift = gain.times_vector(&innovation.residual);
        let mut keep = Matrix::<6, 6>::identity();
        for r in 0..6 {
            self.mean[r] += shift[r];
            for c in 0..3 {
                keep.0[r][c] -= gain.0[r][c];
            }
        }
        let kept = keep.times(&self.covariance).times(&keep.transpose());
        let added = gain.times(&innovation.noise).times(&gain.transpose());
        self.covariance = kept.plus(&added).symmetrised();
    }
}

#[cfg(test)]
mod tests {
    //! Guards: the filter is consistent (NEES, NIS), its covariance stays a covariance, its discretisation is exact.
    use super::*;
    use crate::testing::Random;

    const PSD: [f64; 3] = [0.5, 0.5, 0.05];

    fn prior() -> Gaussian {
        let covariance = Matrix::diagonal([0.04, 0.04, 0.09, 1.0, 1.0, 0.09]);
        Gaussian { mean: [0.0; 6], covariance }
    }

    fn draw(random: &mut Random, covariance: &Matrix<6, 6>) -> Vector<6> {
        let l = covariance.cholesky().unwrap().l;
        let mut white = [0.0; 6];
        white.iter_mut().for_each(|w| *w = random.normal());
        l.times_vector(&white)
    }

    /// Adds the motion of `dt` seconds to a true state.
    fn move_truth(random: &mut Random, truth: &mut Vector<6>, dt: f64) {
        let mut still = Gaussian { mean: *truth, covariance: Matrix::ZERO };
        still.predict(dt, &PSD);
        let noise = draw(random, &still.covariance);
        for k in 0..6 {
            truth[k] = still.mean[k] + noise[k];
        }
    }

    #[test]
    fn nees_and_nis_are_chi_squared() {
        // 400 runs of 40 steps with varying dt, a full measurement covariance, and one step in five unmeasured.
        let noise = Matrix([[0.05, 0.02, 0.0], [0.02, 0.03, -0.01], [0.0, -0.01, 0.09]]);
        let noise_l = noise.cholesky().unwrap().l;
        let mut random = Random(3);
        let (mut nees, mut nis, mut nis_samples) = (0.0, 0.0, 0.0);
        let runs = 400;
        for _ in 0..runs {
            let mut state = prior();
            let mut truth = draw(&mut random, &state.covariance);
            for step in 0..40 {
                let dt = 0.02 + 0.2 * random.uniform();
                move_truth(&mut random, &mut truth, dt);
                state.predict(dt, &PSD);
                if step % 5 == 4 {
                    continue;
                }
                let white = [random.normal(), random.normal(), random.normal()];
                let error = noise_l.times_vector(&white);
                let measured = [truth[0] + error[0], truth[1] + error[1], truth[2] + error[2]];
                let innovation = state.innovation(&measured, &noise).unwrap();
                nis += innovation.distance2;
                nis_samples += 1.0;
                state.update(&innovation);
            }
            let mut error = [0.0; 6];
            for k in 0..6 {
                error[k] = truth[k] - state.mean[k];
            }
            nees += state.covariance.cholesky().unwrap().mahalanobis2(&error);
        }
        // Averages of n χ² with d degrees of freedom: d ± 3.29·√(2d/n) holds 99.9 %.
        let (nees, nis) = (nees / f64::from(runs), nis / nis_samples);
        assert!((nees - 6.0).abs() < 3.29 * (12.0 / f64::from(runs)).sqrt(), "NEES {nees}");
        assert!((nis - 3.0).abs() < 3.29 * (6.0 / nis_samples).sqrt(), "NIS {nis}");
    }

    #[test]
    fn two_half_steps_are_one_step() {
        let (mut once, mut twice) = (prior(), prior());
        once.mean[3] = 1.2;
        twice.mean[3] = 1.2;
        once.predict(0.3, &PSD);
        twice.predict(0.1, &PSD);
        twice.predict(0.2, &PSD);
        for k in 0..6 {
            assert!((once.mean[k] - twice.mean[k]).abs() < 1e-12);
            for c in 0..6 {
                assert!((once.covariance.0[k][c] - twice.covariance.0[k][c]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_covariance_stays_symmetric_and_positive_definite() {
        let mut random = Random(4);
        let mut state = prior();
        for step in 0..100_000 {
            // Extremes on purpose: gaps of seconds, and measurements 10⁵ times better than the prediction.
            let dt = if step % 97 == 0 { 5.0 } else { 0.001 + 0.1 * random.uniform() };
            state.predict(dt, &PSD);
            let sigma2 = if step % 13 == 0 { 1e-6 } else { 0.01 + random.uniform() };
            let mut noise = Matrix::<3, 3>::diagonal([sigma2, 2.0 * sigma2, 1.0]);
            noise.0[0][1] = sigma2;
            noise.0[1][0] = sigma2;
            let measured = [random.normal(), random.normal(), random.normal()];
            let innovation = state.innovation(&measured, &noise).unwrap();
            state.update(&innovation);
            assert_eq!(state.covariance, state.covariance.transpose());
            assert!(state.covariance.cholesky().is_some(), "step {step}");
        }
        assert!(state.mean.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn prediction_alone_loses_certainty_and_a_measurement_regains_it() {
        let mut state = prior();
        let mut before = 0.0;
        for _ in 0..20 {
            state.predict(0.05, &PSD);
            let ln_det = state.covariance.cholesky().unwrap().ln_determinant();
            assert!(before == 0.0 || ln_det > before);
            before = ln_det;
        }
        let innovation = state.innovation(&[0.1, 0.0, 0.0], &Matrix::diagonal([0.04; 3])).unwrap();
        state.update(&innovation);
        assert!(state.covariance.cholesky().unwrap().ln_determinant() < before);
    }
}
