#!/usr/bin/env bash
# The figures of git task, as ratios against plain git doing the same in the same run.
#
#   cargo build --release && benches/task.sh [start|add|list|parallel|memory]...
#
# Needs bash, git and GNU time (for memory). Everything is made in a temporary directory.
. "$(dirname "$0")/common.sh"
rounds=${ROUNDS:-7}

row() { printf '%-52s %10s ms %10s ms   ratio %s\n' "$1" "$(ms "$2")" "$(ms "$3")" "$(ratio "$2" "$3")"; }

start() {
    repository "$work/small" 20
    cd "$work/small"
    git task add -q one two three >/dev/null 2>&1
    local i
    for i in $(seq 40); do
        timed "$work/s.ours" git-task list
        timed "$work/s.list" git worktree list
        timed "$work/s.head" git rev-parse HEAD
    done
    row "git-task list / git worktree list (3 tasks)" "$(median "$work/s.ours")" "$(median "$work/s.list")"
    row "git-task list / git rev-parse HEAD" "$(median "$work/s.ours")" "$(median "$work/s.head")"
}

add() {
    repository "$work/large" "${FILES:-30000}"
    cd "$work/large"
    local i
    for i in $(seq 0 "$rounds"); do
        rm -f "$work/a.skip"
        # The first round only warms the caches up.
        local to=; [ "$i" -gt 0 ] || to=.skip
        timed "$work/a.ours$to" git task add "t$i"
        timed "$work/a.git$to" git worktree add --no-track -b "g$i" "$work/g$i"
        git worktree remove --force "$work/g$i"
        git task rm -q -f "t$i"
    done
    row "git task add / git worktree add -b (${FILES:-30000} files)" "$(median "$work/a.ours")" "$(median "$work/a.git")"
}

status_of_each() { local d; git worktree list >/dev/null; for d in "$@"; do git -C "$d" status --porcelain; done; }

list() {
    local n i
    for n in ${TASKS:-10 100 500}; do
        repository "$work/list$n" "${LIST_FILES:-300}"
        cd "$work/list$n"
        git -c task.limit=1000 task add -q $(seq -f 't%g' "$n") >/dev/null 2>&1
        # Some have commits, some are dirty, the base moves on: as in real work.
        for i in $(seq 1 3 "$n"); do
            (cd "../list$n-worktrees/t$i" && echo "$i" >>d0/f1.txt && git commit -qam "work $i")
        done
        for i in $(seq 2 5 "$n"); do echo dirty >"../list$n-worktrees/t$i/new"; done
        echo base >>d1/f101.txt
        git commit -qam base
        for i in $(seq "$rounds"); do
            timed "$work/l$n.ours" git task list
            timed "$work/l$n.git" status_of_each "../list$n-worktrees"/*
        done
        row "git task list / worktree list + status each ($n)" "$(median "$work/l$n.ours")" "$(median "$work/l$n.git")"
    done
}

parallel() {
    repository "$work/par" "${PAR_FILES:-300}"
    cd "$work/par"
    local i from together row_time failures=0
    from=$(now)
    for i in $(seq 50); do git task add -q "p$i" >/dev/null 2>"$work/p$i.err" & done
    for i in $(jobs -p); do wait "$i" || failures=$((failures + 1)); done
    together=$(($(now) - from))
    from=$(now)
    for i in $(seq 50); do git task add -q "r$i" >/dev/null 2>&1; done
    row_time=$(($(now) - from))
    row "50 adds at once / 50 in a row" "$together" "$row_time"
    echo "failures: $failures"
    echo "leftovers: $(($(git branch | wc -l) - 101)) branches, $(($(git worktree list | wc -l) - 101)) worktrees," \
        "$(find .git -name '*.lock' -o -path '*/intents/*' -type f | wc -l) locks and intents"
}

memory() {
    local dir=$work/list500
    [ -d "$dir" ] || TASKS=500 list >/dev/null
    cd "$dir"
    /usr/bin/time -f 'peak memory of git-task list with 500 tasks: %M KiB' git-task list 2>&1 >/dev/null | tail -1
}

[ $# -gt 0 ] || set -- start add list parallel memory
git --version
for figure in "$@"; do "$figure"; done
