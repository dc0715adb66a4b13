//! Estimates the impulse responses of a room's twelve links a number of times and does nothing else: a program for an
//! instruction counter. The difference of two counts is that of the estimates alone (`benches/instructions.sh`).

use std::hint::black_box;
use std::process::ExitCode;
use wavewitness_benches::solvers::observations;
use wavewitness_cir::{Config, Plan, Scratch};
use wavewitness_types::ToneGrid;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let grid = args.get(1).and_then(|name| ToneGrid::ALL.into_iter().find(|g| g.name() == name));
    let rounds = args.get(2).and_then(|n| n.parse::<u32>().ok());
    let Some((grid, rounds)) = grid.zip(rounds) else {
        eprintln!("usage: instructions GRID ROUNDS, with GRID one of legacy20 ht20 ht40 he20 he40");
        return ExitCode::from(2);
    };
    let Ok(plan) = Plan::new(&Config::default(), grid) else { return ExitCode::from(2) };
    let mut scratch = Scratch::new(&plan);
    let links = observations(grid, 3);
    for _ in 0..rounds {
        for observation in &links {
            black_box(plan.estimate(black_box(observation), &mut scratch));
        }
    }
    ExitCode::SUCCESS
}
