package metrics

import (
	"fmt"
	"math"
)

// ImageNetSegmentationRecord is one map of the ImageNet-segmentation protocol: pixels by truth and
// prediction, and what cannot be computed from them.
type ImageNetSegmentationRecord struct {
	Image int   `json:"image"`
	TP    int64 `json:"tp"` // foreground predicted as such
	FP    int64 `json:"fp"`
	FN    int64 `json:"fn"`
	TN    int64 `json:"tn"`
	// AP is the average precision of all 2N values of the maps [1-m, m] against the two one-hot
	// planes of the truth.
	AP   float64 `json:"ap"`
	Flat bool    `json:"flat,omitempty"` // the map is constant or has values that are not finite
}

// ImageNetSegmentationAt scores one map by the protocol of Chefer et al., "Transformer
// Interpretability Beyond Attention Visualization", CVPR 2021, section 4: the map is stretched to
// 0..1, all pixels together; foreground lies strictly above its mean. It computes in float32, but
// for the mean. A flat map predicts background, its AP is that of all values tied. mask has the
// foreground Inside; void pixels are dropped, but from the stretch and the mean.
//
// The protocol squashes image and truth to 224 x 224, the truth with the nearest neighbour; both are
// the caller's business.
func ImageNetSegmentationAt(score []float32, mask []uint8, image int) (ImageNetSegmentationRecord, error) {
	if err := checkMap(score, mask); err != nil {
		return ImageNetSegmentationRecord{}, err
	}
	r := ImageNetSegmentationRecord{Image: image}
	stretched, mean, ok := stretch(score)
	r.Flat = !ok
	values := make([]uint32, 0, 2*len(score)) // (float bits, right) in one integer
	for i, m := range stretched {
		right := uint32(mask[i])
		if right > uint32(Inside) {
			continue
		}
		predicted := m > mean
		switch {
		case predicted && right == 1:
			r.TP++
		case predicted:
			r.FP++
		case right == 1:
			r.FN++
		default:
			r.TN++
		}
		other := 1 - m
		if r.Flat {
			other = 0
		}
		values = append(values, math.Float32bits(m)<<1|right, math.Float32bits(other)<<1|(1-right))
	}
	if len(values) == 0 {
		return ImageNetSegmentationRecord{}, fmt.Errorf("image %d has void pixels only", image)
	}
	r.AP = stepwiseAP(values)
	return r, nil
}

// stretch maps score to 0..1. ok is false, and all values 0, where that cannot be done.
func stretch(score []float32) (out []float32, mean float32, ok bool) {
	e := ExtentOf(score)
	width := e.Max - e.Min
	out = make([]float32, len(score))
	if e.NaN > 0 || !(width > 0) || math.IsInf(float64(width), 0) {
		return out, 0, false
	}
	sum := 0.0
	for i, v := range score {
		out[i] = (v - e.Min) / width
		sum += float64(out[i])
	}
	return out, float32(sum / float64(len(out))), true
}

// stepwiseAP is the sum over distinct values, from the highest, of (recall gained) * precision. Each
// element is the bits of a value in 0..1, then one bit for right; it sorts them.
func stepwiseAP(values []uint32) float64 {
	sortBits(values)
	ap := 0.0
	hits := 0
	for i := len(values) - 1; i >= 0; {
		before, of := hits, values[i]>>1
		for ; i >= 0 && values[i]>>1 == of; i-- {
			hits += int(values[i] & 1)
		}
		ap += float64(hits-before) * (float64(hits) / float64(len(values)-1-i))
	}
	if hits == 0 {
		return 0
	}
	return min(1, ap/float64(hits))
}

// sortBits sorts values, by their low, middle and high 11 bits in turn: many times faster than comparing the values of
// a map, of which hardly two are equal.
func sortBits(values []uint32) {
	const digit, parts = 11, 3
	var starts [parts][1 << digit]int // first how many, then where the next one goes
	for _, v := range values {
		for p := range parts {
			starts[p][v>>(p*digit)&(1<<digit-1)]++
		}
	}
	from, to := values, make([]uint32, len(values))
	for p := range parts {
		at := 0
		for d, n := range starts[p] {
			starts[p][d] = at
			at += n
		}
		for _, v := range from {
			next := &starts[p][v>>(p*digit)&(1<<digit-1)]
			to[*next] = v
			*next++
		}
		from, to = to, from
	}
	copy(values, from)
}

// check refuses records that ImageNetSegmentationAt cannot have made.
func (r ImageNetSegmentationRecord) check() error {
	for _, n := range []int64{r.TP, r.FP, r.FN, r.TN} {
		if n < 0 || n > maxPixels {
			return fmt.Errorf("image %d: %d pixels", r.Image, n)
		}
	}
	if r.TP+r.FP+r.FN+r.TN == 0 || !(r.AP >= 0 && r.AP <= 1) {
		return fmt.Errorf("image %d: AP %v of %d pixels", r.Image, r.AP, r.TP+r.FP+r.FN+r.TN)
	}
	return nil
}

// f1 is that of the foreground, 0 without any.
func (r ImageNetSegmentationRecord) f1() float64 {
	f1, _ := ratio(2*r.TP, 2*r.TP+r.FP+r.FN)
	return f1
}

// imageNetSegmentation sums pixels, and values of images.
type imageNetSegmentation struct {
	tp, fp, fn, tn int64
	ap, f1, images float64
}

func (s *imageNetSegmentation) clear() { *s = imageNetSegmentation{} }

func (s *imageNetSegmentation) add(r ImageNetSegmentationRecord, times int64) {
	s.tp += times * r.TP
	s.fp += times * r.FP
	s.fn += times * r.FN
	s.tn += times * r.TN
	s.ap += float64(times) * r.AP
	s.f1 += float64(times) * r.f1()
	s.images += float64(times)
}

func (s *imageNetSegmentation) Scores() []Score {
	if s.images == 0 {
		return nil
	}
	right, _ := ratio(s.tp+s.tn, s.tp+s.tn+s.fp+s.fn)
	foreground, _ := ratio(s.tp, s.tp+s.fp+s.fn)
	background, _ := ratio(s.tn, s.tn+s.fp+s.fn)
	return []Score{
		{"pixAcc", right}, {"mIoU", (background + foreground) / 2}, {"mAP", s.ap / s.images}, {"mF1", s.f1 / s.images},
	}
}

// ImageNetSegmentationStatistic is one of the scores over that many images: pixAcc, the share of pixels that are right,
// and mIoU, the mean of the IoU of background and of foreground (0 for one without pixels), both pooled over the
// images; mAP and mF1, means over the maps.
//
// Note: the authors' script reshapes an image's prediction to its rows before F1, so theirs is a
// mean over rows of pixels. It is in no table; F1 here is of the whole image.
func ImageNetSegmentationStatistic(records []ImageNetSegmentationRecord, images int, score string) (Statistic, error) {
	if err := known(score, "pixAcc", "mIoU", "mAP", "mF1"); err != nil {
		return nil, err
	}
	err := checkRecords(records, images, func(r ImageNetSegmentationRecord) (int, error) {
		if r.Image < 0 {
			return r.Image, fmt.Errorf("image %d", r.Image)
		}
		return r.Image, r.check()
	})
	if err != nil {
		return nil, err
	}
	return pooled(new(imageNetSegmentation), records, images, func(i int) int { return records[i].Image }, score), nil
}
