//! One painted walk for all tips of a base.
//!
//! Every commit carries a bit for each tip that reaches it and one for the base. The walk goes from the
//! youngest commit down and hands each commit's bits to its parents; a parent that was passed before gets the
//! new ones and is passed again, so the order decides only how soon it may end, never what it finds. A commit
//! with all bits is common to all and counts for nobody: when only such are left, their ancestors are common
//! too, and the walk is over, unless one of these ancestors was passed before it was known to be one.
//!
//! With a commit-graph that can't be: the order is by generation, and what comes later is no descendant. For
//! commits that are not in the graph, the order is by date, and dates may be wrong. Then the walk goes on for
//! [`SLOP`] commits past the oldest one that counts (git's `limit_list()` goes on for 5).

use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use gix::ObjectId;

use super::AheadBehind;

/// So many commits that are common to all are looked at before the dates are believed.
const SLOP: usize = 256;

/// So many are looked at in any case: a single commit of 1970 must not make every list read all of history.
const MAX_SLOP: usize = 20_000;

/// The generation of commits that are not in the commit-graph.
const NO_GENERATION: u32 = u32::MAX;

/// The commits that were read so far, for several walks.
pub(super) struct Commits<'a> {
    gix: &'a gix::Repository,
    graph: Option<gix::commitgraph::Graph>,
    /// Commits whose parents are not here, although they name some.
    shallow: Vec<ObjectId>,
    places: HashMap<ObjectId, u32>,
    all: Vec<Commit>,
}

#[derive(Clone)]
struct Commit {
    id: ObjectId,
    /// None until the commit was read.
    read: Option<Read>,
}

#[derive(Clone)]
struct Read {
    /// Above that of every parent, or [`NO_GENERATION`].
    generation: u32,
    /// Committer date, seconds since the epoch.
    date: i64,
    parents: Vec<u32>,
}

impl<'a> Commits<'a> {
    /// None if the graph is not what the commits say, and git has to be asked.
    pub(super) fn new(gix: &'a gix::Repository, common_dir: &Path) -> Option<Self> {
        let is_replaced = gix.objects.store_ref().replacements().next().is_some();
        if is_replaced || common_dir.join("info/grafts").exists() {
            return None;
        }
        let mut shallow: Vec<ObjectId> =
            gix.shallow_commits().ok()?.map(|all| all.iter().copied().collect()).unwrap_or_default();
        shallow.sort_unstable();
        // As git does it: the graph knows nothing of a shallow boundary.
        let graph = if shallow.is_empty() { gix.commit_graph_if_enabled().ok().flatten() } else { None };
        Some(Commits { gix, graph, shallow, places: HashMap::new(), all: Vec::new() })
    }

    /// For each tip how far it is from `base`; nothing where a commit can't be read.
    pub(super) fn ahead_behind(&mut self, base: ObjectId, tips: &[ObjectId]) -> Vec<Option<AheadBehind>> {
        let mut starts: Vec<u32> = Vec::new();
        // A tip that is missing must not spoil the others.
        let known: Vec<Option<u32>> = tips.iter().map(|tip| self.read(*tip)).collect();
        let Some(base) = self.read(base) else { return vec![None; tips.len()] };
        starts.extend(known.iter().flatten());
        starts.sort_unstable();
        starts.dedup();
        let Some(counts) = self.paint(base, &starts) else { return vec![None; tips.len()] };
        let count = |tip: u32| counts[starts.binary_search(&tip).expect("each known tip is a start")];
        known.into_iter().map(|tip| tip.map(count)).collect()
    }

    fn place(&mut self, id: ObjectId) -> u32 {
        let next = u32::try_from(self.all.len()).expect("fewer than 2^32 commits");
        let place = *self.places.entry(id).or_insert(next);
        if place == next {
            self.all.push(Commit { id, read: None });
        }
        place
    }

    /// Reads a commit, from the commit-graph if it is there. None if it can't be read or is none.
    fn read(&mut self, id: ObjectId) -> Option<u32> {
        let place = self.place(id);
        self.data(place)?;
        Some(place)
    }

    fn data(&mut self, place: u32) -> Option<&Read> {
        if self.all[place as usize].read.is_none() {
            let id = self.all[place as usize].id;
            let (generation, date, parents) = match self.in_graph(id) {
                Some(found) => found,
                None => self.in_objects(id)?,
            };
            let parents = parents.into_iter().map(|parent| self.place(parent)).collect();
            self.all[place as usize].read = Some(Read { generation, date, parents });
        }
        self.all[place as usize].read.as_ref()
    }

    fn in_graph(&self, id: ObjectId) -> Option<(u32, i64, Vec<ObjectId>)> {
        let graph = self.graph.as_ref()?;
        let commit = graph.commit_by_id(id)?;
        let parents =
            commit.iter_parents().map(|p| Some(graph.id_at(p.ok()?).to_owned())).collect::<Option<_>>()?;
        let generation = match commit.generation() {
            // Written by a git that had no generations yet, or too deep for them.
            0 | gix::commitgraph::GENERATION_NUMBER_MAX.. => NO_GENERATION,
            generation => generation,
        };
        Some((generation, i64::try_from(commit.committer_timestamp()).ok()?, parents))
    }

    fn in_objects(&self, id: ObjectId) -> Option<(u32, i64, Vec<ObjectId>)> {
        let commit = self.gix.find_commit(id).ok()?;
        let date = commit.time().map_or(0, |time| time.seconds);
        let parents = match self.shallow.binary_search(&id) {
            Ok(_) => Vec::new(),
            Err(_) => commit.parent_ids().map(gix::Id::detach).collect(),
        };
        Some((NO_GENERATION, date, parents))
    }

    /// The walk: the counts for each of `tips`.
    fn paint(&mut self, base: u32, tips: &[u32]) -> Option<Vec<AheadBehind>> {
        let mut paint = Paint::new(tips.len() + 1);
        for (bit, place) in std::iter::once(&base).chain(tips).enumerate() {
            let mut bits = vec![0; paint.words];
            bits[bit / 64] = 1 << (bit % 64);
            paint.add(*place, &bits, self)?;
        }
        // How many commits in a row were common to all, and the oldest date of one that was not.
        let (mut common, mut oldest) = (0, i64::MAX);
        while let Some(next) = paint.queue.peek() {
            if paint.pending == 0 {
                let sure = next.generation != NO_GENERATION;
                let believed =
                    self.graph.is_none() && (common >= MAX_SLOP || (common >= SLOP && next.date < oldest));
                if sure || believed {
                    break;
                }
                common += 1;
            } else {
                common = 0;
            }
            let place = paint.queue.pop().expect("it was peeked at").place;
            paint.queued[place as usize] = false;
            let bits = paint.bits_of(place).to_vec();
            let read = self.data(place)?.clone();
            if bits != paint.full {
                paint.pending -= 1;
                oldest = oldest.min(read.date);
            }
            for parent in read.parents {
                paint.add(parent, &bits, self)?;
            }
        }
        Some(paint.count(tips.len()))
    }
}

/// The bits of every commit, and the queue of those to be passed.
struct Paint {
    /// Words of 64 bits for each commit.
    words: usize,
    full: Vec<u64>,
    bits: Vec<u64>,
    queued: Vec<bool>,
    queue: BinaryHeap<Next>,
    /// How many in the queue are not common to all.
    pending: usize,
}

/// The order of the walk: by generation, then by date.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    generation: u32,
    date: i64,
    place: u32,
}

impl Paint {
    fn new(bits: usize) -> Self {
        let words = bits.div_ceil(64);
        let mut full = vec![u64::MAX; words];
        if !bits.is_multiple_of(64) {
            full[words - 1] = (1 << (bits % 64)) - 1;
        }
        Paint { words, full, bits: Vec::new(), queued: Vec::new(), queue: BinaryHeap::new(), pending: 0 }
    }

    fn bits_of(&self, place: u32) -> &[u64] {
        let from = place as usize * self.words;
        &self.bits[from..from + self.words]
    }

    /// Gives a commit these bits, and queues it if some are new.
    fn add(&mut self, place: u32, new: &[u64], commits: &mut Commits) -> Option<()> {
        let (at, from) = (place as usize, place as usize * self.words);
        if self.queued.len() <= at {
            self.queued.resize(at + 1, false);
            self.bits.resize((at + 1) * self.words, 0);
        }
        let bits = &mut self.bits[from..from + self.words];
        let (was_full, mut changed) = (*bits == *self.full, false);
        for (word, new) in bits.iter_mut().zip(new) {
            changed |= new & !*word != 0;
            *word |= new;
        }
        if !changed {
            return Some(());
        }
        let is_full = *bits == *self.full;
        if self.queued[at] {
            self.pending -= usize::from(is_full && !was_full);
            return Some(());
        }
        let read = commits.data(place)?;
        self.queue.push(Next { generation: read.generation, date: read.date, place });
        self.queued[at] = true;
        self.pending += usize::from(!is_full);
        Some(())
    }

    /// Bit 0 is the base's, and bit n + 1 that of the tip n.
    fn count(&self, tips: usize) -> Vec<AheadBehind> {
        let mut counts = vec![AheadBehind::default(); tips];
        // Most commits are the base's alone: they are behind for every tip.
        let mut base_alone = 0;
        for bits in self.bits.chunks_exact(self.words) {
            let of_base = bits[0] & 1 != 0;
            if of_base && bits[0] == 1 && bits[1..].iter().all(|word| *word == 0) {
                base_alone += 1;
                continue;
            }
            if bits == self.full {
                continue;
            }
            for (word, (have, all)) in bits.iter().zip(&self.full).enumerate() {
                // Of a commit that the base has, those who have it not; otherwise those who have it.
                let mut left = if of_base { all & !have } else { *have };
                while left != 0 {
                    let bit = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    match of_base {
                        true => counts[bit - 1].behind += 1,
                        false => counts[bit - 1].ahead += 1,
                    }
                }
            }
        }
        for count in &mut counts {
            count.behind += base_alone;
        }
        counts
    }
}
