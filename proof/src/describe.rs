//! Words for differences between two published cycles.

use wavewitness_types::{Canonical, PoseFrame};

/// The first field in which two frames differ, with both values; `None` if they are equal.
pub fn first_difference(a: &PoseFrame, b: &PoseFrame) -> Option<String> {
    fn differs<T: Canonical + std::fmt::Debug>(name: &str, a: &T, b: &T) -> Option<String> {
        (a.to_canonical_bytes() != b.to_canonical_bytes()).then(|| format!("{name}: {a:?} against {b:?}"))
    }
    fn list<T: Canonical + std::fmt::Debug>(name: &str, a: &[T], b: &[T]) -> Option<String> {
        if a.len() != b.len() {
            return Some(format!("{name}: {} against {}", a.len(), b.len()));
        }
        a.iter().zip(b).enumerate().find_map(|(k, (x, y))| differs(&format!("{name}[{k}]"), x, y))
    }
    differs("cycle", &a.cycle, &b.cycle)
        .or_else(|| differs("at", &a.at, &b.at))
        .or_else(|| differs("source", &a.source, &b.source))
        .or_else(|| list("nodes", &a.nodes, &b.nodes))
        .or_else(|| list("links", &a.links, &b.links))
        .or_else(|| differs("presence", &a.presence, &b.presence))
        .or_else(|| (a.motion != b.motion).then(|| format!("motion: {:?} against {:?}", a.motion, b.motion)))
        .or_else(|| differs("count", &a.count, &b.count))
        .or_else(|| list("people", &a.people, &b.people))
        .or_else(|| differs("gate", &a.gate, &b.gate))
        .or_else(|| differs("quality", &a.quality, &b.quality))
        .or_else(|| differs("breathing", &a.breathing, &b.breathing))
        .or_else(|| differs("fall", &a.fall, &b.fall))
}
