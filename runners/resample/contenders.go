package resample

import "math"

// contenders are those queries of order that can win a pixel after so many iterations of PAMR. The others are left out
// because another one, d, is larger than they are, c, at every token: resizing, averaging and refining are sums with
// weights that are not negative, so that the difference stays at least as large, everywhere, whatever the picture.
//
// Rounding is allowed for. With u = 2^-24 and M the largest logit, a pixel is off by at most 4u·M for each of four
// interpolations, (n+1)u·M for a mean of n tiles, and 10u·M for an iteration, whose weights sum to 1 within u; the
// difference may lose as much twice. The margin is twice that again.
func (l *layout) contenders(order []int, iterations int) []int {
	largest := float32(0)
	gaps := make([]gap, l.Queries) // of each query
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
	var out []int
	for _, c := range order {
		if !l.beaten(order, c, gaps[c], margin) {
			out = append(out, c)
		}
	}
	return out
}

// gap is how much a query lacks to the largest of all, where that is least: at a tile's token, whose logits start at at.
type gap struct {
	by   float32
	tile int
	at   int
}

// beaten says whether one query of order is larger than query c by more than margin at every token.
func (l *layout) beaten(order []int, c int, g gap, margin float32) bool {
	if !(g.by > margin) {
		return false
	}
	near := l.Tiles[g.tile].Logits[g.at:][:l.Queries] // where few are larger
	for _, d := range order {
		if near[d]-near[c] > margin && l.everywhere(d, c, margin) {
			return true
		}
	}
	return false
}

// everywhere says whether query d is larger than c by more than margin at every token.
func (l *layout) everywhere(d, c int, margin float32) bool {
	for _, t := range l.Tiles {
		for at := 0; at < len(t.Logits); at += l.Queries {
			if !(t.Logits[at+d]-t.Logits[at+c] > margin) {
				return false
			}
		}
	}
	return true
}
