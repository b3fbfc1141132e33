//! `git pool`.

fn main() -> std::process::ExitCode {
    git_parallel::cli::run(git_parallel::cli::Program::Pool)
}
