# fish completion for "git-task", to which fish forwards "git task"
# install as ${XDG_CONFIG_HOME:-~/.config}/fish/completions/git-task.fish

function __git_parallel_task
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    _GIT_PARALLEL_COMPLETE=fish command git-task -- $words "$current" 2>/dev/null
end
complete --command git-task --keep-order --no-files --arguments '(__git_parallel_task)'
