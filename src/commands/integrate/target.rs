//! Which branch an integration moves.

use super::Args;
use crate::commands::Cx;
use crate::error::{Failure, Result};

/// The target by full name.
///
/// # Errors
/// If it is no local branch, in git's words.
pub fn resolve(cx: &Cx, args: &Args) -> Result<String> {
    let name = match args.into.clone().or_else(|| cx.settings.integrate.into.clone()) {
        Some(name) => name,
        None => match cx.settings.base.clone() {
            Some(name) => name,
            None => cx.repo.head_branch()?.ok_or_else(|| Failure::fatal("HEAD is detached"))?,
        },
    };
    let full = if name.starts_with("refs/heads/") { name } else { format!("refs/heads/{name}") };
    Ok(full)
}
