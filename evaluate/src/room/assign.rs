//! Least-cost assignment of rows to columns: the Hungarian method by shortest augmenting paths with prices (Kuhn 1955; Jonker
//! & Volgenant 1987, Computing 38). Exact, O(rows² · columns); tables of any shape.

/// The column of each row such that the sum of costs is least and as many rows as possible have one. `cost[row][column]`,
/// finite; all rows are of one length.
pub fn assign(cost: &[Vec<f64>]) -> Vec<Option<usize>> {
    let columns = cost.first().map_or(0, Vec::len);
    if cost.len() <= columns {
        return wide(cost, columns).into_iter().map(Some).collect();
    }
    let turned: Vec<Vec<f64>> = (0..columns).map(|c| cost.iter().map(|row| row[c]).collect()).collect();
    let mut out = vec![None; cost.len()];
    for (column, row) in wide(&turned, cost.len()).into_iter().enumerate() {
        out[row] = Some(column);
    }
    out
}

/// At most as many rows as columns. Row and column 0 of prices and partners stand for "none yet".
fn wide(cost: &[Vec<f64>], columns: usize) -> Vec<usize> {
    let mut row_price = vec![0.0; cost.len() + 1];
    let mut column_price = vec![0.0; columns + 1];
    let mut row_of = vec![0; columns + 1];
    for row in 1..=cost.len() {
        let mut least = vec![f64::INFINITY; columns + 1];
        let mut before = vec![0; columns + 1];
        let mut closed = vec![false; columns + 1];
        row_of[0] = row;
        let mut at = 0;
        while row_of[at] != 0 {
            closed[at] = true;
            let (mut step, mut next) = (f64::INFINITY, 0);
            for c in (1..=columns).filter(|&c| !closed[c]) {
                let reduced = cost[row_of[at] - 1][c - 1] - row_price[row_of[at]] - column_price[c];
                if reduced < least[c] {
                    (least[c], before[c]) = (reduced, at);
                }
                if least[c] < step {
                    (step, next) = (least[c], c);
                }
            }
            for c in 0..=columns {
                if closed[c] {
                    row_price[row_of[c]] += step;
                    column_price[c] -= step;
                } else {
                    least[c] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            row_of[at] = row_of[before[at]];
            at = before[at];
        }
    }
    let mut out = vec![0; cost.len()];
    for c in 1..=columns {
        if row_of[c] != 0 {
            out[row_of[c] - 1] = c - 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    //! Guards: the optimum, against every assignment.
    use super::*;

    fn brute(cost: &[Vec<f64>], row: usize, used: u32, left_out: usize) -> f64 {
        if row == cost.len() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for c in (0..cost[0].len()).filter(|c| used & (1 << c) == 0) {
            let sum = cost[row][c] + brute(cost, row + 1, used | (1 << c), left_out);
            best = if sum < best { sum } else { best };
        }
        if left_out > 0 {
            let sum = brute(cost, row + 1, used, left_out - 1);
            best = if sum < best { sum } else { best };
        }
        best
    }

    #[test]
    fn it_is_the_optimum_of_tables_of_any_shape() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        for case in 0..300usize {
            let (rows, columns) = (1 + case % 5, 1 + case / 5 % 6);
            let cost: Vec<Vec<f64>> =
                (0..rows).map(|_| (0..columns).map(|_| 10.0 * random() - 5.0).collect()).collect();
            let found = assign(&cost);
            let mut taken: Vec<usize> = found.iter().flatten().copied().collect();
            let total: f64 = found.iter().enumerate().filter_map(|(r, c)| Some(cost[r][(*c)?])).sum();
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len(), rows.min(columns));
            let best = brute(&cost, 0, 0, rows.saturating_sub(columns));
            assert!((total - best).abs() < 1e-9, "{total} {best}");
        }
        assert_eq!(assign(&[]), vec![]);
        assert_eq!(assign(&[vec![], vec![]]), vec![None, None]);
    }
}
