//! Guards: a window's tensor depends on room and channel alone, not on the order in which links were found nor on a packet's gain;
//! what was not measured is zero and says so; a gap begins anew; arrays on disk are the rows that were pushed; labels are read or
//! refused by line.

use ndarray::{Array1, Array4, Array5};
use ndarray_npy::read_npy;
use wavewitness_head::labels::Labels;
use wavewitness_head::{CYCLES, Dataset, LINKS, Label, TONES, Window};
use wavewitness_types::{
    CycleIndex, FusedFrame, Geometry, Layout, Link, NodeId, NodePlace, Room, Timestamp, Transmitter,
};

fn geometry() -> Geometry {
    let node = |id: u8, position_m| NodePlace { id: NodeId(id), mac: None, position_m: Some(position_m) };
    Geometry {
        room: Some(Room { min_m: [1.0, 0.0, 0.0], max_m: [6.0, 4.0, 2.5] }),
        nodes: vec![node(1, [1.0, 0.0, 1.0]), node(2, [6.0, 4.0, 2.0]), node(3, [6.0, 0.0, 1.0])],
        ..Geometry::default()
    }
}

fn link(tx: u8, rx: u8) -> Link {
    Link::new(Transmitter::Node(NodeId(tx)), NodeId(rx), Layout::Lltf64).unwrap()
}

/// A channel that differs by link and cycle.
fn frame(links: &[Link], cycle: u64, gain: f32) -> FusedFrame {
    let mut out = FusedFrame::empty();
    for (row, ends) in links.iter().enumerate() {
        let Transmitter::Node(tx) = ends.tx() else { continue };
        for k in 0..TONES {
            let x = (u64::from(tx.0) * 7 + u64::from(ends.rx().0) * 3 + cycle + k as u64 * 5) % 11;
            out.re[row * TONES + k] = gain * (x as f32 - 4.0);
            out.im[row * TONES + k] = gain * 0.5;
        }
        out.mask[row] = (1 << TONES) - 1;
        out.motion[row] = 1.5;
    }
    out
}

fn full(links: &[Link], gain: f32) -> Window {
    let mut window = Window::new(&geometry()).unwrap();
    (0..CYCLES as u64).for_each(|c| window.push(CycleIndex(c), &frame(links, c, gain), links));
    window
}

#[test]
fn neither_the_order_of_discovery_nor_a_gain_is_in_the_tensor() {
    let (one, other) = ([link(1, 2), link(2, 3), link(3, 1)], [link(3, 1), link(1, 2), link(2, 3)]);
    let (a, b) = (full(&one, 1.0).input().unwrap(), full(&other, 8.0).input().unwrap());
    assert_eq!(a, b);
    let part = |k: usize, p: usize| a.csi[[0, 3, 1, k, p]] * a.csi[[0, 3, 1, k, p]];
    let power: f32 = (0..TONES).map(|k| part(k, 0) + part(k, 1)).sum();
    assert!((power / TONES as f32 - 1.0).abs() < 1e-5);
    assert_eq!(a.ends_m.row_of(0), [0.0, 0.0, 1.0, 5.0, 4.0, 2.0], "relative to the room's corner");
    assert_eq!(a.room_m.as_slice().unwrap(), [5.0, 4.0, 2.5]);
    assert!((3..LINKS).all(|s| a.seen[[0, 0, s]] == 0.0 && a.csi[[0, 0, s, 0, 0]] == 0.0));
}

trait Row {
    fn row_of(&self, slot: usize) -> [f32; 6];
}

impl Row for ndarray::Array3<f32> {
    fn row_of(&self, slot: usize) -> [f32; 6] {
        std::array::from_fn(|k| self[[0, slot, k]])
    }
}

#[test]
fn a_gap_or_a_boot_begins_anew_and_without_a_room_there_is_nothing() {
    let links = [link(1, 2)];
    let mut window = full(&links, 1.0);
    window.push(CycleIndex(CYCLES as u64), &frame(&links, 9, 1.0), &links);
    assert_eq!(window.input().unwrap().cycle, CycleIndex(CYCLES as u64));
    window.push(CycleIndex(CYCLES as u64 + 2), &frame(&links, 9, 1.0), &links);
    assert!(window.input().is_none(), "a cycle is missing");
    assert!(Window::new(&Geometry { room: None, ..geometry() }).is_none());
    let stranger = [Link::new(Transmitter::Ambient(1), NodeId(2), Layout::Lltf64).unwrap()];
    assert!(full(&stranger, 1.0).input().is_none(), "nobody knows where it is");
}

#[test]
fn what_is_written_is_what_was_pushed() {
    let input = full(&[link(1, 2), link(2, 1)], 1.0).input().unwrap();
    let text = format!(
        "{{\"source\": \"camera\"}}\n{{\"at_ns\": 1000, \"people\": [{{\"joints_m\": {:?}}}, {{\"joints_m\": {:?}, \"in_room\": 0.2}}]}}\n",
        [[2.0, 1.0, 0.5]; 17],
        [[0.0; 3]; 17]
    );
    let labels = Labels::read(&text).unwrap();
    let label = labels.at(Timestamp(20_000_000), [1.0, 0.0, 0.0]).unwrap();
    assert_eq!(label, Label { people: vec![[[1.0, 1.0, 0.5]; 17]] }, "who is on the way in is not there");
    assert!(labels.at(Timestamp(40_000_000), [0.0; 3]).is_none(), "too far in time");
    let mut set = Dataset::new();
    set.push(&input, &label);
    set.push(&input, &Label::default());
    let dir = tempfile::tempdir().unwrap();
    set.write(dir.path()).unwrap();
    let csi: Array5<f32> = read_npy(dir.path().join("csi.npy")).unwrap();
    assert_eq!(csi.shape(), [2, CYCLES, LINKS, TONES, 2]);
    assert_eq!(csi[[1, 4, 1, 7, 0]], input.csi[[0, 4, 1, 7, 0]]);
    let keypoints: Array4<f32> = read_npy(dir.path().join("keypoints_m.npy")).unwrap();
    assert_eq!((keypoints[[0, 0, 16, 2]], keypoints[[0, 1, 0, 0]], keypoints[[1, 0, 0, 0]]), (0.5, 0.0, 0.0));
    let cycle: Array1<u64> = read_npy(dir.path().join("cycle.npy")).unwrap();
    assert_eq!(cycle.to_vec(), [CYCLES as u64 - 1; 2]);
}

#[test]
fn a_line_that_is_no_label_is_named() {
    for (text, said) in [
        ("", "line 1"),
        ("{\"source\": \"camera\"}\n{\"at_ns\": 1}", "line 2"),
        (
            "{\"source\": \"camera\"}\n{\"at_ns\": 2, \"people\": []}\n{\"at_ns\": 2, \"people\": []}",
            "line 3: at_ns = 2",
        ),
        ("{}", "line 1: missing field `source`"),
    ] {
        let error = Labels::read(text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}
