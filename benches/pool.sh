#!/usr/bin/env bash
# The figures of git pool, as ratios against plain git in the same run.
#
#   cargo build --release && benches/pool.sh [claim|behind|many|storm|build]...
#
# FILES, ROUNDS, SLOTS, OPERATIONS and PROCESSES change the sizes. Needs bash and git. Everything is made in a
# temporary directory.
. "$(dirname "$0")/common.sh"
rounds=${ROUNDS:-9}

row() { printf '%-58s %9s ms %9s ms   %s / 1\n' "$1" "$(ms "$2")" "$(ms "$3")" "$(awk -v a="$3" -v b="$2" 'BEGIN {printf "%.2f", a/b}')"; }

floor() { git update-ref "refs/heads/$1" HEAD && git -C "$2" symbolic-ref HEAD "refs/heads/$1"; }
plain() { git worktree add --no-track -b "$1" "$work/$1"; }

# A claim where the slot stands there already, against git worktree add and against the bare references.
claim() {
    local files i dir
    for files in ${FILES:-300 3000 30000 100000}; do
        dir=$work/c$files
        repository "$dir" "$files"
        cd "$dir"
        git pool init -q 1
        git worktree add -q --detach "$work/floor$files"
        git pool claim --no-refill warm >/dev/null 2>&1 && git pool release -q warm
        for i in $(seq "$rounds"); do
            timed "$work/c$files.ours" git pool claim --no-refill "t$i"
            git pool release -q "t$i"
            timed "$work/c$files.refs" floor "f$i" "$work/floor$files"
            git -C "$work/floor$files" checkout -q --detach
            timed "$work/c$files.git" plain "g$i"
            git worktree remove --force "$work/g$i"
        done
        row "claim / worktree add -b ($files files)" "$(median "$work/c$files.ours")" "$(median "$work/c$files.git")"
        row "claim / update-ref + symbolic-ref ($files files)" "$(median "$work/c$files.ours")" "$(median "$work/c$files.refs")"
        cd / && rm -rf "$dir" "$dir-worktrees" "$work/floor$files"
    done
}

# The same for a slot that is some changed files behind.
behind() {
    local changed i n dir=$work/behind
    repository "$dir" "${BEHIND_FILES:-30000}"
    cd "$dir"
    git pool init -q 1
    for changed in ${CHANGED:-10 1000}; do
        for i in $(seq "$rounds"); do
            for n in $(seq "$changed"); do echo "$changed $i" >>"d$((n % 100))/f$((n % 100 * 100 + n / 100)).txt"; done
            git commit -q -a -m "$changed $i"
            timed "$work/b$changed.ours" git pool claim --no-refill "t$changed-$i"
            git pool release -q "t$changed-$i"
            timed "$work/b$changed.git" plain "g$changed-$i"
            git worktree remove --force "$work/g$changed-$i"
        done
        row "claim, $changed files behind / worktree add -b" "$(median "$work/b$changed.ours")" "$(median "$work/b$changed.git")"
    done
}

# As many claims at once as there are slots, against as many in a row.
many() {
    local n=${SLOTS:-100} dir=$work/many i from together row_time distinct
    repository "$dir" 300
    cd "$dir"
    git config pool.max "$n"
    git pool init -q "$n"
    from=$(now)
    for i in $(seq "$n"); do git pool claim --no-refill >"$work/m$i" 2>/dev/null & done
    wait
    together=$(($(now) - from))
    distinct=$(cat "$work"/m[0-9]* | sort -u | wc -l)
    for i in $(seq "$n"); do git pool release -q "$i"; done
    from=$(now)
    for i in $(seq "$n"); do git pool claim --no-refill >/dev/null; done
    row_time=$(($(now) - from))
    row "$n claims at once / in a row" "$together" "$row_time"
    echo "distinct slots: $distinct of $n"
    for i in $(seq "$rounds"); do timed "$work/m.list" git pool list; timed "$work/m.plain" git worktree list; done
    row "git pool list, $n slots / git worktree list" "$(median "$work/m.list")" "$(median "$work/m.plain")"
}

# One of several processes that claim and release; a slot that somebody else has too is seen by a directory.
worker() {
    local i out slot lease dir
    for i in $(seq "$2"); do
        out=$(git pool claim --no-refill --wait=10m --json) || { echo "claim failed" >>"$work/storm.bad"; continue; }
        slot=$(sed -n 's/.*"slot": "\(.*\)".*/\1/p' <<<"$out")
        lease=$(sed -n 's/.*"lease": "\(.*\)".*/\1/p' <<<"$out")
        mkdir "$work/held/$slot" 2>/dev/null || echo "two have slot $slot" >>"$work/storm.bad"
        rmdir "$work/held/$slot" 2>/dev/null || true
        git pool release -q --lease "$lease" "$slot" || echo "release failed" >>"$work/storm.bad"
        echo >>"$work/storm.done.$1"
    done
}

storm() {
    local processes=${PROCESSES:-16} operations=${OPERATIONS:-10000} dir=$work/storm i from
    repository "$dir" 300
    cd "$dir"
    git config pool.max 12
    git pool init -q 12
    mkdir "$work/held"
    : >"$work/storm.bad"
    from=$(now)
    for i in $(seq "$processes"); do worker "$i" $((operations / 2 / processes)) & done
    wait
    echo "$(cat "$work"/storm.done.* | wc -l) claims and as many releases by $processes processes in $(ms $(($(now) - from))) ms"
    echo "wrong: $(wc -l <"$work/storm.bad")"; sort "$work/storm.bad" | uniq -c | head
    echo "slots afterwards: $(git pool list --format='%(state)' | sort | uniq -c | xargs)"
    git pool repair -n && git fsck --no-dangling --no-progress && echo "nothing to repair"
}

# A build of this project with the cache of a slot, against one in a fresh worktree.
build() {
    git clone -q "$here" "$work/project"
    cd "$work/project"
    git pool init -q 1
    local dir
    dir=$(git pool claim --no-refill first)
    (cd "$dir" && cargo build -q --offline)
    (cd "$dir" && git pool release -q)
    dir=$(git pool claim --no-refill second)
    timed "$work/build.ours" env -C "$dir" cargo build -q --offline
    git worktree add -q --no-track -b fresh "$work/fresh"
    timed "$work/build.git" env -C "$work/fresh" cargo build -q --offline
    row "cargo build after a claim / in a fresh worktree" "$(median "$work/build.ours")" "$(median "$work/build.git")"
}

[ $# -gt 0 ] || set -- claim behind many storm
git --version
for figure in "$@"; do "$figure"; done
