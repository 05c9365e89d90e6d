package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is cut out of a text before the rest is cleaned and split, as Hugging Face's tokenizers
// do.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only between characters of no word
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // and behind it
	Normalized bool   `json:"normalized"`  // is looked for in normalised text
}

// addedTokens finds tokens in a text: the leftmost first, of those the longest. The zero value finds none.
type addedTokens struct {
	tokens  map[string]addedToken
	lengths []int // of their contents in bytes, longest first
	starts  [256]bool
}

// maxAdded bounds an added token, in bytes.
const maxAdded = 256

// add takes a token unless it is empty.
func (a *addedTokens) add(t addedToken) {
	if t.Content == "" {
		return
	}
	if a.tokens == nil {
		a.tokens = map[string]addedToken{}
	}
	a.tokens[t.Content] = t
	a.starts[t.Content[0]] = true
	at := 0
	for at < len(a.lengths) && a.lengths[at] > len(t.Content) {
		at++
	}
	if at == len(a.lengths) || a.lengths[at] != len(t.Content) {
		a.lengths = append(a.lengths[:at], append([]int{len(t.Content)}, a.lengths[at:]...)...)
	}
}

// split calls found for every stretch of text in turn: with the id of an added token, or with -1 for text between.
func (a *addedTokens) split(text string, found func(stretch string, id int32)) {
	done := 0 // what lies before was given to found
	for at := 0; at < len(text); {
		t, ok := a.at(text, at)
		if !ok {
			at++
			continue
		}
		from, to := at, at+len(t.Content)
		at = to
		if t.SingleWord && (endsInWord(text[:from]) || beginsWithWord(text[to:])) {
			continue
		}
		if t.LStrip {
			from = max(len(strings.TrimRightFunc(text[:from], unicode.IsSpace)), done)
		}
		if t.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if from > done {
			found(text[done:from], -1)
		}
		found(text[from:to], t.ID)
		done = to
	}
	if done < len(text) {
		found(text[done:], -1)
	}
}

// at is the longest token that begins at a place of text.
func (a *addedTokens) at(text string, at int) (addedToken, bool) {
	if !a.starts[text[at]] {
		return addedToken{}, false
	}
	for _, n := range a.lengths {
		if at+n <= len(text) {
			if t, ok := a.tokens[text[at:at+n]]; ok {
				return t, true
			}
		}
	}
	return addedToken{}, false
}

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && isWordRune(r)
}

func beginsWithWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isWordRune(r)
}

// isWordRune is \w of Unicode (UTS #18, annex C).
func isWordRune(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc, unicode.Other_Alphabetic, unicode.Nl) ||
		r == '\u200c' || r == '\u200d'
}
