//! Motion of one link: a detector with a false-alarm rate by design, on what quiet data shows.
