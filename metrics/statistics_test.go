package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Two images can be drawn in three ways: {0,0} and {1,1} with a quarter each, {0,1} with a half. Of
// the means 0, 1 and 0.5 the 95 % interval is 0..1, the 40 % interval 0.5 alone.
func TestResampleSmall(t *testing.T) {
	got, err := Resample(2, 4000, 7, 0.95, MeanStatistic([]float64{0, 1}))
	if want := (Interval{0.5, 0, 1, 4000, 0}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err = Resample(2, 4000, 7, 0.4, MeanStatistic([]float64{0, 1})); err != nil || got.Low != 0.5 ||
		got.High != 0.5 {
		t.Errorf("%+v, %v; want 0.5 alone", got, err)
	}
}

// A method against itself differs by exactly nothing, however much the score itself varies: both
// see the same images.
func TestDifferenceIsPaired(t *testing.T) {
	records := randomRecords(t, 30, 5, 3)
	stat, err := areasStatistic(areaRecords(t, 5, records), 5, MMSeg.MIoU)
	if err != nil {
		t.Fatal(err)
	}
	again, err := areasStatistic(areaRecords(t, 5, records), 5, MMSeg.MIoU)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Resample(30, 200, 1, 0.95, Difference(stat, again))
	if want := (Interval{Resamples: 200}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	// a - b: the second is better by 0.25 on each image.
	a, b := MeanStatistic([]float64{0, 1, 0.5}), MeanStatistic([]float64{0.25, 1.25, 0.75})
	got, err = Resample(3, 200, 1, 0.95, Difference(a, b))
	if err != nil || math.Abs(got.Low+0.25) > 1e-15 || math.Abs(got.High+0.25) > 1e-15 || got.Estimate != -0.25 {
		t.Errorf("%+v, %v; want -0.25 alone", got, err)
	}
}

func randomExplained(t testing.TB, images, classes int) []ExplainRecord {
	t.Helper()
	var records []ExplainRecord
	for i := range images {
		r := rand.New(rand.NewPCG(uint64(i), 9))
		for range 1 + r.IntN(2) {
			score, mask := make([]float32, 30), make([]uint8, 30)
			for k := range score {
				mask[k] = uint8(r.IntN(2))
				score[k] = min(1, 0.5*r.Float32()+0.3*float32(mask[k])+0.2*r.Float32())
			}
			mask[0] = Inside
			records = append(records, explain(t, score, mask, i, r.IntN(classes)))
		}
	}
	return records
}

// Each resample searches its threshold: it is the score of the records, repeated as drawn.
func TestBestThresholdStatistic(t *testing.T) {
	const images, classes = 12, 4
	records := randomExplained(t, images, classes)
	stat, err := ExplainStatistic(records, images, classes, "fg-mIoU")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[float64]bool)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 4))
		times := make([]int32, images)
		for range times {
			times[r.IntN(images)]++
		}
		var drawn []ExplainRecord
		for _, rec := range records {
			for range times[rec.Image] {
				drawn = append(drawn, rec)
			}
		}
		s, err := SummarizeExplain(drawn, classes)
		if err != nil {
			t.Fatal(err)
		}
		found[s.Best] = true
		if got, ok := stat(Draw{Times: times}); !ok || got != slices.Max(s.Curve) {
			t.Fatalf("%v, %v; want %v", got, ok, slices.Max(s.Curve))
		}
	}
	if len(found) < 2 {
		t.Errorf("all resamples have the threshold %v", found)
	}
}

// Resamples without the one image that has a class at all are left out and counted: of three images
// about (2/3)^3 = 0.296 of them.
func TestResampleCountsUndefined(t *testing.T) {
	stat := func(d Draw) (float64, bool) { return 0.5, d.Times[0] > 0 }
	got, err := Resample(3, 4000, 1, 0.95, stat)
	// Five standard deviations: 5 sqrt(0.296 * 0.704 * 4000) = 144.
	if err != nil || got.Undefined < 1185-144 || got.Undefined > 1185+144 || got.Resamples+got.Undefined != 4000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestResampleErrors(t *testing.T) {
	mean := MeanStatistic([]float64{1})
	never := func(Draw) (float64, bool) { return 0, false }
	once := true
	first := func(Draw) (float64, bool) { defer func() { once = false }(); return 0, once }
	for want, got := range map[string]func() (Interval, error){
		"0 images":                  func() (Interval, error) { return Resample(0, 1, 1, 0.95, mean) },
		"0 resamples":               func() (Interval, error) { return Resample(1, 0, 1, 0.95, mean) },
		"level 1":                   func() (Interval, error) { return Resample(1, 1, 1, 1, mean) },
		"level NaN":                 func() (Interval, error) { return Resample(1, 1, 1, math.NaN(), mean) },
		"undefined on the 1 images": func() (Interval, error) { return Resample(1, 1, 1, 0.95, never) },
		"undefined on all of 9":     func() (Interval, error) { return Resample(1, 9, 1, 0.95, first) },
	} {
		if _, err := got(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, ok := mean(Draw{Times: []int32{0}}); ok {
		t.Error("the mean of no images is defined")
	}
	areas, err := areasStatistic([]AreaRecord{{{0, 1, 1, 1}}}, 1, MMSeg.MIoU)
	if err != nil {
		t.Fatal(err)
	}
	best, err := ExplainStatistic(randomExplained(t, 1, 2), 1, 2, "fg-mIoU")
	if err != nil {
		t.Fatal(err)
	}
	points, err := PointingStatistic([]PointRecord{{Outcome: Hit}}, 1, 1, "pointing-seen")
	if err != nil {
		t.Fatal(err)
	}
	for name, stat := range map[string]Statistic{"mean": mean, "areas": areas, "best threshold": best,
		"pointing": points} {
		if _, ok := stat(Draw{Times: []int32{1}}); !ok {
			t.Errorf("%s of the one image is undefined", name)
		}
		for _, other := range [][]int32{nil, {1, 0}} {
			if _, ok := stat(Draw{Times: other}); ok {
				t.Errorf("%s of %d images, made for 1, is defined", name, len(other))
			}
		}
	}
	if _, err := areasStatistic([]AreaRecord{{{5, 0, 1, 1}}}, 2, MMSeg.MIoU); err == nil {
		t.Error("a class outside of the matrix")
	}
	if _, err := areasStatistic([]AreaRecord{{{0, 0, 1 << 32, 0}}}, 2, MMSeg.MIoU); err == nil {
		t.Error("an image of 2^32 pixels")
	}
	records := randomExplained(t, 3, 2)
	if _, err := ExplainStatistic(records, 2, 2, "fg-mIoU"); err == nil ||
		!strings.Contains(err.Error(), "there are 2 images") {
		t.Error(err)
	}
	if _, err := ExplainStatistic(records, 3, 0, "fg-mIoU"); err == nil {
		t.Error("no classes")
	}
	if _, err := PointingStatistic([]PointRecord{{Class: 3}}, 1, 3, "pointing-seen"); err == nil {
		t.Error("class 3 of 3")
	}
}

// BenchmarkResampleAreas compares two methods on VOC21 val: 10,000 resamples of 1449 images.
func BenchmarkResampleAreas(b *testing.B) {
	for _, seen := range []int{5, 21} {
		x, err := areasStatistic(areaRecords(b, 21, randomRecords(b, 1449, 21, seen)), 21, MMSeg.MIoU)
		if err != nil {
			b.Fatal(err)
		}
		y, err := areasStatistic(areaRecords(b, 21, randomRecords(b, 1449, 21, seen)), 21, MMSeg.MIoU)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("classes-per-image=%d", seen), func(b *testing.B) {
			for b.Loop() {
				if _, err := Resample(1449, 10000, 1, 0.95, Difference(x, y)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResampleBestThreshold is an interval of fg-mIoU on VOC val: 1.48 maps an image.
func BenchmarkResampleBestThreshold(b *testing.B) {
	score, mask := smoothMap(50, 40, 1)
	var records []ExplainRecord
	for i := range 2148 {
		r, err := Explain(score, mask, i%1449, i%21)
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, r)
	}
	stat, err := ExplainStatistic(records, 1449, 21, "fg-mIoU")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Resample(1449, 1000, 1, 0.95, stat); err != nil {
			b.Fatal(err)
		}
	}
}
