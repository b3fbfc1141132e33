//! placeholder
use super::Repo; use super::worktree::Worktree; use crate::error::Result;
pub fn differs_from(_: &Repo, _: &Worktree, _: gix::ObjectId) -> Result<bool> { Ok(true) }
