//! Guards the two kernels that keep their past in rings: bit for bit their scalar twins, which keep plain lists and
//! compute in plain real numbers, on inputs that would show another order.

use wavewitness_fusion::attention::{MEMORY, Reliability};
use wavewitness_fusion::coherence::Window;
use wavewitness_num::{C64, math};
use wavewitness_types::limits::FUSION_TONES;
use wavewitness_types::{
    Layout, Link, LinkId, LinkObservation, NodeId, Samples, Timestamp, ToneGrid, Transmitter,
};

/// SplitMix64 (Steele, Lea and Flood 2014), as uniform numbers in −0.5..0.5.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

const KINDS: usize = 7;

/// Subnormals, signed zeros, huge ratios, all alike, one odd, a mixture, noise.
fn adversarial(kind: usize, k: usize, state: &mut u64) -> f64 {
    let x = uniform(state);
    let tiny = f64::from_bits(1);
    match kind {
        0 => tiny * (1e6 * x).round(),
        1 => [0.0, -0.0][usize::from(x < 0.0)],
        2 => x * [1e-40, 1e40, 1.0, 1e-12, 1e15][k % 5],
        3 => 0.1,
        4 => [0.1, -1e8][usize::from(k % 16 == 5)],
        5 => [x, -0.0, tiny, 1e-30, f64::MIN_POSITIVE][k % 5],
        _ => x,
    }
}

fn observation(scatter: Option<f32>) -> LinkObservation {
    LinkObservation {
        link: LinkId(0),
        frames: 1,
        newest: Timestamp(0),
        mean: Samples::zero(ToneGrid::Ht20),
        scatter,
        change: None,
        rssi_dbm: None,
        noise_dbm: None,
    }
}

/// Incoherence and white noise of two rows, as `attention` defines them, without a complex number.
fn difference(a: &[C64], b: &[C64], mask: u64) -> (f64, f64) {
    let (mut re, mut im, mut aa, mut bb) = (0.0, 0.0, 0.0, 0.0);
    for k in 0..FUSION_TONES {
        re += a[k].re * b[k].re + a[k].im * b[k].im;
        im += a[k].re * b[k].im - a[k].im * b[k].re;
        aa += a[k].re * a[k].re + a[k].im * a[k].im;
        bb += b[k].re * b[k].re + b[k].im * b[k].im;
    }
    if aa <= 0.0 || bb <= 0.0 {
        return (1.0, 1.0);
    }
    let unlike = math::max_f64(0.0, 1.0 - (re * re + im * im) / aa / bb);
    let (gr, gi) = (re / aa, im / aa);
    let tones = ToneGrid::Ht20.indices();
    let (mut white, mut count) = (0.0, 0);
    for k in 1..FUSION_TONES - 1 {
        let measured = [k - 1, k, k + 1].iter().all(|i| mask & (1 << i) != 0);
        if measured && tones[k - 1] + 1 == tones[k] && tones[k] + 1 == tones[k + 1] {
            let d =
                |i: usize| (b[i].re - (gr * a[i].re - gi * a[i].im), b[i].im - (gr * a[i].im + gi * a[i].re));
            let ((lr, li), (mr, mi), (hr, hi)) = (d(k - 1), d(k), d(k + 1));
            let (er, ei) = (lr - mr * 2.0 + hr, li - mi * 2.0 + hi);
            white += er * er + ei * ei;
            count += 1;
        }
    }
    let power = bb / f64::from(mask.count_ones());
    let noise =
        if count == 0 { 1.0 } else { math::min_f64(1.0, white / f64::from(count) / 6.0 / 2.0 / power) };
    (unlike, noise)
}

fn median_of_last(values: &[f64]) -> Option<f64> {
    let mut last = values[values.len().saturating_sub(MEMORY)..].to_vec();
    last.sort_by(f64::total_cmp);
    let n = last.len();
    (n >= 8).then(|| if n % 2 == 1 { last[n / 2] } else { 0.5 * (last[n / 2 - 1] + last[n / 2]) })
}

#[test]
fn reliability_is_its_scalar_twin() {
    let mut state = 5;
    for kind in 0..KINDS * 2 {
        // All tones, and a legacy frame's.
        let mask: u64 = if kind < KINDS { (1 << 56) - 1 } else { ((1 << 52) - 1) << 2 };
        let mut found = Reliability::new();
        let (mut noises, mut unlikes) = (Vec::new(), Vec::new());
        let mut previous: Option<Vec<C64>> = None;
        for step in 0..150u64 {
            let row: Vec<C64> = (0..FUSION_TONES)
                .map(|k| match mask >> k & 1 {
                    0 => C64::new(0.0, 0.0),
                    _ => C64::new(adversarial(kind % KINDS, k, &mut state), adversarial(6, k, &mut state)),
                })
                .collect();
            let scatter = step.is_multiple_of(3).then(|| adversarial(6, 0, &mut state).abs() as f32 * 3.0);
            found.observe(&observation(scatter), &row, mask, Timestamp(step * 50_000_000), 0.5);
            let pair = previous.as_ref().map(|before| difference(before, &row, mask));
            noises.extend(pair.map(|p| p.1));
            let scatter = scatter.map(|s| math::min_f64(1.0, f64::from(s)));
            unlikes.extend(scatter.or(pair.map(|p| p.0)));
            previous = Some(row);
            let noise = median_of_last(&noises).unwrap_or(1.0);
            let unlike = median_of_last(&unlikes).unwrap_or(0.0);
            assert_eq!(found.noise_ratio().to_bits(), noise.to_bits(), "kind {kind}, step {step}");
            assert_eq!(found.unlike_share().to_bits(), unlike.to_bits(), "kind {kind}, step {step}");
        }
    }
}

/// The last 128 cycles, newest first: when, and the values of the links.
type Cycles = Vec<(Timestamp, Vec<Option<f64>>)>;

fn correlation(cycles: &Cycles, a: usize, b: usize, inside: usize, least: usize) -> Option<f64> {
    let both: Vec<Option<(f64, f64)>> =
        cycles[..inside].iter().map(|(_, values)| values[a].zip(values[b])).collect();
    let n = both.iter().flatten().count();
    if n < least {
        return None;
    }
    let (mut mean_a, mut mean_b) = (0.0, 0.0);
    for (x, y) in both.iter().flatten() {
        mean_a += x;
        mean_b += y;
    }
    let count = n as f64;
    let centred: Vec<_> =
        both.iter().map(|pair| pair.map(|(x, y)| (x - mean_a / count, y - mean_b / count))).collect();
    let (mut aa, mut bb, mut ab, mut aa1, mut bb1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for k in 0..inside {
        if let Some((x, y)) = centred[k] {
            aa += x * x;
            bb += y * y;
            ab += x * y;
            if let Some((x1, y1)) = (k > 0).then(|| centred[k - 1]).flatten() {
                aa1 += x * x1;
                bb1 += y * y1;
            }
        }
    }
    if aa <= 1e-12 * count || bb <= 1e-12 * count {
        return None;
    }
    let rr = ab * ab / aa / bb;
    let lag = math::max_f64(0.0, math::min_f64(0.99, (aa1 / aa) * (bb1 / bb)));
    let free = math::max_f64(1.0, count * (1.0 - lag) / (1.0 + lag) - 2.0);
    let r = math::sqrt(math::min_f64(1.0, math::max_f64(0.0, rr - (1.0 - rr) / free)));
    Some(if ab < 0.0 { -r } else { r })
}

#[test]
fn cross_coherence_is_its_scalar_twin() {
    let node = |tx: u8, rx: u8| {
        Link::new(Transmitter::Node(NodeId(tx)), NodeId(rx), Layout::LltfHt20).expect("two nodes")
    };
    let links = [node(1, 2), node(2, 1), node(3, 1), node(1, 3)];
    let weight = |link: usize| [1.0, 0.25, 1e-9, 3.0][link];
    let mut state = 6;
    let mut judged = 0;
    for kind in 0..KINDS {
        let mut found = Window::new();
        let mut cycles: Cycles = Vec::new();
        for step in 0..300u64 {
            let at = Timestamp(step * 50_000_000);
            let common = uniform(&mut state);
            let values: Vec<Option<f64>> = (0..links.len())
                .map(|link| {
                    let x = adversarial(kind, (step as usize + link) % 97, &mut state);
                    (uniform(&mut state) < 0.4).then_some(if kind == 6 { 0.3 * x + common } else { x })
                })
                .collect();
            found.advance(at, |link| values.get(link).copied().flatten());
            cycles.insert(0, (at, values));
            cycles.truncate(128);
            let inside = cycles.iter().take_while(|(t, _)| at.seconds_since(*t) < 4.0).count();
            let least = if inside / 2 > 20 { inside / 2 } else { 20 };
            let short = inside < least || at.seconds_since(cycles[inside - 1].0) < 2.0;
            let (mut total, mut weights) = (0.0, 0.0);
            for (a, b) in (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b))) {
                if !short
                    && links[a].rx() != links[b].rx()
                    && let Some(r) = correlation(&cycles, a, b, inside, least)
                {
                    total += weight(a) * weight(b) * r;
                    weights += weight(a) * weight(b);
                }
            }
            let expected =
                (weights > 0.0).then(|| math::max_f64(0.0, math::min_f64(1.0, total / weights)).to_bits());
            let got = found.cross_coherence(&links, at, 4.0, weight).map(f64::to_bits);
            assert_eq!(got, expected, "kind {kind}, step {step}");
            judged += usize::from(expected.is_some_and(|bits| bits != 0));
        }
    }
    assert!(judged > 200, "coherences that are not zero: {judged}");
}
