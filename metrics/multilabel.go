package metrics

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Tag is the truth of a class in an image.
type Tag uint8

const (
	TagAbsent Tag = iota
	TagPresent
	TagDifficult // in the image, but marked as unfair to ask for, as PASCAL VOC does
)

// DifficultRule says what [TagDifficult] counts as, in the words of a protocol. The three are in
// use and give different numbers.
type DifficultRule string

const (
	DifficultSkip     DifficultRule = "skip"     // the image is left out for that class: VOC's kit, ML-GCN's AP
	DifficultNegative DifficultRule = "negative" // absent: ASL, DualCoOp, TaI-DPT
	DifficultPositive DifficultRule = "positive" // present: CLIP_benchmark
)

// asked says whether a tag counts, and whether as present.
func (d DifficultRule) asked(t Tag) (counts, present bool) {
	if t == TagDifficult {
		return d != DifficultSkip, d == DifficultPositive
	}
	return true, t == TagPresent
}

func (d DifficultRule) check() error {
	switch d {
	case DifficultSkip, DifficultNegative, DifficultPositive:
		return nil
	}
	return fmt.Errorf("difficult rule %q is not known (known: %s, %s, %s)", d, DifficultSkip, DifficultNegative,
		DifficultPositive)
}

// Ranking holds, for each class, the images by falling score. It is what every average precision
// is computed from; sorting is the expensive part, and resampled images need no other order. Make
// one with [Rank]. It is immutable and may be shared.
type Ranking struct {
	images int
	lists  [][]ranked
}

// ranked is an image in the list of a class: image<<2 | last of equal scores<<1 | present.
type ranked uint32

const maxRankedImages = 1 << 30

const (
	rankedPresent ranked = 1
	rankedLast    ranked = 2
)

func newRanked(image int, present bool) ranked {
	if present {
		return ranked(image)<<2 | rankedPresent
	}
	return ranked(image) << 2
}

func (r ranked) image() int    { return int(r >> 2) }
func (r ranked) last() bool    { return r&rankedLast != 0 }
func (r ranked) present() bool { return r&rankedPresent != 0 }

// Rank sorts the images of each class. scores and truth are [images][classes], row by row; any
// monotone scale of scores will do, and infinite ones are in order, but NaN is an error. 1 to
// MaxClasses classes.
//
// Note: do not squash logits through a float32 sigmoid before: above 17 all of them become equal.
func Rank(scores []float64, truth []Tag, classes int, d DifficultRule) (*Ranking, error) {
	if err := checkTable(len(scores), len(truth), classes); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	images := len(scores) / classes
	if images >= maxRankedImages {
		return nil, fmt.Errorf("%d images, want fewer than %d", images, maxRankedImages)
	}
	r := &Ranking{images: images, lists: make([][]ranked, classes)}
	var sorter rankSorter
	var columns [rankBlock]rankColumn
	for first := 0; first < classes; first += rankBlock {
		block := columns[:min(rankBlock, classes-first)]
		if err := gather(block, scores, truth, first, classes, d); err != nil {
			return nil, err
		}
		for c := range block {
			r.lists[first+c] = sorter.sort(block[c])
		}
	}
	return r, nil
}

// rankBlock is how many classes are gathered at a time: rows are long, and a cache line of them
// should not be fetched for a single score.
const rankBlock = 16

// rankColumn is one class: the key and the entry of every image that counts.
type rankColumn struct {
	keys   []uint64
	images []ranked // without last
}

// gather fills columns with the classes from first on.
func gather(columns []rankColumn, scores []float64, truth []Tag, first, classes int, d DifficultRule) error {
	images := len(scores) / classes
	for c := range columns {
		columns[c].keys = slices.Grow(columns[c].keys[:0], images)[:images]
		columns[c].images = slices.Grow(columns[c].images[:0], images)[:images]
	}
	var n [rankBlock]int
	for i := range images {
		at := i*classes + first
		tags := truth[at : at+len(columns)]
		for c, score := range scores[at : at+len(columns)] {
			if score != score || tags[c] > TagDifficult {
				return fmt.Errorf("image %d, %w", i, badTag(first+c, score, tags[c]))
			}
			counts, present := d.asked(tags[c])
			if !counts {
				continue
			}
			column := &columns[c]
			column.keys[n[c]] = rankKey(score)
			column.images[n[c]] = newRanked(i, present)
			n[c]++
		}
	}
	for c := range columns {
		columns[c].keys, columns[c].images = columns[c].keys[:n[c]], columns[c].images[:n[c]]
	}
	return nil
}

func checkTable(scores, truth, classes int) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	if scores != truth || scores%classes != 0 {
		return fmt.Errorf("%d scores and %d truths, want both to be images times %d classes", scores, truth, classes)
	}
	return nil
}

func badTag(class int, score float64, t Tag) error {
	if t > TagDifficult {
		return fmt.Errorf("class %d: truth %d, want 0 (absent), 1 (present) or 2 (difficult)", class, t)
	}
	return fmt.Errorf("class %d: score %v", class, score)
}

// rankKey is the bits of a score, turned so that higher scores have lower keys. Both zeros have
// the same key.
func rankKey(score float64) uint64 {
	b := math.Float64bits(score + 0) // -0 + 0 is 0
	return b ^ ^uint64(int64(b)>>63)>>1
}

// rankSorter sorts columns and keeps its memory. Zero is ready.
type rankSorter struct {
	items, spare []uint64
	counts       [rankPasses][1 << rankDigit]uint32
}

// Three digits of 11 bits hold the leading 33 of the bits in which keys differ, and leave 31 of a
// word for the place in the column.
const (
	rankDigit  = 11
	rankPasses = 3
	rankPlace  = 64 - rankPasses*rankDigit
)

// sort is stable. A radix sort by the leading bits leaves few keys that still differ among their
// equals; those are sorted by comparison.
func (s *rankSorter) sort(column rankColumn) []ranked {
	s.fill(column.keys)
	for d := range s.counts {
		s.pass(d)
	}
	const place = 1<<rankPlace - 1
	out := make([]ranked, len(s.items))
	for i := 0; i < len(s.items); {
		first := i
		for i++; i < len(s.items) && s.items[i]>>rankPlace == s.items[first]>>rankPlace; i++ {
		}
		if i > first+1 {
			column.settle(s.items[first:i])
		}
		for k, item := range s.items[first : i-1] {
			out[first+k] = column.images[item&place]
			if column.keys[item&place] != column.keys[s.items[first+k+1]&place] {
				out[first+k] |= rankedLast
			}
		}
		out[i-1] = column.images[s.items[i-1]&place] | rankedLast
	}
	return out
}

// fill makes the words to sort and counts their digits.
func (s *rankSorter) fill(keys []uint64) {
	s.counts = [rankPasses][1 << rankDigit]uint32{}
	s.items = slices.Grow(s.items[:0], len(keys))[:len(keys)]
	s.spare = slices.Grow(s.spare[:0], len(keys))[:len(keys)]
	var differ uint64
	for _, key := range keys {
		differ |= key ^ keys[0]
	}
	same := bits.LeadingZeros64(differ)
	for i, key := range keys {
		item := key<<same>>rankPlace<<rankPlace | uint64(i)
		s.items[i] = item
		s.counts[0][item>>rankPlace%(1<<rankDigit)]++
		s.counts[1][item>>(rankPlace+rankDigit)%(1<<rankDigit)]++
		s.counts[2][item>>(rankPlace+2*rankDigit)]++
	}
}

// pass sorts by one digit, stable.
func (s *rankSorter) pass(digit int) {
	counts, shift := &s.counts[digit], rankPlace+digit*rankDigit
	sum := uint32(0)
	for i, n := range counts {
		counts[i] = sum
		sum += n
	}
	for _, item := range s.items {
		at := &counts[item>>shift%(1<<rankDigit)]
		s.spare[*at] = item
		*at++
	}
	s.items, s.spare = s.spare, s.items
}

// settle sorts items of equal leading bits by their whole keys, then by place.
func (c rankColumn) settle(items []uint64) {
	const place = 1<<rankPlace - 1
	compare := func(a, b uint64) int {
		return cmp.Or(cmp.Compare(c.keys[a&place], c.keys[b&place]), cmp.Compare(a, b))
	}
	if !slices.IsSortedFunc(items, compare) {
		slices.SortFunc(items, compare)
	}
}
