//! placeholder
use crate::{error::Result, git::Repo};
pub struct Entry {
    pub slug: String,
    pub ref_name: String,
}
pub fn entries(_: &Repo) -> Result<Vec<Entry>> {
    Ok(vec![])
}
pub fn expire(_: &Repo, _: i64, _: bool) -> Result<Vec<Entry>> {
    Ok(vec![])
}
