//! A reader that has seen enough closes the pipe: the end of a program that prints, and no failure of its work.

/// From now on a closed standard output ends the process with code 141, as a shell names the end by SIGPIPE, instead of
/// by a panic. (Code 0 would claim that everything agreed.)
pub fn end_quietly_when_closed() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(141);
        }
        usual(panic);
    }));
}
