package tokenizer

import "container/heap"

// merges say what becomes of two neighbouring tokens.
type merges map[[2]int32]merge

// merge is the token that two become, and when: lower ranks come first.
type merge struct{ rank, id int32 }

// join is byte pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016): of
// all pairs of neighbours that can merge, the leftmost of the lowest rank does, until none can. With rankByRank all
// pairs of one rank merge before those that come out of it are looked at, as in CLIP; else a new pair of lower rank
// goes first, as in Hugging Face's tokenizers. The result shares memory with tokens. Time grows as n log n.
func (m merges) join(tokens []int32, rankByRank bool) []int32 {
	if len(tokens) == 0 {
		return tokens
	}
	w := wordTokens{merges: m, tokens: tokens, next: make([]int32, len(tokens)), prev: make([]int32, len(tokens))}
	last := int32(len(tokens) - 1)
	for i := range int32(len(tokens)) {
		w.prev[i], w.next[i] = i-1, i+1
	}
	w.next[last] = -1
	for i := range last {
		w.push(i)
	}
	var merged []int32
	for len(w.queue) > 0 {
		rank := w.queue[0].rank
		merged = merged[:0]
		for len(w.queue) > 0 && w.queue[0].rank == rank {
			if p := heap.Pop(&w.queue).(rankedPair); w.join(p) {
				merged = append(merged, p.left)
				if !rankByRank {
					break
				}
			}
		}
		for _, i := range merged {
			w.push(w.prev[i])
			w.push(i)
		}
	}
	out := w.tokens[:0] // i never falls behind the end of out
	for i := int32(0); i >= 0; i = w.next[i] {
		out = append(out, w.tokens[i])
	}
	return out
}

// wordTokens is a word while its tokens merge: a list linked by position, and a queue of pairs that can merge.
type wordTokens struct {
	merges             merges
	tokens, prev, next []int32 // a token that was merged into its left neighbour is -1
	queue              pairQueue
}

// push queues the pair that begins at i, if there is one and it can merge.
func (w *wordTokens) push(i int32) {
	if i < 0 || w.tokens[i] < 0 || w.next[i] < 0 {
		return
	}
	if m, ok := w.merges[[2]int32{w.tokens[i], w.tokens[w.next[i]]}]; ok {
		heap.Push(&w.queue, rankedPair{m.rank, i})
	}
}

// join merges the pair p, unless one of its tokens has changed since p was queued. A rank belongs to one pair only.
func (w *wordTokens) join(p rankedPair) bool {
	i := p.left
	if w.tokens[i] < 0 || w.next[i] < 0 {
		return false
	}
	right := w.next[i]
	m, ok := w.merges[[2]int32{w.tokens[i], w.tokens[right]}]
	if !ok || m.rank != p.rank {
		return false
	}
	w.tokens[i], w.tokens[right] = m.id, -1
	w.next[i] = w.next[right]
	if w.next[i] >= 0 {
		w.prev[w.next[i]] = i
	}
	return true
}

// rankedPair is a pair of neighbouring tokens that can merge, by the position of the left one.
type rankedPair struct{ rank, left int32 }

// pairQueue is a heap of pairs by rank, then position.
type pairQueue []rankedPair

func (q pairQueue) Len() int { return len(q) }
func (q pairQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].left < q[j].left
}
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairQueue) Push(x any)   { *q = append(*q, x.(rankedPair)) }
func (q *pairQueue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}
