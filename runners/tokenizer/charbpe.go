package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// charBPE is byte pair encoding over characters, as SentencePiece writes it into tokenizer.json: a character that is no
// token falls apart into bytes, <0x00> to <0xFF>.
type charBPE struct {
	ids       map[string]int32
	merges    merges
	bytes     [256]int32 // -1 for none
	unknown   int32      // -1 for none
	fuse      bool       // neighbouring unknown characters become one
	wholeWord bool       // a word that is a token does not fall apart
}

func newCharBPE(m *fastModel) (*charBPE, error) {
	if m.Suffix != "" || m.Prefix != "" || m.Dropout != nil && *m.Dropout != 0 {
		return nil, fmt.Errorf("a BPE with prefix %q, suffix %q or dropout is not supported", m.Prefix, m.Suffix)
	}
	b := &charBPE{ids: m.vocab, merges: make(merges, len(m.Merges)), unknown: -1, fuse: m.FuseUnk,
		wholeWord: m.IgnoreMerges}
	for i := range b.bytes {
		b.bytes[i] = -1
		if id, ok := b.ids[fmt.Sprintf("<0x%02X>", i)]; ok && m.ByteFallback {
			b.bytes[i] = id
		}
	}
	if id, ok := b.ids[m.UnkToken]; ok && m.UnkToken != "" {
		b.unknown = id
	}
	return b, b.merges.fill(m.Merges, b.ids)
}

func (b *charBPE) appendIDs(ids []int32, word string, _ bool) []int32 {
	if id, ok := b.ids[word]; ok && b.wholeWord {
		return append(ids, id)
	}
	tokens := make([]int32, 0, len(word))
	wasUnknown := false
	for i, r := range word {
		char := word[i : i+utf8.RuneLen(r)]
		unknown := false
		if id, ok := b.ids[char]; ok {
			tokens = append(tokens, id)
		} else if b.spellable(char) {
			for k := range len(char) {
				tokens = append(tokens, b.bytes[char[k]])
			}
		} else if unknown = b.unknown >= 0; unknown && !(wasUnknown && b.fuse) {
			tokens = append(tokens, b.unknown)
		}
		wasUnknown = unknown
	}
	return append(ids, b.merges.join(tokens, false)...)
}

// spellable reports whether all bytes of a character are tokens.
func (b *charBPE) spellable(char string) bool {
	for k := range len(char) {
		if b.bytes[char[k]] < 0 {
			return false
		}
	}
	return true
}
