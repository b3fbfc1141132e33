//! Where branches left another one, for many in one process.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Repo, parse_id};
use crate::error::Result;

impl Repo {
    /// For each tip the commit of `base`'s history that all of its own work stands on: the only best common ancestor
    /// of the two, and of the tip and whatever comes of merging others of the tips into `base`. None for a tip that
    /// has no single such commit, or shares commits with another tip that `base` has not.
    ///
    /// # Errors
    /// If a commit is missing.
    pub fn forks(&self, tips: &[ObjectId], base: ObjectId) -> Result<Vec<Option<ObjectId>>> {
        let script: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
        let listed = self.cmd(["rev-list", "--parents", "--stdin"]).poll();
        let listed = listed.stdin(format!("{script}^{base}\n")).run()?;
        let mut parents: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
        for line in listed.lines() {
            let mut ids = line.split_str(" ").map(parse_id);
            let Some(commit) = ids.next().transpose()? else { continue };
            parents.insert(commit, ids.collect::<Result<_>>()?);
        }
        let mut forks: Vec<Option<ObjectId>> = vec![None; tips.len()];
        let mut is_shared = vec![false; tips.len()];
        let mut seen_from: HashMap<ObjectId, usize> = HashMap::new();
        for (at, tip) in tips.iter().enumerate() {
            let mut left: Vec<ObjectId> = Vec::new();
            let mut queue = vec![*tip];
            while let Some(commit) = queue.pop() {
                let Some(before) = parents.get(&commit) else {
                    left.push(commit);
                    continue;
                };
                match seen_from.insert(commit, at) {
                    None => {
                        // A history that ends in none of the base's commits has nothing in common with it.
                        if before.is_empty() {
                            is_shared[at] = true;
                        }
                        queue.extend(before);
                    }
                    Some(other) if other != at => (is_shared[at], is_shared[other]) = (true, true),
                    Some(_) => {}
                }
            }
            left.sort_unstable();
            left.dedup();
            if let [only] = left[..] {
                forks[at] = Some(only);
            }
        }
        forks.iter_mut().zip(is_shared).filter(|(_, shared)| *shared).for_each(|(fork, _)| *fork = None);
        Ok(forks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;

    #[test]
    fn a_fork_is_the_only_commit_that_the_work_stands_on() {
        let sandbox = Sandbox::new();
        let first = sandbox.commit("a", "1\n");
        let branch = |name: &str, from: &str| {
            sandbox.git(["checkout", "-q", "-b", name, from]);
            sandbox.commit(name, "1\n");
        };
        for name in ["alone", "lower", "merged"] {
            branch(name, "main");
        }
        branch("upper", "lower");
        sandbox.git(["checkout", "-q", "main"]);
        let second = sandbox.commit("a", "2\n");
        branch("later", "main");
        sandbox.git(["checkout", "-q", "merged"]);
        sandbox.git(["merge", "-q", "-m", "sync", "main"]);
        sandbox.git(["checkout", "-q", "--orphan", "unrelated"]);
        sandbox.commit("u", "1\n");
        let names = ["alone", "lower", "upper", "merged", "later", "unrelated", "alone~1"];
        let tips: Vec<ObjectId> = names.iter().map(|name| sandbox.id(name)).collect();
        let forks = sandbox.repo().forks(&tips, second).unwrap();
        assert_eq!(forks, [Some(first), None, None, None, Some(second), None, Some(first)]);
        // The same tip twice is shared.
        assert_eq!(sandbox.repo().forks(&[tips[0], tips[0]], second).unwrap(), [None, None]);
    }
}
