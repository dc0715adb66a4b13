//! Breathing rate from the phase of receive chains, taps or tones, with its uncertainty, or nothing.
