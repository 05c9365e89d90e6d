package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
)

// charMap is SentencePiece's compiled table of replacements: a double-array trie (darts-clone) of what is replaced,
// whose values are offsets into a text of replacements that end with zero bytes.
type charMap struct {
	trie []uint32
	text string
}

func (c *charMap) UnmarshalJSON(data []byte) error {
	var encoded *string
	if err := json.Unmarshal(data, &encoded); err != nil {
		return err
	}
	if encoded == nil || *encoded == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(*encoded)
	if err != nil {
		return fmt.Errorf("precompiled_charsmap: %w", err)
	}
	if len(raw) < 4 || uint64(binary.LittleEndian.Uint32(raw)) > uint64(len(raw)-4) {
		return errors.New("precompiled_charsmap is too short for its trie")
	}
	size := int(binary.LittleEndian.Uint32(raw))
	c.text = string(raw[4+size:])
	for i := 4; i+4 <= 4+size; i += 4 {
		c.trie = append(c.trie, binary.LittleEndian.Uint32(raw[i:]))
	}
	return nil
}

// apply replaces as Hugging Face's tokenizers do: what a user sees as one character of less than 6 bytes becomes what
// the table has for its shortest beginning, the rest of it is dropped; other characters are looked up code point by
// code point.
//
// Note: SentencePiece itself replaces the longest stretch it finds and drops nothing. The two differ in characters of
// several code points, such as "ﬁ" with a mark.
func (c *charMap) apply(s string) string {
	if len(c.trie) == 0 {
		return s
	}
	var b strings.Builder
	for state := -1; s != ""; {
		var cluster string
		cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		if len(cluster) < 6 {
			if to, ok := c.shortest(cluster); ok {
				b.WriteString(to)
				continue
			}
		}
		for _, r := range cluster {
			if to, ok := c.shortest(string(r)); ok {
				b.WriteString(to)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// shortest is what the table has for the shortest beginning of s that it replaces.
func (c *charMap) shortest(s string) (to string, ok bool) {
	unit := func(at uint32) uint32 {
		if uint64(at) < uint64(len(c.trie)) {
			return c.trie[at]
		}
		return 0
	}
	offset := func(u uint32) uint32 { return u >> 10 << (u & 0x200 >> 6) }
	at := offset(unit(0))
	for i := range len(s) {
		at ^= uint32(s[i])
		u := unit(at)
		if u&0x800000ff != uint32(s[i]) || u == 0 {
			break
		}
		at ^= offset(u)
		if u>>8&1 == 0 {
			continue
		}
		value := uint64(unit(at) & 0x7fffffff)
		if value > uint64(len(c.text)) {
			break
		}
		end := strings.IndexByte(c.text[value:min(value+maxPiece, uint64(len(c.text)))], 0)
		return c.text[value : value+uint64(max(end, 0))], end >= 0
	}
	return "", false
}
