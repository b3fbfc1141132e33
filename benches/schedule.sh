#!/bin/sh
# How well `git task run` uses its sessions: the time a run takes against the least that it could take, on
# generated graphs, and what the run itself costs for each task.
#
#     benches/schedule.sh             # all of it
#     benches/schedule.sh 10 100      # graphs of so many tasks
#
# Each task sleeps for a random time, so that the machine's own speed counts for nothing; two out of three come
# after another one. The lower bound is the longer of the critical path and of all the work over the number
# of sessions. Then come tasks that do nothing, whose time is all overhead, and the memory of the run.
# BIN (where the programs are), SEED, JOBS and MILLISECONDS (the mean of a task) may be set.

set -eu

seed=${SEED:-1}
jobs=${JOBS:-3}
mean=${MILLISECONDS:-200}
bin=${BIN:-$(cd "$(dirname "$0")/.." && pwd)/target/release}
[ -x "$bin/git-task" ] || { echo "build first: cargo build --release" >&2; exit 1; }
PATH=$bin:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ADVICE=0
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.com

# A repository with a graph of $1 tasks; $dir/times has "<task> <milliseconds>", $dir/bound the lower bound.
graph() {
    rm -rf "$dir/repo" "$dir/repo-worktrees"
    git init -q -b main "$dir/repo"
    cd "$dir/repo"
    git commit -q --allow-empty -m Begin
    awk -v n="$1" -v seed="$seed" -v jobs="$jobs" -v mean="$mean" -v dir="$dir" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) {
            time = int(mean / 4 + rand() * mean * 1.5)
            before = (i > 0 && rand() < 2 / 3) ? int(rand() * i) : -1
            print "[[task]]\nname = \"t" i "\"" > (dir "/plan.toml")
            if (before >= 0) print "after = [\"t" before "\"]" > (dir "/plan.toml")
            print "t" i, time > (dir "/times")
            end[i] = time + (before >= 0 ? end[before] : 0)
            if (end[i] > path) path = end[i]
            work += time
        }
        bound = work / jobs > path ? work / jobs : path
        print int(bound), int(path), int(work) > (dir "/bound")
    }' </dev/null
    git -c task.limit=100000 task add -q --from "$dir/plan.toml" >/dev/null
}

# Seconds that the run took, from its last event.
took() {
    sed -n 's/.*"event":"over".*"seconds":\([0-9.]*\).*/\1/p' "$dir/events"
}

[ $# -gt 0 ] || set -- 10 100 1000
echo "$jobs sessions at once, tasks of $mean ms in the mean, seed $seed"
for count; do
    graph "$count"
    read -r bound path work <"$dir/bound"
    git task run -q -j "$jobs" --json -- \
        sh -c 'exec sleep "$(awk -v t="$GIT_TASK" "\$1 == t { print \$2 / 1000 }" "$0")"' "$dir/times" >"$dir/events"
    awk -v n="$count" -v s="$(took)" -v b="$bound" -v p="$path" -v w="$work" 'BEGIN {
        printf "%5d tasks: %8.2f s, lower bound %8.2f s (critical path %.2f s, work %.2f s): ratio %.3f\n",
            n, s, b / 1000, p / 1000, w / 1000, s * 1000 / b }'
    if [ -x /usr/bin/time ]; then
        /usr/bin/time -f %M -o "$dir/memory" git-task run -q -j "$jobs" --json -- true >"$dir/events"
    else
        git-task run -q -j "$jobs" --json -- true >"$dir/events"
        echo '?' >"$dir/memory"
    fi
    awk -v n="$count" -v s="$(took)" -v m="$(tail -n 1 "$dir/memory")" 'BEGIN {
        printf "%5d tasks that do nothing: %.2f s, %.1f ms for each; peak memory %s KiB\n", n, s, s * 1000 / n, m }'
done
