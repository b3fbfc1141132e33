//! gix's numbers against git's, in worktrees to which anything may have happened.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::tests::shown;
use super::*;
use crate::git::testing::{Random, Sandbox, git_at, write};

const FILES: &[&str] =
    &["a", "b.txt", "c.id", "d/e", "d/f.txt", "d/g/h", "k/l", "k/m.bin", "u.utf16", "exec"];
const NEW: &[&str] =
    &["new", "d/new", "n/one", "n/two", "n/o/p", "k/x.log", "t/x.log", "build/out", "d/g/new", "keep.log"];

fn fixture() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "*.log\n!keep.log\nbuild/\n");
    sandbox.write("d/.gitignore", "/ignored\n!x.log\n");
    sandbox.write(".gitattributes", "*.txt text=auto\n*.id ident\n*.utf16 working-tree-encoding=UTF-16\n");
    for file in FILES {
        sandbox.write(file, format!("{file}\n$Id$\nline\n"));
    }
    let utf16: Vec<u8> = "\u{feff}u\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    sandbox.write("u.utf16", utf16);
    symlink("a", sandbox.path("link")).unwrap();
    std::fs::set_permissions(sandbox.path("exec"), PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "-q", "-m", "one"]);
    sandbox.git(["worktree", "add", "-q", "-b", "task", "../wt"]);
    sandbox
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Something that can happen to a worktree.
fn disturb(dir: &Path, random: &mut Random) -> String {
    let git = |args: &[&str]| drop(Git::at(dir).cmd(args).output().unwrap());
    let name = if random.chance(60) { random.pick(FILES) } else { random.pick(NEW) };
    let path = dir.join(name);
    let what = random.below(24);
    // A directory may be in the way, or a link.
    let fits = path.parent().is_some_and(|p| std::fs::create_dir_all(p).is_ok()) && !path.is_dir();
    match what {
        0..=3 if fits => drop(std::fs::write(&path, format!("{name}\n{}\n", random.below(3)))),
        4 if fits => drop(std::fs::write(&path, format!("{name}\r\n$Id$\r\nline\r\n"))),
        5 if fits => drop(std::fs::write(&path, "")),
        6 | 7 => remove(&path),
        8 if path.is_file() => {
            std::fs::set_permissions(
                &path,
                PermissionsExt::from_mode(random.pick(&[&0o644, &0o755]) | 0o600),
            )
            .unwrap();
        }
        9 => {
            remove(&path);
            drop(symlink(random.pick(&["a", "nowhere", "d"]), &path));
        }
        10 => {
            remove(&path);
            std::fs::create_dir_all(&path).unwrap();
        }
        11 => {
            remove(&path);
            drop(std::fs::create_dir_all(&path).and_then(|()| std::fs::write(path.join("in"), "in")));
        }
        12..=14 => git(&["add", "-A", "--", name]),
        15 => git(&["rm", "-q", "--cached", "--", name]),
        16 => git(&["add", "-N", "--", name]),
        17 => {
            git(&["update-index", random.pick(&["--assume-unchanged", "--no-assume-unchanged"]), "--", name])
        }
        18 => git(&["checkout", "-q", "HEAD", "--", name]),
        // Touched, not changed.
        19 if path.is_file() => drop(std::fs::File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH)),
        20 => {
            remove(&path);
            drop(std::fs::create_dir_all(&path));
            git_at(&path, ["init", "-q"]);
            if random.chance(50) {
                write(&path, "x", b"x");
            }
        }
        21 => git(&["commit", "-q", "-a", "-m", "more"]),
        22 => git(&["mv", name, "moved"]),
        23 => git(&["status"]),
        _ => {}
    }
    format!("{what} {name}")
}

/// Both worktrees of the repository; the number of those answered in process.
fn compare(sandbox: &Sandbox, log: &[String]) -> usize {
    let repo = sandbox.repo();
    let worktrees = repo.worktrees().unwrap();
    let all: Vec<_> = worktrees.iter().collect();
    for (worktree, count) in all.iter().zip(repo.changes(&all)) {
        let (expected, text) = shown(&worktree.path);
        assert_eq!(count.unwrap(), expected, "{}\n{log:#?}\n{text}", worktree.path.display());
    }
    let counter = in_process::Counter::new(&repo, false);
    let count = |w: &&Worktree| counter.as_ref().and_then(|c| c.reader().count(w)).is_some();
    worktrees.iter().filter(count).count()
}

#[test]
fn random_states_are_counted_as_git_counts_them() {
    let mut in_process = 0;
    let mut states = 0;
    for seed in 0..12 {
        let sandbox = fixture();
        let dirs: [PathBuf; 2] = [sandbox.top(), sandbox.top().join("../wt").canonicalize().unwrap()];
        let mut random = Random(seed);
        let mut log = vec![format!("seed {seed}")];
        for _ in 0..20 {
            for dir in &dirs {
                for _ in 0..=random.below(3) {
                    log.push(disturb(dir, &mut random));
                }
            }
            in_process += compare(&sandbox, &log);
            states += 2;
        }
    }
    assert!(in_process * 3 > states, "only {in_process} of {states} were counted in process");
}
