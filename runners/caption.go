package runners

import (
	"context"
	"fmt"
	"strings"

	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// Caption is a text as CLIP reads it, token by token from the start token to the end token.
type Caption struct {
	IDs        []int32
	Words      []string     // what a token stands for; the first and the last are "[start]" and "[end]"
	Open       []bool       // whether the word goes on in the next token
	Embeddings tensor.Dense // [n, E], un-normalised; the last row is the embedding of the text
}

// Decoder is a [Tokenizer] that knows the way back.
type Decoder interface {
	Tokenizer
	SOT() int32 // the start token
	EOT() int32 // the end token
	Decode(ids []int32) string
}

// EncodeCaption runs the text tower of m on one text and keeps all tokens. Each has seen the tokens before it, none
// those behind.
func EncodeCaption(ctx context.Context, lib *ort.Library, m TextModel, t Decoder, text string, o ort.Options) (Caption,
	error) {
	if err := CheckVocabulary(m, t); err != nil {
		return Caption{}, err
	}
	if m.Tokens().Padded {
		return Caption{}, fmt.Errorf("%s: its text tower reads all tokens at once and gives one embedding: it has none of "+
			"single tokens", m.Source())
	}
	ids, err := (&Texts{model: m, tokenizer: t}).tokens(text)
	if err != nil {
		return Caption{}, err
	}
	model, err := m.TextGraph(true).Model()
	if err != nil {
		return Caption{}, fmt.Errorf("%s: %w", m.Source(), err)
	}
	s, err := lib.NewSession(m.Source()+", text tower", model, o)
	if err != nil {
		return Caption{}, err
	}
	defer s.Close()
	n := len(ids)
	c := Caption{IDs: ids, Embeddings: tensor.New(n, m.Space())}
	wide, positions := make([]int64, n), make([]int64, n)
	for i, id := range ids {
		wide[i], positions[i] = int64(id), int64(i)
		word, open := piece(t, id)
		c.Words, c.Open = append(c.Words, word), append(c.Open, open)
	}
	in := []ort.Value{ort.Int64([]int{1, n}, wide), ort.Int64([]int{n}, positions)}
	return c, s.Run(ctx, in, []ort.Value{ort.Float32([]int{1, n, m.Space()}, c.Embeddings.Data)})
}

// piece is a token as a reader knows it, and whether its word goes on behind it.
func piece(t Decoder, id int32) (word string, open bool) {
	switch id {
	case t.SOT():
		return "[start]", false
	case t.EOT():
		return "[end]", false
	}
	twice := t.Decode([]int32{id, id}) // with a space between if the token ends a word
	return t.Decode([]int32{id}), !strings.Contains(twice, " ")
}

// Normalize divides each row of d by its length, in place. Rows of zeros stay.
func Normalize(d tensor.Dense) {
	for i := range d.Shape[0] {
		row := d.At(i).Data
		if n := norm(row); n > 0 {
			for c := range row {
				row[c] = float32(float64(row[c]) / n)
			}
		}
	}
}
