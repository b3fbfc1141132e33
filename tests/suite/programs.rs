//! What of the user's own programs runs: hooks, filters, drivers and what else is configured, as for git.

use std::collections::BTreeSet;

use crate::support::*;

/// Task `x` has work that `main` has not, and the other way round; a merge asks a driver. Then each program is put
/// in its place, and writes its name into `ran`.
const SETUP: &str = r#"
printf '*.f filter=f\n*.m merge=m\n*.t diff=t\n' >.gitattributes
echo one >a.f; printf 'a\nb\nc\n' >a.m; echo t >a.t
git add . && git commit -qm Base && git init -q --bare ../remote.git
git remote add origin ../remote.git && git push -qu origin main
git task add -q x --no-pool >../x && X=$(cat ../x)
(cd $X; printf 'x\nb\nc\n' >a.m; echo two >b.f; echo T >a.t; git add .; git commit -qm Mine)
printf 'm\nb\nc\n' >a.m; echo more >more; git add .; git commit -qm Theirs; git push -q
W=$(dirname "$PWD"); mkdir ../bin ../hooks
program() { printf '#!/bin/sh\necho %s >>%s\n%s\n' "$2" "$W/ran" "$3" >"../$1"; chmod +x "../$1"; }
for hook in pre-commit pre-merge-commit prepare-commit-msg commit-msg post-commit pre-rebase post-checkout post-merge \
    pre-push pre-auto-gc post-rewrite reference-transaction post-index-change push-to-checkout pre-receive update; do
  program hooks/$hook $hook 'exit 0'
done
git config core.hooksPath "$W/hooks"
configure() { program "bin/$2" "$2" "$3"; git config "$1" "$W/bin/$2$4"; }
configure core.fsmonitor fsmonitor 'exit 1'
configure filter.f.clean filter cat
git config filter.f.smudge "$W/bin/filter"
configure merge.m.driver merge-driver 'git merge-file -q --ours "$1" "$2" "$3"' ' %A %O %B'
configure diff.t.textconv textconv 'cat "$1"'
configure gpg.program gpg 'cat >/dev/null; echo signature; echo "[GNUPG:] SIG_CREATED x" >&2'
for key in core.pager core.editor sequence.editor core.sshCommand credential.helper core.askPass \
    core.alternateRefsCommand interactive.diffFilter uploadpack.packObjectsHook diff.tool merge.tool; do
  configure $key $key 'exit 0'
done
for alias in status worktree branch merge diff update-ref read-tree; do
  configure alias.$alias alias; git config alias.$alias "!$W/bin/alias"
done
# Old enough that nobody looks into them only to be sure.
for dir in . $X; do (cd $dir; touch -d 2001-01-01 *.*; git update-index -q --refresh); done
"#;

/// The programs that `command` runs in such a repository, after `before`.
fn programs(before: &str, command: &str) -> BTreeSet<String> {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.sh(&dir, SETUP).ok();
    sandbox.sh(&dir, &format!("X=$(cat ../x)\n{before}\nrm -f ../ran")).ok();
    sandbox.sh(&dir, &format!("set -e; X=$(cat ../x)\n{command}")).ok();
    let ran = std::fs::read_to_string(sandbox.path("ran")).unwrap_or_default();
    ran.lines().map(str::to_owned).collect()
}

#[test]
fn the_user_s_programs_run_where_git_runs_them() {
    // Before both; what git would be asked for; what ours is asked for. Then what git alone runs, and ours alone.
    type Row<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);
    // Whether there would be a conflict, or a task's work is in the target, is what a merge comes to. git diff-tree, which says
    // what a task touches, reads the index. `git pool release` is not here: it runs no post-checkout, because nobody
    // works in an idle slot and a claim runs it.
    let rows: [Row<'_>; 17] = [
        ("", "git worktree add -q -b y ../y", "git task add -q y --no-pool", &[], &[]),
        ("touch $X/*", "git -C $X status -s", "git task list", &[], &["merge-driver"]),
        ("touch $X/*", "git -C $X status -s", "git task show x", &[], &["merge-driver"]),
        ("echo 3 >>$X/a.f", "git -C $X diff main~1", "git task diff x", &[], &[]),
        ("", "git format-patch -q -o ../p main..x", "git task patch x -o ../p", &[], &[]),
        ("", "git -C $X merge -q main", "git task sync -q x", &[], &[]),
        ("", "git -C $X rebase -q main", "git task sync -q --rebase x", &[], &[]),
        ("", "git branch -m x y", "git task rename x y", &[], &[]),
        ("", "git worktree move $X ../y", "git task move x ../y", &[], &[]),
        ("", "git worktree remove $X; git branch -qD x", "git task rm -qf x", &[], &["merge-driver"]),
        ("git task rm -qf x", "git worktree add -q -b x ../y main~1", "git task restore x", &[], &[]),
        ("", "git merge-tree main x", "git task overlap", &[], &["fsmonitor"]),
        ("git task ready -q x", "git merge -q x --no-ff", "git integrate -q --keep", &[], &[]),
        ("git task ready -q x", "git merge -q x --no-ff; git push -q", "git integrate -q --push", &[], &[]),
        ("git task ready -q x", "git merge -q x -S", "git integrate -q -S", &[], &[]),
        ("", "git worktree add -q --detach ../y", "git pool init -q 1", &[], &[]),
        (
            "git pool init -q 1; git commit -q --allow-empty -m More",
            "git -C ../repo-worktrees/pool-1 switch -qc y main",
            "git pool claim -q y --no-refill",
            &[],
            &[],
        ),
    ];
    let wrong = at_once(rows.len(), |at| {
        let (before, git, ours, only_git, only_ours) = rows[at];
        let (by_git, by_ours) = (programs(before, git), programs(before, ours));
        // git writes an index that it has only looked at when it is worth it to it; ours never does.
        let less = by_git.difference(&by_ours).filter(|name| *name != "post-index-change");
        let less: Vec<_> = less.collect();
        let more: Vec<_> = by_ours.difference(&by_git).collect();
        (less != only_git || more != only_ours)
            .then(|| format!("{ours}: git alone runs {less:?}, ours alone {more:?}"))
    });
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
