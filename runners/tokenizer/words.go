package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// byteBPE is CLIP's byte-level BPE (Radford et al., 2021): words of lower-case text, spelled in bytes that merge.
type byteBPE struct {
	inner    [256]int32 // the token of a byte inside a word
	final    [256]int32 // the token of a byte that ends one
	merges   merges
	sot, eot int32       // recognised inside a text, too
	added    addedTokens // looked for in cleaned text

	mu    sync.RWMutex
	words map[string][]int32 // tokens of words met before
}

// Bounds of the cache of words: about 4 MB.
const (
	cachedWords = 1 << 14
	cachedBytes = 64 // of one word
)

func (t *byteBPE) appendIDs(ids []int32, text string, _ bool) []int32 {
	t.added.split(cleanText(text), func(stretch string, id int32) {
		if id >= 0 {
			ids = append(ids, id)
		} else {
			ids = t.appendWords(ids, stretch)
		}
	})
	return ids
}

func (t *byteBPE) appendWords(ids []int32, text string) []int32 {
	for rest := text; rest != ""; {
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
func (t *byteBPE) appendWord(ids []int32, word string) []int32 {
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

// split is byte pair encoding of a word's bytes.
func (t *byteBPE) split(word string) []int32 {
	tokens := make([]int32, len(word))
	for i := range tokens {
		tokens[i] = t.inner[word[i]]
	}
	tokens[len(word)-1] = t.final[word[len(word)-1]]
	return t.merges.join(tokens, true)
}
