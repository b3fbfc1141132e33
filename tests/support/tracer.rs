//! Follows a command and all it starts, stops at each system call that changes a file system, and
//! there kills or refuses.
//!
//! `strace -e inject=...:when=N` can't do this: it counts each call in each process on its own, so
//! no N means "the N-th change that was made", and a git that only ever renames once outlives every
//! N that its parent does not reach first. Here one count runs through the whole tree.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use self::calls::{Call, change_of, failing, sync_of};
use super::run::{DEADLINE, Run, describe};
use super::sandbox::BINARIES;

/// Who dies at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Our command, at each change that it makes itself. What it has started lives on.
    Ours,
    /// Whoever makes the change, be it ours or a git that ours has started.
    Caller,
    /// Everything at once, at each change that anyone makes: as when the machine stops.
    All,
}

/// What happens at a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: the changes are only written down, and what is synced to the disk.
    None,
    /// A kill before the n-th change (counting from 1).
    Kill(Victim, usize),
    /// From the n-th change on, all that needs room fails with ENOSPC.
    NoSpace(usize),
    /// The n-th call that can fail in this way does.
    Fail(Failing, usize),
}

/// How calls fail.
#[derive(Clone, Debug)]
pub struct Failing {
    /// What they return.
    pub errno: i32,
    /// Whose calls: those of our commands, or those of what they start.
    pub ours: bool,
    /// All later ones fail too.
    pub from_then_on: bool,
    /// Only what lies below fails.
    pub within: PathBuf,
}

/// One call that counted.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it does, such as "unlink".
    pub name: &'static str,
    /// To which file.
    pub path: PathBuf,
    /// Where a rename or a link leads.
    pub to: Option<PathBuf>,
    /// The program that made it.
    pub by: String,
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} by {}", self.name, self.path.display(), self.by)
    }
}

/// What became of the command.
pub struct Traced {
    /// The command itself.
    pub run: Run,
    /// The calls that counted, in order.
    pub calls: Vec<Event>,
    /// Whether the fault came about.
    pub happened: bool,
}

/// Whether calls can be refused on this machine. They can be killed on any.
pub const CAN_REFUSE: bool = cfg!(target_arch = "x86_64");

/// Runs a command to its end, and all that it starts to theirs.
///
/// # Panics
/// If it can't be started or followed, or takes longer than a busy machine explains.
#[track_caller]
pub fn trace(command: &mut Command, fault: Fault) -> Traced {
    let what = describe(command);
    let (mut stdout, mut stderr) = (scratch(), scratch());
    command.stdin(Stdio::null());
    command.stdout(stdout.try_clone().expect("a descriptor can be copied"));
    command.stderr(stderr.try_clone().expect("a descriptor can be copied"));
    let child = spawn_traced(command).unwrap_or_else(|e| panic!("cannot start {what}: {e}"));
    let root = i32::try_from(child.id()).expect("a process id is an int");
    let mut tracer = Tracer {
        root,
        fault,
        tree: Watchdog::default(),
        refused: BTreeMap::new(),
        calls: Vec::new(),
        happened: false,
        dying: false,
        status: None,
    };
    let timely = {
        let _alarm = tracer.tree.arm();
        tracer.follow();
        !tracer.tree.has_bitten()
    };
    // The tracer has waited for it; Child must not do it again.
    drop(child);
    let run =
        Run::new(what, tracer.status.expect("the command has ended"), drain(&mut stdout), drain(&mut stderr));
    assert!(timely, "took longer than {DEADLINE:?}, so it was killed\n{run}");
    Traced { run, calls: tracer.calls, happened: tracer.happened }
}

fn scratch() -> File {
    tempfile::tempfile().expect("a temporary file")
}

fn drain(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file of ours can be read");
    bytes
}

struct Tracer {
    root: i32,
    fault: Fault,
    tree: Watchdog,
    /// Each thread of the tree, and the error that its call, which was taken away, has yet to return.
    refused: BTreeMap<i32, Option<i32>>,
    calls: Vec<Event>,
    happened: bool,
    /// Everything is being killed, what is only now being born too.
    dying: bool,
    status: Option<ExitStatus>,
}

impl Tracer {
    fn follow(&mut self) {
        while let Some((pid, status)) = wait_for_any() {
            if libc::WIFSTOPPED(status) {
                let known = self.refused.contains_key(&pid);
                self.refused.entry(pid).or_default();
                self.tree.add(pid);
                let signal = self.stopped(pid, status, known);
                if self.dying {
                    kill(pid);
                }
                go_on(pid, signal);
            } else {
                self.refused.remove(&pid);
                self.tree.remove(pid);
                if pid == self.root {
                    self.status = Some(ExitStatus::from_raw(status));
                }
            }
        }
    }

    /// Deals with a stop. Returns the signal to hand on, or 0.
    fn stopped(&mut self, pid: i32, status: i32, known: bool) -> i32 {
        let signal = libc::WSTOPSIG(status);
        if signal == libc::SIGTRAP | 0x80 {
            self.at_call(pid);
            return 0;
        }
        if pid == self.root && !known {
            // Its first stop is the exec that began it.
            follow_children(pid);
            return 0;
        }
        let is_event = status >> 16 != 0;
        let is_birth = signal == libc::SIGSTOP && !known;
        if is_event || is_birth { 0 } else { signal }
    }

    fn at_call(&mut self, pid: i32) {
        let Some(call) = current_call(pid) else {
            if let Some(errno) = self.refused.insert(pid, None).flatten() {
                set_result(pid, -errno);
            }
            return;
        };
        if let Fault::Fail(how, n) = self.fault.clone() {
            return self.maybe_fail(pid, &call, &how, n);
        }
        let Some(change) = change_of(pid, &call) else {
            if let (Fault::None, Some(path)) = (&self.fault, sync_of(pid, &call)) {
                self.calls.push(Event { name: "sync", path, to: None, by: name_of(&program_of(pid)) });
            }
            return;
        };
        let program = program_of(pid);
        if matches!(self.fault, Fault::Kill(Victim::Ours, _)) && !is_ours(&program) {
            return;
        }
        self.calls.push(Event { name: change.name, path: change.path, to: change.to, by: name_of(&program) });
        let count = self.calls.len();
        match self.fault {
            Fault::Kill(victim, n) if n == count => {
                self.happened = true;
                self.dying = victim == Victim::All;
                kill(pid);
                if self.dying {
                    self.tree.kill_all();
                }
            }
            Fault::NoSpace(n) if n <= count && change.needs_room => self.refuse(pid, libc::ENOSPC),
            Fault::None | Fault::Kill(..) | Fault::NoSpace(_) | Fault::Fail(..) => (),
        }
    }

    fn maybe_fail(&mut self, pid: i32, call: &Call, how: &Failing, n: usize) {
        let program = program_of(pid);
        if is_ours(&program) != how.ours {
            return;
        }
        let Some((name, path)) = failing(pid, call, how.errno, &how.within) else { return };
        self.calls.push(Event { name, path, to: None, by: name_of(&program) });
        let count = self.calls.len();
        if n == count || how.from_then_on && n < count {
            self.refuse(pid, how.errno);
        }
    }

    /// Lets the call that is about to be made return an error and do nothing.
    fn refuse(&mut self, pid: i32, errno: i32) {
        self.happened = true;
        take_away(pid);
        self.refused.insert(pid, Some(errno));
    }
}

fn program_of(pid: i32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

fn name_of(program: &std::path::Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_ours(program: &std::path::Path) -> bool {
    static OURS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let real = |(_, path): &(&str, &str)| PathBuf::from(path).canonicalize().ok();
    OURS.get_or_init(|| BINARIES.iter().filter_map(real).collect()).iter().any(|path| path == program)
}

/// The processes of a tree, and the one who ends them if it takes too long.
#[derive(Clone, Default)]
struct Watchdog(Arc<Mutex<(BTreeSet<i32>, bool)>>);

impl Watchdog {
    fn add(&self, pid: i32) {
        self.0.lock().expect("no holder panics").0.insert(pid);
    }

    fn remove(&self, pid: i32) {
        self.0.lock().expect("no holder panics").0.remove(&pid);
    }

    fn has_bitten(&self) -> bool {
        self.0.lock().expect("no holder panics").1
    }

    fn kill_all(&self) {
        // Those in the set are not yet waited for, so no id in it can be anyone else's.
        self.0.lock().expect("no holder panics").0.iter().copied().for_each(kill);
    }

    /// Waits for the deadline in a thread of its own, until what it returns is dropped.
    fn arm(&self) -> mpsc::Sender<()> {
        let (sender, receiver) = mpsc::channel::<()>();
        let watchdog = self.clone();
        std::thread::spawn(move || {
            if receiver.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
                watchdog.0.lock().expect("no holder panics").1 = true;
                watchdog.kill_all();
            }
        });
        sender
    }
}

#[expect(unsafe_code, reason = "code between fork and exec has no safe form")]
fn spawn_traced(command: &mut Command) -> std::io::Result<std::process::Child> {
    let traced = || match ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    // SAFETY: ptrace is async-signal-safe, and nothing is allocated.
    unsafe { command.pre_exec(traced) }.spawn()
}

fn follow_children(pid: i32) {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SETOPTIONS, pid, 0, options as usize).expect("a stopped child can be followed");
}

/// Lets a stopped task run to its next call. One that was killed meanwhile can't, which is fine.
fn go_on(pid: i32, signal: i32) {
    let _ = ptrace(libc::PTRACE_SYSCALL, pid, 0, signal as usize);
}

/// The call that a stopped task is about to make, unless it stopped at the end of one.
#[expect(unsafe_code, reason = "the kernel fills a union")]
fn current_call(pid: i32) -> Option<Call> {
    // SAFETY: all zeroes is a value of this plain C struct; the kernel writes at most its size; and
    // `op` says that `entry` is the union's member.
    unsafe {
        let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
        let size = size_of_val(&info);
        ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, (&raw mut info) as usize).ok()?;
        let entry = (info.op == libc::PTRACE_SYSCALL_INFO_ENTRY).then_some(info.u.entry)?;
        Some(Call { number: entry.nr as i64, args: entry.args })
    }
}

/// Makes the kernel find no call where there was one.
#[cfg(target_arch = "x86_64")]
fn take_away(pid: i32) {
    poke(pid, libc::ORIG_RAX, -1);
}

/// Sets what a call that was taken away returns.
#[cfg(target_arch = "x86_64")]
fn set_result(pid: i32, result: i32) {
    poke(pid, libc::RAX, result);
}

#[cfg(target_arch = "x86_64")]
fn poke(pid: i32, register: i32, value: i32) {
    let offset = register as usize * size_of::<u64>();
    ptrace(libc::PTRACE_POKEUSER, pid, offset, value as isize as usize)
        .expect("a stopped child has registers");
}

#[cfg(not(target_arch = "x86_64"))]
fn take_away(_: i32) {
    unreachable!("callers ask CAN_REFUSE first");
}

#[cfg(not(target_arch = "x86_64"))]
fn set_result(_: i32, _: i32) {
    unreachable!("callers ask CAN_REFUSE first");
}

#[expect(unsafe_code, reason = "ptrace has no safe wrapper in the standard library")]
fn ptrace(request: libc::c_uint, pid: i32, address: usize, data: usize) -> std::io::Result<()> {
    // SAFETY: the requests above read and write nothing in this process but the one struct of
    // `current_call`, which outlives the call.
    match unsafe { libc::ptrace(request, pid, address, data) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[expect(unsafe_code, reason = "kill has no safe wrapper in the standard library")]
fn kill(pid: i32) {
    // SAFETY: no memory is touched. The process is ours and not yet waited for, so is its id.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Waits for any task that this thread follows, and for no child of another test's thread.
#[expect(unsafe_code, reason = "waitpid for any child has no safe wrapper in the standard library")]
fn wait_for_any() -> Option<(i32, i32)> {
    /// From `linux/wait.h`: not the children of other threads in the same process.
    const WNOTHREAD: i32 = 0x2000_0000;
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a local that outlives the call.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | WNOTHREAD) };
        match pid {
            -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => (),
            -1 => return None,
            _ => return Some((pid, status)),
        }
    }
}
