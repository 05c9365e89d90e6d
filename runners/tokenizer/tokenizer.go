// Package tokenizer answers: which token ids does a text tower read for a text?
//
// [Load] reads the vocabulary that lies beside a checkpoint; [Tokenizer] cleans a text, splits it and gives the ids.
package tokenizer

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// MaxText is the longest text in bytes that [Tokenizer.Tokens] accepts. CLIP reads 77 tokens.
const MaxText = 1 << 16

// The special strings of CLIP's vocabulary, around every text and recognised inside one.
const (
	startOfText = "<|startoftext|>"
	endOfText   = "<|endoftext|>"
)

// Tokenizer is CLIP's byte-level BPE: texts to token ids. Get one from [Load] or [New];
// the zero value is of no use. Its vocabulary does not change, and any number of goroutines may share it.
//
// It gives the ids of OpenAI's simple_tokenizer.py wherever ftfy.fix_text, run there first, does no more than bring text
// to normalisation form C. That much is done here as well. What ftfy repairs beyond is not: it straightens curly quotes,
// spells out ligatures, gives full- and half-width forms their usual width, drops control characters, resolves character
// references a third time, and undoes wrong decoding ("cafÃ©"). Bytes that are no UTF-8 are read as U+FFFD.
type Tokenizer struct {
	pieces   []string           // by id: the bytes a token stands for, a space for the end of a word; "" for no token
	inner    [256]int32         // the token of a byte inside a word
	final    [256]int32         // the token of a byte that ends one
	merges   map[[2]int32]merge // of neighbouring tokens
	sot, eot int32

	mu    sync.RWMutex
	words map[string][]int32 // tokens of words met before
}

// merge is what becomes of two tokens, and when: lower ranks come first.
type merge struct{ rank, id int32 }

// Bounds of the cache of words: about 4 MB.
const (
	cachedWords = 1 << 14
	cachedBytes = 64 // of one word
)

// Size is one more than the largest id: the rows that a token embedding must have.
func (t *Tokenizer) Size() int { return len(t.pieces) }

// SOT is the id that starts every text.
func (t *Tokenizer) SOT() int32 { return t.sot }

// EOT is the id that ends every text.
func (t *Tokenizer) EOT() int32 { return t.eot }

// Tokens is text as CLIP reads it: start, the ids of the text, end; not padded. More than context ids are an error, or,
// with truncate, cut so that the last one is the end.
func (t *Tokenizer) Tokens(text string, context int, truncate bool) ([]int32, error) {
	if context < 2 {
		return nil, fmt.Errorf("a context of %d tokens has no room for the start and the end of a text", context)
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("text %s has %d bytes, the limit is %d: shorten it", excerpt(text), len(text), MaxText)
	}
	ids := append(t.encode([]int32{t.sot}, text), t.eot)
	if len(ids) <= context {
		return ids, nil
	}
	if !truncate {
		return nil, fmt.Errorf("text %s has %d tokens with start and end, the model reads %d: shorten it, or ask for truncation", excerpt(text), len(ids), context)
	}
	ids = ids[:context]
	ids[context-1] = t.eot
	return ids, nil
}

// Padded is [Tokenizer.Tokens] followed by zeros up to context, which is OpenAI's padding.
func (t *Tokenizer) Padded(text string, context int, truncate bool) ([]int32, error) {
	ids, err := t.Tokens(text, context, truncate)
	if err != nil {
		return nil, err
	}
	padded := make([]int32, context)
	copy(padded, ids)
	return padded, nil
}

// Encode is the ids of text alone, without start and end. Its time grows as n log n with the length of a word.
func (t *Tokenizer) Encode(text string) []int32 { return t.encode(nil, text) }

// Decode is the text that ids stand for, a space after each word: the text as it was split, in lower case.
// An id that is no token reads as U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.pieces) || t.pieces[id] == "" {
			b.WriteRune(utf8.RuneError)
			continue
		}
		b.WriteString(t.pieces[id])
	}
	return strings.TrimSuffix(b.String(), " ")
}

// excerpt quotes the beginning of a text.
func excerpt(text string) string {
	const most = 60
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q…", strings.ToValidUTF8(text[:most], ""))
}

// encode appends the ids of text.
func (t *Tokenizer) encode(ids []int32, text string) []int32 {
	for rest := cleanText(text); rest != ""; {
		n, isWord := nextWord(rest)
		switch word := rest[:n]; {
		case !isWord:
		case word == startOfText:
			ids = append(ids, t.sot)
		case word == endOfText:
			ids = append(ids, t.eot)
		default:
			ids = t.appendWord(ids, word)
		}
		rest = rest[n:]
	}
	return ids
}

// contractions are words of their own where a word begins. The long s is an s when case is ignored.
var contractions = []string{"'s", "'ſ", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// nextWord is the length of what s, in lower case, begins with: a word, or what separates words. The words are
//
//	special strings | contractions | letters… | one number character | other characters but space…
//
// in this order of preference.
func nextWord(s string) (n int, isWord bool) {
	r, size := utf8.DecodeRuneInString(s)
	kind := kindOf(r)
	switch {
	case kind == kindSpace || kind == kindNumber:
		return size, kind == kindNumber
	case r == '<':
		// Ignoring case, an s may be long; the string is then one word, but not special.
		for _, special := range []string{startOfText, endOfText, "<|ſtartoftext|>"} {
			if strings.HasPrefix(s, special) {
				return len(special), true
			}
		}
	case r == '\'':
		for _, c := range contractions {
			if strings.HasPrefix(s, c) {
				return len(c), true
			}
		}
	}
	n = size
	for n < len(s) {
		r, size = utf8.DecodeRuneInString(s[n:])
		if kindOf(r) != kind {
			break
		}
		n += size
	}
	return n, true
}

const (
	kindOther = iota
	kindSpace
	kindLetter
	kindNumber
)

func kindOf(r rune) int {
	switch {
	case r >= 'a' && r <= 'z':
		return kindLetter
	case r == '\u0345':
		// The iota subscript is a mark whose capital is a letter. Ignoring case, it is in neither class of the
		// reference's expression, and lost.
		return kindSpace
	case unicode.IsLetter(r):
		return kindLetter
	case unicode.IsNumber(r):
		return kindNumber
	case unicode.Is(unicode.White_Space, r):
		return kindSpace
	}
	return kindOther
}

// appendWord appends the tokens of one word.
func (t *Tokenizer) appendWord(ids []int32, word string) []int32 {
	t.mu.RLock()
	known, ok := t.words[word]
	t.mu.RUnlock()
	if ok {
		return append(ids, known...)
	}
	tokens := t.split(word)
	if len(word) <= cachedBytes {
		t.mu.Lock()
		if len(t.words) >= cachedWords {
			clear(t.words)
		}
		t.words[strings.Clone(word)] = slices.Clip(tokens)
		t.mu.Unlock()
	}
	return append(ids, tokens...)
}

// split is byte pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016):
// of all pairs of neighbours that can merge, those of the lowest rank do, from left to right, until none can.
func (t *Tokenizer) split(word string) []int32 {
	w := wordTokens{merges: t.merges, tokens: make([]int32, len(word)), next: make([]int32, len(word)), prev: make([]int32, len(word))}
	last := len(word) - 1
	for i := range len(word) {
		w.tokens[i], w.prev[i], w.next[i] = t.inner[word[i]], int32(i-1), int32(i+1)
	}
	w.tokens[last], w.next[last] = t.final[word[last]], -1
	for i := range int32(last) {
		w.push(i)
	}
	var merged []int32
	for len(w.queue) > 0 {
		// All pairs of one rank merge before those that come out of it are looked at, whatever their rank.
		rank := w.queue[0].rank
		merged = merged[:0]
		for len(w.queue) > 0 && w.queue[0].rank == rank {
			if p := heap.Pop(&w.queue).(rankedPair); w.join(p) {
				merged = append(merged, p.left)
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
	merges             map[[2]int32]merge
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
