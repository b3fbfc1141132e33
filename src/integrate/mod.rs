//! Integration: which tasks, in which order, merged in private and published at once.
//!
//! Planning only looks: [`train`] is a value, which `git integrate -n` prints and [`execute`] follows.
//!
//! Execution, in the order of its steps: the [`journal`] says what is meant; [`merge`] merges car by car in the
//! [`workshop`], a worktree of our own; [`check`] runs what must succeed there, or for several results at once where
//! there is a [`stand`], and then a [`search`] says which task is to blame; [`publish`] moves the target; [`finish`]
//! tidies up. After a stop or a kill [`rebuild`] tells from references and ancestry what is done.

mod apart;
pub mod check;
pub mod conflict;
pub mod execute;
pub mod finish;
pub mod holder;
pub mod journal;
pub mod merge;
pub mod order;
pub mod overlap;
pub mod place;
pub mod plan;
pub mod publish;
pub mod pushing;
pub mod rebuild;
pub mod rehearse;
pub mod repair;
pub mod scope;
pub mod search;
pub mod select;
pub mod stand;
pub mod submodules;
pub mod suggest;
mod thin;
pub mod train;
pub mod undo;
pub mod workshop;
