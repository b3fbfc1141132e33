//! Against brute force, and against `git rev-list`, on histories with dates that mean nothing.

use std::collections::BTreeSet;

use super::*;
use crate::git::testing::{Random, Sandbox};

/// Commits by number, each with parents of lower numbers.
struct History {
    parents: Vec<Vec<usize>>,
    ids: Vec<ObjectId>,
}

impl History {
    /// Makes `count` commits; every `group` of them stand alone.
    fn random(
        sandbox: &Sandbox,
        random: &mut Random,
        count: usize,
        group: usize,
        graph: Option<usize>,
    ) -> Self {
        let mut parents: Vec<Vec<usize>> = Vec::new();
        let mut script = String::new();
        for n in 0..count {
            let oldest = n - n % group;
            let near = oldest.max(n.saturating_sub(8));
            let mut of_this = BTreeSet::new();
            if n > oldest && !random.chance(4) {
                for _ in 0..=random.below(8) / 6 {
                    let from = if random.chance(15) { oldest } else { near };
                    of_this.insert(from + random.below(n - from));
                }
            }
            let date = if random.chance(50) { random.below(1 << 30) } else { 1_000_000_000 + n * 60 };
            script +=
                &format!("commit refs/heads/c{n}\nmark :{}\ncommitter U <u@e> {date} +0000\ndata 0\n", n + 1);
            if of_this.is_empty() {
                script += "deleteall\n";
            }
            for (at, parent) in of_this.iter().enumerate() {
                script += &format!("{} :{}\n", if at == 0 { "from" } else { "merge" }, parent + 1);
            }
            script += "\n";
            parents.push(of_this.into_iter().collect());
        }
        sandbox.repo().cmd(["fast-import", "--quiet"]).stdin(script).run().unwrap();
        let out =
            sandbox.git(["for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads/c*"]);
        let mut ids = vec![ObjectId::null(gix::hash::Kind::Sha1); count];
        for line in String::from_utf8(out).unwrap().lines() {
            let (name, id) = line.split_once(' ').unwrap();
            ids[name[1..].parse::<usize>().unwrap()] = parse_id(id.as_bytes()).unwrap();
        }
        if let Some(last) = graph {
            let tips: String = ids[..=last].iter().map(|id| format!("{id}\n")).collect();
            sandbox.repo().cmd(["commit-graph", "write", "--stdin-commits"]).stdin(tips).run().unwrap();
            let graph = sandbox.repo().gix().commit_graph().unwrap();
            assert!((last + 1..count).contains(&(graph.num_commits() as usize)));
        }
        History { parents, ids }
    }

    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(n) = open.pop() {
            if seen.insert(n) {
                open.extend(&self.parents[n]);
            }
        }
        seen
    }

    fn apart(&self, tip: usize, base: usize) -> AheadBehind {
        let (tip, base) = (self.reach(tip), self.reach(base));
        AheadBehind { ahead: tip.difference(&base).count(), behind: base.difference(&tip).count() }
    }
}

fn through_git(repo: &Repo, tip: ObjectId, base: ObjectId) -> AheadBehind {
    ahead_behind_through_git(repo.git(), tip, base).unwrap()
}

/// Compares the groups of a history, each with one base and several tips, and a few pairs across groups.
fn compare(sandbox: &Sandbox, history: &History, random: &mut Random, group: usize) {
    let repo = sandbox.repo();
    let mut pairs = Vec::new();
    for first in (0..history.ids.len()).step_by(group) {
        let base = first + random.below(group);
        pairs.extend((0..5).map(|_| (first + random.below(group), base)));
        pairs.push((random.below(history.ids.len()), base));
    }
    let asked: Vec<_> = pairs.iter().map(|(tip, base)| (history.ids[*tip], history.ids[*base])).collect();
    for (at, (answer, pair)) in repo.ahead_behind(&asked).into_iter().zip(&pairs).enumerate() {
        let answer = answer.unwrap();
        assert_eq!(answer, history.apart(pair.0, pair.1), "{pair:?}");
        if at % 6 == 0 {
            assert_eq!(answer, through_git(&repo, asked[at].0, asked[at].1), "git: {pair:?}");
        }
        assert_eq!(repo.is_ancestor(asked[at].0, asked[at].1).unwrap(), answer.ahead == 0);
    }
}

#[test]
fn random_histories_without_a_commit_graph() {
    let (sandbox, mut random) = (Sandbox::new(), Random(1));
    let history = History::random(&sandbox, &mut random, 150 * 24, 24, None);
    compare(&sandbox, &history, &mut random, 24);
}

#[test]
fn random_histories_with_a_commit_graph_of_some_of_them() {
    let (sandbox, mut random) = (Sandbox::new(), Random(2));
    let history = History::random(&sandbox, &mut random, 150 * 24, 24, Some(150 * 24 / 2 + 11));
    compare(&sandbox, &history, &mut random, 24);
}

#[test]
fn long_histories_with_a_commit_graph_of_the_older_half() {
    let (sandbox, mut random) = (Sandbox::new(), Random(3));
    let history = History::random(&sandbox, &mut random, 6 * 500, 500, Some(5 * 500 + 250));
    compare(&sandbox, &history, &mut random, 500);
}

#[test]
fn more_tips_than_bits_in_a_word() {
    let (sandbox, mut random) = (Sandbox::new(), Random(4));
    let history = History::random(&sandbox, &mut random, 300, 300, None);
    let pairs: Vec<_> = (0..300).map(|n| (history.ids[n], history.ids[270])).collect();
    for (n, answer) in sandbox.repo().ahead_behind(&pairs).into_iter().enumerate() {
        assert_eq!(answer.unwrap(), history.apart(n, 270), "{n}");
    }
}

#[test]
fn a_missing_commit_spoils_only_its_own_pair() {
    let sandbox = Sandbox::new();
    let one = sandbox.commit("a", "1");
    let two = sandbox.commit("a", "2");
    let gone = parse_id(&[b'1'; 40]).unwrap();
    let answers = sandbox.repo().ahead_behind(&[(gone, one), (two, one), (two, gone), (one, one)]);
    assert!(answers[0].is_err() && answers[2].is_err());
    assert_eq!(*answers[1].as_ref().unwrap(), AheadBehind { ahead: 1, behind: 0 });
    assert_eq!(*answers[3].as_ref().unwrap(), AheadBehind::default());
}

#[test]
fn shallow_replaced_and_grafted_histories_are_as_git_sees_them() {
    let sandbox = Sandbox::new();
    let ids: Vec<_> = (0..8).map(|n| sandbox.commit("a", n.to_string())).collect();
    sandbox.git(["checkout", "-q", "-b", "side", "HEAD~5"]);
    let side = sandbox.commit("b", "side");
    sandbox.git(["commit-graph", "write", "--reachable"]);
    let pairs = [(ids[7], side), (side, ids[7]), (ids[2], side), (ids[6], ids[3])];
    let check = |repo: &Repo| {
        for (answer, (tip, base)) in repo.ahead_behind(&pairs).into_iter().zip(pairs) {
            assert_eq!(answer.unwrap(), through_git(repo, tip, base));
        }
        repo.ahead_behind(&pairs[..1]).pop().unwrap().unwrap()
    };
    assert_eq!(check(&sandbox.repo()), AheadBehind { ahead: 5, behind: 1 });
    // The boundary of a shallow clone is in a file; the commits are still there.
    std::fs::write(sandbox.path(".git/shallow"), format!("{}\n{side}\n", ids[6])).unwrap();
    assert_eq!(check(&sandbox.repo()), AheadBehind { ahead: 2, behind: 1 });
    std::fs::remove_file(sandbox.path(".git/shallow")).unwrap();
    sandbox.git(["replace", "--graft", &ids[5].to_string(), &side.to_string()]);
    assert_eq!(check(&sandbox.repo()), AheadBehind { ahead: 3, behind: 0 });
    sandbox.git(["replace", "-d", &ids[5].to_string()]);
    std::fs::write(sandbox.path(".git/info/grafts"), format!("{} {side}\n", ids[4])).unwrap();
    assert_eq!(check(&sandbox.repo()), AheadBehind { ahead: 4, behind: 0 });
}

#[test]
fn merge_bases() {
    let sandbox = Sandbox::new();
    let one = sandbox.commit("a", "1");
    let two = sandbox.commit("a", "2");
    sandbox.git(["checkout", "-q", "-b", "side", "HEAD~1"]);
    let side = sandbox.commit("b", "b");
    sandbox.git(["checkout", "-q", "--orphan", "other"]);
    let other = sandbox.commit("c", "c");
    let repo = sandbox.repo();
    assert_eq!(repo.merge_base(two, side).unwrap(), Some(one));
    assert_eq!(repo.merge_base(two, other).unwrap(), None);
    assert!(repo.merge_base(two, parse_id(&[b'1'; 40]).unwrap()).is_err());
}
