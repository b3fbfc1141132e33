//! Files that are either the old or the new one, also after a power cut.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{OrFatal, Result};

/// Replaces `path` by `bytes`: temporary file beside it, sync, rename, sync of the directory. A file that is
/// replaced hands its mode down.
///
/// # Errors
/// If the file system refuses; `path` is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
    let failed = || format!("could not write '{}'", path.display());
    let directory = Directory::open(dir).or_fatal(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = dir.join(format!(".{name}.tmp-{}", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        if let Ok(old) = fs::symlink_metadata(path)
            && old.is_file()
        {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The reason of the failure matters, not that of the cleaning up.
        let _ = fs::remove_file(&temporary);
    }
    written.or_fatal(failed)?;
    directory.sync();
    Ok(())
}

/// The directory of a file that is about to be replaced. It is opened before: a failure afterwards would be taken for
/// one to replace the file.
#[derive(Debug)]
pub struct Directory(File);

impl Directory {
    /// # Errors
    /// If it can't be opened.
    pub fn open(dir: &Path) -> std::io::Result<Self> {
        File::open(dir).map(Self)
    }

    /// Makes sure that it remembers its entries. By now everybody sees what was done, and it can't be taken back:
    /// where the directory can't be synced alone, all disks are.
    pub fn sync(&self) {
        if self.0.sync_all().is_err() {
            rustix::fs::sync();
        }
    }
}

/// Makes sure that the directory remembers its entries.
///
/// # Errors
/// If it can't be opened or synced.
pub fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}
