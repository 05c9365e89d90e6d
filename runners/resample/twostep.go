package resample

import "slices"

// TwoStep is two bilinear steps ([Bilinear]) with a cut between them as one: a plane is resized, its top left part kept
// and resized again. Both steps are linear, so their weights multiply; the plane between them never exists. It is
// immutable: share it freely.
type TwoStep struct {
	sw, sh       int
	across, down taps
}

// NewTwoStep takes planes of sw x sh to mw x mh, keeps cw x ch, and takes these to w x h.
func NewTwoStep(sw, sh, mw, mh, cw, ch, w, h int) *TwoStep {
	mustBePositive(sw, sh, mw, mh, cw, ch, w, h, mw-cw+1, mh-ch+1)
	return &TwoStep{
		sw: sw, sh: sh,
		across: chain(bilinearTaps(sw, mw, 0), bilinearTaps(cw, w, 0)),
		down:   chain(bilinearTaps(sh, mh, 0), bilinearTaps(ch, h, 0)),
	}
}

// chain is first, then second, of which every output has the few inputs that its inputs have.
func chain(first, second taps) taps {
	t := taps{start: make([]int, 1, len(second.start))}
	for i := range len(second.start) - 1 {
		middle, weights := second.of(i)
		for j, m := range middle {
			index, weight := first.of(m)
			for k, source := range index {
				f := weights[j] * weight[k]
				if at := slices.Index(t.index[t.start[i]:], source); at >= 0 {
					t.weight[t.start[i]+at] += f
				} else {
					t.add(source, f)
				}
			}
		}
		t.start = append(t.start, len(t.index))
	}
	return t
}

// Rows resizes src, sw x sh, and hands out the rows of the result from the top; row is valid during the call.
func (s *TwoStep) Rows(src []float32, do func(y int, row []float32)) {
	mustHave("source", len(src), s.sw*s.sh)
	w := len(s.across.start) - 1
	wide := make([]float32, s.sh*w)
	for y := range s.sh {
		convolveRow(wide[y*w:][:w], src[y*s.sw:][:s.sw], s.across)
	}
	row := make([]float32, w)
	for y := range len(s.down.start) - 1 {
		weigh(row, wide, w, s.down, y)
		do(y, row)
	}
}
