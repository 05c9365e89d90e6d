package runners

import (
	"fmt"
	"slices"

	"ovbench/runners/methods"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Regions are numbers of the regions that a picture of W x H pixels falls into, row by row. The smallest number in a
// window is that of what belongs to no region, whatever it is.
type Regions struct {
	W, H int
	IDs  []int32
}

// regionsOf is what graphs take for windows of a picture: 1 where a patch of the network dino lies in a region of its
// window, [B, N, R], and all 0 in none. A padded window's rest is a region of its own.
func (r *Images) regionsOf(p Picture, s Sliding, ws []Window, multiple int) (tensor.Dense, error) {
	top, h := s.padding(ws[0].H, multiple)
	left, w := s.padding(ws[0].W, multiple)
	rows, cols := r.options.Backbones["dino"].Grid(h, w)
	if p.Regions == nil {
		return tensor.New(len(ws), rows*cols, 1), nil
	}
	ids := make([][]int32, len(ws))
	distinct := make([][]int32, len(ws))
	most, rest := 1, slices.Max(p.Regions.IDs)+1
	for i, win := range ws {
		for c := range rows * cols {
			y, x := resample.Nearest(c/cols, h, rows)-top, resample.Nearest(c%cols, w, cols)-left
			id := rest
			if y >= 0 && x >= 0 && y < win.H && x < win.W {
				y, x = resample.Nearest(win.Y+y, p.Regions.H, p.Pixels.Shape[2]), resample.Nearest(win.X+x, p.Regions.W,
					p.Pixels.Shape[3])
				id = p.Regions.IDs[y*p.Regions.W+x]
			}
			ids[i] = append(ids[i], id)
		}
		distinct[i] = slices.Compact(slices.Sorted(slices.Values(ids[i])))
		if most = max(most, len(distinct[i])-1); most > methods.MaxRegions {
			return tensor.Dense{}, fmt.Errorf("a window has %d regions, more than %d", most, methods.MaxRegions)
		}
	}
	out := tensor.New(len(ws), rows*cols, most)
	for i := range ws {
		for c, id := range ids[i] {
			if at, _ := slices.BinarySearch(distinct[i], id); at > 0 {
				out.Data[(i*rows*cols+c)*most+at-1] = 1
			}
		}
	}
	return out, nil
}

// Vote gives all pixels of a region, in a label map of w x h pixels, the label that most of them have; of equally many
// the smallest. What belongs to no region keeps its labels.
func (r *Regions) Vote(labels []uint16, w, h int) {
	none := slices.Min(r.IDs)
	count := map[int32]map[uint16]int{}
	each := func(visit func(i int, id int32)) {
		for y := range h {
			row := r.IDs[resample.Nearest(y, r.H, h)*r.W:]
			for x := range w {
				if id := row[resample.Nearest(x, r.W, w)]; id != none {
					visit(y*w+x, id)
				}
			}
		}
	}
	each(func(i int, id int32) {
		if count[id] == nil {
			count[id] = map[uint16]int{}
		}
		count[id][labels[i]]++
	})
	winner := map[int32]uint16{}
	for id, votes := range count {
		best := -1
		for label, n := range votes {
			if n > best || n == best && label < winner[id] {
				best, winner[id] = n, label
			}
		}
	}
	each(func(i int, id int32) { labels[i] = winner[id] })
}
