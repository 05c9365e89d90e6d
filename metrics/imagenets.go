package metrics

import (
	"fmt"
	"slices"
)

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

// imageNetS sums the evaluation of Gao et al., "Large-scale Unsupervised Semantic Segmentation", TPAMI 2022, as its
// published evaluator does it. Class 0 is the background and takes part in every mean.
//
// Note: the evaluator adds up in float32. These are integers, and F-measures in float64.
type imageNetS struct {
	whole   imageNetSAreas
	buckets [len(imageNetSSizes)]imageNetSAreas
	f       float64 // sum of the images' F-measures
	right   int64   // images whose largest predicted class is in the truth
	images  int64
}

// imageNetSAreas are areas of the classes and of their boundaries.
type imageNetSAreas struct{ regions, boundaries Areas }

func newImageNetSAreas(classes int) imageNetSAreas {
	return imageNetSAreas{newAreas(classes), newAreas(classes)}
}

func (a imageNetSAreas) clear() {
	a.regions.clear()
	a.boundaries.clear()
}

func newImageNetS(classes int) *imageNetS {
	s := &imageNetS{whole: newImageNetSAreas(classes)}
	for b := range s.buckets {
		s.buckets[b] = newImageNetSAreas(classes)
	}
	return s
}

func (s *imageNetS) clear() {
	s.whole.clear()
	for _, b := range s.buckets {
		b.clear()
	}
	s.f, s.right, s.images = 0, 0, 0
}

func (s *imageNetS) add(r BoundaryRecord, times int64) {
	image := newAreas(len(s.whole.regions.Truth))
	pixels := int64(0)
	for _, c := range r {
		pixels += c.Count
		image.count(int(c.Truth/2), int(c.Pred/2), c.Count)
	}
	bucket, used := imageNetSBuckets(image.Truth, pixels)
	for _, c := range r {
		s.whole.add(c, times)
		for b := range s.buckets {
			if t := c.Truth / 2; used[b] && (t == 0 || bucket[t] == b) {
				s.buckets[b].add(c, times)
			}
		}
	}
	s.images += times
	s.f += float64(times) * imageNetSF(r)
	if p := largestForeground(image.Pred); image.Pred[p] > 0 && image.Truth[p] > 0 {
		s.right += times
	}
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
func (a imageNetSAreas) add(c Cell, times int64) {
	a.regions.count(int(c.Truth/2), int(c.Pred/2), times*c.Count)
	a.boundaries.count(boundaryOf(c.Truth), boundaryOf(c.Pred), times*c.Count)
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

// ImageNetSScores are the names of [ImageNetSStatistic].
var ImageNetSScores = func() []string {
	out := []string{"mIoU", "mBIoU"}
	for _, size := range imageNetSSizes {
		out = append(out, "mIoU_"+size.name, "mBIoU_"+size.name)
	}
	return append(out, "imageAcc", "Fmeasure")
}()

// ImageNetSStatistic is one of the scores over resampled images: mIoU and mBIoU over all classes, absent ones being 0;
// the same over the objects of each size (mIoU_S up to 5 % of the image, _MS 25 %, _ML 50 %, _L), where only pixels of
// those objects and of the background are looked at and only classes with pixels in the truth count; imageAcc, the
// share of images whose largest predicted foreground class is in the truth; and Fmeasure, the images' mean. Sizes
// without objects are undefined. Records come from [CountBoundary] with [ImageNetSDilationRatio], one for each image,
// also one without valid pixels. classes includes the background: 51, 301 or 920.
func ImageNetSStatistic(records []BoundaryRecord, classes int, score string) (Statistic, error) {
	if classes < 2 || classes > MaxClasses/2 {
		return nil, fmt.Errorf("%d classes with background, want 2..%d", classes, MaxClasses/2)
	}
	if err := known(score, ImageNetSScores...); err != nil {
		return nil, err
	}
	for i, r := range records {
		if _, err := Sparse(r).check(2 * classes); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	return pooled(newImageNetS(classes), records, len(records), same, score), nil
}

func (s *imageNetS) Scores() []Score {
	if s.images == 0 {
		return nil
	}
	out := []Score{
		{"mIoU", imageNetSMean(s.whole.regions, false)},
		{"mBIoU", imageNetSMean(s.whole.boundaries, false)},
	}
	for b, size := range imageNetSSizes {
		if slices.Max(s.buckets[b].regions.Truth) > 0 {
			out = append(out,
				Score{"mIoU_" + size.name, imageNetSMean(s.buckets[b].regions, true)},
				Score{"mBIoU_" + size.name, imageNetSMean(s.buckets[b].boundaries, true)})
		}
	}
	return append(out, Score{"imageAcc", float64(s.right) / float64(s.images)}, Score{"Fmeasure", s.f / float64(s.images)})
}

// imageNetSMean is the mean of I/(U + epsilon) over all classes, or those in the truth.
func imageNetSMean(a Areas, present bool) float64 {
	var m average
	for c, t := range a.Truth {
		if t > 0 || !present {
			m.addIf(ImageNetSIoU.iou(a.Intersection[c], t, a.Pred[c]))
		}
	}
	value, _ := m.of()
	return value
}
