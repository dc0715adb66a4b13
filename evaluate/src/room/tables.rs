//! Scores as reports: targets first, then a table a question.

use super::keypoints::{Claim, Errors, Joint, Keypoints};
use super::posture::{Confusion, FOUND_WITHIN_S};
use super::scenes::{Job, Question};
use super::score::{Score, quantile};
use super::told::{RESULTANTS, Told, row_name};
use super::{Request, tracking};
use crate::{Judgement, Report, Row};
use wavewitness_fixtures::channel::Width;
use wavewitness_types::PostureClass;
use wavewitness_types::pose_frame::KEYPOINT_NAMES;

/// Share of Gaussian errors within one sigma, and how far from it is still calibrated.
const ONE_SIGMA: f64 = 0.683;
const SIGMA_TOLERANCE: f64 = 0.07;
/// Length of a cycle in every scene, seconds.
const CYCLE_S: f64 = 0.05;

/// A question with the sum of its seeds.
struct Answer {
    question: Question,
    title: String,
    score: Score,
}

/// All tables of a suite; `scores` in the order of `jobs`.
pub fn reports(request: &Request, jobs: &[Job], scores: &[Score]) -> Vec<Report> {
    let mut answers: Vec<Answer> = Vec::new();
    for (job, score) in jobs.iter().zip(scores) {
        match answers.last_mut() {
            Some(last) if last.question == job.question => last.score.add(score),
            _ => answers.push(Answer { question: job.question, title: job.title(), score: score.clone() }),
        }
    }
    let mut keypoints = Keypoints::default();
    for a in answers.iter().filter(|a| matches!(a.question, Question::People(1 | 2))) {
        keypoints.add(&a.score.keypoints);
    }
    let mut first = targets(&answers, &keypoints);
    first.notes.push(format!(
        "simulated: {:?} suite, seeds {} to {}; definitions in evaluate/src/room/mod.rs",
        request.suite,
        request.first_seed,
        request.first_seed + request.seeds - 1
    ));
    if request.nodes != 4 {
        first.notes.push(format!("{} nodes instead of 4", request.nodes));
    }
    if request.width == Width::Forty {
        first.notes.push("HT40 frames in 40 MHz instead of HT20".to_owned());
    }
    if !request.only.is_empty() {
        first.notes.push(format!("only: {}", request.only.join(", ")));
    }
    for (section, key, value) in &request.settings {
        first.notes.push(format!("not the default: {section}.{key} = {value}"));
    }
    vec![
        first,
        tracking(&answers),
        empty(&answers),
        counts(&answers),
        joints(&keypoints),
        sigmas(&answers, &keypoints),
        claims(&keypoints),
        told(&answers),
        headings(&answers),
        postures(&answers),
        falls(&answers),
    ]
}

fn targets(answers: &[Answer], keypoints: &Keypoints) -> Report {
    use Judgement::{AtLeast, AtMost};
    let mut out = Report::new("room: targets (simulated)");
    for Answer { question, title, score } in answers {
        let mut row = |metric: &str, value: f64, unit: &'static str, bar: Judgement| {
            out.rows.push(Row::new(title.as_str(), metric, value, unit).bar(bar));
        };
        let (median, p90) = (quantile(&score.roots_m, 0.5), quantile(&score.roots_m, 0.9));
        match question {
            Question::People(1) => row("root error, median", median, "m", AtMost(0.25)),
            Question::People(2) | Question::AfterOne => {
                row("identity switches", score.clear.switches as f64, "", AtMost(0.0));
                row("MOTA", score.clear.mota(), "", AtLeast(0.9));
                row("IDF1", score.identity.idf1(), "", AtLeast(0.95));
                row("root error, median", median, "m", AtMost(0.3));
                row("root error, 90 %", p90, "m", AtMost(0.6));
            }
            Question::Still => row("torso jitter, RMS", 1e3 * score.jitter.root(), "mm", AtMost(30.0)),
            Question::Crossing | Question::SideBySide => {
                row("identity switches", score.clear.switches as f64, "", AtMost(0.0));
            }
            Question::Empty => row("cycles with a ghost", score.clear.ghost_cycles as f64, "", AtMost(0.0)),
            Question::People(_) => {
                row("count off by at most one", score.count.share(-1, 1), "", AtLeast(0.9))
            }
            Question::Falls => {
                row("falls found within 1 s of the floor", score.falls.soon(), "", AtLeast(1.0));
            }
            Question::Daily => {
                let rate = score.falls.false_per_ten_hours(CYCLE_S);
                row("false falls in ten hours", rate, "", AtMost(1.0));
            }
            Question::Return | Question::Another => {}
        }
    }
    let mut row = |metric: &str, value: f64, bar: f64| {
        out.rows.push(Row::new("keypoints", metric, value, "").bar(AtMost(bar)));
    };
    let off = |joint: &Joint| joint.within_sigma.map(|n| (joint.share(n) - ONE_SIGMA).abs());
    let most =
        |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NAN, |m, x| if x <= m { m } else { x });
    let share = "share of errors within 1 sigma, departure from 0.683";
    row(&format!("{share}, worst axis"), most(&mut off(&keypoints.all()).into_iter()), SIGMA_TOLERANCE);
    row(
        &format!("{share}, worst joint and axis"),
        most(&mut keypoints.0.iter().flat_map(off)),
        SIGMA_TOLERANCE,
    );
    let claims = keypoints.0.iter().filter(|j| j.claims_too_much()).count();
    row("joints that claim more than a prior and do not beat the template", claims as f64, 0.0);
    out
}

fn tracking(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: tracking (simulated)");
    for Answer { question, title, score } in answers {
        if matches!(question, Question::Empty | Question::Daily | Question::Falls) {
            continue;
        }
        let clear = &score.clear;
        let returned = if score.returns == 0 {
            "–".to_owned()
        } else {
            format!("{} of {}", score.same_track, score.returns)
        };
        let jitter = 1e3 * score.jitter.root();
        for (metric, value, unit) in [
            ("cycles", clear.cycles as f64, ""),
            ("MOTA", clear.mota(), ""),
            ("MOTP", clear.motp_m(), "m"),
            ("IDF1", score.identity.idf1(), ""),
            ("switches", clear.switches as f64, ""),
            ("of these swaps", clear.swaps as f64, ""),
            ("misses", clear.misses as f64 / clear.truths as f64, ""),
            ("false positives a cycle", clear.false_positives as f64 / clear.cycles as f64, ""),
            ("ghost cycles", clear.ghost_cycles as f64 / clear.cycles as f64, ""),
            ("published", score.published(), ""),
            ("root error, median", quantile(&score.roots_m, 0.5), "m"),
            ("root error, 90 %", quantile(&score.roots_m, 0.9), "m"),
            ("naming the middle, median", quantile(&score.middles_m, 0.5), "m"),
            ("jitter of the still", jitter, "mm"),
            ("cycles it rests on", score.jitter.count as f64, ""),
            ("presence said", score.occupied[1] as f64 / score.occupied[0] as f64, ""),
        ] {
            out.rows.push(Row::new(title.as_str(), metric, value, unit));
        }
        out.rows.push(Row::word(title.as_str(), "returns with the same track", returned));
        let mistaken = format!("{} of {}", score.mistaken, score.arrivals);
        out.rows.push(Row::word(title.as_str(), "arrivals under another's track", mistaken));
    }
    out.notes.push(format!(
        "a match is within {} m in plan; misses: share of people × cycles; root errors have no radius and are those of who is published",
        tracking::RADIUS_M
    ));
    out
}

fn empty(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: nobody there (simulated)");
    for Answer { title, score, .. } in answers.iter().filter(|a| a.question == Question::Empty) {
        for (metric, value) in [
            ("cycles", score.empty[0]),
            ("cycles with a ghost", score.empty[1]),
            ("cycles with false presence", score.empty[2]),
            ("cycles that say no presence", score.empty[3]),
        ] {
            out.rows.push(Row::new(title.as_str(), metric, value as f64, ""));
        }
    }
    out.notes.push(
        "all impairments; a stand fan turns in the middle half, one node restarts, one is away for 20 s"
            .to_owned(),
    );
    out
}

fn counts(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: counts (simulated)");
    for Answer { question, title, score } in answers {
        if !matches!(question, Question::People(_)) {
            continue;
        }
        for (what, errors) in [("count", &score.count), ("people published", &score.shown)] {
            let name = format!("{title}: {what}");
            let all = i32::MAX;
            for (metric, low, high) in [
                ("−3 and less", -all, -3),
                ("−2", -2, -2),
                ("−1", -1, -1),
                ("right", 0, 0),
                ("+1", 1, 1),
                ("+2 and more", 2, all),
                ("off by at most 1", -1, 1),
            ] {
                out.rows.push(Row::new(name.as_str(), metric, errors.share(low, high), ""));
            }
            let unknown = 1.0 - errors.share(-all, all);
            out.rows.push(Row::new(name.as_str(), "unknown", unknown, ""));
        }
    }
    out.notes.push("share of cycles by published less true number".to_owned());
    out
}

fn joints(keypoints: &Keypoints) -> Report {
    let mut out = Report::new("room: keypoints (simulated)");
    let all = keypoints.all();
    let named = KEYPOINT_NAMES.into_iter().zip(&keypoints.0).chain([("all", &all)]);
    for (name, joint) in named {
        let kinds: [(&str, &Errors); 4] = [
            ("published", &joint.published),
            ("template at true root", &joint.at_truth),
            ("template at track", &joint.at_track),
            ("published, aligned", &joint.aligned),
        ];
        for (kind, errors) in kinds {
            out.rows.push(Row::new(name, format!("MPJPE {kind}"), joint.mean_m(errors), "m"));
        }
        for (kind, errors) in kinds {
            let share = joint.share(errors.within_02);
            out.rows.push(Row::new(name, format!("PCK@.2 {kind}"), share, ""));
        }
        for (kind, errors) in kinds {
            let share = joint.share(errors.within_05);
            out.rows.push(Row::new(name, format!("PCK@.5 {kind}"), share, ""));
        }
    }
    out.notes.push(format!(
        "{} poses of one and two people; PCK is normalised by the torso, mid-shoulders to mid-hip; template: a standing body without a heading",
        keypoints.0[0].count
    ));
    out
}

fn sigmas(answers: &[Answer], keypoints: &Keypoints) -> Report {
    let mut out = Report::new("room: sigmas and bases (simulated)");
    let (mut within, mut count) = ([0; 3], 0);
    for a in answers.iter().filter(|a| matches!(a.question, Question::People(1 | 2))) {
        count += a.score.roots_m.len();
        (0..3).for_each(|k| within[k] += a.score.roots_within_sigma[k]);
    }
    let mut row = |name: &str, metric: &str, value: f64| out.rows.push(Row::new(name, metric, value, ""));
    const AXES: [&str; 3] = ["within 1 sigma, x", "within 1 sigma, y", "within 1 sigma, z"];
    const BODY_AXES: [&str; 3] = ["of the body, x", "of the body, y", "of the body, z"];
    const BASES: [&str; 3] = ["measured", "inferred", "prior"];
    let all = keypoints.all();
    for (name, joint) in KEYPOINT_NAMES.into_iter().zip(&keypoints.0).chain([("all", &all)]) {
        (0..3).for_each(|k| row(name, AXES[k], joint.share(joint.within_sigma[k])));
        (0..3).for_each(|k| row(name, BODY_AXES[k], joint.share(joint.body_within_sigma[k])));
        (0..3).for_each(|k| row(name, BASES[k], joint.share(joint.basis[k].count)));
    }
    (0..3).for_each(|k| row("position (body centre)", AXES[k], within[k] as f64 / count as f64));
    out.notes.push("0.683 is right; x and y of the position are compared with the mid-hip".to_owned());
    out
}

fn claims(keypoints: &Keypoints) -> Report {
    let mut out = Report::new("room: keypoints by basis (simulated)");
    let all = keypoints.all();
    for (name, joint) in KEYPOINT_NAMES.into_iter().zip(&keypoints.0).chain([("all", &all)]) {
        for (basis, claim) in ["measured", "inferred", "prior"].into_iter().zip(&joint.basis) {
            claim_rows(&mut out, name, basis, claim);
        }
    }
    out.notes.push("of the same poses as keypoints; template: at the published position".to_owned());
    out
}

fn claim_rows(out: &mut Report, name: &str, basis: &str, claim: &Claim) {
    let [published_m, template_m] = claim.means_m();
    out.rows.push(Row::new(name, format!("{basis}, joints"), claim.count as f64, ""));
    out.rows.push(Row::new(name, format!("{basis}, MPJPE published"), published_m, "m"));
    out.rows.push(Row::new(name, format!("{basis}, MPJPE template"), template_m, "m"));
}

/// What all scenes with people tell.
fn all_told(answers: &[Answer]) -> Told {
    let mut all = Told::default();
    answers.iter().for_each(|a| all.add(&a.score.told));
    all
}

fn told(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: keypoints by what is said of the body (simulated)");
    for (row, claims) in all_told(answers).claims.iter().enumerate() {
        for (basis, claim) in ["more than a prior", "prior"].into_iter().zip(claims) {
            claim_rows(&mut out, row_name(row), basis, claim);
        }
    }
    out.notes
        .push("all scenes with people, falls and daily life too; rows: the published posture".to_owned());
    out
}

fn headings(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: headings (simulated)");
    let all = all_told(answers);
    for a in answers {
        if matches!(a.question, Question::People(1 | 2)) {
            heading_rows(&mut out, &a.title, &a.score.told);
        }
    }
    heading_rows(&mut out, "all scenes with people", &all);
    out.notes.push(
        "classes by e^{−σ²/2}: the mean cosine of the errors if the published sigma is right".to_owned(),
    );
    out
}

fn heading_rows(out: &mut Report, title: &str, told: &Told) {
    for (h, most) in told.headings.iter().zip(RESULTANTS) {
        let name = format!("{title}, to {most}");
        let mean = |sum: f64| sum / h.count as f64;
        out.rows.push(Row::new(name.as_str(), "headings", h.count as f64, ""));
        out.rows.push(Row::new(name.as_str(), "promised", mean(h.promised), ""));
        out.rows.push(Row::new(name.as_str(), "mean cosine", mean(h.cosines), ""));
    }
}

fn postures(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: posture (simulated)");
    let mut table = Confusion::default();
    answers.iter().for_each(|a| table.add(&a.score.postures));
    for class in PostureClass::ALL {
        for (column, name) in
            PostureClass::ALL.map(PostureClass::name).iter().chain(&["unknown", "nobody"]).enumerate()
        {
            out.rows.push(Row::new(class.name(), format!("as {name}"), table.share(class, column), ""));
        }
    }
    if !table.is_published() {
        out.notes.push("no class was published of anybody".to_owned());
    }
    out.notes.push(
        "rows: true class, all scenes with people; share of cycles × people; nobody: the assignment gives the person no published one"
            .to_owned(),
    );
    out
}

fn falls(answers: &[Answer]) -> Report {
    let mut out = Report::new("room: falls (simulated)");
    for Answer { question, title, score } in answers {
        if !matches!(question, Question::Falls | Question::Daily) {
            continue;
        }
        let falls = &score.falls;
        let hours = |cycles: u64| cycles as f64 * CYCLE_S / 3600.0;
        let found = |n: f64| if falls.truths == 0 { f64::NAN } else { n };
        for (metric, value, unit) in [
            ("hours", hours(falls.cycles), "h"),
            ("of these watched", hours(falls.watched), "h"),
            ("falls", falls.truths as f64, ""),
            ("found", found(falls.delays_s.len() as f64), ""),
            ("found within 1 s of the floor", falls.soon(), ""),
            ("delay, median", quantile(&falls.delays_s, 0.5), "s"),
            ("delay, 90 %", quantile(&falls.delays_s, 0.9), "s"),
            ("false falls", if falls.watched == 0 { f64::NAN } else { falls.false_alarms as f64 }, ""),
            ("false falls in ten hours", falls.false_per_ten_hours(CYCLE_S), ""),
        ] {
            out.rows.push(Row::new(title.as_str(), metric, value, unit));
        }
    }
    out.notes.push(format!(
        "found: reported from the fall's begin until {FOUND_WITHIN_S} s after the body reached the floor; delays count from there"
    ));
    out
}

#[cfg(test)]
mod tests {
    //! Guards that seeds are one answer, that nothing to judge misses a bar, and that every table says "simulated".
    use super::*;
    use crate::room::scenes::{Suite, jobs};

    #[test]
    fn seeds_add_up_and_what_was_not_measured_is_unknown_and_not_met() {
        let request = Request {
            suite: Suite::Quick,
            first_seed: 5,
            seeds: 2,
            nodes: 4,
            width: Width::Twenty,
            draw: false,
            only: Vec::new(),
            settings: Vec::new(),
        };
        let jobs = jobs(&request);
        let mut score = Score::default();
        (score.clear.cycles, score.clear.truths, score.clear.matches) = (10, 10, 10);
        score.roots_m = vec![0.1; 10];
        let reports = reports(&request, &jobs, &vec![score; jobs.len()]);
        assert!(reports.iter().all(|r| r.dataset.ends_with("(simulated)") && !r.rows.is_empty()));
        let find = |report: usize, recording: &str, metric: &str| {
            let mut rows = reports[report].rows.iter();
            rows.find(|r| r.recording == recording && r.metric == metric).unwrap().clone()
        };
        assert_eq!(find(0, "two people", "MOTA").met(), Some(true));
        assert_eq!(find(1, "two people", "cycles").value, Some(20.0));
        let jitter = find(0, "still person", "torso jitter, RMS");
        assert_eq!((jitter.value, jitter.met()), (None, Some(false)));
        let sigma = "share of errors within 1 sigma, departure from 0.683, worst axis";
        assert_eq!(find(0, "keypoints", sigma).met(), Some(false));
        // Nobody sat in these, and falls were not watched: that is no zero.
        assert_eq!(find(9, "sitting", "as sitting").value, None);
        let false_falls = find(0, "daily life", "false falls in ten hours");
        assert_eq!((false_falls.value, false_falls.met()), (None, Some(false)));
    }
}
