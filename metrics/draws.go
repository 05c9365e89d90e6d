package metrics

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// Draw says how often each image is there.
type Draw struct {
	Times []int32
	of    *block // the draws that it was made with; nil for none
	at    int    // its place among them
}

// together is the number of draws of a block: sums over images are made for all of them in one pass over the images.
const together = 32

// lanes are a number of each draw of a block.
type lanes [together]float64

// block is draws made one after the other: how often each image is there, by draw.
type block struct{ times []lanes }

// block is that of the draw.
func (d Draw) block() *block {
	if d.of != nil {
		return d.of
	}
	b := &block{make([]lanes, len(d.Times))}
	for i, n := range d.Times {
		b.times[i][0] = float64(n)
	}
	return b
}

// Lots are the draws of a seed from so many images. Any number of goroutines may share them: each draw is made once for
// all and kept, in half a byte an image, where those asked for take no more than keptLots bytes.
type Lots struct {
	images int
	seed   uint64

	mu   sync.Mutex
	rng  *rand.Rand
	made []lot
}

const keptLots = 1 << 25

// lot is how often a draw has each image; wide is nil where numbers of half a byte, two in each, hold that.
type lot struct {
	narrow []uint8
	wide   []int32
}

// NewLots has made no draws yet.
func NewLots(images int, seed uint64) *Lots {
	return &Lots{images: images, seed: seed, rng: rand.New(rand.NewPCG(seed, 0))}
}

// first gives b draws, one a call: how often each has every image.
func (l *Lots) first(b int) (next func(times []int32)) {
	if b > 2*keptLots/l.images {
		rng := rand.New(rand.NewPCG(l.seed, 0))
		return func(times []int32) { draw(rng, times) }
	}
	k := -1
	return func(times []int32) {
		k++
		of := l.kept(k, times)
		copy(times, of.wide)
		if of.narrow != nil {
			for i := range times {
				times[i] = int32(of.narrow[i/2] >> (i % 2 * 4) & 15)
			}
		}
	}
}

// kept is draw k, one made before or the next; scratch has a number for each image.
func (l *Lots) kept(k int, scratch []int32) lot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k == len(l.made) {
		draw(l.rng, scratch)
		var of lot
		if slices.Max(scratch) > 15 {
			of.wide = slices.Clone(scratch)
		} else {
			of.narrow = make([]uint8, (l.images+1)/2)
			for i, n := range scratch {
				of.narrow[i/2] |= uint8(n) << (i % 2 * 4)
			}
		}
		l.made = append(l.made, of)
	}
	return l.made[k]
}

// draw sets times to how often each image is there in the next draw of rng.
func draw(rng *rand.Rand, times []int32) {
	clear(times)
	for range times {
		times[rng.Uint64N(uint64(len(times)))]++
	}
}

// draws makes blocks of draws.
type draws struct {
	list  []Draw
	times []lanes // of each image
}

func newDraws(images int) *draws {
	d := &draws{times: make([]lanes, images)}
	for at := range together {
		d.list = append(d.list, Draw{Times: make([]int32, images), at: at})
	}
	return d
}

// next is n draws, made by fill. What it returns holds until the next call.
func (d *draws) next(n int, fill func(times []int32)) []Draw {
	of := &block{d.times} // a new one: sums of the block before are not its sums
	for k := range d.list[:n] {
		times := d.list[k].Times
		d.list[k].of = of
		fill(times)
		for i, n := range times {
			d.times[i][k] = float64(n)
		}
	}
	return d.list[:n]
}

// termSums are sums of the terms of images, each times how often its image is there. Term i adds values[i] to row
// at[i].
type termSums struct {
	at     []int32
	values []float64
	runs   []termRun
	of     *block // whose sums rows are; nil before the first
	rows   []lanes
}

// termRun is terms of one image, which end at end.
type termRun struct{ image, end int }

// add adds a term of an image. Sums of a row are made in the order of its terms.
func (s *termSums) add(image, row int, value float64) {
	s.at, s.values = append(s.at, int32(row)), append(s.values, value)
	if last := len(s.runs) - 1; last < 0 || s.runs[last].image != image {
		s.runs = append(s.runs, termRun{image: image})
	}
	s.runs[len(s.runs)-1].end = len(s.at)
}

// sum makes the sums of a draw: those of row r are rows[r][d.at].
func (s *termSums) sum(d Draw) {
	b := d.block()
	if b == s.of {
		return
	}
	s.of = b
	clear(s.rows)
	from := 0
	for _, r := range s.runs {
		addTerms(s.rows, &b.times[r.image], s.at[from:r.end], s.values[from:r.end])
		from = r.end
	}
}

// addTerms adds terms of an image that is there so many times. Products and sums are rounded one by one.
func addTerms(rows []lanes, times *lanes, at []int32, values []float64) {
	values = values[:len(at)]
	if vectors {
		addTermsAVX2(&rows[0], times, &at[0], &values[0], len(at))
		return
	}
	for i, row := range at {
		sum := &rows[row]
		for k, n := range times {
			sum[k] += float64(n * values[i])
		}
	}
}
