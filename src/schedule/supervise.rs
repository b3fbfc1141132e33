//! The two processes of ours behind a session in the background.
//!
//! - The supervisor: detached from the terminal, it holds the lock of the task's sessions, starts the command,
//!   writes what it prints into the log, and records how it ended.
//! - The leader: it becomes the command, in a process group of its own. It waits until its process is on record
//!   and then executes the command in its own place. If the one who starts it dies before, the command never runs.
//!   Thus nothing ever runs that is not on record.
//!
//! Both are this program itself, called with `MARK` and words that no user types.

#![expect(clippy::disallowed_methods, reason = "sessions are started here")]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::log::Log;
use super::process::{CANNOT_RUN, cannot_run, to_group};
use crate::desk::pid::{self, Identity};
use crate::desk::session::{self, Ended, How, Session};
use crate::error::{OrFatal, Result};

/// The first argument of the processes that belong to a session.
const MARK: &str = "--git-parallel-session";

/// What a supervisor says when the command runs; anything else is why it doesn't.
pub const RUNS: &[u8] = b"runs\n";

/// Does what a process of a session has to do, if this is one; its exit code.
pub fn answer(args: &[OsString], now: impl Fn() -> i64) -> Option<u8> {
    let words: Vec<&OsStr> = args.iter().skip(1).map(OsString::as_os_str).collect();
    match words.as_slice() {
        [mark, role, dir, argv @ ..] if *mark == MARK && *role == "leader" => {
            Some(lead(Path::new(dir), argv))
        }
        [mark, role, dir, limit, argv @ ..] if *mark == MARK && *role == "supervisor" => {
            let limit = limit.to_str().and_then(|l| l.parse().ok()).unwrap_or(0);
            supervise(Path::new(dir), limit, argv, now);
            Some(0)
        }
        _ => None,
    }
}

/// A process of ours that will be the supervisor of the session in `dir`.
///
/// # Errors
/// If the system can't say which program this is.
pub fn supervisor(dir: &Path, limit: usize, argv: &[OsString]) -> Result<Command> {
    let mut command = ourselves()?;
    command.args([OsStr::new(MARK), OsStr::new("supervisor"), dir.as_os_str()]);
    command.arg(limit.to_string()).args(argv).current_dir("/");
    Ok(command)
}

/// A process of ours that will become the command `argv`, as soon as it is on record.
///
/// # Errors
/// If the system can't say which program this is.
pub fn leader(dir: &Path, argv: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Command> {
    let mut command = ourselves()?;
    command.args([OsStr::new(MARK), OsStr::new("leader"), dir.as_os_str()]);
    command.args(argv).process_group(0);
    Ok(command)
}

fn ourselves() -> Result<Command> {
    // An update may have replaced the file meanwhile, and what it has now may be told in other words: a run goes
    // on with the program that it is. See proc_pid_exe(5).
    let running = Path::new("/proc/self/exe");
    let mut command = match cfg!(target_os = "linux") && running.exists() {
        true => Command::new(running),
        false => Command::new(std::env::current_exe().or_fatal(|| "cannot find this program")?),
    };
    command.arg0("git-task");
    Ok(command)
}

/// Starts the leader of a session, puts it on record and lets it go on. The record's process is then set.
///
/// # Errors
/// If it can't be started or put on record; then the command doesn't run and never will.
pub fn start(
    dir: &Path,
    session: &mut Session,
    mut leader: Command,
    before: impl FnOnce(&Child),
) -> Result<Child> {
    let path = dir.join("gate");
    let gate = File::create(&path).or_fatal(|| format!("could not open '{}'", path.display()))?;
    gate.lock().or_fatal(|| format!("could not lock '{}'", path.display()))?;
    let mut child =
        leader.spawn().or_fatal(|| format!("cannot run a session in '{}'", session.path.display()))?;
    // Its copies of the pipe's end would keep the log open.
    drop(leader);
    let number = i32::try_from(child.id()).unwrap_or(0);
    before(&child);
    session.process = Some(Identity::of(number));
    session.processes = pid::session_of(number);
    if let Err(failure) = session::put_running(dir, session) {
        drop(gate);
        let _ = child.wait();
        return Err(failure);
    }
    Ok(child)
}

/// Waits to be on record, then becomes the command. Returns if that isn't possible.
fn lead(dir: &Path, argv: &[&OsStr]) -> u8 {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let passed = File::open(dir.join("gate")).is_ok_and(|gate| gate.lock_shared().is_ok());
    let noted = session::noted(dir).ok().flatten().and_then(|s| s.process);
    if !passed || noted.is_none_or(|p| p.pid != own) {
        return CANNOT_RUN;
    }
    let Some((program, args)) = argv.split_first() else { return CANNOT_RUN };
    let error = Command::new(program).args(args).exec();
    let (code, why) = cannot_run(program, &error);
    let _ = writeln!(std::io::stderr(), "fatal: {why}");
    code
}

/// Supervises a session from its start to its end.
fn supervise(dir: &Path, limit: u64, argv: &[&OsStr], now: impl Fn() -> i64) {
    // The session of the terminal is left: it may close.
    let _ = rustix::process::setsid();
    let nobody = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGHUP, SIGQUIT] {
        let _ = signal_hook::flag::register(signal, Arc::clone(&nobody));
    }
    match begin(dir, limit, argv) {
        Ok((child, session, output)) => {
            answer_starter(RUNS);
            finish(dir, child, session, &output, now);
        }
        Err(failure) => {
            let _ = session::forget_running(dir);
            answer_starter(failure.message().as_bytes());
        }
    }
}

/// Tells whoever started us, who may be gone, and lets go of him.
fn answer_starter(text: &[u8]) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text).and_then(|()| stdout.flush());
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

/// What a session prints, on its way into the log.
struct Output {
    pipe: PipeReader,
    log: Log,
}

type Shared = Arc<Mutex<Output>>;

/// A thread that panics has lost its piece of output, and nothing else.
fn lock(output: &Shared) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin(dir: &Path, limit: u64, argv: &[&OsStr]) -> Result<(Child, Session, Shared)> {
    let mut session = session::noted(dir)?.ok_or_else(|| {
        crate::error::Failure::fatal(format!("could not read '{}'", dir.join("running").display()))
    })?;
    let log = Log::create(dir, session.number, limit)?;
    let (pipe, end) = std::io::pipe().or_fatal(|| "cannot make a pipe")?;
    let mut command = leader(dir, argv)?;
    let second = end.try_clone().or_fatal(|| "cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(Stdio::from(end)).stderr(Stdio::from(second));
    command.current_dir(&session.path);
    let child = start(dir, &mut session, command, |_| ())?;
    Ok((child, session, Arc::new(Mutex::new(Output { pipe, log }))))
}

fn finish(dir: &Path, mut child: Child, session: Session, output: &Shared, now: impl Fn() -> i64) {
    forward_termination(&child);
    let reader = Arc::clone(output);
    std::thread::spawn(move || while read_on(&reader) {});
    let status = child.wait();
    let lost = drain(output);
    let how = status.map_or(How::Unknown, how_of);
    let ended = Ended { at: Some(now()), how, left: session.processes().len(), lost };
    let session = Session { ended: Some(ended), ..session };
    if session::put_ended(dir, &session).is_err() {
        // A full disk: how it ended is worth more than the oldest part of what it printed.
        lock(output).log.make_room();
        let _ = session::put_ended(dir, &session);
    }
}

/// The system is going down, or somebody wants to be rid of us: the session ends, and that is recorded.
fn forward_termination(child: &Child) {
    let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Some(leader), Ok(mut signals)) = (leader, signal_hook::iterator::Signals::new([SIGTERM])) {
        std::thread::spawn(move || {
            for _ in signals.forever() {
                to_group(leader, Signal::TERM);
            }
        });
    }
}

/// Waits for output and takes a piece of it into the log. False at its end.
fn read_on(output: &Shared) -> bool {
    // The lock is not held while there is nothing to read.
    let Ok(pipe) = lock(output).pipe.try_clone() else { return false };
    let mut wanted = [rustix::event::PollFd::new(&pipe, rustix::event::PollFlags::IN)];
    match rustix::event::poll(&mut wanted, None) {
        Ok(_) => take(&mut lock(output)).is_some_and(|length| length > 0),
        Err(rustix::io::Errno::INTR) => true,
        Err(_) => false,
    }
}

/// Takes one piece of what is in the pipe into the log.
fn take(output: &mut Output) -> Option<usize> {
    let mut piece = [0; 64 * 1024];
    let length = output.pipe.read(&mut piece).ok()?;
    output.log.write(&piece[..length]);
    Some(length)
}

/// Takes what the command had printed when it ended. Processes that it left behind may hold the pipe and go on
/// writing; they are not waited for.
fn drain(output: &Shared) -> u64 {
    /// More than a pipe holds.
    const MOST: usize = 4 << 20;
    let mut output = lock(output);
    let mut taken = 0;
    while taken < MOST && rustix::io::ioctl_fionread(output.pipe.as_fd()).is_ok_and(|n| n > 0) {
        match take(&mut output) {
            Some(length @ 1..) => taken += length,
            _ => break,
        }
    }
    output.log.lost()
}

/// How a process ended.
pub fn how_of(status: ExitStatus) -> How {
    match (status.code(), status.signal()) {
        (Some(code), _) => How::Exited(code),
        (None, Some(signal)) => How::Killed(signal),
        (None, None) => How::Unknown,
    }
}
