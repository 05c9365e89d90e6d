package resample

import (
	"cmp"
	"math"
	"slices"
)

// contenders are those queries of order that can win a pixel after so many iterations of PAMR. The others are left out
// because another one, or the mean of several, is larger than they are at every token: resizing, averaging and refining
// are sums with weights that are not negative, so that the difference stays at least as large, everywhere, whatever the
// picture; and the largest of several is no smaller than their mean.
//
// Rounding is allowed for. With u = 2^-24 and M the largest logit, a pixel is off by at most 4u·M for each of four
// interpolations, (n+1)u·M for a mean of n tiles, and 10u·M for an iteration, whose weights sum to 1 within u; the
// difference may lose as much twice. The margin is twice that again.
func (l *layout) contenders(order []int, iterations int) []int {
	largest := float32(0)
	gaps, sums := make([]gap, l.Queries), make([]float64, l.Queries) // of each query
	for q := range gaps {
		gaps[q].by = float32(math.Inf(1))
	}
	for i, t := range l.Tiles {
		for at := 0; at < len(t.Logits); at += l.Queries {
			logits := t.Logits[at:][:l.Queries]
			top := float32(math.Inf(-1))
			for _, q := range order {
				v := logits[q]
				top, largest = max(top, v), max(largest, v, -v)
				sums[q] += float64(v)
			}
			for _, q := range order {
				if g := &gaps[q]; top-logits[q] < g.by {
					*g = gap{top - logits[q], i, at}
				}
			}
		}
	}
	if !(largest < 1e30) { // sums may be infinite, or there is NaN
		return order
	}
	margin := largest*0x1p-22*float32(10*iterations+17+len(l.Tiles)) + 0x1p-130 // subnormals are off by less than that
	strong := slices.SortedFunc(slices.Values(order), func(a, b int) int { return cmp.Compare(sums[b], sums[a]) })
	var out []int
	for _, c := range order {
		if !l.beaten(c, strong, gaps[c], margin) {
			out = append(out, c)
		}
	}
	return out
}

// gap is how much a query lacks to the largest of all, where that is least: at a tile's token, whose logits start at
// at.
type gap struct {
	by   float32
	tile int
	at   int
}

// beaten says whether one query, or the mean of the two or four that are strongest, is larger than query c by more than
// margin at every token.
func (l *layout) beaten(c int, strong []int, g gap, margin float32) bool {
	if !(g.by > margin) {
		return false
	}
	near := l.Tiles[g.tile].Logits[g.at:][:l.Queries] // where few are larger
	for k, d := range strong {
		if near[d]-near[c] > margin && l.everywhere(strong[k:k+1], c, margin) {
			return true
		}
	}
	for n := 2; n <= min(4, len(strong)); n *= 2 {
		if l.everywhere(strong[:n], c, margin) {
			return true
		}
	}
	return false
}

// everywhere says whether the mean of queries is larger than query c by more than margin at every token.
func (l *layout) everywhere(queries []int, c int, margin float32) bool {
	margin *= float32(len(queries))
	for _, t := range l.Tiles {
		for at := 0; at < len(t.Logits); at += l.Queries {
			sum, v := float32(0), t.Logits[at+c]
			for _, d := range queries {
				sum += t.Logits[at+d] - v
			}
			if !(sum > margin) {
				return false
			}
		}
	}
	return true
}
