//! The train of an integration, before anything is done.

use super::Args;
use crate::commands::Cx;
use crate::error::{Failure, Result};
use crate::integrate::train::{Car, Outcome, Target, Train};
use crate::task::record::Tasks;
use crate::task::{Desk, State};

/// Makes it.
///
/// # Errors
/// If a task that is named can't be integrated.
pub fn plan(cx: &Cx, desk: &Desk<'_>, args: &Args, target: &str) -> Result<Train> {
    let tip =
        cx.repo.find_ref(target)?.ok_or_else(|| Failure::fatal(format!("no such branch: '{target}'")))?;
    let target = Target { ref_name: target.to_owned(), tip };
    let tasks = Tasks::read(desk.repo)?;
    let mut cars = Vec::new();
    for task in &tasks.all {
        let Some(full) = task.branch_ref() else { continue };
        let Some(tip) = cx.repo.find_ref(&full)? else { continue };
        let named = args.tasks.iter().any(|name| name == task.slug.as_str());
        let wanted = args.tasks.is_empty() && task.state_at(Some(tip)) == State::Ready;
        if !named && !wanted {
            continue;
        }
        let message = task.title.clone().unwrap_or_else(|| format!("Merge task '{}'", task.slug));
        cars.push(Car { task: task.clone(), tip, message, outcome: Outcome::Unknown { why: String::new() } });
    }
    Ok(Train { target, ff: args.ff().unwrap_or(cx.settings.integrate.ff), cars })
}
