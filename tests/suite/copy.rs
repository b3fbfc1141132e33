//! `setup.copy` and `.worktreeinclude`: untracked files that new worktrees get.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::*;

#[test]
fn patterns_mean_what_they_mean_in_gitignore() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitignore", ".env*\n*.key\nbuild/\n", "Ignore");
    sandbox.commit(&dir, "tracked.key", "committed\n", "A tracked file that a pattern names");
    sandbox.write(
        &dir,
        ".config/git-parallel.toml",
        "[setup]\ncopy = ['.env*', '!.env.example', '/conf/*.local']\n",
    );
    sandbox.write(&dir, ".worktreeinclude", "# keys\n*.key\n!public.key\n");
    for file in [
        ".env",
        ".env.example",
        "sub/.env.dev",
        "conf/a.local",
        "deep/conf/b.local",
        "x.key",
        "public.key",
        "build/out",
    ] {
        sandbox.write(&dir, file, format!("{file}\n"));
    }
    sandbox.write(&dir, "tracked.key", "changed here\n");
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    for file in [".env", "sub/.env.dev", "conf/a.local", "x.key"] {
        assert_eq!(std::fs::read_to_string(path.join(file)).unwrap(), format!("{file}\n"));
    }
    for file in [".env.example", "deep", "public.key", "build"] {
        assert!(!path.join(file).exists(), "{file}");
    }
    assert_eq!(std::fs::read_to_string(path.join("tracked.key")).unwrap(), "committed\n");
    // From a linked worktree it is still the main one's files that are copied.
    std::fs::write(path.join(".env"), "other\n").unwrap();
    let second = sandbox.task(&path, ["add", "y", "--base", "main"]).ok().path();
    assert_eq!(std::fs::read_to_string(second.join(".env")).unwrap(), ".env\n");
    std::fs::create_dir_all(dir.join("sub")).unwrap();
    let third = sandbox.task(dir.join("sub"), ["add", "z"]).ok().path();
    assert!(third.join("sub/.env.dev").exists() && third.join(".env").exists());
}

#[test]
fn links_stay_links_and_modes_stay_modes() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".worktreeinclude", "/local/\n");
    sandbox.write(&dir, "local/tool", "#!/bin/sh\n");
    std::fs::set_permissions(dir.join("local/tool"), std::fs::Permissions::from_mode(0o750)).unwrap();
    sandbox.write(&dir, "local/secret", "x\n");
    std::fs::set_permissions(dir.join("local/secret"), std::fs::Permissions::from_mode(0o400)).unwrap();
    sandbox.write(sandbox.path("outside"), "file", "outside\n");
    symlink("../../outside", dir.join("local/directory")).unwrap();
    symlink("nowhere", dir.join("local/broken")).unwrap();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("local/tool"), 0o750);
    assert_eq!(mode("local/secret"), 0o400);
    for (link, target) in [("directory", "../../outside"), ("broken", "nowhere")] {
        assert_eq!(std::fs::read_link(path.join("local").join(link)).unwrap(), std::path::Path::new(target));
    }
}

#[test]
fn nothing_is_written_through_a_link_of_the_branch() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    std::fs::create_dir(sandbox.path("outside")).unwrap();
    sandbox.git(&dir, ["switch", "-qc", "hostile"]).ok();
    symlink(sandbox.path("outside"), dir.join("conf")).unwrap();
    sandbox.git(&dir, ["add", "conf"]).ok();
    sandbox.git(&dir, ["commit", "-qm", "A link where a directory was"]).ok();
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    sandbox.write(&dir, "conf/secret", "secret\n");
    sandbox.write(&dir, ".worktreeinclude", "conf/secret\n");
    let run = sandbox.task(&dir, ["add", "x", "--base", "hostile"]).fails(1);
    run.clone()
        .says("error: could not copy 'conf/secret'")
        .says("is not a directory")
        .says("git task reopen x");
    assert_eq!(std::fs::read_dir(sandbox.path("outside")).unwrap().count(), 0);
    assert_eq!(run.path(), sandbox.path("repo-worktrees/x"), "the task is kept");
    let listed = sandbox.task(&dir, ["list", "--format=%(state) %(reason)"]).ok().stdout;
    assert!(listed.starts_with("blocked could not copy 'conf/secret'"), "{listed}");
}

#[test]
fn a_file_that_is_already_there_stays() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["switch", "-qc", "with"]).ok();
    sandbox.commit(&dir, "conf", "tracked there\n", "Track it");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    sandbox.write(&dir, "conf", "untracked here\n");
    sandbox.write(&dir, ".worktreeinclude", "conf\n");
    let path = sandbox.task(&dir, ["add", "x", "--base", "with"]).ok().path();
    assert_eq!(std::fs::read_to_string(path.join("conf")).unwrap(), "tracked there\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
}

#[test]
fn a_failed_copy_is_loud() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".worktreeinclude", "/conf*\n");
    sandbox.write(&dir, "conf1/a", "a\n");
    // A file of the branch where a directory is wanted.
    sandbox.git(&dir, ["switch", "-qc", "with"]).ok();
    sandbox.write(&dir, ".gitignore", "\n");
    std::fs::rename(dir.join("conf1"), sandbox.path("aside")).unwrap();
    sandbox.commit(&dir, "conf1", "a file\n", "A file");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    std::fs::rename(sandbox.path("aside"), dir.join("conf1")).unwrap();
    sandbox.task(&dir, ["add", "x", "--base", "with"]).fails(1).says("error: could not copy 'conf1/a'");
    sandbox.task(&dir, ["list", "--format=%(state)"]).ok().prints("blocked\n");
    sandbox.task(&dir, ["reopen", "x"]).ok();
}
