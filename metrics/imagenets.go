package metrics

import "fmt"

// ImageNetSDilationRatio is the boundary width of ImageNet-S's evaluator, as a share of the
// image diagonal.
const ImageNetSDilationRatio = 0.03

// imageNetSSizes are the buckets of object size: a class is in the first one whose share of the
// image's valid pixels it does not exceed. (The evaluator rounds the share up to whole percent
// before it compares, which whole limits do not notice.)
var imageNetSSizes = [...]struct {
	name    string
	percent int64
}{{"S", 5}, {"MS", 25}, {"ML", 50}, {"L", 100}}

// ImageNetS accumulates the evaluation of Gao et al., "Large-scale Unsupervised Semantic
// Segmentation", TPAMI 2022, as its published evaluator does it. Class 0 is the background and
// takes part in every mean. Records come from [CountBoundary] with [ImageNetSDilationRatio], one
// for each image, also one without valid pixels. Make one with [NewImageNetS]; it may be used by
// one goroutine at a time.
//
// Note: the evaluator adds up in float32. These are integers, and F-measures in float64.
type ImageNetS struct {
	whole   imageNetSAreas
	buckets [len(imageNetSSizes)]imageNetSAreas
	f       []float64 // F-measures of the images, in any order
	right   int64     // images whose largest predicted class is in the truth
	total   int64     // pixels
}

// imageNetSAreas are areas of the classes and of their boundaries.
type imageNetSAreas struct{ regions, boundaries Areas }

// NewImageNetS makes an empty accumulator. classes includes the background: 51, 301 or 920.
func NewImageNetS(classes int) (*ImageNetS, error) {
	if classes < 2 || classes > MaxClasses/2 {
		return nil, fmt.Errorf("%d classes with background, want 2..%d", classes, MaxClasses/2)
	}
	s := &ImageNetS{whole: imageNetSAreas{newAreas(classes), newAreas(classes)}}
	for b := range s.buckets {
		s.buckets[b] = imageNetSAreas{newAreas(classes), newAreas(classes)}
	}
	return s, nil
}

func (s *ImageNetS) classes() int { return len(s.whole.regions.Truth) }

// Add adds one image. It changes nothing if the record is not one that [CountBoundary] makes.
func (s *ImageNetS) Add(r BoundaryRecord) error {
	if err := Sparse(r).check(2 * s.classes()); err != nil {
		return err
	}
	image, pixels := newAreas(s.classes()), int64(0)
	for _, c := range r {
		pixels += c.Count
		image.Truth[c.Truth/2] += c.Count
		if p := int(c.Pred / 2); p < s.classes() {
			image.Pred[p] += c.Count
		}
	}
	if err := grow(&s.total, pixels); err != nil {
		return err
	}
	bucket, used := imageNetSBuckets(image.Truth, pixels)
	for _, c := range r {
		s.whole.add(c)
		for b := range s.buckets {
			if t := c.Truth / 2; used[b] && (t == 0 || bucket[t] == b) {
				s.buckets[b].add(c)
			}
		}
	}
	s.f = append(s.f, imageNetSF(r))
	if p := largestForeground(image.Pred); image.Pred[p] > 0 && image.Truth[p] > 0 {
		s.right++
	}
	return nil
}

// imageNetSBuckets finds the bucket of every foreground class in an image, and which buckets
// have a class.
func imageNetSBuckets(truth []int64, pixels int64) (bucket []int, used [len(imageNetSSizes)]bool) {
	bucket = make([]int, len(truth))
	for c, n := range truth[1:] {
		b := 0
		for 100*n > imageNetSSizes[b].percent*pixels {
			b++
		}
		bucket[c+1] = b
		used[b] = used[b] || n > 0
	}
	return bucket, used
}

// add counts a cell of halved classes.
func (a imageNetSAreas) add(c Cell) {
	t, p := int(c.Truth/2), int(c.Pred/2)
	a.regions.count(t, p, c.Count)
	if c.Truth%2 == 0 {
		t = -1
	}
	if c.Pred%2 == 0 {
		p = -1
	}
	a.boundaries.count(t, p, c.Count)
}

// count adds n pixels of truth t predicted as p, each of which may lie outside the classes.
func (a Areas) count(t, p int, n int64) {
	hasTruth, hasPred := t >= 0 && t < len(a.Truth), p >= 0 && p < len(a.Pred)
	if hasTruth {
		a.Truth[t] += n
	}
	if hasPred {
		a.Pred[p] += n
	}
	if hasTruth && t == p {
		a.Intersection[t] += n
	}
}

// imageNetSF is the F-measure of foreground against background, with beta^2 = 0.3. It is 0
// without a right foreground pixel.
func imageNetSF(r BoundaryRecord) float64 {
	const beta2 = 0.3
	var right, truth, pred int64
	for _, c := range r {
		t, p := c.Truth/2 > 0, c.Pred/2 > 0
		if t {
			truth += c.Count
		}
		if p {
			pred += c.Count
		}
		if t && p {
			right += c.Count
		}
	}
	if right == 0 {
		return 0
	}
	precision, recall := float64(right)/float64(pred), float64(right)/float64(truth)
	return (1 + beta2) * precision * recall / (beta2*precision + recall)
}

// largestForeground is the first class but 0 with the most pixels.
func largestForeground(pixels []int64) int {
	best := 1
	for c := 2; c < len(pixels); c++ {
		if pixels[c] > pixels[best] {
			best = c
		}
	}
	return best
}

// Merge adds all images of another accumulator.
func (s *ImageNetS) Merge(other *ImageNetS) error {
	if other.classes() != s.classes() {
		return fmt.Errorf("scores of %d and %d classes cannot be merged", s.classes(), other.classes())
	}
	if err := grow(&s.total, other.total); err != nil {
		return err
	}
	s.whole.merge(other.whole)
	for b := range s.buckets {
		s.buckets[b].merge(other.buckets[b])
	}
	s.f = append(s.f, other.f...)
	s.right += other.right
	return nil
}

func (a imageNetSAreas) merge(other imageNetSAreas) {
	a.regions.add(other.regions)
	a.boundaries.add(other.boundaries)
}

// Scores are mIoU and mBIoU over all classes, absent ones being 0; the same over the objects of
// each size (mIoU_S up to 5 % of the image, _MS 25 %, _ML 50 %, _L), where only pixels of those
// objects and of the background are looked at and only classes with pixels in the truth count;
// imageAcc, the share of images whose largest predicted foreground class is in the truth; and
// Fmeasure, the images' mean. Sizes without objects are left out. Without images there is nothing.
func (s *ImageNetS) Scores() []Score {
	if len(s.f) == 0 {
		return nil
	}
	out := []Score{
		{"mIoU", imageNetSMean(s.whole.regions, false)},
		{"mBIoU", imageNetSMean(s.whole.boundaries, false)},
	}
	for b, size := range imageNetSSizes {
		if hasPixels(s.buckets[b].regions.Truth) {
			out = append(out,
				Score{"mIoU_" + size.name, imageNetSMean(s.buckets[b].regions, true)},
				Score{"mBIoU_" + size.name, imageNetSMean(s.buckets[b].boundaries, true)})
		}
	}
	f, _ := sortedMean(s.f)
	return append(out, Score{"imageAcc", float64(s.right) / float64(len(s.f))}, Score{"Fmeasure", f})
}

// imageNetSMean is the mean of I/(U + epsilon) over all classes, or those in the truth.
func imageNetSMean(a Areas, present bool) float64 {
	var sum float64
	n := 0
	for c, t := range a.Truth {
		if t > 0 || !present {
			iou, _ := ImageNetSIoU.iou(a.Intersection[c], t, a.Pred[c])
			sum += iou
			n++
		}
	}
	return sum / float64(n)
}

func hasPixels(areas []int64) bool {
	for _, n := range areas {
		if n > 0 {
			return true
		}
	}
	return false
}
