//! The user as threads see him: what they say is handed on by the one thread that speaks to him.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::Observer;

/// What a thread says.
enum Said {
    Begun(usize, String),
    Ended(usize),
    Warn(String),
    Note(String),
}

/// An observer for each thread: clones say it to the same [`Listener`].
#[derive(Clone)]
pub struct Relay {
    sender: Sender<Said>,
    next: Arc<AtomicUsize>,
}

/// Who hears what is said to the relays.
pub struct Listener(Receiver<Said>);

/// A relay, and who hears it.
pub fn relay() -> (Relay, Listener) {
    let (sender, receiver) = channel();
    (Relay { sender, next: Arc::default() }, Listener(receiver))
}

impl Listener {
    /// Hands all of it on, until the last relay is gone.
    pub fn hand_on(self, observer: &dyn Observer) {
        let mut steps: HashMap<usize, Box<dyn Any>> = HashMap::new();
        for said in self.0 {
            match said {
                Said::Begun(number, text) => drop(steps.insert(number, observer.step(&text))),
                Said::Ended(number) => drop(steps.remove(&number)),
                Said::Warn(text) => observer.warn(&text),
                Said::Note(text) => observer.note(&text),
            }
        }
    }
}

/// A step of a thread, until it is dropped.
struct Step {
    sender: Sender<Said>,
    number: usize,
}

impl Drop for Step {
    fn drop(&mut self) {
        // Who listened is gone only where all is over.
        let _ = self.sender.send(Said::Ended(self.number));
    }
}

impl Observer for Relay {
    fn step(&self, text: &str) -> Box<dyn Any> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let _ = self.sender.send(Said::Begun(number, text.to_owned()));
        Box::new(Step { sender: self.sender.clone(), number })
    }

    fn warn(&self, message: &str) {
        let _ = self.sender.send(Said::Warn(message.to_owned()));
    }

    fn note(&self, message: &str) {
        let _ = self.sender.send(Said::Note(message.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[derive(Default)]
    struct Heard(Rc<RefCell<Vec<String>>>);

    struct Guard(String, Rc<RefCell<Vec<String>>>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.1.borrow_mut().push(format!("end of {}", self.0));
        }
    }

    impl Observer for Heard {
        fn step(&self, text: &str) -> Box<dyn Any> {
            self.0.borrow_mut().push(text.to_owned());
            Box::new(Guard(text.to_owned(), Rc::clone(&self.0)))
        }

        fn warn(&self, message: &str) {
            self.0.borrow_mut().push(message.to_owned());
        }

        fn note(&self, message: &str) {
            self.0.borrow_mut().push(message.to_owned());
        }
    }

    #[test]
    fn what_a_thread_says_is_heard_in_its_order() {
        let heard = Heard::default();
        let (relay, listener) = relay();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let step = relay.step("step");
                relay.warn("warning");
                drop(step);
                relay.note("note");
            });
            listener.hand_on(&heard);
        });
        assert_eq!(*heard.0.borrow(), ["step", "warning", "end of step", "note"]);
    }
}
