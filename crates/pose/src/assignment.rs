//! Optimal assignment on a small dense cost matrix by shortest augmenting paths.
//!
//! Source: Jonker and Volgenant 1987, Computing 38, 325–340 (the augmentation phase alone: for sixteen rows their
//! initialisation gains nothing); Crouse 2016, IEEE Trans. Aerosp. Electron. Syst. 52(4), 1679–1696. Exact, O(n³).

use wavewitness_types::limits::MAX_PEOPLE;

/// Rows and columns at most: published people and as many tentative tracks.
pub(crate) const SIZE: usize = 2 * MAX_PEOPLE;
/// `cost[row][column]`, finite.
pub(crate) type Costs = [[f64; SIZE]; SIZE];

/// No partner.
const FREE: usize = usize::MAX;

struct Solution {
    row_price: [f64; SIZE],
    column_price: [f64; SIZE],
    column_of: [usize; SIZE],
    row_of: [usize; SIZE],
}

/// The column of each of the first `n` rows such that the sum of costs over the first `n` columns is least.
/// Of equal solutions the one that the order of rows and columns leads to, the same everywhere.
pub(crate) fn assign(cost: &Costs, n: usize) -> [usize; SIZE] {
    let mut s = Solution {
        row_price: [0.0; SIZE],
        column_price: [0.0; SIZE],
        column_of: [FREE; SIZE],
        row_of: [FREE; SIZE],
    };
    for row in 0..n {
        augment(cost, n, row, &mut s);
    }
    s.column_of
}

/// Dijkstra's shortest path over reduced costs from a free row to a free column, then prices and partners along it.
fn augment(cost: &Costs, n: usize, start: usize, s: &mut Solution) {
    let mut distance = [f64::INFINITY; SIZE];
    let mut previous = [start; SIZE];
    let mut closed = [false; SIZE];
    let (mut row, mut base) = (start, 0.0);
    let sink = loop {
        let mut nearest = FREE;
        for c in 0..n {
            if closed[c] {
                continue;
            }
            let through = base + cost[row][c] - s.row_price[row] - s.column_price[c];
            if through < distance[c] {
                distance[c] = through;
                previous[c] = row;
            }
            if nearest == FREE || distance[c] < distance[nearest] {
                nearest = c;
            }
        }
        base = distance[nearest];
        closed[nearest] = true;
        if s.row_of[nearest] == FREE {
            break nearest;
        }
        row = s.row_of[nearest];
    };
    s.row_price[start] += base;
    for c in 0..n {
        if closed[c] && c != sink {
            s.column_price[c] += distance[c] - base;
            s.row_price[s.row_of[c]] += base - distance[c];
        }
    }
    let mut column = sink;
    loop {
        let row = previous[column];
        let next = s.column_of[row];
        s.row_of[column] = row;
        s.column_of[row] = column;
        if row == start {
            return;
        }
        column = next;
    }
}

#[cfg(test)]
mod tests {
    //! Guards: the assignment is the optimum (against every permutation), whatever the matrix.
    use super::*;
    use crate::testing::Random;

    fn total(cost: &Costs, columns: &[usize]) -> f64 {
        columns.iter().enumerate().map(|(r, &c)| cost[r][c]).sum()
    }

    /// Least cost over all permutations, by recursion over rows.
    fn brute(cost: &Costs, n: usize, row: usize, used: u32) -> f64 {
        if row == n {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for c in (0..n).filter(|c| used & (1 << c) == 0) {
            let sum = cost[row][c] + brute(cost, n, row + 1, used | (1 << c));
            if sum < best {
                best = sum;
            }
        }
        best
    }

    #[test]
    fn it_is_the_optimum_over_every_permutation() {
        let mut random = Random(1);
        for case in 0..400 {
            let n = 1 + case % 7;
            let mut cost = [[0.0; SIZE]; SIZE];
            for entry in cost.iter_mut().flatten() {
                // Half of the cases hold many equal and many zero (not allowed) entries, as the tracker's do.
                let x = 20.0 * random.uniform() - 15.0;
                *entry = if case % 2 == 0 { x } else { (x / 5.0).round().clamp(-3.0, 0.0) };
            }
            let columns = assign(&cost, n);
            let mut seen = columns[..n].to_vec();
            seen.sort_unstable();
            assert_eq!(seen, (0..n).collect::<Vec<_>>());
            assert!((total(&cost, &columns[..n]) - brute(&cost, n, 0, 0)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_planted_optimum_is_found_at_full_size() {
        let mut random = Random(2);
        for _ in 0..50 {
            let mut planted: Vec<usize> = (0..SIZE).collect();
            for k in (1..SIZE).rev() {
                planted.swap(k, (random.uniform() * (k + 1) as f64) as usize);
            }
            // Prices added to rows and columns shift every assignment alike, so the planted zeros stay the optimum.
            let rows: Vec<f64> = (0..SIZE).map(|_| 30.0 * random.uniform()).collect();
            let columns: Vec<f64> = (0..SIZE).map(|_| 30.0 * random.uniform()).collect();
            let mut cost = [[0.0; SIZE]; SIZE];
            for r in 0..SIZE {
                for c in 0..SIZE {
                    let own = if planted[r] == c { 0.0 } else { 0.01 + random.uniform() };
                    cost[r][c] = own + rows[r] - columns[c];
                }
            }
            assert_eq!(assign(&cost, SIZE).to_vec(), planted);
        }
    }
}
