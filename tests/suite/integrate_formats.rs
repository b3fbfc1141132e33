//! `git integrate` from the beginning to the end in repositories of other formats, and on a full disk.

use std::path::Path;

use crate::integrate_run::{ready, subjects, workshop};
use crate::support::*;

/// A conflict, resolved by hand and gone on with, taken back, and landed again.
fn the_whole_way(sandbox: &Sandbox, dir: &Path) {
    ready(sandbox, dir, "a", "README", "a\n");
    ready(sandbox, dir, "b", "README", "b\n");
    ready(sandbox, dir, "c", "c", "c\n");
    let before = sandbox.commit_id(dir, "main");
    let foretold = sandbox.integrate(dir, ["-n", "--porcelain"]).fails(1);
    foretold.prints("merged a\nconflict b content README\nmerged c\n");
    sandbox.integrate(dir, [] as [&str; 0]).fails(1);
    let shop = workshop(sandbox);
    sandbox.write(&shop, "README", "both\n");
    sandbox.git(&shop, ["add", "README"]).ok();
    sandbox.integrate(dir, ["--continue", "--check", "true"]).ok();
    assert_eq!(subjects(sandbox, dir, "main"), "Merge task 'c'\nMerge task 'b'\nMerge task 'a'\nBegin\n");
    sandbox.git(dir, ["status", "--porcelain"]).ok().prints("");
    sandbox.integrate(dir, ["--undo"]).ok();
    assert_eq!(sandbox.commit_id(dir, "main"), before);
    sandbox.git(dir, ["status", "--porcelain"]).ok().prints("");
    let list = sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok();
    list.prints("a ready\nb ready\nc ready\n");
    sandbox.integrate(dir, ["a", "c", "--squash"]).ok();
    assert_eq!(subjects(sandbox, dir, "main"), "Merge task 'c'\nMerge task 'a'\nBegin\n");
    assert_sound(sandbox, dir);
}

#[test]
fn sha256() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init_with("repo", &["--object-format=sha256"]);
    the_whole_way(&sandbox, &dir);
}

#[test]
fn reftable() {
    if !need_git(2, 45) {
        return;
    }
    let sandbox = Sandbox::new();
    let dir = sandbox.init_with("repo", &["--ref-format=reftable"]);
    the_whole_way(&sandbox, &dir);
}
