//! placeholder
use super::Repo;
use crate::error::Result;
use gix::ObjectId;
pub enum Landed {
    Empty,
    Merged,
    SameTree,
    PatchId,
    No,
}
impl Repo {
    pub fn landed(&self, _: ObjectId, _: Option<ObjectId>, _: ObjectId) -> Result<Landed> {
        Ok(Landed::No)
    }
}
