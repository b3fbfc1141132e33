//! Files that anybody may have put in place, read without waiting and without end: a name in a worktree may be
//! a FIFO, a device or as large as the disk, and a tracked link may lead to one.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file to read it. A link is followed.
///
/// # Errors
/// If it is something else, or can't be opened.
pub fn open(path: &Path) -> io::Result<File> {
    // Otherwise to open a FIFO is to wait for somebody who writes into it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    match file.metadata()? {
        meta if meta.is_file() => Ok(file),
        meta if meta.is_dir() => Err(io::Error::other("it is a directory")),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// The content of a regular file.
///
/// # Errors
/// As [`open`]; or if it has more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let bytes = beginning(path, limit.saturating_add(1))?;
    within(bytes, limit)
}

/// What a file holds that the user names, which may be a pipe: `<(command)` is one.
///
/// # Errors
/// If it can't be read, or has more than `limit` bytes. A FIFO that nobody writes into is empty.
pub fn read_any(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    // Whoever writes may take his time.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - rustix::fs::OFlags::NONBLOCK)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    within(bytes, limit)
}

fn within(bytes: Vec<u8>, limit: u64) -> io::Result<Vec<u8>> {
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit => Ok(bytes),
        _ => Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes"))),
    }
}

/// The first `limit` bytes of a regular file, or all of a shorter one.
///
/// # Errors
/// As [`open`].
pub fn beginning(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_read_and_only_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(beginning(&file, 4).unwrap(), b"1234");
        assert_eq!(read(&dir.path().join("none"), 4).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(read(dir.path(), 4).is_err());
        assert!(beginning(Path::new("/dev/zero"), 4).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&link, 5).unwrap(), b"12345");
    }
}
