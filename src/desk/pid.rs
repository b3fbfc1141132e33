//! Processes known in such a way that a number that is used again is never mistaken for the one that had it.

use std::path::Path;

#[cfg(not(target_os = "linux"))]
use crate::git::process::program;

/// A process: its number and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it began, and where that number counts: no other process ever has the same. Empty if the system
    /// doesn't say.
    pub start: String,
}

/// What the system says about a process.
#[derive(Clone, Debug)]
struct Status {
    pid: i32,
    group: i32,
    session: i32,
    /// It has ended and was not yet waited for.
    ended: bool,
    /// When it began, in the system's own form.
    start: String,
}

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: i32) -> Self {
        let start = match (status(pid), era()) {
            (Ok(Some(status)), Ok(era)) => format!("{era}/{}", status.start),
            _ => String::new(),
        };
        Identity { pid, start }
    }

    /// Whether it still runs. A process of another boot or another container is not seen, and counts as gone; one
    /// of which that can't be told now counts as there.
    pub fn is_alive(&self) -> bool {
        !self.start.is_empty()
            && match (status(self.pid), era()) {
                (Ok(None), _) => false,
                (Ok(Some(status)), Ok(era)) => {
                    !status.ended && self.start == format!("{era}/{}", status.start)
                }
                _ => true,
            }
    }

    /// The processes that run in this one's group; it may itself have ended. `session` is the number of the
    /// session (as in setsid(2)) that they are in.
    pub fn group(&self, session: i32) -> Vec<i32> {
        let Some((place, _)) =
            self.start.rsplit_once('/').filter(|(place, _)| era().is_ok_and(|era| era == *place))
        else {
            return Vec::new();
        };
        // Were the number taken by another process, the group would be that one's.
        if let Ok(Some(leader)) = status(self.pid)
            && format!("{place}/{}", leader.start) != self.start
        {
            return Vec::new();
        }
        let is_member = |s: &Status| !s.ended && s.group == self.pid && s.session == session;
        all().into_iter().filter(is_member).map(|s| s.pid).collect()
    }
}

/// The number of the session (as in setsid(2)) that a process is in.
pub fn session_of(pid: i32) -> i32 {
    status(pid).ok().flatten().map_or(0, |s| s.session)
}

/// Whether a process with this number runs. One that has ended and that nobody has waited for does not: where the
/// first process of a container does not care, such ones stay for ever. If it can't be told now, it counts as there.
pub fn runs(pid: i32) -> bool {
    status(pid).map_or(true, |status| status.is_some_and(|s| !s.ended))
}

/// Which start of the system, and which container's numbers, a time of beginning belongs to.
#[cfg(target_os = "linux")]
fn era() -> std::io::Result<String> {
    let boot = match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        boot => boot?,
    };
    let numbers = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    Ok(format!("{}/{}", boot.trim(), numbers.display()))
}

#[cfg(not(target_os = "linux"))]
fn era() -> std::io::Result<String> {
    Ok(String::new())
}

/// None if there is no such process.
#[cfg(target_os = "linux")]
fn status(pid: i32) -> std::io::Result<Option<Status>> {
    read(&Path::new("/proc").join(pid.to_string()))
}

/// All processes that may be seen.
#[cfg(target_os = "linux")]
fn all() -> Vec<Status> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = entries.filter(|e| e.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
    numbered.filter_map(|e| read(&e.path()).ok().flatten()).collect()
}

/// proc_pid_stat(5). The name stands in parentheses and may hold anything, parentheses too.
#[cfg(target_os = "linux")]
fn read(dir: &Path) -> std::io::Result<Option<Status>> {
    match std::fs::read(dir.join("stat")) {
        Ok(text) => Ok(parse(&String::from_utf8_lossy(&text))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

#[cfg(target_os = "linux")]
fn parse(text: &str) -> Option<Status> {
    let (before, after) = text.rsplit_once(')')?;
    let pid = before.split(' ').next()?.parse().ok()?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    Some(Status {
        pid,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: (*fields.get(19)?).to_owned(),
    })
}

#[cfg(not(target_os = "linux"))]
fn status(pid: i32) -> std::io::Result<Option<Status>> {
    Ok(ps(&["-p", &pid.to_string()]).pop())
}

/// All processes.
#[cfg(not(target_os = "linux"))]
fn all() -> Vec<Status> {
    ps(&["-A"])
}

/// ps(1). The session's number is not said everywhere, so it is taken to be the same.
#[cfg(not(target_os = "linux"))]
fn ps(which: &[&str]) -> Vec<Status> {
    let args = which.iter().chain(&["-o", "pid=,pgid=,stat=,lstart="]).map(|a| (*a).into());
    let args: Vec<std::ffi::OsString> = args.collect();
    let output = program("ps".as_ref(), &args, Path::new("/"), [("LC_ALL", "C"), ("TZ", "UTC")]).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [pid, group, state, start @ ..] = fields.as_slice() else { return None };
        Some(Status {
            pid: pid.parse().ok()?,
            group: group.parse().ok()?,
            session: 0,
            ended: state.starts_with('Z'),
            start: start.join(" "),
        })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let own = Identity::of(i32::try_from(std::process::id()).unwrap());
        assert!(own.is_alive());
        let earlier =
            Identity { start: own.start.replace(own.start.rsplit('/').next().unwrap(), "1"), ..own };
        assert!(!earlier.is_alive());
        assert!(!Identity { start: String::new(), ..earlier }.is_alive());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let dir = tempfile::tempdir().unwrap();
        let rest = "S 1 42 43 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        std::fs::write(dir.path().join("stat"), format!("42 (a) b) Z (c) {rest}\n")).unwrap();
        let status = read(dir.path()).unwrap().unwrap();
        assert_eq!((status.pid, status.group, status.session), (42, 42, 43));
        assert_eq!((status.ended, status.start.as_str()), (false, "777"));
        // What can't be read is not gone.
        assert!(read(&dir.path().join("stat")).is_err());
        assert!(read(&dir.path().join("none")).unwrap().is_none());
    }
}
