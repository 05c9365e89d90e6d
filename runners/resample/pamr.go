package resample

import (
	"math"
	"runtime"
	"sync"
)

// PAMR is pixel-adaptive mask refinement (Araslanov and Roth, CVPR 2020, arXiv 2005.08104,
// section 3.3) for one image: every pixel of a mask becomes, again and again, the mean of
// 16 others, weighted by how much their colours are like its own. The 16 are the corners
// and sides of two squares around it, 8 and 16 pixels away; borders replicate. The pixel
// itself has no weight.
//
// The weights depend on the image alone, so one PAMR serves every class of every method.
// It is immutable: any number of goroutines may share it. It holds 64 bytes per pixel.
type PAMR struct {
	w, h     int
	affinity []float32 // [h, w, 16], each pixel's weights sum to 1
}

// reach is the distance of the farthest neighbours, in pixels, and apart that of the others.
const (
	reach = 2 * apart
	apart = 8
)

// neighbours are the steps to the pixels that a pixel is mixed of.
var neighbours = func() (out [16]struct{ x, y int }) {
	i := 0
	for _, d := range [2]int{apart, reach} {
		for y := -d; y <= d; y += d {
			for x := -d; x <= d; x += d {
				if x != 0 || y != 0 {
					out[i].x, out[i].y = x, y
					i++
				}
			}
		}
	}
	return out
}()

// NewPAMR computes the weights of an image, planar [channels, h, w]. Published protocols
// hand over the network's normalised input, resized to the size of the masks by [Bilinear].
//
// With s the standard deviation (of n-1) of a channel over the neighbours and twice the
// pixel itself, the weights are a softmax over the neighbours of the channels' mean of
// -|difference| / (1e-8 + s/10).
func NewPAMR(pixels []float32, w, h int) *PAMR {
	mustBePositive(w, h)
	channels := max(len(pixels)/(w*h), 1)
	mustHave("image", len(pixels), channels*w*h)
	p := &PAMR{w, h, make([]float32, 16*w*h)}
	inBands(h, func(y0, y1 int) {
		sums := make([][16]float64, w) // over channels, of the negative distances
		var rows [5][]float32
		for k := range rows {
			rows[k] = make([]float32, w+2*reach)
		}
		for y := y0; y < y1; y++ {
			clear(sums)
			for c := range channels {
				for k := range rows {
					at := min(max(y+(k-2)*apart, 0), h-1)
					replicate(rows[k], pixels[(c*h+at)*w:][:w])
				}
				distances(sums, &rows, 1/float64(channels))
			}
			for x := range sums {
				softmax16((*[16]float32)(p.affinity[16*(y*w+x):]), &sums[x])
			}
		}
	})
	return p
}

// replicate copies a row between two borders that continue its ends.
func replicate(dst, row []float32) {
	copy(dst[reach:], row)
	for x := range reach {
		dst[x], dst[reach+len(row)+x] = row[0], row[len(row)-1]
	}
}

// distances adds to sums, times share, the distances of one channel's row to its neighbours.
func distances(sums [][16]float64, rows *[5][]float32, share float64) {
	var steps [16][]float32
	for n, step := range neighbours {
		steps[n] = rows[2+step.y/apart][reach+step.x:][:len(sums)]
	}
	for x, centre := range rows[2][reach:][:len(sums)] {
		centre := float64(centre)
		var v [16]float64
		total := 2 * centre
		for n, row := range steps {
			v[n] = float64(row[x])
			total += v[n]
		}
		const samples = 18
		mean := total / samples
		squares := 2 * (centre - mean) * (centre - mean)
		for _, u := range v {
			squares += (u - mean) * (u - mean)
		}
		scale := share / (1e-8 + 0.1*math.Sqrt(squares/(samples-1)))
		sum := &sums[x]
		for n, u := range v {
			sum[n] -= math.Abs(centre-u) * scale
		}
	}
}

func softmax16(dst *[16]float32, x *[16]float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for n, v := range x {
		x[n] = roughExp(v - top)
		sum += x[n]
	}
	for n, v := range x {
		dst[n] = float32(v / sum)
	}
}

// sheets are maps of an image's size, one in each lane: rows of cells, with a border of reach cells at both ends.
type sheets struct {
	w     int
	rows  [][]float32
	free  [][]float32    // rows to write to
	edges [][2][]float32 // the first row and the last, as they are before each iteration
}

func (p *PAMR) sheets(iterations int) *sheets {
	width := lanes * (p.w + 2*reach)
	all := make([]float32, (p.h+3+2*iterations)*width)
	row := func() (r []float32) {
		r, all = all[:width:width], all[width:]
		return r
	}
	s := &sheets{w: p.w}
	for range p.h {
		s.rows = append(s.rows, row())
	}
	for range 3 {
		s.free = append(s.free, row())
	}
	for range iterations {
		s.edges = append(s.edges, [2][]float32{row(), row()})
	}
	return s
}

// inside is row y without its borders.
func (s *sheets) inside(y int) []float32 { return s.rows[y][lanes*reach:][:lanes*s.w] }

// border continues the ends of row y into its borders.
func (s *sheets) border(y int) {
	row := s.rows[y]
	first, last := *cell(row, reach), *cell(row, reach+s.w-1)
	for x := range reach {
		*cell(row, x), *cell(row, reach+s.w+x) = first, last
	}
}

// refine is all iterations.
//
// Neighbours lie a multiple of 8 rows away, and so every eighth row makes an image of its own, small enough to stay in
// a core's cache with its weights through all iterations. Only the borders tie these images together: above the first
// row is the first row of all, below the last the last of all. So the two images that hold these go first, side by
// side, and leave behind what the two rows were before each iteration.
func (p *PAMR) refine(s *sheets) {
	for y := range p.h {
		s.border(y)
	}
	last := (p.h - 1) % apart
	for _, e := range s.edges {
		copy(e[0], s.rows[0])
		copy(e[1], s.rows[p.h-1])
		p.iterate(s, 0, e)
		if last != 0 {
			p.iterate(s, last, e)
		}
	}
	for first := 1; first < min(apart, p.h); first++ {
		for _, e := range s.edges {
			if first != last {
				p.iterate(s, first, e)
			}
		}
	}
}

// iterate is one iteration of every eighth row from the first on. edges are what is above and below all rows.
func (p *PAMR) iterate(s *sheets, first int, edges [2][]float32) {
	below := func(y int) []float32 {
		if y >= p.h {
			return edges[1]
		}
		return s.rows[y]
	}
	rows := [5][]float32{edges[0], edges[0], s.rows[first], below(first + apart), below(first + 2*apart)}
	kept := [2]bool{} // whether rows 0 and 1 are old ones of the sheets, not edges
	for y := first; y < p.h; y += apart {
		to := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		mix(to[lanes*reach:][:lanes*p.w], &rows, p.affinity[16*y*p.w:])
		s.rows[y] = to
		s.border(y)
		if kept[0] {
			s.free = append(s.free, rows[0])
		}
		kept = [2]bool{kept[1], true}
		rows = [5][]float32{rows[1], rows[2], rows[3], rows[4], below(y + 3*apart)}
	}
	for k, old := range kept {
		if old {
			s.free = append(s.free, rows[k])
		}
	}
}

// workers is how many groups of maps are refined at a time.
func (p *PAMR) workers() int {
	return max(min(runtime.GOMAXPROCS(0), refineBytes/(4*lanes*p.w*p.h)), 1)
}

// inOrder does pieces 0..n of work by so many workers. work makes a worker's function, which does a piece; what that
// returns runs when that of all pieces before has, one at a time.
func inOrder(n, workers int, work func() func(piece int) (then func())) {
	workers = min(workers, n)
	turn := make([]chan struct{}, n+1)
	for i := range turn {
		turn[i] = make(chan struct{})
	}
	close(turn[0])
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			do := work()
			for i := range next {
				then := do(i)
				<-turn[i]
				then()
				close(turn[i+1])
			}
		})
	}
	wait.Wait()
}

// inBands splits the rows 0..h among the cores. Results must not depend on where it cuts.
func inBands(h int, do func(y0, y1 int)) {
	bands := min(runtime.GOMAXPROCS(0), max(h/16, 1))
	if bands == 1 {
		do(0, h)
		return
	}
	var wait sync.WaitGroup
	for k := range bands {
		wait.Go(func() { do(k*h/bands, (k+1)*h/bands) })
	}
	wait.Wait()
}
