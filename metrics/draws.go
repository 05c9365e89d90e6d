package metrics

import "math/rand/v2"

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

// next draws n times as many images as there are. What it returns holds until the next call.
func (d *draws) next(rng *rand.Rand, n int) []Draw {
	of := &block{d.times} // a new one: sums of the block before are not its sums
	for k := range d.list[:n] {
		times := d.list[k].Times
		d.list[k].of = of
		clear(times)
		for range times {
			times[rng.Uint64N(uint64(len(times)))]++
		}
		for i, n := range times {
			d.times[i][k] = float64(n)
		}
	}
	return d.list[:n]
}

// term is what an image adds to one of several sums.
type term struct {
	row   int
	value float64
}

// termSums are sums of the terms of images, each times how often its image is there.
type termSums struct {
	terms []term
	runs  []termRun
	of    *block // whose sums rows are; nil before the first
	rows  []lanes
}

// termRun is terms of one image, which end at end.
type termRun struct{ image, end int }

// add adds a term of an image. Sums of a row are made in the order of its terms.
func (s *termSums) add(image, row int, value float64) {
	s.terms = append(s.terms, term{row, value})
	if last := len(s.runs) - 1; last < 0 || s.runs[last].image != image {
		s.runs = append(s.runs, termRun{image: image})
	}
	s.runs[len(s.runs)-1].end = len(s.terms)
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
		addTerms(s.rows, &b.times[r.image], s.terms[from:r.end])
		from = r.end
	}
}

// addTerms adds terms of an image that is there so many times. Products and sums are rounded one by one.
func addTerms(rows []lanes, times *lanes, terms []term) {
	if vectors {
		addTermsAVX2(&rows[0], times, &terms[0], len(terms))
		return
	}
	for _, t := range terms {
		sum := &rows[t.row]
		for k, n := range times {
			sum[k] += float64(n * t.value)
		}
	}
}
