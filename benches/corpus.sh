#!/usr/bin/env bash
# Makes the merges in a repository's history again: what `git integrate -n` foretells against `git merge`.
#
#   cargo build --release && benches/corpus.sh <repository> [<how many merges>]
#
# The repository is only read. Each merge commit with two parents is made again, the newest first: the first
# parent is the target, the second the tip of a task. Ends with 1 if a forecast was wrong.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")/.." && pwd)
export PATH="${BIN:-$here/target/release}:$PATH"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_ADVICE=0
for who in AUTHOR COMMITTER; do export GIT_${who}_NAME=corpus GIT_${who}_EMAIL=corpus@localhost; done
source=$(cd "$1" && pwd)
limit=${2:-1000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git clone -q --shared --no-checkout "$source" "$work/repo"
cd "$work/repo"
git config gc.auto 0
git config task.t.branch corpus/task
git config task.t.base corpus/target
git config task.t.state ready
git worktree add -q --detach "$work/real" HEAD

clean=0 conflict=0 wrong=0 contained=0 skipped=0
ours_ns=0 theirs_ns=0
complain() { wrong=$((wrong + 1)); echo "wrong: $*"; }
now() { date +%s%N; }

# The kinds in git's messages; what is binary git reports a second time as content.
kinds() { sed -n 's/^CONFLICT (\([^)]*\)).*/\1/p' "$work/said" | sort -u; }

while read -r merge one two; do
    git update-ref refs/heads/corpus/target "$one"
    git update-ref refs/heads/corpus/task "$two"
    git config task.t.readyTip "$two"
    from=$(now)
    git-integrate -n --json t >"$work/json" 2>"$work/err" || true
    ours_ns=$((ours_ns + $(now) - from))
    result=$(sed -n 's/.*"result": "\(.*\)".*/\1/p' "$work/json")
    git -C "$work/real" checkout -q -f --detach "$one"
    from=$(now)
    code=0
    git -C "$work/real" merge --no-ff --no-edit -q "$two" >"$work/said" 2>&1 || code=$?
    theirs_ns=$((theirs_ns + $(now) - from))
    case $result in
    merged)
        tree=$(sed -n 's/.*"tree": "\(.*\)".*/\1/p' "$work/json")
        real=$(git -C "$work/real" rev-parse 'HEAD^{tree}')
        if [ "$code" = 0 ] && [ "$tree" = "$real" ]; then clean=$((clean + 1)); else complain "$merge: merged, $code"; fi
        ;;
    conflict)
        git-integrate -n --porcelain -z t 2>/dev/null | tr '\0' '\n' >"$work/lines" || true
        sed -n 's/^conflict t \("[^"]*"\|[^ ]*\) .*/\1/p' "$work/lines" | tr -d '"' | sort -u >"$work/kinds"
        sed -n 's/^conflict t \("[^"]*"\|[^ ]*\) //p' "$work/lines" | sed 's|~corpus_task|~THEIRS|' | sort -u >"$work/paths"
        git -C "$work/real" diff --name-only -z --diff-filter=U | tr '\0' '\n' | sed "s|~$two|~THEIRS|" | sort -u >"$work/unmerged"
        if grep -qx binary "$work/kinds" && ! grep -qx content "$work/kinds"; then
            kinds | grep -vx content >"$work/real-kinds" || true
            grep -vx binary "$work/kinds" >"$work/ours-kinds" || true
        else
            kinds >"$work/real-kinds"
            grep -vx binary "$work/kinds" >"$work/ours-kinds" || true
        fi
        if [ "$code" = 1 ] && cmp -s "$work/ours-kinds" "$work/real-kinds" &&
            [ -z "$(comm -13 "$work/paths" "$work/unmerged")" ]; then
            conflict=$((conflict + 1))
        else
            complain "$merge: conflict, $code"
        fi
        git -C "$work/real" reset -q --hard
        git -C "$work/real" clean -qfdx
        ;;
    contained | empty)
        # Nothing is merged: git has to agree that nothing would change.
        real=$(git -C "$work/real" rev-parse 'HEAD^{tree}')
        if [ "$real" = "$(git rev-parse "$one^{tree}")" ]; then
            contained=$((contained + 1))
        elif grep -q PatchId "$work/json"; then
            contained=$((contained + 1))
        else
            complain "$merge: $result, $code"
        fi
        git -C "$work/real" reset -q --hard
        ;;
    skipped)
        if [ "$code" = 128 ]; then skipped=$((skipped + 1)); else complain "$merge: skipped, $code"; fi
        ;;
    *) complain "$merge: $(head -c 300 "$work/err" "$work/json")" ;;
    esac
done < <(git log --merges --min-parents=2 --max-parents=2 -n "$limit" --format='%H %P' HEAD)

echo "$((clean + conflict + contained + skipped + wrong)) merges: $clean clean with the same tree, $conflict conflicts" \
    "of the same kinds and paths, $contained that change nothing, $skipped that git refuses, $wrong wrong"
echo "forecast $((ours_ns / 1000000)) ms, git merge $((theirs_ns / 1000000)) ms in all"
[ "$wrong" = 0 ]
