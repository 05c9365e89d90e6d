package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// readJSON reads a golden file of testdata.
func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// bytesOf undoes JSON's reading of []uint8 as base64.
func bytesOf(v []int) []uint8 {
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

// explainScores are all scores of maps, and what they rest on.
func explainScores(t testing.TB, classes int, records ...ExplainRecord) (map[string]float64, ExplainSummary) {
	t.Helper()
	images := 0
	for _, r := range records {
		images = max(images, r.Image+1)
	}
	scores := evaluate(t, images, func(score string) (Statistic, error) {
		if score == "fg-mIoU@other-half" {
			return OtherHalfStatistic(records, images, classes, func(image int) bool { return image%2 == 1 })
		}
		return ExplainStatistic(records, images, classes, score)
	}, "fg-mIoU", "fg-mIoU@other-half", "fg-mIoU@0.5", "fg-mIoU@otsu", "fg-mIoU-image", "PxAP", "mSC", "mSC-pairs")
	summary, err := SummarizeExplain(records, classes)
	if err != nil {
		t.Fatal(err)
	}
	return scores, summary
}

func explain(t testing.TB, score []float32, mask []uint8, image, class int) ExplainRecord {
	t.Helper()
	r, err := Explain(score, mask, image, class)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// testdata/explain/explain.json, by make.py there: numpy 2.4.6 with one comparison per threshold,
// scikit-learn 1.9.1 for PxAP, OpenCV 5.0.0 for Otsu.
func TestExplainabilityGoldens(t *testing.T) {
	var cases []struct {
		Name    string
		Classes int
		Maps    []struct {
			Image, Class int
			Score        []*float32
			Mask         []int
		}
		Scores map[string]float64
		Found  ExplainSummary
	}
	readJSON(t, "explain/explain.json", &cases)
	for _, g := range cases {
		t.Run(g.Name, func(t *testing.T) {
			var records []ExplainRecord
			for _, m := range g.Maps {
				score := make([]float32, len(m.Score))
				for i, v := range m.Score {
					if score[i] = float32(math.NaN()); v != nil {
						score[i] = *v
					}
				}
				records = append(records, explain(t, score, bytesOf(m.Mask), m.Image, m.Class))
			}
			scores, got := explainScores(t, g.Classes, records...)
			if diff := cmp.Diff(g.Scores, scores, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
				t.Errorf("scores (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(g.Found, got, cmpopts.IgnoreFields(ExplainSummary{}, "Curve")); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

// By hand. Class 0 has two images, class 1 one. Between 0.25 and 0.55 only the third pixel of the
// second map is wrong: I/U are 2/2, 2/3 and 2/2, so pooled (4/5 + 1)/2 = 0.9, per image
// ((1 + 2/3)/2 + 1)/2 = 0.91667; no threshold does better. Contrasts are 0.9-0.1, 0.95-0.4 and
// 0.75-0.225: per class (0.675 + 0.525)/2 = 0.6, per map 0.625.
func TestExplainabilityByHand(t *testing.T) {
	mask := []uint8{Inside, Inside, Outside, Outside}
	got, s := explainScores(t, 2,
		explain(t, []float32{1, 0.8, 0.1, 0.1}, mask, 0, 0),
		explain(t, []float32{1, 0.9, 0.6, 0.2}, mask, 1, 0),
		explain(t, []float32{0.95, 0.55, 0.25, 0.2}, mask, 2, 1),
	)
	for name, want := range map[string]float64{"fg-mIoU": 0.9, "fg-mIoU-image": 11. / 12, "mSC": 0.6, "mSC-pairs": 0.625} {
		if math.Abs(got[name]-want) > 1e-7 { // the maps are float32
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	if s.Best != 0.25 {
		t.Errorf("threshold %v, want 0.25, the lowest of the best", s.Best)
	}
}

// Each half is cut at the other's threshold. By hand: the even image is split at 0.2..0.39, the odd
// one at 0.6..0.79. At 0.60 nothing of the even image is left (IoU 0 of 1 pixel), at 0.20 the odd
// one is all foreground (1 of 2): pooled 1/3. Found on all, 0.2 gives 2/3 and 0.6 the half of it.
func TestOtherHalf(t *testing.T) {
	mask := []uint8{Inside, Outside}
	got, s := explainScores(t, 1,
		explain(t, []float32{0.4, 0.2}, mask, 4, 0),
		explain(t, []float32{0.8, 0.6}, mask, 7, 0),
	)
	if s.BestOfEven != 0.2 || s.BestOfOdd != 0.6 || s.Best != 0.2 {
		t.Errorf("thresholds %v of even, %v of odd, %v of all images", s.BestOfEven, s.BestOfOdd, s.Best)
	}
	if math.Abs(got["fg-mIoU@other-half"]-1./3) > 1e-15 || math.Abs(got["fg-mIoU"]-2./3) > 1e-15 {
		t.Errorf("%v, want 1/3 and 2/3", got)
	}
}

// explainSlowly is the definition of the counts in a record.
func explainSlowly(score []float32, mask []uint8) (inside, all [Thresholds]int64) {
	for k := range Thresholds {
		for i, v := range score {
			if mask[i] <= Inside && v > float32(float64(k)/100) {
				all[k]++
				if mask[i] == Inside {
					inside[k]++
				}
			}
		}
	}
	return inside, all
}

func checkExplain(t rapid.TB, score []float32, mask []uint8) {
	t.Helper()
	r, err := Explain(score, mask, 3, 1)
	valid := slices.Contains(mask, Inside)
	for _, v := range score {
		valid = valid && !(v < -slack) && !(v > 1+slack)
	}
	if !valid {
		if err == nil {
			t.Fatalf("no error for %v, %v", score, mask)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := r.check(2); err != nil {
		t.Fatal(err)
	}
	inside, all := explainSlowly(score, mask)
	var truth, judged int64
	for _, m := range mask {
		if m <= Inside {
			judged++
		}
		if m == Inside {
			truth++
		}
	}
	for k := range Thresholds {
		if i, a := r.above(k); i != inside[k] || a != all[k] {
			t.Fatalf("above %v: %d of %d pixels, want %d of %d\n%v\n%v", Threshold(k), i, a, inside[k], all[k], score, mask)
		}
	}
	if total(r.Inside) != truth || total(r.Inside)+total(r.Outside) != judged {
		t.Fatalf("%d and %d pixels, want %d of %d", total(r.Inside), total(r.Outside), truth, judged)
	}
	checkMeans(t, r, score, mask)
}

func checkMeans(t rapid.TB, r ExplainRecord, score []float32, mask []uint8) {
	t.Helper()
	var sum, n [3]float64
	clean := make([]float32, len(score))
	nan := 0
	for i, v := range score {
		if v != v {
			nan++
			v = 0
		}
		clean[i] = max(0, min(v, 1))
		sum[min(mask[i], Void)] += float64(clean[i])
		n[min(mask[i], Void)]++
	}
	for kind, got := range map[uint8]float64{Inside: r.MeanInside, Outside: r.MeanOutside} {
		if want := sum[kind] / max(1, n[kind]); math.Abs(got-want) > 1e-12 {
			t.Fatalf("mean %v, want %v", got, want)
		}
	}
	e := ExtentOf(clean)
	if r.NaN != nan || r.Peaks != e.Peaks || r.Constant != (e.Min == e.Max) {
		t.Fatalf("%d NaN, %d peaks, constant %v; want %d and %+v", r.NaN, r.Peaks, r.Constant, nan, e)
	}
}

// Values at, just below and just above each threshold, and the ends of the range.
func TestExplainAtThresholds(t *testing.T) {
	var score []float32
	for k := range Thresholds + 1 {
		v := Threshold(k)
		score = append(score, v, math.Nextafter32(v, -1), math.Nextafter32(v, 2), float32(k)*0.01, v+0.003, v/3, v/7)
	}
	for i := range score {
		score[i] = min(score[i], 1+slack/2)
	}
	mask := make([]uint8, len(score))
	for i := range mask {
		mask[i] = uint8(i*i) % 5 // 0, 1 and 4: void by any name
	}
	checkExplain(t, score, mask)
}

func TestExplainAgreesWithDefinition(t *testing.T) {
	value := rapid.OneOf(
		rapid.Float32Range(0, 1),
		rapid.Map(rapid.IntRange(0, 100), Threshold),
		rapid.SampledFrom([]float32{0, 1, float32(math.Copysign(0, -1)), float32(math.NaN()), -slack / 2, 1 + slack/2, 1e-40,
			0.5}),
	)
	rapid.Check(t, func(t *rapid.T) {
		var score []float32
		var mask []uint8
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			v, m := value.Draw(t, "value"), rapid.SampledFrom([]uint8{0, 1, 1, 2, 255}).Draw(t, "mask")
			for i := range rapid.IntRange(1, 25).Draw(t, "length") {
				if i%3 == 2 {
					v = value.Draw(t, "value")
				}
				score, mask = append(score, v), append(mask, m)
			}
		}
		checkExplain(t, score, mask)
	})
}

func FuzzExplain(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var score []float32
		var mask []uint8
		for ; len(data) >= 5; data = data[5:] {
			mask = append(mask, data[0])
			score = append(score,
				math.Float32frombits(uint32(data[1])|uint32(data[2])<<8|uint32(data[3])<<16|uint32(data[4])<<24))
		}
		if len(score) > 0 {
			checkExplain(t, score, mask)
		}
	})
}

func TestExplainErrors(t *testing.T) {
	for _, test := range []struct {
		score []float32
		mask  []uint8
		want  string
	}{
		{[]float32{0, 1}, []uint8{1}, "a map of 2 pixels and a mask of 1"},
		{nil, nil, "without pixels"},
		{[]float32{0, 1}, []uint8{0, 2}, "class 5 has no pixel in image 3"},
		{[]float32{0, 1, 24.5}, []uint8{0, 1, 0}, "map value 24.5 at pixel 2 lies outside 0..1"},
		{[]float32{-0.1, 1}, []uint8{0, 1}, "map value -0.1 at pixel 0"},
		{[]float32{0, float32(math.Inf(1))}, []uint8{0, 1}, "map value +Inf at pixel 1"},
	} {
		if _, err := Explain(test.score, test.mask, 3, 5); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// Records come from files: what Explain cannot have made is refused and changes nothing.
func TestExplainabilityRefuses(t *testing.T) {
	good := explain(t, []float32{1, 0.5, 0}, []uint8{1, 1, 0}, 0, 1)
	for want, spoil := range map[string]func(*ExplainRecord){
		"there are 2 classes": func(r *ExplainRecord) { r.Class = 2 },
		"negative image":      func(r *ExplainRecord) { r.Image = -1 },
		"levels, want 101":    func(r *ExplainRecord) { r.Inside = r.Inside[:100] },
		"no pixel inside":     func(r *ExplainRecord) { r.Inside = make([]uint32, levels) },
		"more than":           func(r *ExplainRecord) { r.Outside = slices.Repeat([]uint32{1 << 24}, levels) },
		"lie outside 0..1":    func(r *ExplainRecord) { r.MeanInside = math.NaN() },
		"threshold 100":       func(r *ExplainRecord) { r.Otsu = 100 },
	} {
		bad := good
		spoil(&bad)
		if _, err := ExplainStatistic([]ExplainRecord{good, bad}, 1, 2, "PxAP"); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := SummarizeExplain([]ExplainRecord{good, bad}, 2); err == nil {
			t.Errorf("%s: the record is summed up", want)
		}
	}
}

// A record survives the file it is stored in.
func TestExplainRecordJSON(t *testing.T) {
	score, mask := smoothMap(40, 30, 2)
	want := explain(t, score, mask, 7, 3)
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got ExplainRecord
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestClassMask(t *testing.T) {
	got := ClassMask([]uint16{0, 3, 255, 3, 4}, 3, 255)
	if diff := cmp.Diff([]uint8{Outside, Inside, Void, Inside, Outside}, got); diff != "" {
		t.Error(diff)
	}
	if got := ClassMask([]uint16{3}, 3, 3); got[0] != Void {
		t.Errorf("an ignored class is %d, want void", got[0])
	}
}

func TestExtent(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		score []float32
		want  Extent
	}{
		{nil, Extent{}},
		{[]float32{nan, nan}, Extent{NaN: 2}},
		{[]float32{nan, 1, 3, 2, 3}, Extent{Min: 1, Max: 3, Peak: 2, Peaks: 2, NaN: 1}},
		{[]float32{-2, -2}, Extent{Min: -2, Max: -2, Peaks: 2}},
		{[]float32{-inf, -inf, 1}, Extent{Min: -inf, Max: 1, Peak: 2, Peaks: 1}},
		{[]float32{-inf, -inf}, Extent{Min: -inf, Max: -inf, Peaks: 2}},
	} {
		if got := ExtentOf(test.score); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.score, got, test.want)
		}
	}
}

func TestRun(t *testing.T) {
	for n := 1; n < 40; n++ {
		for _, rest := range []int{0, 1, 9} {
			mask := append(slices.Repeat([]uint8{7}, n), slices.Repeat([]uint8{3}, rest)...)
			if got := run(mask); got != n {
				t.Errorf("run of %d, want %d of %d", got, n, len(mask))
			}
		}
	}
}

// Otsu's threshold does not see the truth: any mask gives the same one.
func TestOtsuIgnoresTruth(t *testing.T) {
	score, mask := smoothMap(30, 20, 4)
	want := explain(t, score, mask, 0, 0).Otsu
	for i := range mask {
		mask[i] = uint8(i % 3)
	}
	if got := explain(t, score, mask, 0, 0).Otsu; got != want || got == 0 {
		t.Errorf("threshold %d with another mask, want %d", got, want)
	}
}

// All thresholds from 0.20 to below 0.80 part these values alike: the lowest is taken. A map of one
// value has none.
func TestOtsuTies(t *testing.T) {
	mask := []uint8{Inside, Outside, Void}
	if got := explain(t, []float32{0.2, 0.8, 0.8}, mask, 0, 0).Otsu; got != 20 {
		t.Errorf("threshold %d, want 20", got)
	}
	if got := explain(t, []float32{0.5, 0.5, 0.5}, mask, 0, 0).Otsu; got != 0 {
		t.Errorf("threshold %d of a constant map, want 0", got)
	}
}

// chefer.json was computed by running the functions of utils/metrices.py at c3e578f of
// hila-chefer/Transformer-Explainability, as baselines/ViT/imagenet_seg_eval.py does, with torch
// 2.15.0 and scikit-learn 1.9.1. Labels of -1 are void.
func TestImageNetSegmentationReference(t *testing.T) {
	var g struct {
		Images []struct {
			Score             []float32
			Labels            []int
			Correct, Labelled int64
			Inter, Union      [2]int64
			AP                float64
		}
		PixAcc, MIoU, MAP float64
	}
	readJSON(t, "explain/chefer.json", &g)
	var records []ImageNetSegmentationRecord
	for i, img := range g.Images {
		mask := make([]uint8, len(img.Labels))
		for k, v := range img.Labels {
			if mask[k] = uint8(v); v < 0 {
				mask[k] = Void
			}
		}
		r, err := ImageNetSegmentationAt(img.Score, mask, i)
		if err != nil {
			t.Fatal(err)
		}
		inter, union := [2]int64{r.TN, r.TP}, [2]int64{r.TN + r.FP + r.FN, r.TP + r.FP + r.FN}
		if r.TP+r.TN != img.Correct || r.TP+r.TN+r.FP+r.FN != img.Labelled || inter != img.Inter || union != img.Union ||
			math.Abs(r.AP-img.AP) > 1e-12 {
			t.Errorf("image %d: %+v, want %+v", i, r, img)
		}
		records = append(records, r)
	}
	got := ofSquared(t, records)
	for name, want := range map[string]float64{"pixAcc": g.PixAcc, "mIoU": g.MIoU, "mAP": g.MAP} {
		if math.Abs(got[name]-want) > 1e-12 {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	flat := slices.DeleteFunc(records, func(r ImageNetSegmentationRecord) bool { return !r.Flat })
	if len(flat) != 1 {
		t.Errorf("%d flat maps, want 1", len(flat))
	}
}

// ofSquared are the scores of the protocol.
func ofSquared(t testing.TB, records []ImageNetSegmentationRecord) map[string]float64 {
	t.Helper()
	return evaluate(t, len(records), func(score string) (Statistic, error) {
		return ImageNetSegmentationStatistic(records, len(records), score)
	}, "pixAcc", "mIoU", "mAP", "mF1")
}

// testdata/explain/imagenet_segmentation.json, by make.py: scikit-learn 1.9.1.
func TestImageNetSegmentationGoldens(t *testing.T) {
	var g struct {
		Images []struct {
			Score []float32
			Mask  []int
			Want  ImageNetSegmentationRecord
		}
		Scores map[string]float64
	}
	readJSON(t, "explain/imagenet_segmentation.json", &g)
	near := cmpopts.EquateApprox(0, 1e-12)
	var records []ImageNetSegmentationRecord
	for i, img := range g.Images {
		r, err := ImageNetSegmentationAt(img.Score, bytesOf(img.Mask), i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(img.Want, r, near, cmpopts.IgnoreFields(r, "Image", "Flat")); diff != "" {
			t.Errorf("image %d (-want +got):\n%s", i, diff)
		}
		records = append(records, r)
	}
	if diff := cmp.Diff(g.Scores, ofSquared(t, records), near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSortBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got := rapid.SliceOf(rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 3))).Draw(t, "values")
		want := slices.Sorted(slices.Values(got))
		if sortBits(got); !slices.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func TestImageNetSegmentationErrors(t *testing.T) {
	if _, err := ImageNetSegmentationAt([]float32{1, 2}, []uint8{Void, Void}, 4); err == nil ||
		!strings.Contains(err.Error(), "image 4 has void pixels only") {
		t.Error(err)
	}
	nan := float32(math.NaN())
	if r, err := ImageNetSegmentationAt([]float32{1, nan}, []uint8{0, 1}, 0); err != nil || !r.Flat || r.FN != 1 ||
		r.TN != 1 || r.AP != 0.5 {
		t.Errorf("%+v, %v; want a flat map of AP 1/2", r, err)
	}
	for _, bad := range []ImageNetSegmentationRecord{{}, {TP: -1, TN: 2}, {TP: 1, AP: 1.5}, {TP: 1, AP: math.NaN()},
		{TP: maxPixels + 1}} {
		if _, err := ImageNetSegmentationStatistic([]ImageNetSegmentationRecord{bad}, 1, "mIoU"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if got := ofSquared(t, nil); len(got) > 0 {
		t.Errorf("scores %v of nothing", got)
	}
}

// smoothMap is a w x h map like one that was resized from a grid of patches, with blobs for a mask.
func smoothMap(w, h int, seed uint64) (score []float32, mask []uint8) {
	r := rand.New(rand.NewPCG(seed, 5))
	fx, fy, px := 1+4*r.Float64(), 1+4*r.Float64(), 6*r.Float64()
	for y := range h {
		for x := range w {
			v := 0.5 + 0.25*math.Sin(fx*float64(x)/float64(w)*3+px) + 0.25*math.Cos(fy*float64(y)/float64(h)*3)
			score = append(score, float32(v))
			u := math.Sin(5*float64(x)/float64(w)) * math.Cos(4*float64(y)/float64(h))
			switch {
			case u > 0.3:
				mask = append(mask, Inside)
			case u > 0.28:
				mask = append(mask, Void)
			default:
				mask = append(mask, Outside)
			}
		}
	}
	return score, mask
}

// BenchmarkExplain is one map of a VOC image; the aim is below 1 ms.
func BenchmarkExplain(b *testing.B) {
	score, mask := smoothMap(500, 375, 1)
	for b.Loop() {
		if _, err := Explain(score, mask, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExplainSummary scores the maps of COCO val2017.
func BenchmarkExplainSummary(b *testing.B) {
	score, mask := smoothMap(50, 40, 1)
	var records []ExplainRecord
	for i := range 14631 {
		records = append(records, explain(b, score, mask, i%5000, i%80))
	}
	for b.Loop() {
		explainScores(b, 80, records...)
	}
}

func BenchmarkImageNetSegmentation(b *testing.B) {
	score, mask := smoothMap(224, 224, 1)
	for b.Loop() {
		if _, err := ImageNetSegmentationAt(score, mask, 0); err != nil {
			b.Fatal(err)
		}
	}
}
