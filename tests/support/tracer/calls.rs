//! What a system call is about to do: what it would change, and how it could fail.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A system call as it begins.
pub struct Call {
    pub number: i64,
    pub args: [u64; 6],
}

/// A call that changes a file system.
pub struct Change {
    pub name: &'static str,
    /// What is changed; of a rename, a link or a symbolic link the first path.
    pub path: PathBuf,
    /// Of a rename or a link the second path.
    pub to: Option<PathBuf>,
    pub needs_room: bool,
}

/// What a call would change, if it would change anything. Writing to a pipe or a terminal doesn't
/// count, and neither does opening a file that isn't made or cut by it. Calls like fsync don't
/// either: a kill there finds what a kill at the next change finds.
pub fn change_of(pid: i32, call: &Call) -> Option<Change> {
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
    let to = match name {
        "rename" | "link" => Some(at(third, call.args[3])),
        _ => None,
    };
    Some(Change { name, path, to, needs_room })
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
    let to = matches!(name, "rename" | "link").then(|| path_at(pid, None, call.args[1]));
    Some(Change { name, path: path(), to, needs_room })
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
    changes.then_some(Change { name: "open", path, to: None, needs_room: makes })
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

/// What a call that changes nothing makes last: the file or the directory that is synced.
pub fn sync_of(pid: i32, call: &Call) -> Option<PathBuf> {
    let syncs = matches!(call.number, libc::SYS_fsync | libc::SYS_fdatasync);
    syncs.then(|| file_of(pid, call.args[0])).flatten()
}

/// What a call is called that can fail with `errno` on a good day of the kernel and a bad one of the machine, and
/// what it is about. Only what lies below `within` counts, and what has no name: else libraries could not be
/// loaded, which is nobody's to mend.
pub fn failing(pid: i32, call: &Call, errno: i32, within: &Path) -> Option<(&'static str, PathBuf)> {
    let inside = |(name, path): (&'static str, PathBuf)| path.starts_with(within).then_some((name, path));
    if errno == libc::EMFILE {
        return handle_of(pid, call).and_then(|(name, path)| {
            let counts =
                path.as_os_str().is_empty() || path.starts_with("/proc") || path == Path::new("/dev/null");
            if counts { Some((name, path)) } else { inside((name, path)) }
        });
    }
    if errno == libc::EINTR && matches!(call.number, libc::SYS_wait4 | libc::SYS_waitid) {
        return Some(("wait", PathBuf::new()));
    }
    let change = change_of(pid, call).map(|change| (change.name, change.path, change.needs_room));
    match errno {
        libc::ENOSPC => change.filter(|(.., needs_room)| *needs_room).map(|(name, path, _)| (name, path)),
        // What was opened can be written.
        libc::EACCES => change
            .filter(|(name, ..)| *name != "write")
            .map(|(name, path, _)| (name, path))
            .or_else(|| opened(pid, call).map(|path| ("open", path))),
        libc::EINTR => opened(pid, call).map(|path| ("open", path)).or_else(|| through_handle(pid, call)),
        _ => change
            .map(|(name, path, _)| (name, path))
            .or_else(|| opened(pid, call).map(|path| ("open", path)))
            .or_else(|| through_handle(pid, call)),
    }
    .and_then(inside)
}

/// A call that reads or writes what is open, or syncs it.
fn through_handle(pid: i32, call: &Call) -> Option<(&'static str, PathBuf)> {
    let name = match call.number {
        libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv => "read",
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev => "write",
        libc::SYS_getdents64 => "list",
        libc::SYS_fsync | libc::SYS_fdatasync => "sync",
        _ => return None,
    };
    Some((name, file_of(pid, call.args[0])?))
}

fn opened(pid: i32, call: &Call) -> Option<PathBuf> {
    match call.number {
        libc::SYS_openat => Some(path_at(pid, Some(call.args[0]), call.args[1])),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => Some(path_at(pid, None, call.args[0])),
        _ => None,
    }
}

/// A call that takes a place in the table of open files. Without a path it is no file.
fn handle_of(pid: i32, call: &Call) -> Option<(&'static str, PathBuf)> {
    let copies = [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC].contains(&(call.args[1] as i32));
    let name = match call.number {
        libc::SYS_pipe2 => "pipe",
        libc::SYS_socket => "socket",
        libc::SYS_socketpair => "socketpair",
        libc::SYS_dup => "dup",
        libc::SYS_fcntl if copies => "dup",
        _ => return opened(pid, call).map(|path| ("open", path)),
    };
    Some((name, PathBuf::new()))
}
