package tokenizer

import (
	"fmt"
	"strings"
)

// buildTokenizer checks a vocabulary and makes a tokenizer of it.
func buildTokenizer(ids map[string]int32, pairs []mergePair) (*Tokenizer, error) {
	b := &byteBPE{merges: make(merges, len(pairs)), words: map[string][]int32{}}
	symbols := byteSymbols()
	for c, s := range symbols {
		for _, e := range []struct {
			token string
			id    *int32
		}{{s, &b.inner[c]}, {s + wordEnd, &b.final[c]}} {
			id, ok := ids[e.token]
			if !ok {
				return nil, fmt.Errorf("token %q of byte 0x%02x is missing: this is not a vocabulary of CLIP's byte-level BPE",
					e.token, c)
			}
			*e.id = id
		}
	}
	for _, e := range []struct {
		token string
		id    *int32
	}{{startOfText, &b.sot}, {endOfText, &b.eot}} {
		id, ok := ids[e.token]
		if !ok {
			return nil, fmt.Errorf("token %q is missing: this is not a vocabulary of CLIP's", e.token)
		}
		*e.id = id
	}
	if err := b.merges.fill(pairs, ids); err != nil {
		return nil, err
	}
	bytesOf := make(map[rune]byte, len(symbols))
	for c, s := range symbols {
		bytesOf[[]rune(s)[0]] = byte(c)
	}
	t := &Tokenizer{model: b, start: b.sot, end: b.eot}
	return t, t.setPieces(ids, func(token string) string {
		word, ends := strings.CutSuffix(token, wordEnd)
		var piece []byte
		for _, r := range word {
			c, ok := bytesOf[r]
			if !ok {
				piece = []byte(word) // a token that was added as it is
				break
			}
			piece = append(piece, c)
		}
		if ends || token == startOfText || token == endOfText {
			piece = append(piece, ' ')
		}
		return string(piece)
	})
}

// addToCLIP adds tokens to a vocabulary of CLIP's.
func (t *Tokenizer) addToCLIP(added []addedToken) error {
	b := t.model.(*byteBPE)
	for _, a := range added {
		if a.ID == t.start || a.ID == t.end || a.Content == "" {
			continue // recognised among the words
		}
		if err := t.addPiece(a); err != nil {
			return err
		}
		if a.Normalized {
			a.Content = cleanText(a.Content)
			b.added.add(a)
		} else {
			t.added.add(a)
		}
	}
	return nil
}

// addPiece makes place for an added token.
func (t *Tokenizer) addPiece(a addedToken) error {
	if a.ID < 0 || a.ID >= maxTokenID || len(a.Content) > maxAdded {
		return fmt.Errorf("added token %.60q with id %d: want ids from 0 to %d and at most %d bytes", a.Content, a.ID,
			maxTokenID-1, maxAdded)
	}
	if n := int(a.ID) + 1; n > len(t.pieces) {
		t.pieces = append(t.pieces, make([]string, n-len(t.pieces))...)
	}
	t.pieces[a.ID] = a.Content + " "
	return nil
}

// setPieces fills in what each token stands for.
func (t *Tokenizer) setPieces(ids map[string]int32, spelled func(token string) string) error {
	size := int32(0)
	for token, id := range ids {
		if id < 0 || id >= maxTokenID {
			return fmt.Errorf("token %q has id %d: ids go from 0 to %d", token, id, maxTokenID-1)
		}
		size = max(size, id+1)
	}
	t.pieces = make([]string, size)
	for token, id := range ids {
		if t.pieces[id] != "" {
			return fmt.Errorf("id %d belongs to more than one token, %q is one", id, token)
		}
		t.pieces[id] = spelled(token)
	}
	return nil
}

// fill takes pairs by rank.
func (m merges) fill(pairs []mergePair, ids map[string]int32) error {
	for rank, p := range pairs {
		left, ok1 := ids[p[0]]
		right, ok2 := ids[p[1]]
		both, ok3 := ids[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return fmt.Errorf("merge %d, %q and %q: not all of them and %q are in the vocabulary: its files do not belong "+
				"together", rank+1, p[0], p[1], p[0]+p[1])
		}
		m[[2]int32{left, right}] = merge{int32(rank), both}
	}
	return nil
}

// wordEnd marks the token that ends a word.
const wordEnd = "</w>"

// byteSymbols spells every byte as a printable character, as GPT-2 does: bytes that are printable in Latin-1 are
// themselves, the others follow from U+0100 on.
func byteSymbols() (symbols [256]string) {
	next := rune(256)
	for b := range symbols {
		r := rune(b)
		if !(r >= '!' && r <= '~' || r >= '¡' && r <= '¬' || r >= '®') {
			r = next
			next++
		}
		symbols[b] = string(r)
	}
	return symbols
}
