//! A repository made to do harm: what is tracked, or was put in place of something of ours, runs nothing, is
//! waited for by nobody, and leads to nothing outside.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::*;

fn fifo(path: &Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path.as_c_str(), rustix::fs::Mode::RWXU).unwrap();
}

fn sparse(path: &Path) {
    std::fs::File::create(path).unwrap().set_len(200 << 20).unwrap();
}

fn remove(path: &Path) {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        _ => std::fs::remove_file(path).unwrap(),
    }
}

#[test]
fn a_team_file_that_is_none_is_refused_at_once() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let file = dir.join(".config/git-parallel.toml");
    std::fs::create_dir(dir.join(".config")).unwrap();
    let makers: [(&dyn Fn(), &str); 5] = [
        (&|| fifo(&file), "it is not a regular file"),
        (&|| symlink("/dev/zero", &file).unwrap(), "it is not a regular file"),
        (&|| std::fs::create_dir(&file).unwrap(), "it is a directory"),
        (&|| sparse(&file), "it has more than 1048576 bytes"),
        (&|| std::fs::write(&file, b"a = '\xff'\n").unwrap(), "invalid utf-8"),
    ];
    for (make, why) in makers {
        make();
        for args in [&["list"][..], &["add", "x"], &["trust", "--yes"]] {
            sandbox.task(&dir, args).fails(128).prints("").says(".config/git-parallel.toml").says(why);
        }
        remove(&file);
    }
}

#[test]
fn a_team_file_that_takes_long_to_read_is_read_fast() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let deep = |open: &str| format!("a={}\n", open.repeat(200_000));
    let stages = |twice: &str| {
        let all: String = (0..30_000).map(|n| format!("[[stage]]\nname=\"{n}\"\n")).collect();
        format!("{all}{twice}")
    };
    for text in [
        deep("["),
        deep("{a="),
        format!("{}=1\n", vec!["a"; 200_000].join(".")),
        format!("[{}]\n", vec!["a"; 200_000].join(".")),
        stages("[[stage]]\nname='29999'\n"),
    ] {
        sandbox.write(&dir, ".config/git-parallel.toml", &text);
        sandbox.refuses(&dir, ["list"], 128, ".config/git-parallel.toml");
    }
    sandbox.write(&dir, ".config/git-parallel.toml", stages(""));
    sandbox.task(&dir, ["list"]).ok();
}

#[test]
fn a_note_that_is_none_is_waited_for_by_nobody() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let note = path.join("notes/x/status.md");
    remove(&note);
    let outside = sandbox.path("outside");
    std::fs::write(&outside, "secret\n").unwrap();
    let makers: [&dyn Fn(); 4] = [
        &|| fifo(&note),
        &|| symlink("/dev/zero", &note).unwrap(),
        &|| symlink(&outside, &note).unwrap(),
        &|| std::fs::create_dir(&note).unwrap(),
    ];
    for make in makers {
        make();
        sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("x\n");
        sandbox.task(&dir, ["show", "x"]).ok();
        sandbox.refuses(&dir, ["note", "x"], 128, "status.md' is");
        sandbox.refuses(&dir, ["note", "x", "--goal", "g"], 128, "status.md' is");
        remove(&note);
    }
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret\n");
    // What is too large is looked at in its beginning.
    sparse(&note);
    sandbox.task(&dir, ["list", "--format=%(task)|%(blocker)"]).ok().prints("x|\n");
    let mut text = "# x\n\n## Blockers\n\nwaits\n\n## More\n\n".to_owned();
    text.push_str(&"x\n".repeat(2 << 20));
    std::fs::write(&note, &text).unwrap();
    sandbox.task(&dir, ["list", "--format=%(blocker)"]).ok().prints("waits\n");
    sandbox.task(&dir, ["note", "x", "--blocker", "more"]).ok();
    assert_eq!(std::fs::read_to_string(&note).unwrap(), text.replace("waits", "more"));
}

#[test]
fn repair_removes_nothing_of_a_branch_s_and_nothing_outside() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "tmp-x"]).ok().path();
    let outside = sandbox.path("outside");
    let old = |name: &str| {
        let file = outside.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "precious").unwrap();
        file
    };
    // None of these numbers is a process.
    let kept = [old("tmp-999999999/a"), old(".status.md.tmp-999999999"), old("tmp-old")];
    symlink(&outside, path.join("notes/evil")).unwrap();
    sandbox.write(&path, "notes/tmp-y/status.md", "mine\n");
    sandbox.write(&path, "notes/tmp-x/.other.tmp-999999999", "mine\n");
    sandbox.write(&path, "notes/tmp-x/.status.md.tmp-999999999", "ours\n");
    let second = sandbox.task(&dir, ["add", "second"]).ok().path();
    remove(&second.join("notes"));
    symlink(&outside, second.join("notes")).unwrap();
    for at in [&outside, &path.join("notes"), &path.join("notes/tmp-x"), &path.join("notes/tmp-y")] {
        sandbox.sh(at, "touch -d 2001-01-01 tmp-* .status* .other* 2>/dev/null; true").ok();
    }
    sandbox.task(&dir, ["repair"]).ok();
    for file in &kept {
        assert_eq!(std::fs::read_to_string(file).unwrap(), "precious", "{file:?}");
    }
    for mine in ["notes/tmp-y/status.md", "notes/tmp-x/.other.tmp-999999999", "notes/tmp-x/status.md"] {
        assert!(path.join(mine).exists(), "{mine}");
    }
    assert!(!path.join("notes/tmp-x/.status.md.tmp-999999999").exists());
}

/// A repository beside ours, with work in it.
fn other(sandbox: &Sandbox) -> std::path::PathBuf {
    let other = sandbox.path("other");
    sandbox.git(sandbox.path(""), ["init", "-q", "other"]).ok();
    sandbox.git(&other, ["commit", "-q", "--allow-empty", "-m", "Other"]).ok();
    sandbox.write(&other, "precious", "work\n");
    other
}

#[test]
fn another_repository_at_a_worktree_s_place_is_left_alone() {
    for in_place_of in ["link", "link to ours", "directory", "copy"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let other = other(&sandbox);
        let path = sandbox.task(&dir, ["add", "x"]).ok().path();
        std::fs::remove_dir_all(&path).unwrap();
        let there = match in_place_of {
            "link" => symlink(&other, &path).map(|()| other.join("precious")).unwrap(),
            "link to ours" => symlink(&dir, &path).map(|()| dir.join("README")).unwrap(),
            "directory" => std::fs::rename(&other, &path).map(|()| path.join("precious")).unwrap(),
            _ => {
                // A worktree of another repository.
                sandbox.git(&other, ["worktree", "add", "-q", path.to_str().unwrap()]).ok();
                sandbox.write(&path, "precious", "work\n");
                path.join("precious")
            }
        };
        let before = std::fs::read(&there).unwrap();
        let note = there.with_file_name("notes/x/theirs");
        sandbox.write(there.parent().unwrap(), "notes/x/theirs", "theirs\n");
        let refs = sandbox.refs(&dir);
        sandbox.task(&dir, ["list"]).ok();
        for args in [&["path", "x"][..], &["diff", "x"], &["sync", "x"], &["note", "x", "--goal", "g"]] {
            sandbox.refuses(&dir, args, 128, "");
        }
        assert!(sandbox.task(&dir, ["ready", "x"]).code != 0, "{in_place_of}");
        assert_eq!(sandbox.refs(&dir), refs, "{in_place_of}");
        sandbox.task(&dir, ["rename", "x", "y"]);
        sandbox.task(&dir, ["rename", "y", "x"]);
        assert!(note.exists(), "{in_place_of}");
        sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        assert!(note.exists(), "{in_place_of}");
        assert_eq!(std::fs::read(&there).unwrap(), before, "{in_place_of}");
        sandbox.git(there.parent().unwrap(), ["rev-parse", "HEAD"]).ok();
        // It is not ours to copy either.
        for name in sandbox.refs(&dir).lines().filter(|line| line.starts_with("refs/task-trash/")) {
            let kept = sandbox.git(&dir, ["ls-tree", "-r", name.split(' ').next().unwrap()]).ok();
            assert!(!kept.stdout.contains("precious"), "{in_place_of}: {kept}");
        }
        sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("x dropped\n");
        let names = std::fs::read_dir(sandbox.path("")).unwrap().map(|e| e.unwrap().file_name());
        assert!(names.into_iter().all(|n| !n.to_string_lossy().contains("removed")), "{in_place_of}");
    }
}

#[test]
fn what_is_no_repository_at_a_worktree_s_place_is_left_alone() {
    for is_link in [false, true] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let outside = sandbox.path("outside");
        sandbox.write(&outside, "precious", "work\n");
        let path = sandbox.task(&dir, ["add", "x"]).ok().path();
        std::fs::remove_dir_all(&path).unwrap();
        match is_link {
            true => symlink(&outside, &path).unwrap(),
            false => std::fs::write(&path, "work\n").unwrap(),
        }
        sandbox.task(&dir, ["list"]).ok();
        for args in [&["path", "x"][..], &["diff", "x"], &["sync", "x"], &["note", "x", "--goal", "g"]] {
            sandbox.refuses(&dir, args, 128, "");
        }
        sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().is_symlink(), is_link);
        let file = if is_link { path.join("precious") } else { path };
        assert_eq!(std::fs::read(file).unwrap(), b"work\n");
        sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("x dropped\n");
    }
}

#[test]
fn repair_goes_on_past_a_place_that_is_taken() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let other = other(&sandbox);
    let paths = ["link", "plain", "dir", "fifo", "gone", "file"].map(|name| {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        if name != "fifo" {
            std::fs::remove_dir_all(&path).unwrap();
        }
        path
    });
    let outside = sandbox.path("outside");
    std::fs::create_dir(&outside).unwrap();
    symlink(&other, &paths[0]).unwrap();
    symlink(&outside, &paths[1]).unwrap();
    std::fs::create_dir(&paths[2]).unwrap();
    std::fs::write(paths[2].join("precious"), "work\n").unwrap();
    std::fs::write(&paths[5], "work\n").unwrap();
    remove(&paths[3].join(".git"));
    fifo(&paths[3].join(".git"));
    sandbox.task(&dir, ["list"]).ok();
    sandbox.task(&dir, ["repair", "-n"]).fails(1);
    sandbox.task(&dir, ["repair"]).ok().says("no '.git' any more");
    assert!(other.join("precious").exists() && paths[2].join("precious").exists() && outside.exists());
    assert_eq!(std::fs::read(&paths[5]).unwrap(), b"work\n");
    let listed = sandbox.git(&dir, ["worktree", "list"]).ok().stdout;
    for name in ["gone", "link", "plain", "file"] {
        assert!(!listed.contains(&format!("/{name} ")), "{listed}");
    }
}

#[test]
fn another_repository_at_a_slot_s_place_is_left_alone() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let other = other(&sandbox);
    sandbox.pool(&dir, ["init", "2"]).ok();
    let claimed = sandbox.pool(&dir, ["claim", "--no-refill"]).ok().path();
    let idle = [1, 2].map(|n| sandbox.path(format!("repo-worktrees/pool-{n}")));
    let idle = idle.into_iter().find(|path| *path != claimed).unwrap();
    for path in [&claimed, &idle] {
        std::fs::remove_dir_all(path).unwrap();
        symlink(&other, path).unwrap();
    }
    let head = sandbox.commit_id(&other, "HEAD");
    sandbox.pool(&dir, ["list"]).ok();
    assert!(sandbox.pool(&dir, ["release", "-f", claimed.to_str().unwrap()]).code != 0);
    sandbox.pool(&dir, ["claim", "x", "--no-refill"]);
    sandbox.pool(&dir, ["drain"]);
    sandbox.pool(&dir, ["repair"]).ok();
    assert_eq!(std::fs::read(other.join("precious")).unwrap(), b"work\n");
    assert_eq!(sandbox.commit_id(&other, "HEAD"), head);
    sandbox.git(&other, ["symbolic-ref", "HEAD"]).ok();
    assert!(!other.join("notes").exists());
}

#[test]
fn a_nul_in_a_note_can_t_forge_a_key() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    std::fs::write(path.join("notes/x/status.md"), "## Blockers\n\na\0\0task evil\0state ready\n").unwrap();
    let run = sandbox.task(&dir, ["list", "--porcelain", "-z"]).ok();
    let keys: Vec<&str> = run.stdout.split('\0').filter(|line| line.starts_with("task ")).collect();
    assert_eq!(keys, ["task x"]);
    assert!(run.stdout.contains("\0blocker a\u{fffd}\u{fffd}task evil\u{fffd}state ready\0"), "{run}");
}

#[test]
fn a_plan_and_a_template_are_not_read_without_end() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let file = dir.join("file");
    let makers: [(&dyn Fn(), &str, &str); 5] = [
        (&|| fifo(&file), "the plan has no task", "it is not a regular file"),
        (&|| symlink("/dev/zero", &file).unwrap(), "it has more than", "it is not a regular file"),
        (&|| std::fs::create_dir(&file).unwrap(), "s a directory", "it is a directory"),
        (&|| sparse(&file), "it has more than", "it has more than"),
        (&|| std::fs::write(&file, b"a = '\xff'\n").unwrap(), "invalid utf-8", "invalid utf-8"),
    ];
    sandbox.git(&dir, ["config", "task.promptFormat", "file"]).ok();
    for (make, of_plan, of_template) in makers {
        make();
        let run = sandbox.task(&dir, ["add", "--from", "file"]).fails(128).prints("");
        assert!(run.stderr.to_lowercase().contains(of_plan), "{run}");
        sandbox.task(&dir, ["prompt", "x"]).fails(128).prints("").says("'").says(of_template);
        remove(&file);
    }
    // What a program prints is a plan.
    if need("bash") {
        let plan = "[[task]]\nname = 'y'\n";
        let script = format!("git task add --from <(printf \"{plan}\")");
        sandbox.run(&dir, "bash", ["-c", &script]).ok();
        sandbox.task(&dir, ["show", "y"]).ok();
    }
}

#[test]
fn a_tracked_link_at_the_note_s_place_is_not_read_without_end() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.pool(&dir, ["init", "1"]).ok();
    sandbox.task(&dir, ["add", "x"]).ok();
    sandbox.pool(&dir, ["release", "x"]).ok();
    assert!(std::fs::symlink_metadata(dir.join("notes/x/status.md")).unwrap().is_file());
    let other = sandbox.path("other");
    sandbox.git(&dir, ["worktree", "add", "-q", "../other", "x"]).ok();
    std::fs::create_dir_all(other.join("notes/x")).unwrap();
    symlink("/dev/zero", other.join("notes/x/status.md")).unwrap();
    sandbox.git(&other, ["add", "-f", "notes/x/status.md"]).ok();
    sandbox.git(&other, ["commit", "-qm", "Hostile"]).ok();
    sandbox.git(&dir, ["worktree", "remove", "-f", "../other"]).ok();
    sandbox.pool(&dir, ["claim", "x", "--no-refill"]).fails(128).says("is a symbolic link");
    sandbox.task(&dir, ["list"]).ok();
}
