//! Follows a command and all it starts, stops at each system call that changes a file system, and
//! there kills or refuses.
//!
//! `strace -e inject=...:when=N` can't do this: it counts each call in each process on its own, so
//! no N means "the N-th change that was made", and a git that only ever renames once outlives every
//! N that its parent does not reach first. Here one count runs through the whole tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};

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
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing: the calls are only counted.
    None,
    /// A kill before the n-th change (counting from 1).
    Kill(Victim, usize),
    /// From the n-th change on, all that needs room fails with ENOSPC.
    NoSpace(usize),
}

/// What became of the command.
pub struct Traced {
    /// The command itself.
    pub run: Run,
    /// The changes that counted, in order, as "unlink /path by git-task".
    pub calls: Vec<String>,
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
    /// Each thread of the tree, and whether its call was taken away and still lacks a result.
    refused: BTreeMap<i32, bool>,
    calls: Vec<String>,
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
            if self.refused.insert(pid, false) == Some(true) {
                set_result(pid, -libc::ENOSPC);
            }
            return;
        };
        let Some(change) = change_of(pid, &call) else { return };
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let ours = is_ours(&program);
        if matches!(self.fault, Fault::Kill(Victim::Ours, _)) && !ours {
            return;
        }
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.calls.push(format!("{} {} by {name}", change.name, change.path.display()));
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
            Fault::NoSpace(n) if n <= count && change.needs_room => {
                self.happened = true;
                take_away(pid);
                self.refused.insert(pid, true);
            }
            Fault::None | Fault::Kill(..) | Fault::NoSpace(_) => (),
        }
    }
}

fn is_ours(program: &std::path::Path) -> bool {
    BINARIES.iter().any(|(_, path)| PathBuf::from(path).canonicalize().is_ok_and(|p| p == program))
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

/// A system call as it begins.
struct Call {
    number: i64,
    args: [u64; 6],
}

/// A call that changes a file system.
struct Change {
    name: &'static str,
    /// What is changed; of a rename, a link or a symbolic link the first path.
    path: PathBuf,
    needs_room: bool,
}

/// What a call would change, if it would change anything. Writing to a pipe or a terminal doesn't
/// count, and neither does opening a file that isn't made or cut by it. Calls like fsync don't
/// either: a kill there finds what a kill at the next change finds.
fn change_of(pid: i32, call: &Call) -> Option<Change> {
    let [first, second, third, ..] = call.args;
    let at = |dir, path| path_at(pid, Some(dir), path);
    let (name, path, needs_room) = match call.number {
        libc::SYS_openat => return opening(at(first, second), third),
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev => {
            ("write", file_of(pid, first)?, true)
        }
        libc::SYS_sendfile => ("write", file_of(pid, first)?, true),
        libc::SYS_copy_file_range => ("write", file_of(pid, third)?, true),
        libc::SYS_ioctl if second == FICLONE => ("clone", file_of(pid, first)?, true),
        libc::SYS_ftruncate => ("truncate", file_of(pid, first)?, false),
        libc::SYS_truncate => ("truncate", path_at(pid, None, first), false),
        libc::SYS_fallocate => ("allocate", file_of(pid, first)?, true),
        libc::SYS_fchmod => ("chmod", file_of(pid, first)?, false),
        libc::SYS_fchmodat => ("chmod", at(first, second), false),
        libc::SYS_renameat2 => ("rename", at(first, second), false),
        #[cfg(not(target_arch = "riscv64"))]
        libc::SYS_renameat => ("rename", at(first, second), false),
        libc::SYS_linkat => ("link", at(first, second), true),
        libc::SYS_symlinkat => ("symlink", path_at(pid, None, first), true),
        libc::SYS_mkdirat => ("mkdir", at(first, second), true),
        libc::SYS_unlinkat => ("unlink", at(first, second), false),
        _ => return old_change_of(pid, call),
    };
    Some(Change { name, path, needs_room })
}

/// The same for calls that only older kinds of machine have.
#[cfg(target_arch = "x86_64")]
fn old_change_of(pid: i32, call: &Call) -> Option<Change> {
    let path = || path_at(pid, None, call.args[0]);
    let (name, needs_room) = match call.number {
        libc::SYS_open => return opening(path(), call.args[1]),
        libc::SYS_creat => ("open", true),
        libc::SYS_rename => ("rename", false),
        libc::SYS_link => ("link", true),
        libc::SYS_symlink => ("symlink", true),
        libc::SYS_mkdir => ("mkdir", true),
        libc::SYS_unlink | libc::SYS_rmdir => ("unlink", false),
        libc::SYS_chmod => ("chmod", false),
        _ => return None,
    };
    Some(Change { name, path: path(), needs_room })
}

#[cfg(not(target_arch = "x86_64"))]
fn old_change_of(_: i32, _: &Call) -> Option<Change> {
    None
}

/// Opening a file changes something if that makes it, which needs room, or cuts it.
fn opening(path: PathBuf, flags: u64) -> Option<Change> {
    let has = |flag: i32| flags & flag as u64 != 0;
    let makes = has(libc::O_CREAT) && path.symlink_metadata().is_err();
    let changes = (makes || has(libc::O_TRUNC)) && !is_device(&path);
    changes.then_some(Change { name: "open", path, needs_room: makes })
}

/// Whether a path is one of a device. Not all below `/dev` are: `/dev/shm` holds files.
fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

/// A path argument, as seen from the process.
fn path_at(pid: i32, dir: Option<u64>, address: u64) -> PathBuf {
    let mut bytes = vec![0; libc::PATH_MAX as usize];
    // What lies behind the string may not be mapped; the kernel then reads less.
    let length =
        File::open(format!("/proc/{pid}/mem")).and_then(|memory| memory.read_at(&mut bytes, address));
    bytes.truncate(length.unwrap_or(0));
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    let dir = match dir {
        Some(descriptor) if descriptor as i32 != libc::AT_FDCWD => format!("fd/{}", descriptor as i32),
        Some(_) | None => "cwd".into(),
    };
    let dir = std::fs::read_link(format!("/proc/{pid}/{dir}")).unwrap_or_default();
    dir.join(OsString::from_vec(bytes))
}

/// The ioctl behind copies that share their blocks: `_IOW(0x94, 9, int)`.
const FICLONE: u64 = 0x4004_9409;

/// The file behind a descriptor, if it has a name; our captured streams have none any more.
fn file_of(pid: i32, descriptor: u64) -> Option<PathBuf> {
    let path = std::fs::read_link(format!("/proc/{pid}/fd/{}", descriptor as i32)).ok()?;
    let named = path.is_absolute() && !is_device(&path) && !path.to_string_lossy().ends_with(" (deleted)");
    named.then_some(path)
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
