//! `pool.*`: how many slots there are, what they start from and where they live.

use super::Reader;
use crate::error::Result;

/// The settings of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// `pool.size`: idle slots to refill up to; absent before `git pool init`.
    pub size: Option<usize>,
    /// `pool.max`: slots to make at most.
    pub max: usize,
    /// `pool.base`: what slots stand at; absent means `task.base`.
    pub base: Option<String>,
    /// `pool.worktreeFormat`.
    pub worktree_format: String,
    /// `pool.maxCache`: bytes of ignored files that a slot may keep at release; absent means any number.
    pub max_cache: Option<usize>,
    /// `task.pool`: `git task add` takes an idle slot.
    pub used_by_add: bool,
}

impl PoolSettings {
    /// Reads them.
    ///
    /// # Errors
    /// If a value makes no sense, with its key.
    pub fn load(read: &Reader<'_>) -> Result<Self> {
        let unlimited = read.text("pool.maxCache").ok().flatten().is_some_and(|v| v == "unlimited");
        Ok(PoolSettings {
            size: read.count("pool.size")?,
            max: read.count("pool.max")?.unwrap_or(16),
            base: read.text("pool.base")?,
            worktree_format: read
                .text("pool.worktreeFormat")?
                .unwrap_or_else(|| "../{repo}-worktrees/pool-{n}".to_owned()),
            max_cache: if unlimited { None } else { read.count("pool.maxCache")? },
            used_by_add: read.boolean("task.pool")?.unwrap_or(true),
        })
    }
}
