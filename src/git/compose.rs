//! Trees made of another tree and some changes, in process: what a merge comes to where nothing meets.

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::tree::Editor;
use gix::objs::{Data, Find, FindExt, Tree, WriteTo as _};

use super::Repo;
use super::changes::Delta;
use super::scratch::Scratch;
use crate::error::{OrFatal, Result};

/// The objects of a scratch and those of the repository.
struct Both<'a> {
    scratch: gix::odb::loose::Store,
    repo: &'a gix::Repository,
}

impl Find for Both<'_> {
    fn try_find<'a>(&self, id: &gix::oid, buffer: &'a mut Vec<u8>) -> gix::error::Result<Option<Data<'a>>> {
        // In this order, because the repository looks for what it has not got a second time.
        if self.scratch.contains(id) {
            return self.scratch.try_find(id, buffer);
        }
        self.repo.try_find(id, buffer)
    }
}

impl Repo {
    /// The tree that `tree` becomes with these changes, written to the scratch. None if one of them leaves
    /// something there that can't be written.
    ///
    /// # Errors
    /// If a tree is missing, or the scratch can't be written to.
    pub fn with_deltas(
        &self,
        scratch: &Scratch,
        tree: ObjectId,
        deltas: &[Delta],
    ) -> Result<Option<ObjectId>> {
        use super::changes::Kind;
        let failed = || format!("could not change tree {tree}");
        let gix = self.gix();
        let both = Both { scratch: scratch.objects(), repo: &gix };
        let root: Tree = both.find_tree(&tree, &mut Vec::new()).or_fatal(failed)?.into();
        let mut editor = Editor::new(root, &both, tree.kind());
        let parts = |delta: &Delta| -> Vec<gix::bstr::BString> {
            delta.change.path.split_str("/").map(Into::into).collect()
        };
        // A file may come where a directory goes.
        for delta in deltas.iter().filter(|delta| delta.change.kind == Kind::Deleted) {
            editor.remove(parts(delta).iter().map(|part| part.as_bstr())).or_fatal(failed)?;
        }
        for delta in deltas.iter().filter(|delta| delta.change.kind != Kind::Deleted) {
            let Some((kind, id)) = delta.entry else { return Ok(None) };
            editor.upsert(parts(delta).iter().map(|part| part.as_bstr()), kind, id).or_fatal(failed)?;
        }
        let mut bytes = Vec::new();
        let written = editor.write(|tree| {
            bytes.clear();
            tree.write_to(&mut bytes).or_fatal(failed)?;
            scratch.write(gix::objs::Kind::Tree, &bytes)
        });
        written.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;

    #[test]
    fn a_tree_with_changes_is_the_one_that_git_makes() {
        let sandbox = Sandbox::new();
        for path in ["a/b/c", "a/b/d", "a/e", "f", "g/only", "h.x", "h/x"] {
            sandbox.commit(path, "1\n");
        }
        let first = sandbox.id("HEAD^{tree}");
        let repo = sandbox.repo();
        let scratch = Scratch::new(&repo).unwrap();
        for script in [
            "rm -r a/b && echo 2 >a/b",
            "rm f && mkdir f && echo 2 >f/x && echo 2 >f/y",
            "rm -r g h",
            "rm -r g && ln -s f g && chmod +x f && echo 2 >a/b/new && rm h.x",
            "mkdir -p x/y/z && echo 2 >x/y/z/w && git mv a/b x/y/b",
            "git rm -rq .",
        ] {
            sandbox.git(["reset", "-q", "--hard", "HEAD"]);
            sandbox.git(["clean", "-fdxq"]);
            let dir = repo.workdir().unwrap();
            crate::git::process::shell(script, dir, crate::git::no_vars()).run().unwrap();
            sandbox.git(["add", "-A"]);
            let wanted = repo.cmd(["write-tree"]).line().unwrap();
            let wanted = crate::git::parse_id(wanted.as_bytes()).unwrap();
            let deltas = repo.tree_deltas(&scratch, &[(first, wanted)], &[]).unwrap().remove(0);
            assert!(!deltas.is_empty(), "{script}");
            assert_eq!(repo.with_deltas(&scratch, first, &deltas).unwrap(), Some(wanted), "{script}");
        }
    }
}
