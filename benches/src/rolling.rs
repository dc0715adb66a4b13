//! Timing of a stage that remembers: its state goes on from input to input, and begins again at the window's end.

use crate::clock::Stopwatch;
use std::hint::black_box;
use std::time::Duration;

/// A window of inputs and the state in which the stage was before the first.
pub struct Rolling<'a, S, I> {
    start: S,
    state: S,
    inputs: &'a [I],
    next: usize,
}

impl<'a, S: Clone, I> Rolling<'a, S, I> {
    /// Begins at the window's start.
    ///
    /// # Panics
    /// If there are no inputs.
    pub fn new(start: &S, inputs: &'a [I]) -> Rolling<'a, S, I> {
        assert!(!inputs.is_empty(), "a window without inputs measures nothing");
        Rolling { start: start.clone(), state: start.clone(), inputs, next: 0 }
    }

    /// Time of `count` steps. What is done to begin again is not counted.
    pub fn time<O>(&mut self, count: u64, mut step: impl FnMut(&mut S, &I) -> O) -> Duration {
        let mut total = Duration::ZERO;
        let mut left = count as usize;
        while left > 0 {
            if self.next == self.inputs.len() {
                self.state = self.start.clone();
                self.next = 0;
            }
            let until = self.inputs.len().min(self.next + left);
            let watch = Stopwatch::start();
            for input in &self.inputs[self.next..until] {
                black_box(step(&mut self.state, black_box(input)));
            }
            total += watch.elapsed();
            left -= until - self.next;
            self.next = until;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_goes_on_and_begins_again_at_the_end_of_the_window() {
        let inputs = [1, 2, 3];
        let mut rolling = Rolling::new(&10, &inputs);
        let mut seen = Vec::new();
        for count in [2, 2, 5] {
            rolling.time(count, |state, input| {
                *state += input;
                seen.push(*state);
            });
        }
        assert_eq!(seen, [11, 13, 16, 11, 13, 16, 11, 13, 16]);
    }
}
