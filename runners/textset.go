package runners

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/tensor"
)

// TextSet is texts that a picture is asked with together: those of one data set, for example.
type TextSet struct {
	Texts tensor.Dense // normalised embeddings [T, E]
	// Passive is how many of the texts, at the end, are measured but not asked: they steer no method.
	Passive int
	// Methods are those, in the order of [Images.Methods], whose cosines with these texts are wanted; nil is all. What
	// another method of two graphs gives is that of its first one.
	Methods []int
	// Explained are the texts, by their place among those that steer, of which methods that explain texts are to give
	// values: each costs them a backward pass. nil is all that steer. The columns of other texts are not numbers.
	Explained []int
}

// wants reports whether cosines of the method are wanted.
func (s TextSet) wants(method int) bool {
	return s.Methods == nil || slices.Contains(s.Methods, method)
}

// asked is the number of texts that steer.
func (s TextSet) asked() int { return s.Texts.Shape[0] - s.Passive }

// checkSets wants texts of one width in every set.
func checkSets(sets []TextSet) error {
	if len(sets) == 0 {
		return fmt.Errorf("no texts to compare with")
	}
	for _, v := range sets {
		s := v.Texts.Shape
		if len(s) != 2 {
			return fmt.Errorf("texts have shape %v, want [T, E]", s)
		}
		if s[1] != sets[0].Texts.Shape[1] {
			return fmt.Errorf("texts have shape %v beside %v: embeddings of two models", s, sets[0].Texts.Shape)
		}
		if v.Passive < 0 || v.asked() < 1 {
			return fmt.Errorf("%d of %d texts are passive: none is left to ask", v.Passive, s[0])
		}
		for _, i := range v.Explained {
			if i < 0 || i >= v.asked() {
				return fmt.Errorf("text %d is to be explained, of %d that steer", i, v.asked())
			}
		}
	}
	return nil
}

// joined is the texts of all sets. The result may be that of the only one.
func joined(sets []TextSet) tensor.Dense {
	if len(sets) == 1 {
		return sets[0].Texts
	}
	out := tensor.Dense{Shape: []int{0, sets[0].Texts.Shape[1]}}
	for _, v := range sets {
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

// beside is a with the columns of b behind its own.
func beside(a, b tensor.Dense) tensor.Dense {
	shape := slices.Clone(a.Shape)
	width := shape[len(shape)-1]
	shape[len(shape)-1] += b.Shape[len(b.Shape)-1]
	out := tensor.New(shape...)
	paste(out, a, 0)
	paste(out, b, width)
	return out
}

// unknown is a tensor of what is not a number.
func unknown(shape ...int) tensor.Dense {
	out := tensor.New(shape...)
	for i := range out.Data {
		out.Data[i] = float32(math.NaN())
	}
	return out
}

// question is what methods that explain texts are asked.
type question struct {
	asked     []int64 // numbers of the texts that steer, among those of all sets
	explained []int64 // numbers of those that are explained, among asked
}

// questionOf is the question of sets, of one text at least.
func questionOf(sets []TextSet) (q question) {
	from := 0
	for _, s := range sets {
		before := len(q.asked)
		for i := range s.asked() {
			q.asked = append(q.asked, int64(from+i))
			if s.Explained == nil {
				q.explained = append(q.explained, int64(before+i))
			}
		}
		for _, i := range s.Explained {
			q.explained = append(q.explained, int64(before+i))
		}
		from += s.Texts.Shape[0]
	}
	if len(q.explained) == 0 {
		q.explained = []int64{0}
	}
	return q
}

// picked are the explained rows of the texts of all sets.
func picked(texts tensor.Dense, q question) tensor.Dense {
	out := tensor.New(len(q.explained), texts.Shape[1])
	for i, k := range q.explained {
		copy(out.At(i).Data, texts.At(int(q.asked[k])).Data)
	}
	return out
}
