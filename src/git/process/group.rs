//! Ending a command with all that it has started.

use std::process::Child;
use std::time::{Duration, Instant};

use super::run_shell;

/// How long a process group that was asked to end may take before it is killed.
const LAST_MOMENTS: Duration = Duration::from_secs(5);

/// Ends a process group of which `child` is the leader: politely, then by force.
pub(super) fn end_group(child: &mut Child) {
    let group = child.id().to_string();
    let signal = |name: &str| {
        run_shell("kill -s \"$2\" -- \"-$1\" 2>/dev/null || :", &[group.as_ref(), name.as_ref()])
    };
    let _ = signal("TERM");
    let asked = Instant::now();
    while asked.elapsed() < LAST_MOMENTS {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // Whoever of the group does not listen, and the leader if it is one of them.
    let _ = signal("KILL");
    let _ = child.wait();
}
