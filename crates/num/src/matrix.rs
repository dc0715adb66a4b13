//! Small static `f64` matrices: every loop has one written order. Solve, don't invert.

use crate::math;

/// A row-major matrix of `R` rows and `C` columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix<const R: usize, const C: usize>(pub [[f64; C]; R]);

/// A column vector.
pub type Vector<const N: usize> = [f64; N];

impl<const R: usize, const C: usize> Matrix<R, C> {
    /// All zeros.
    pub const ZERO: Self = Matrix([[0.0; C]; R]);

    /// Matrix product; inner sums run from the first column to the last.
    pub fn times<const K: usize>(&self, other: &Matrix<C, K>) -> Matrix<R, K> {
        let mut out = Matrix::<R, K>::ZERO;
        for r in 0..R {
            for k in 0..K {
                let mut total = 0.0;
                for c in 0..C {
                    total += self.0[r][c] * other.0[c][k];
                }
                out.0[r][k] = total;
            }
        }
        out
    }

    /// Matrix times vector.
    pub fn times_vector(&self, v: &Vector<C>) -> Vector<R> {
        let mut out = [0.0; R];
        for r in 0..R {
            for c in 0..C {
                out[r] += self.0[r][c] * v[c];
            }
        }
        out
    }

    /// Transpose.
    pub fn transpose(&self) -> Matrix<C, R> {
        let mut out = Matrix::<C, R>::ZERO;
        for r in 0..R {
            for c in 0..C {
                out.0[c][r] = self.0[r][c];
            }
        }
        out
    }

    /// Elementwise sum.
    pub fn plus(&self, other: &Self) -> Self {
        let mut out = *self;
        for r in 0..R {
            for c in 0..C {
                out.0[r][c] += other.0[r][c];
            }
        }
        out
    }

    /// Elementwise difference.
    pub fn minus(&self, other: &Self) -> Self {
        let mut out = *self;
        for r in 0..R {
            for c in 0..C {
                out.0[r][c] -= other.0[r][c];
            }
        }
        out
    }

    /// Every element times `s`.
    pub fn scaled(&self, s: f64) -> Self {
        let mut out = *self;
        for r in 0..R {
            for c in 0..C {
                out.0[r][c] *= s;
            }
        }
        out
    }
}

impl<const N: usize> Matrix<N, N> {
    /// The identity.
    pub fn identity() -> Self {
        Self::diagonal([1.0; N])
    }

    /// A diagonal matrix.
    pub fn diagonal(d: [f64; N]) -> Self {
        let mut out = Self::ZERO;
        for k in 0..N {
            out.0[k][k] = d[k];
        }
        out
    }

    /// `(A + Aᵀ)/2`: removes the asymmetry that rounding leaves in a covariance.
    pub fn symmetrised(&self) -> Self {
        let mut out = *self;
        for r in 0..N {
            for c in 0..r {
                let m = 0.5 * (self.0[r][c] + self.0[c][r]);
                out.0[r][c] = m;
                out.0[c][r] = m;
            }
        }
        out
    }

    /// Lower Cholesky factor of a symmetric positive definite matrix; `None` if it is not.
    pub fn cholesky(&self) -> Option<Cholesky<N>> {
        let mut l = Self::ZERO;
        for r in 0..N {
            for c in 0..=r {
                let mut total = self.0[r][c];
                for k in 0..c {
                    total -= l.0[r][k] * l.0[c][k];
                }
                if r == c {
                    // `partial_cmp` by hand: NaN is not positive either.
                    if total.is_nan() || total <= 0.0 {
                        return None;
                    }
                    l.0[r][r] = math::sqrt(total);
                } else {
                    l.0[r][c] = total / l.0[c][c];
                }
            }
        }
        Some(Cholesky { l })
    }
}

/// A Cholesky factorisation `A = L Lᵀ`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cholesky<const N: usize> {
    /// The lower factor.
    pub l: Matrix<N, N>,
}

impl<const N: usize> Cholesky<N> {
    /// Solves `L x = b`: the whitened residual of `b`, whose squared norm is the Mahalanobis distance.
    pub fn whiten(&self, b: &Vector<N>) -> Vector<N> {
        let mut x = *b;
        for r in 0..N {
            for k in 0..r {
                x[r] -= self.l.0[r][k] * x[k];
            }
            x[r] /= self.l.0[r][r];
        }
        x
    }

    /// Solves `A x = b`.
    pub fn solve(&self, b: &Vector<N>) -> Vector<N> {
        let mut x = self.whiten(b);
        for r in (0..N).rev() {
            for k in r + 1..N {
                x[r] -= self.l.0[k][r] * x[k];
            }
            x[r] /= self.l.0[r][r];
        }
        x
    }

    /// Solves `A X = B` column by column.
    pub fn solve_matrix<const K: usize>(&self, b: &Matrix<N, K>) -> Matrix<N, K> {
        let mut out = Matrix::<N, K>::ZERO;
        for k in 0..K {
            let mut column = [0.0; N];
            for r in 0..N {
                column[r] = b.0[r][k];
            }
            let x = self.solve(&column);
            for r in 0..N {
                out.0[r][k] = x[r];
            }
        }
        out
    }

    /// `bᵀ A⁻¹ b`.
    pub fn mahalanobis2(&self, b: &Vector<N>) -> f64 {
        let mut total = 0.0;
        for v in self.whiten(b) {
            total += v * v;
        }
        total
    }

    /// Natural logarithm of the determinant of `A`.
    pub fn ln_determinant(&self) -> f64 {
        let mut total = 0.0;
        for k in 0..N {
            total += math::ln(self.l.0[k][k]);
        }
        2.0 * total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spd() -> Matrix<3, 3> {
        Matrix([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]])
    }

    #[test]
    fn solving_recovers_the_vector() {
        let x = [1.0, -2.0, 0.5];
        let b = spd().times_vector(&x);
        let solved = spd().cholesky().unwrap().solve(&b);
        for k in 0..3 {
            assert!((solved[k] - x[k]).abs() < 1e-12);
        }
    }

    #[test]
    fn mahalanobis_distance_is_the_quadratic_form() {
        let b = [0.3, 0.7, -1.1];
        let f = spd().cholesky().unwrap();
        let direct: f64 = b.iter().zip(f.solve(&b)).map(|(a, c)| a * c).sum();
        assert!((f.mahalanobis2(&b) - direct).abs() < 1e-12);
    }

    #[test]
    fn an_indefinite_matrix_has_no_factor() {
        assert_eq!(Matrix([[1.0, 2.0], [2.0, 1.0]]).cholesky(), None);
        assert_eq!(Matrix([[f64::NAN]]).cholesky(), None);
    }
}
