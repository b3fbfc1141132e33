//! What somebody else makes at the very place where a slot is made, or was, before git or we come to it: it is his.

use crate::meanwhile::ours;
use crate::pool::{states, with_pool};
use crate::support::*;

#[test]
fn no_slot_is_made_where_a_task_is_moved_to() {
    let sandbox = Sandbox::new();
    let (dir, place) = (with_pool(&sandbox, 0), sandbox.path("repo-worktrees/pool-1"));
    sandbox.task(&dir, ["add", "x"]).ok();
    let here = dir.display();
    sandbox.before_git(
        "case \"$*\" in *'worktree move'*) ;; *) false ;; esac",
        &format!("env -u GIT_DIR git -C '{here}' pool fill -q 1"),
    );
    ours(&sandbox, &dir, "git-task move x ../repo-worktrees/pool-1").ok();
    let path = sandbox.task(&dir, ["path", "x"]).ok().path();
    assert_eq!(path, place);
    assert_eq!(states(&sandbox, &dir), "2 idle\n");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
}
