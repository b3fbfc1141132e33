# bash completion for "git-task" and "git task"
# install as ${XDG_DATA_HOME:-~/.local/share}/bash-completion/completions/git-task

# $1 is the word under the cursor as typed; the rest are the words after the command's name, with that one.
__git_parallel_task() {
    local cur=$1 IFS=$'\n' reply globs=
    shift
    local -a run=(command git-task) words=("$@")
    words[${#words[@]}-1]=$cur
    # git -C <dir> and --git-dir=<dir>, as git's own completion collects them
    if [[ ${__git_C_args-}${__git_dir-} ]]; then
        local arg dequoted_word
        run=(command git)
        for arg in ${__git_C_args[@]+"${__git_C_args[@]}"} ${__git_dir:+--git-dir="$__git_dir"}; do
            dequoted_word=$arg
            declare -F __git_dequote >/dev/null && __git_dequote "$arg"
            run+=("$dequoted_word")
        done
        run+=(task)
    fi
    COMPREPLY=()
    # The program knows where a file is wanted; bash's own guess would offer files everywhere.
    compopt +o default +o bashdefault +o nospace 2>/dev/null
    reply=$(_GIT_PARALLEL_COMPLETE=bash _GIT_PARALLEL_WORDBREAKS=$COMP_WORDBREAKS \
        "${run[@]}" -- git-task "${words[@]}" 2>/dev/null) || return 0
    # A word is not a pattern.
    [[ $- == *f* ]] || globs=1
    set -f
    COMPREPLY=($reply)
    [[ $globs ]] && set +f
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

# "git task <TAB>": called by git's own completion, which has set cur, words, cword and __git_cmd_idx.
_git_task() {
    local i=${__git_cmd_idx:-1}
    __git_parallel_task "$cur" "${words[@]:i+1:cword-i}"
}

# "git-task <TAB>"
__git_parallel_task_direct() {
    local cur prev words cword __git_C_args __git_dir
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: cur prev words cword
    else
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}
    fi
    __git_parallel_task "$cur" "${words[@]:1:cword}"
}
complete -o bashdefault -o default -o nospace -F __git_parallel_task_direct git-task
