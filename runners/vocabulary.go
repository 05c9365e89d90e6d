package runners

import (
	"fmt"
	"slices"

	"ovbench/runners/tensor"
)

// Vocabulary is texts that a picture is asked with together: those of one data set, for example.
type Vocabulary struct {
	Texts tensor.Dense // normalised embeddings [T, E]
	// Aside is how many of the texts, at the end, are measured but not asked: they steer no method.
	Aside int
	// Methods are those, in the order of [Images.Methods], whose cosines with these texts are wanted; nil is all. What another
	// method of two graphs gives is that of its first one.
	Methods []int
}

// wants reports whether cosines of the method are wanted.
func (v Vocabulary) wants(method int) bool {
	return v.Methods == nil || slices.Contains(v.Methods, method)
}

// asked is the number of texts that steer.
func (v Vocabulary) asked() int { return v.Texts.Shape[0] - v.Aside }

// checkWords wants texts of one width in every vocabulary.
func checkWords(words []Vocabulary) error {
	if len(words) == 0 {
		return fmt.Errorf("no texts to compare with")
	}
	for _, v := range words {
		s := v.Texts.Shape
		if len(s) != 2 {
			return fmt.Errorf("texts have shape %v, want [T, E]", s)
		}
		if s[1] != words[0].Texts.Shape[1] {
			return fmt.Errorf("texts have shape %v beside %v: embeddings of two models", s, words[0].Texts.Shape)
		}
		if v.Aside < 0 || v.asked() < 1 {
			return fmt.Errorf("%d of %d texts are aside: none is left to ask", v.Aside, s[0])
		}
	}
	return nil
}

// joined is the texts of all vocabularies. The result may be that of the only one.
func joined(words []Vocabulary) tensor.Dense {
	if len(words) == 1 {
		return words[0].Texts
	}
	out := tensor.Dense{Shape: []int{0, words[0].Texts.Shape[1]}}
	for _, v := range words {
		out.Shape[0] += v.Texts.Shape[0]
		out.Data = append(out.Data, v.Texts.Data...)
	}
	return out
}

// columns copies columns from..to-1 of d [..., C].
func columns(d tensor.Dense, from, to int) tensor.Dense {
	shape := slices.Clone(d.Shape)
	width := shape[len(shape)-1]
	shape[len(shape)-1] = to - from
	out := tensor.Dense{Shape: shape, Data: make([]float32, 0, len(d.Data)/width*(to-from))}
	for row := 0; row < len(d.Data); row += width {
		out.Data = append(out.Data, d.Data[row+from:row+to]...)
	}
	return out
}

// paste writes src [..., c] over the columns of dst [..., C] that begin at from.
func paste(dst, src tensor.Dense, from int) {
	width, c := dst.Shape[len(dst.Shape)-1], src.Shape[len(src.Shape)-1]
	for row := range len(src.Data) / c {
		copy(dst.Data[row*width+from:], src.Data[row*c:][:c])
	}
}
