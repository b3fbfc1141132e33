//! `git integrate` with submodules: what is forecast is what comes, and checks find them checked out.

use std::path::{Path, PathBuf};

use crate::integrate_run::{over, workshop};
use crate::pool::claim;
use crate::support::*;

/// A library with commits `one`, `two` and `three` in a row and `other` beside them, and a repository that has it
/// at `one`. Their ids, in that order.
fn with_library(sandbox: &Sandbox) -> (PathBuf, Vec<String>) {
    let lib = sandbox.init_with("lib", &[]);
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        ids.push(sandbox.commit(&lib, name, "1\n", name));
    }
    sandbox.git(&lib, ["switch", "-q", "-c", "other", &ids[0]]).ok();
    ids.push(sandbox.commit(&lib, "other", "1\n", "other"));
    sandbox.git(&lib, ["switch", "-q", "main"]).ok();
    let dir = sandbox.init();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../lib", "sub"];
    sandbox.git(&dir, ["config", "remote.origin.url", &format!("{}/repo", sandbox.path("").display())]).ok();
    sandbox.git(&dir, add).ok();
    point(sandbox, &dir, &ids[0]);
    sandbox.git(&dir, ["commit", "-q", "-m", "Add the library"]).ok();
    sandbox.git(&dir, ["submodule", "--quiet", "update"]).ok();
    // From now on it is nowhere but here.
    std::fs::rename(&lib, sandbox.path("gone")).unwrap();
    (dir, ids)
}

/// Says in the index that the submodule is at this commit.
fn point(sandbox: &Sandbox, dir: &Path, id: &str) {
    sandbox.git(dir, ["update-index", "--cacheinfo", &format!("160000,{id},sub")]).ok();
}

fn ready(sandbox: &Sandbox, dir: &Path, name: &str, change: impl Fn(&Path)) {
    let path = sandbox.task(dir, ["add", "-q", "--base", "main", name]).ok().path();
    change(&path);
    sandbox.git(&path, ["commit", "-q", "-m", name]).ok();
    sandbox.task(&path, ["ready"]).ok();
}

/// Without the names of commits, which a forecast does not know.
fn results(porcelain: &str) -> Vec<String> {
    let words = |line: &str| match line.strip_prefix("merged ") {
        Some(rest) => format!("merged {}", rest.split(' ').next().unwrap_or_default()),
        None => line.to_owned(),
    };
    porcelain.lines().filter(|line| !line.starts_with("landed ")).map(words).collect()
}

fn gitlink(sandbox: &Sandbox, dir: &Path) -> String {
    sandbox.git(dir, ["rev-parse", "main:sub"]).ok().line().to_owned()
}

#[test]
fn what_is_forecast_is_what_comes() {
    for (ours, theirs, expected) in [(1, 2, Some(2)), (2, 1, Some(2)), (1, 3, None)] {
        let sandbox = Sandbox::new();
        let (dir, ids) = with_library(&sandbox);
        ready(&sandbox, &dir, "a", |path| point(&sandbox, path, &ids[ours]));
        ready(&sandbox, &dir, "b", |path| {
            point(&sandbox, path, &ids[theirs]);
            sandbox.write(path, "b", "1\n");
            sandbox.git(path, ["add", "b"]).ok();
        });
        let run = sandbox.integrate(&dir, ["-n", "--porcelain"]);
        let foretold = results(&run.stdout);
        let second = if expected.is_some() { "merged b" } else { "conflict b submodule sub" };
        assert_eq!(foretold, ["merged a", second], "{run}");
        // Also from where nothing of it is checked out.
        let elsewhere = sandbox.integrate(sandbox.path("repo-worktrees/a"), ["-n", "--porcelain"]);
        assert_eq!(results(&elsewhere.stdout), foretold, "{elsewhere}");
        let run = sandbox.integrate(&dir, ["--keep-going", "--porcelain"]);
        assert_eq!(results(&run.stdout), foretold, "{run}");
        assert_eq!(gitlink(&sandbox, &dir), ids[expected.unwrap_or(ours)]);
        over(&sandbox, &dir);
    }
}

#[test]
fn one_that_a_side_deletes_is_forecast() {
    let sandbox = Sandbox::new();
    let (dir, ids) = with_library(&sandbox);
    ready(&sandbox, &dir, "a", |path| point(&sandbox, path, &ids[1]));
    ready(&sandbox, &dir, "b", |path| {
        sandbox.git(path, ["rm", "-q", "--cached", "sub"]).ok();
        sandbox.git(path, ["config", "-f", ".gitmodules", "--remove-section", "submodule.sub"]).ok();
        sandbox.git(path, ["add", ".gitmodules"]).ok();
    });
    let foretold = results(&sandbox.integrate(&dir, ["-n", "--porcelain"]).stdout);
    assert_eq!(foretold, ["merged a", "conflict b modify/delete sub"]);
    let run = sandbox.integrate(&dir, ["--keep-going", "--porcelain"]).fails(2);
    assert_eq!(results(&run.stdout), foretold, "{run}");
    // Without the other side's change it goes, although it was checked out for the checks, and a file comes.
    let sandbox = Sandbox::new();
    let (dir, _) = with_library(&sandbox);
    ready(&sandbox, &dir, "a", |path| {
        sandbox.write(path, "a", "1\n");
        sandbox.git(path, ["add", "a"]).ok();
    });
    ready(&sandbox, &dir, "b", |path| {
        sandbox
            .sh(
                path,
                "git rm -q --cached sub .gitmodules && rm -rf sub .gitmodules && echo 1 >sub && git add sub",
            )
            .ok();
    });
    let check = "case $GIT_TASK in a) test -f sub/one ;; b) test -f sub ;; esac";
    let run = sandbox.integrate(&dir, ["--porcelain", "--check", check]);
    assert_eq!(results(&run.stdout), ["merged a", "merged b"], "{run}");
}

#[test]
fn checks_find_what_is_merged_checked_out_and_nothing_is_fetched() {
    let sandbox = Sandbox::new();
    let (dir, ids) = with_library(&sandbox);
    ready(&sandbox, &dir, "a", |path| point(&sandbox, path, &ids[1]));
    ready(&sandbox, &dir, "b", |path| point(&sandbox, path, &ids[2]));
    let seen = sandbox.path("seen");
    let check =
        format!("git -C sub rev-parse HEAD >>{}; echo x >>sub/one; echo x >sub/stray", seen.display());
    sandbox.integrate(&dir, ["--check", &check]).ok();
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), format!("{}\n{}\n", ids[1], ids[2]));
    let shop = workshop(&sandbox);
    sandbox.git(&shop, ["status", "--porcelain"]).ok().prints("");
    // What the user has initialised, and where, is as it was.
    sandbox.git(&dir, ["submodule", "--quiet", "update"]).ok();
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    // One that is not initialised stays so.
    sandbox.git(&dir, ["submodule", "deinit", "-q", "-f", "sub"]).ok();
    ready(&sandbox, &dir, "c", |path| point(&sandbox, path, &ids[0]));
    std::fs::remove_dir_all(&shop).unwrap();
    sandbox.integrate(&dir, ["--check", "test ! -e sub/one"]).ok();
}

#[test]
fn checks_in_slots_find_it_too_and_the_slots_are_as_they_were() {
    let sandbox = Sandbox::new();
    let (dir, ids) = with_library(&sandbox);
    sandbox.git(&dir, ["config", "task.pool", "false"]).ok();
    sandbox.pool(&dir, ["init", "-q", "2"]).ok();
    for (name, id) in [("a", 1), ("b", 2)] {
        ready(&sandbox, &dir, name, |path| point(&sandbox, path, &ids[id]));
    }
    for name in ["c", "d"] {
        crate::integrate_run::ready(&sandbox, &dir, name, name, "1\n");
    }
    let seen = sandbox.path("seen");
    let check = format!(
        "test \"$(git -C sub rev-parse HEAD)\" = \"$(git rev-parse HEAD:sub)\" && echo x >>sub/one && \
         echo x >sub/stray && pwd >>{}",
        seen.display()
    );
    sandbox.integrate(&dir, ["-j3", "--check", &check]).ok();
    assert_eq!(std::fs::read_to_string(&seen).unwrap().lines().count(), 3);
    for slot in ["repo-worktrees/pool-1", "repo-worktrees/pool-2"] {
        let slot = sandbox.path(slot);
        sandbox.git(&slot, ["status", "--porcelain"]).ok().prints("");
        assert!(slot.join("sub").is_dir() && !slot.join("sub/.git").exists());
    }
    // What the user has initialised, and where, is as it was.
    sandbox.git(&dir, ["submodule", "--quiet", "update"]).ok();
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    over(&sandbox, &dir);
}

#[test]
fn a_slot_that_is_given_back_leaves_those_of_others() {
    let sandbox = Sandbox::new();
    let (dir, ids) = with_library(&sandbox);
    sandbox.pool(&dir, ["init", "-q", "1"]).ok();
    let slot = claim(&sandbox, &dir, &[]);
    let url = format!("submodule.sub.url={}", dir.join(".git/modules/sub").display());
    let update = ["-c", "protocol.file.allow=always", "-c", &url, "submodule", "--quiet", "update"];
    sandbox.git(&slot, update).ok();
    let configured = || sandbox.git(&dir, ["config", "--get-regexp", "^submodule"]).ok().stdout;
    let before = configured();
    sandbox.write(&slot, "sub/one", "changed\n");
    sandbox.pool(&slot, ["release"]).fails(128);
    sandbox.git(slot.join("sub"), ["checkout", "-q", "one"]).ok();
    sandbox.pool(&slot, ["release"]).ok();
    assert_eq!(configured(), before);
    assert!(slot.join("sub").is_dir() && !slot.join("sub/one").exists());
    sandbox.git(dir.join("sub"), ["rev-parse", "HEAD"]).ok().prints(&format!("{}\n", ids[0]));
    sandbox.git(&slot, ["status", "--porcelain"]).ok().prints("");
}

#[test]
fn what_only_a_slots_submodule_has_stays_with_it() {
    let sandbox = Sandbox::new();
    let (dir, _) = with_library(&sandbox);
    sandbox.pool(&dir, ["init", "-q", "1"]).ok();
    let slot = claim(&sandbox, &dir, &[]);
    let url = format!("submodule.sub.url={}", dir.join(".git/modules/sub").display());
    let update = ["-c", "protocol.file.allow=always", "-c", &url, "submodule", "--quiet", "update"];
    sandbox.git(&slot, update).ok();
    let sub = slot.join("sub");
    sandbox.git(&sub, ["commit", "-q", "--allow-empty", "-m", "mine"]).ok();
    let mine = sandbox.commit_id(&sub, "HEAD");
    sandbox.sh(&slot, "git checkout -q -b topic && git commit -qam Move").ok();
    sandbox.pool(&slot, ["release"]).ok();
    let only = dir.join(".git/worktrees/pool-1/modules/sub");
    let run = sandbox.pool(&dir, ["drain"]).fails(1);
    run.says("slot 1 stays: its repositories of submodules hold work of their own: sub");
    sandbox.git(&only, ["cat-file", "-e", &mine]).ok();
    // Nor does it go because the directory is gone.
    std::fs::remove_dir_all(&slot).unwrap();
    sandbox.pool(&dir, ["repair"]).ok().says("is gone, and 'sub' in '").says("holds work of its own");
    // What its configuration names is gone.
    sandbox.git(&only, ["--work-tree=.", "cat-file", "-e", &mine]).ok();
}

#[test]
fn a_slot_that_is_given_back_empties_nothing_behind_a_link() {
    let sandbox = Sandbox::new();
    let (dir, _) = with_library(&sandbox);
    sandbox.sh(&dir, "mkdir lib && git mv sub lib/sub && git commit -qm Move").ok();
    sandbox.git(&dir, ["config", "task.pool", "false"]).ok();
    sandbox.pool(&dir, ["init", "-q", "1"]).ok();
    for name in ["a", "b"] {
        crate::integrate_run::ready(&sandbox, &dir, name, name, "1\n");
    }
    let aside = sandbox.path("aside");
    std::fs::create_dir(&aside).unwrap();
    let check = format!("mv lib '{0}'/$$ && ln -s '{0}'/$$ lib", aside.display());
    sandbox
        .integrate(&dir, ["-j2", "--check", &check])
        .ok()
        .says("pool-1' are kept")
        .does_not_say("not given");
    let moved: Vec<_> = std::fs::read_dir(&aside).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(moved.len() == 2 && moved.iter().all(|lib| lib.join("sub/one").exists()), "{moved:?}");
    over(&sandbox, &dir);
}

#[test]
fn what_a_task_has_committed_in_its_own_submodule_is_found() {
    let sandbox = Sandbox::new();
    let (dir, _) = with_library(&sandbox);
    let source = dir.join(".git/modules/sub");
    for name in ["a", "b"] {
        let path = sandbox.task(&dir, ["add", "-q", "--base", "main", name]).ok().path();
        let url = format!("submodule.sub.url={}", source.display());
        sandbox
            .git(&path, ["-c", "protocol.file.allow=always", "-c", &url, "submodule", "--quiet", "update"])
            .ok();
        sandbox.commit(path.join("sub"), name, "1\n", name);
        sandbox.git(&path, ["commit", "-q", "-a", "-m", name]).ok();
        sandbox.task(&path, ["ready"]).ok();
    }
    let foretold = results(&sandbox.integrate(&dir, ["-n", "--porcelain"]).stdout);
    assert_eq!(foretold, ["merged a", "conflict b submodule sub"]);
    let run = sandbox.integrate(&dir, ["--keep-going", "--porcelain", "--check", "test -f sub/a"]).fails(2);
    assert_eq!(results(&run.stdout), foretold, "{run}");
}

#[test]
fn one_that_cannot_be_checked_out_is_said() {
    let sandbox = Sandbox::new();
    let (dir, _) = with_library(&sandbox);
    ready(&sandbox, &dir, "a", |path| point(&sandbox, path, &"1".repeat(40)));
    let before = sandbox.commit_id(&dir, "main");
    let run = sandbox.integrate(&dir, ["--check", "true", "--porcelain"]).fails(1);
    assert_eq!(run.stdout, "failed a git submodule update\n");
    run.says("the submodule 'sub' can't be checked out at 1111");
    assert_eq!(sandbox.commit_id(&dir, "main"), before);
    sandbox.integrate(&dir, ["--abort"]).ok();
    // Without checks nobody needs it, as with `git merge`.
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
}
