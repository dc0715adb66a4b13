//! The basement walk: ten nodes, eight channels of strength, a row every 0.63 s; where the person is and when.

use std::path::PathBuf;

pub const NODES: usize = 10;
pub const CHANNELS: usize = 8;
/// Rows of the empty room.
pub const QUIET: usize = 50;

pub fn data() -> Option<PathBuf> {
    let root = std::env::var_os("WAVEWITNESS_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let dir = root.join("rti_basement");
    dir.is_dir().then_some(dir)
}

fn table(path: PathBuf) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).expect("the recording can be read");
    let line = |l: &str| l.split_whitespace().map(|x| x.parse().expect("a number")).collect();
    text.lines().map(line).filter(|row: &Vec<f64>| !row.is_empty()).collect()
}

pub struct Walk {
    pub sensors: Vec<Vec<f64>>,
    pub pivots: Vec<Vec<f64>>,
    pub path: Vec<usize>,
    pub rows: Vec<Vec<f64>>,
}

impl Walk {
    pub fn read(dir: &std::path::Path) -> Walk {
        let mut rows = table(dir.join("basement_listenx_out_1.txt"));
        let columns = CHANNELS * NODES * (NODES - 1);
        for r in 0..rows.len() {
            for c in 0..columns {
                if rows[r][c] > -10.0 {
                    rows[r][c] = if r > 0 { rows[r - 1][c] } else { -80.0 };
                }
            }
        }
        Walk {
            sensors: table(dir.join("sensor_coords_basement_m.txt")),
            pivots: table(dir.join("pivot_coords_basement_m.txt")),
            path: table(dir.join("path_basement_1_f.txt")).iter().map(|r| r[0] as usize).collect(),
            rows,
        }
    }

    /// Where the person is; `None` while the room is empty.
    pub fn truth_m(&self, at_s: f64) -> Option<[f64; 2]> {
        let s = (at_s - 56.0) / 8.0;
        if s < 0.0 || s >= (self.path.len() - 1) as f64 {
            return None;
        }
        let (k, f) = (s as usize, s - s.floor());
        let (a, b) = (&self.pivots[self.path[k]], &self.pivots[self.path[k + 1]]);
        Some([a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1])])
    }

    /// Index of the column of a link on a channel.
    pub fn column(channel: usize, tx: usize, rx: usize) -> usize {
        channel * NODES * (NODES - 1) + tx * (NODES - 1) + if rx > tx { rx - 1 } else { rx }
    }

    pub fn seconds(&self, row: usize) -> f64 {
        self.rows[row].last().copied().unwrap_or(0.0) * 1e-3
    }
}
