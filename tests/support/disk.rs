//! A disk that is small enough to be full.

use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::run::Run;
use super::sandbox::Sandbox;
use super::skip::skip;

/// A small file system in memory, mounted in a sandbox until it is dropped.
pub struct FullDisk {
    /// Where it is mounted.
    pub path: PathBuf,
}

impl FullDisk {
    /// Mounts one of `size` (as `mount` takes it: `512k`, `2m`). Where that isn't allowed, says so
    /// and gives none: no installation could mend it, so it is never a failure.
    pub fn mount(sandbox: &Sandbox, name: &str, size: &str) -> Option<Self> {
        let path = sandbox.path(name);
        std::fs::create_dir_all(&path).expect("the sandbox takes directories");
        let options = format!("size={size}");
        let mut mount = sandbox.command(sandbox.root(), "mount");
        mount.args(["-t", "tmpfs", "-o", &options, "none"]).arg(&path);
        if !cfg!(target_os = "linux") || Run::of(&mut mount, b"").code != 0 {
            skip("a small file system can't be mounted here (it takes root)");
            return None;
        }
        Some(FullDisk { path })
    }

    /// Lets nobody write there any more.
    #[track_caller]
    pub fn make_read_only(&self, sandbox: &Sandbox) {
        let mut mount = sandbox.command(sandbox.root(), "mount");
        Run::of(mount.args(["-o", "remount,ro"]).arg(&self.path), b"").ok();
    }

    /// Writes until nothing goes in any more, then gives the last `room` bytes back.
    #[track_caller]
    pub fn fill_up(&self, room: u64) {
        let mut ballast = std::fs::File::create(self.path.join("ballast")).expect("a new file");
        let mut size: u64 = 0;
        while let Ok(written) = ballast.write(&[0; 4096]) {
            size += written as u64;
        }
        let size = size.checked_sub(room).expect("the disk is larger than the room asked for");
        ballast.set_len(size).expect("a file can be cut on a full disk");
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "umount2 has no safe wrapper in the standard library")]
fn unmount(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
    // Lazily, so that something still running in there can't keep the mount alive for ever.
    // SAFETY: the pointer is to a NUL-terminated string that outlives the call.
    unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
}

#[cfg(not(target_os = "linux"))]
fn unmount(_: &Path) {}
