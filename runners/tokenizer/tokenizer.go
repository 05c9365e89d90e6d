// Package tokenizer answers: which token ids does a text tower read for a text?
//
// [Load] reads the vocabulary that lies beside a checkpoint; [Tokenizer] cleans a text, splits it and gives the ids.
package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxText is the longest text in bytes that [Tokenizer.Tokens] accepts. CLIP reads 77 tokens.
const MaxText = 1 << 16

// The special strings of CLIP's vocabulary, around every text and recognised inside one.
const (
	startOfText = "<|startoftext|>"
	endOfText   = "<|endoftext|>"
)

// Tokenizer turns texts into token ids. Get one from [Load] or [New]; the zero value is of no use. Its vocabulary does
// not change, and any number of goroutines may share it.
//
// CLIP's byte-level BPE gives the ids of OpenAI's simple_tokenizer.py; see [fixText] for what ftfy does there and this
// does not. Other vocabularies give those of Hugging Face's tokenizers for the same tokenizer.json, behind a
// [Cleaning]. Bytes that are no UTF-8 are read as U+FFFD.
type Tokenizer struct {
	model      model
	cleaning   Cleaning
	added      addedTokens
	pieces     []string // by id: what a token stands for; "" for no token
	start, end int32    // around every text; start is -1 for none
	padding    int32
}

// model turns a stretch of text into ids; first says that nothing goes before it.
type model interface {
	appendIDs(ids []int32, text string, first bool) []int32
}

// Size is one more than the largest id: the rows that a token embedding must have.
func (t *Tokenizer) Size() int { return len(t.pieces) }

// Fits reports whether a token embedding of that many rows is this vocabulary's: it has a row for each id, and no more
// than padding behind, up to a multiple of 8, 16 … 1024 as transformers' resize_token_embeddings makes it.
func (t *Tokenizer) Fits(rows int) bool {
	for multiple := 1; multiple <= 1024; multiple *= 2 {
		if multiple != 2 && multiple != 4 && (t.Size()+multiple-1)/multiple*multiple == rows {
			return true
		}
	}
	return false
}

// SOT is the id that starts every text, or -1.
func (t *Tokenizer) SOT() int32 { return t.start }

// EOT is the id that ends every text.
func (t *Tokenizer) EOT() int32 { return t.end }

// Cleaning is what is done to a text before the tokenizer itself.
func (t *Tokenizer) Cleaning() Cleaning { return t.cleaning }

// Tokens is text as the model reads it: start, the ids of the text, end; not padded. More than context ids are an
// error, or, with truncate, cut so that the last one is the end.
func (t *Tokenizer) Tokens(text string, context int, truncate bool) ([]int32, error) {
	if context < 2 {
		return nil, fmt.Errorf("a context of %d tokens has no room for the start and the end of a text", context)
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("text %s has %d bytes, the limit is %d: shorten it", excerpt(text), len(text), MaxText)
	}
	var ids []int32
	if t.start >= 0 {
		ids = append(ids, t.start)
	}
	ids = append(t.encode(ids, text), t.end)
	if len(ids) <= context {
		return ids, nil
	}
	if !truncate {
		return nil, fmt.Errorf("text %s has %d tokens with start and end, the model reads %d: shorten it", excerpt(text),
			len(ids), context)
	}
	ids = ids[:context]
	ids[context-1] = t.end
	return ids, nil
}

// Padded is [Tokenizer.Tokens] followed by padding up to context: zeros for OpenAI's vocabulary, what the files name
// for others.
func (t *Tokenizer) Padded(text string, context int, truncate bool) ([]int32, error) {
	ids, err := t.Tokens(text, context, truncate)
	if err != nil {
		return nil, err
	}
	for len(ids) < context {
		ids = append(ids, t.padding)
	}
	return ids, nil
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
	text = t.cleaning.apply(strings.ToValidUTF8(text, string(utf8.RuneError)))
	first := true
	t.added.split(text, func(stretch string, id int32) {
		if id >= 0 {
			ids = append(ids, id)
		} else {
			ids = t.model.appendIDs(ids, stretch, first)
		}
		first = false
	})
	return ids
}
