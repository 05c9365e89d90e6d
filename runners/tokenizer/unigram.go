package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// unigram is SentencePiece's unigram model (Kudo, "Subword Regularization", 2018): of all ways to cut a word into
// pieces the one of the highest sum of scores.
type unigram struct {
	pieces  []piece // sorted by text
	ids     map[string]int32
	scores  []float64
	unknown int32
	least   float64 // score of a character that is no piece
}

type piece struct {
	text string
	id   int32
}

// maxPiece bounds a piece of a vocabulary, in bytes.
const maxPiece = 512

// scoredPiece is a piece with its score, as tokenizer.json has it: ["▁dog", -8.5].
type scoredPiece struct {
	text  string
	score float64
}

func (p *scoredPiece) UnmarshalJSON(data []byte) error {
	if err := unmarshalPair(data, &p.text, &p.score); err != nil {
		return fmt.Errorf("piece %.80s is no text with a score", data)
	}
	return nil
}

func newUnigram(vocab []scoredPiece, unknown *int32) (*unigram, error) {
	if unknown == nil || *unknown < 0 || int(*unknown) >= len(vocab) {
		return nil, fmt.Errorf("unk_id is missing or no id of the vocabulary's %d", len(vocab))
	}
	u := &unigram{ids: make(map[string]int32, len(vocab)), scores: make([]float64, len(vocab)), unknown: *unknown,
		least: math.Inf(1)}
	for i, p := range vocab {
		if p.text == "" || len(p.text) > maxPiece || math.IsNaN(p.score) || math.IsInf(p.score, 0) {
			return nil, fmt.Errorf("piece %d, %.80q with score %v: want 1 to %d bytes and a number", i, p.text, p.score,
				maxPiece)
		}
		u.scores[i], u.ids[p.text] = p.score, int32(i)
		u.least = min(u.least, p.score)
	}
	u.least -= 10 // SentencePiece's penalty for what it does not know
	for text, id := range u.ids {
		u.pieces = append(u.pieces, piece{text, id})
	}
	slices.SortFunc(u.pieces, func(a, b piece) int { return strings.Compare(a.text, b.text) })
	return u, nil
}

// appendIDs finds the best path by Viterbi's algorithm over bytes. A later path counts only if it is strictly better,
// and neighbouring unknown characters become one id.
func (u *unigram) appendIDs(ids []int32, word string, _ bool) []int32 {
	type node struct {
		score float64
		from  int
		id    int32
		known bool // is reached
	}
	best := make([]node, len(word)+1)
	reach := func(at, from int, id int32, score float64) {
		if n := &best[at]; !n.known || score > n.score {
			*n = node{score, from, id, true}
		}
	}
	for at := 0; at < len(word); {
		_, size := utf8.DecodeRuneInString(word[at:])
		single := false
		u.prefixes(word[at:], func(p piece) {
			reach(at+len(p.text), at, p.id, best[at].score+u.scores[p.id])
			single = single || len(p.text) == size
		})
		if !single {
			reach(at+size, at, u.unknown, best[at].score+u.least)
		}
		at += size
	}
	first := len(ids)
	for end := len(word); end > 0; {
		from, id := best[end].from, best[end].id
		for id == u.unknown && from > 0 && best[from].id == u.unknown {
			from = best[from].from
		}
		if same, ok := u.ids[word[from:end]]; ok {
			id = same
		}
		ids = append(ids, id)
		end = from
	}
	slices.Reverse(ids[first:])
	return ids
}

// prefixes calls found for every piece that text begins with, shortest first.
func (u *unigram) prefixes(text string, found func(piece)) {
	from, to := 0, len(u.pieces)
	for n := 1; n <= min(len(text), maxPiece) && from < to; n++ {
		// Pieces from..to-1 agree with text in n-1 bytes; those of exactly n-1 bytes are behind us.
		c := text[n-1]
		byteAt := func(i int) int {
			if s := u.pieces[i].text; len(s) >= n {
				return int(s[n-1])
			}
			return -1
		}
		from += sort.Search(to-from, func(i int) bool { return byteAt(from+i) >= int(c) })
		to = from + sort.Search(to-from, func(i int) bool { return byteAt(from+i) > int(c) })
		if from < to && len(u.pieces[from].text) == n {
			found(u.pieces[from])
			from++
		}
	}
}
