//! placeholder
use super::Repo;
use super::worktree::Worktree;
use crate::error::*;
use gix::ObjectId;
use std::path::*;
pub struct Request<'a> {
    pub task: &'a [u8],
    pub note: Option<&'a [u8]>,
    pub kept: &'a [PathBuf],
    pub now: i64,
    pub branch: Option<&'a str>,
    pub reason: &'a str,
}
pub enum Snapshot {
    Taken(ObjectId),
    NotByObjects(Vec<PathBuf>),
}
pub fn differs_from(_: &Repo, _: &Worktree, _: gix::ObjectId) -> Result<bool> {
    Ok(true)
}
