//! The train of an integration, before anything is done.

use super::{Args, preview, request};
use crate::commands::Cx;
use crate::error::Result;
use crate::integrate::plan::{self, Request};
use crate::integrate::train::Train;
use crate::task::Desk;

/// Makes it, and says what a scope has to be warned about.
///
/// # Errors
/// If a task that is named can't be integrated.
pub fn plan(cx: &Cx, desk: &Desk<'_>, args: &Args, target: &str) -> Result<Train> {
    let request = Request { into: Some(target.to_owned()), ..request(cx, args) };
    let train = plan::plan(desk, &request)?.expect("the target is given, so that there is a train");
    preview::warn_of_scopes(cx, &train.cars);
    Ok(train)
}
