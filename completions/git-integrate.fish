# fish completion for "git-integrate", to which fish forwards "git integrate"
# install as ${XDG_CONFIG_HOME:-~/.config}/fish/completions/git-integrate.fish

function __git_parallel_integrate
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    _GIT_PARALLEL_COMPLETE=fish command git-integrate -- $words "$current" 2>/dev/null
end
complete --command git-integrate --keep-order --no-files --arguments '(__git_parallel_integrate)'
