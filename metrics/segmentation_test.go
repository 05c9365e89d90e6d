package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// golden is testdata/segmentation.json, computed by testdata/make.py: torch 2.15.0's histc under
// mmsegmentation's rule, and numpy 2.4.6.
type golden struct {
	Cases []struct {
		Name      string
		Classes   int
		Ignore    uint16
		Images    []struct{ Truth, Pred []uint16 }
		Scores    map[string]float64
		Classwise []struct {
			Intersection, Truth, Pred int64
			Scores                    map[string]float64
		} `json:"per_class"`
	}
	Quantiles struct{ Values, Q, Want []float64 }
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/segmentation.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// areas are those of all records together.
func areas(t testing.TB, classes int, records ...Sparse) Areas {
	t.Helper()
	c, err := confusionOf(records, classes)
	if err != nil {
		t.Fatal(err)
	}
	return AreasOf(c)
}

// areaRecords are records without confusions.
func areaRecords(t testing.TB, classes int, records []Sparse) []AreaRecord {
	t.Helper()
	out := make([]AreaRecord, len(records))
	for i, r := range records {
		var err error
		if out[i], err = r.Areas(classes); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// areasStatistic is a score of pooled areas, such as [Convention.MIoU], of one record per image.
func areasStatistic(records []AreaRecord, classes int, score func(Areas) (float64, bool)) (Statistic, error) {
	p, err := NewAreaPool(classes, records...)
	if err != nil {
		return nil, err
	}
	return p.Statistic(score), nil
}

// confusionOf is the confusion matrix of images.
func confusionOf(records []Sparse, classes int) (*mat.Dense, error) {
	t, err := NewTotal(classes)
	for _, r := range records {
		if err == nil {
			err = t.Add(r)
		}
	}
	if err != nil {
		return nil, err
	}
	return t.Matrix, nil
}

// scoresUnder are those of pooled areas under a convention.
func scoresUnder(v Convention, a Areas) map[string]float64 {
	out := make(map[string]float64)
	for name, of := range map[string]func(Areas) (float64, bool){
		"mIoU": v.MIoU, "mAcc": v.MAcc, "aAcc": AAcc, "FWIoU": v.FWIoU, "mDice": MDice, "Final": v.Final,
	} {
		if x, ok := of(a); ok {
			out[name] = x
		}
	}
	return out
}

// evaluate gives the scores of that many images, each counted once, where they are defined.
func evaluate(t testing.TB, images int, of func(score string) (Statistic, error), names ...string) map[string]float64 {
	t.Helper()
	out := make(map[string]float64)
	for _, name := range names {
		stat, err := of(name)
		if err != nil {
			t.Fatal(err)
		}
		if x, ok := stat.Once(images); ok {
			out[name] = x
		}
	}
	return out
}

func byName(scores []Score) map[string]float64 {
	m := make(map[string]float64)
	for _, s := range scores {
		m[s.Name] = s.Value
	}
	return m
}

func TestMMSegGoldens(t *testing.T) {
	near := cmpopts.EquateApprox(0, 1e-14)
	for _, g := range readGolden(t).Cases {
		t.Run(g.Name, func(t *testing.T) {
			var records []Sparse
			for _, img := range g.Images {
				s, err := Count(img.Truth, img.Pred, g.Classes, g.Ignore)
				if err != nil {
					t.Fatal(err)
				}
				records = append(records, s)
			}
			a := areas(t, g.Classes, records...)
			if diff := cmp.Diff(g.Scores, scoresUnder(MMSeg, a), near); diff != "" {
				t.Errorf("scores (-want +got):\n%s", diff)
			}
			for k, got := range MMSeg.PerClass(a) {
				want := g.Classwise[k]
				if got.Class != k || got.Intersection != want.Intersection || got.Truth != want.Truth || got.Pred != want.Pred {
					t.Errorf("class %d: %+v, want %+v", k, got, want)
				}
				if diff := cmp.Diff(want.Scores, byName(got.Scores), near); diff != "" {
					t.Errorf("class %d (-want +got):\n%s", k, diff)
				}
			}
		})
	}
}

// Worked by hand: IoU 2/3, 2/3, 0 gives 4/9; pooled 2/3, 1/2, 0 gives 7/18; 2/3 and 3/4 alone 17/24.
func TestHandWorkedMIoU(t *testing.T) {
	want := map[string]float64{"predicted but absent": 4. / 9, "pooled, one only predicted": 7. / 18,
		"two absent everywhere": 17. / 24}
	for _, g := range readGolden(t).Cases {
		if w, ok := want[g.Name]; ok {
			if math.Abs(g.Scores["mIoU"]-w) > 1e-15 {
				t.Errorf("%s: the recorded mIoU is %v, by hand %v", g.Name, g.Scores["mIoU"], w)
			}
			delete(want, g.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("not recorded: %v", want)
	}
}

// countSlowly is the definition of Count.
func countSlowly(truth, pred []uint16, classes int, ignore uint16) (Sparse, bool) {
	var out Sparse
	for t := range classes {
		for p := range classes + 1 {
			n := int64(0)
			for i := range truth {
				q := int(pred[i])
				if q > classes {
					q = classes
				}
				if truth[i] != ignore && int(truth[i]) == t && q == p {
					n++
				}
			}
			if n > 0 {
				out = append(out, Cell{uint16(t), uint16(p), n})
			}
		}
	}
	for _, v := range truth {
		if v != ignore && int(v) >= classes {
			return nil, false
		}
	}
	return out, true
}

func checkCount(t interface{ Fatalf(string, ...any) }, truth, pred []uint16, classes int, ignore uint16) {
	want, ok := countSlowly(truth, pred, classes, ignore)
	for name, count := range map[string]func([]uint16, []uint16, int, uint16) (Sparse, error){"Count": Count,
		"dense": countDense, "runs": countRuns} {
		got, err := count(truth, pred, classes, ignore)
		if ok != (err == nil) {
			t.Fatalf("%s: %v, want success %v", name, err, ok)
		}
		if diff := cmp.Diff(want, got); ok && diff != "" {
			t.Fatalf("%s of %v, %v, %d classes, ignore %d (-want +got):\n%s", name, truth, pred, classes, ignore, diff)
		}
		if ok {
			if _, err := got.check(classes); err != nil {
				t.Fatalf("%s: its own record is refused: %v", name, err)
			}
		}
	}
}

func FuzzCount(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2}, uint8(2), uint16(255))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(0), uint16(0))
	f.Add([]byte{0x55, 0x55, 0x55, 0x55, 0x55, 0x11, 0x55, 0x55, 0x55, 0x55, 0x55}, uint8(6), uint16(6))
	f.Fuzz(func(t *testing.T, pairs []byte, classes uint8, ignore uint16) {
		truth, pred := make([]uint16, len(pairs)), make([]uint16, len(pairs))
		for i, b := range pairs {
			truth[i], pred[i] = uint16(b>>4), uint16(b&15)
			if truth[i] == 15 {
				truth[i] = ignore
			}
		}
		checkCount(t, truth, pred, int(classes%12)+1, ignore)
	})
}

func TestCountAgreesWithDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.IntRange(1, 5).Draw(t, "classes")
		ignore := rapid.SampledFrom([]uint16{0, uint16(classes), uint16(classes) + 1, 255, 65535}).Draw(t, "ignore")
		var truth, pred []uint16
		label := rapid.SampledFrom([]uint16{0, 1, 2, 3, 4, ignore})
		for range rapid.IntRange(0, 6).Draw(t, "runs") { // runs of every length modulo four
			a, b := label.Draw(t, "truth"), rapid.SampledFrom([]uint16{0, 1, 4, 5, 65535}).Draw(t, "pred")
			if int(a) >= classes && rapid.IntRange(0, 9).Draw(t, "keep") > 0 {
				a = ignore
			}
			for range rapid.IntRange(1, 11).Draw(t, "length") {
				truth, pred = append(truth, a), append(pred, b)
			}
		}
		checkCount(t, truth, pred, classes, ignore)
	})
}

func TestCountErrors(t *testing.T) {
	for _, test := range []struct {
		truth, pred []uint16
		classes     int
		want        string
	}{
		{[]uint16{0, 1}, []uint16{0}, 2, "2 truth and 1 predicted pixels"},
		{nil, nil, 0, "0 classes, want 1..4096"},
		{nil, nil, MaxClasses + 1, "4097 classes"},
		{[]uint16{0, 255, 21, 0}, []uint16{0, 0, 0, 0}, 21,
			"label 21 at pixel 2, but there are 21 classes and label 255 is ignored"},
		{[]uint16{0, 255, 65535, 0}, []uint16{0, 0, 0, 0}, 200, "label 65535 at pixel 2"},
	} {
		if _, err := Count(test.truth, test.pred, test.classes, 255); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// Records come from files: what Count cannot have made is refused and changes nothing.
func TestConfusionRefuses(t *testing.T) {
	good := Sparse{{0, 1, 5}}
	for _, test := range []struct {
		bad  Sparse
		want string
	}{
		{Sparse{{2, 0, 1}}, "truth 2, prediction 0, with 2 classes"},
		{Sparse{{0, 3, 1}}, "truth 0, prediction 3"},
		{Sparse{{0, 0, 0}}, "count 0"},
		{Sparse{{0, 0, 3}, {1, 1, -1}}, "cell 1: count -1"},
		{Sparse{{0, 0, math.MaxInt64}}, "count 9223372036854775807"},
		{Sparse{{1, 0, 1}, {0, 0, 1}}, "out of order or repeated"},
		{Sparse{{1, 0, 1}, {1, 0, 1}}, "out of order or repeated"},
	} {
		if _, err := confusionOf([]Sparse{good, test.bad}, 2); err == nil ||
			!strings.Contains(err.Error(), "image 1: "+test.want) && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %q", test.bad, err, test.want)
		}
		if _, err := test.bad.Areas(2); err == nil {
			t.Errorf("%v has areas", test.bad)
		}
	}
	// More pixels than a float64 counts are an error, not a rounded number.
	if _, err := confusionOf([]Sparse{{{0, 0, 1 << 53}}, {{0, 0, 1}}}, 1); err == nil ||
		!strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

// Records of files: what is written is read, with whatever blanks; what is no rows of whole numbers is refused.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want Sparse
		for range rapid.IntRange(0, 5).Draw(t, "cells") {
			want = append(want, Cell{rapid.Uint16().Draw(t, "truth"), rapid.Uint16().Draw(t, "pred"),
				rapid.Int64().Draw(t, "count")})
		}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "blanks") {
			data = []byte(strings.NewReplacer("[", " [ ", ",", "\n,\t").Replace(string(data)))
		}
		var got Sparse
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", data, diff)
		}
	})
	for data, want := range map[string]string{
		`[[0,1]]`: "2 numbers, want 3", `[[0,1,2,3]]`: "want rows of 3", `[[0,1,2.5]]`: "2.5", `[0,1,2]`: "want rows", `{}`: "want rows",
		`[[0,1,"2"]]`: "want rows", `[[65536,0,1]]`: "out of range", `[[0,0,1e3]]`: "1e3", `[[[0,1,2]]]`: "want rows", `"x"`: "want rows",
	} {
		var got Sparse
		if err := json.Unmarshal([]byte(data), &got); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", data, got, err, want)
		}
	}
}

func TestFindConvention(t *testing.T) {
	if c, err := FindConvention("mmseg"); err != nil || c.Name != MMSeg.Name {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := FindConvention("mmsegg"); err == nil || !strings.Contains(err.Error(), "known: mmseg") {
		t.Error(err)
	}
}

// numpy 2.4.6, numpy.quantile with its default rule, by testdata/make.py.
func TestQuantile(t *testing.T) {
	g := readGolden(t).Quantiles
	slices.Sort(g.Values)
	for i, q := range g.Q {
		if got := quantile(g.Values, q); math.Abs(got-g.Want[i]) > 1e-15 {
			t.Errorf("quantile(%v) = %v, want %v", q, got, g.Want[i])
		}
	}
}

// Two images can be drawn in three ways: {0,0} and {1,1} with a quarter each, {0,1} with a half.
// Their pooled mIoU is 1, 1/4 and 7/12 (by hand), so the 50 % interval spans the quartiles.
func TestPooledInterval(t *testing.T) {
	// Image 0 is right on both classes; image 1 has class 0 right, wrong where class 1 is.
	records := []Sparse{{{0, 0, 1}, {1, 1, 1}}, {{0, 0, 1}, {1, 0, 1}}}
	pooled := func(a ...Sparse) float64 {
		v, ok := MMSeg.MIoU(areas(t, 2, a...))
		if !ok {
			t.Fatal("undefined")
		}
		return v
	}
	if a, b, c := pooled(records[0], records[0]), pooled(records[1], records[1]), pooled(records...); a != 1 ||
		b != 0.25 || math.Abs(c-7./12) > 1e-15 {
		t.Fatalf("pooled mIoU %v, %v, %v, want 1, 1/4, 7/12", a, b, c)
	}
	counts := make(map[float64]int)
	lo, hi, ok := interval(records, 2, 4000, 7, 0.95, func(a Areas) (float64, bool) {
		v, ok := MMSeg.MIoU(a)
		counts[v]++
		return v, ok
	})
	if !ok || lo != 0.25 || hi != 1 {
		t.Errorf("interval %v..%v, %v, want 0.25..1", lo, hi, ok)
	}
	// Binomial: 4000 draws of probability 1/4 have a standard deviation of 27.4; five of them allowed.
	if n := counts[1]; len(counts) != 3 || n < 863 || n > 1137 {
		t.Errorf("resamples by value: %v, want about a quarter at 1", counts)
	}
	if lo, hi, _ := interval(records, 2, 4000, 7, 0.4, MMSeg.MIoU); math.Abs(lo-7./12) > 1e-15 || lo != hi {
		t.Errorf("40 %% interval %v..%v, want 7/12 alone", lo, hi)
	}
}

// The interval is that of full matrices added up, resample by resample.
func TestResampleAgreesWithMatrices(t *testing.T) {
	const classes = 5
	records := randomRecords(t, 40, classes, 3)
	var fast []float64
	lo, hi, ok := interval(records, classes, 200, 11, 0.9, func(a Areas) (float64, bool) {
		v, ok := MMSeg.MIoU(a)
		fast = append(fast, v) // first that of the images as they are
		return v, ok
	})
	if !ok {
		t.Fatal("undefined")
	}
	rng := rand.New(rand.NewPCG(11, 0))
	var slow []float64
	for range 200 {
		var drawn []Sparse
		for range records {
			drawn = append(drawn, records[rng.Uint64N(uint64(len(records)))])
		}
		slow = append(slow, scoresUnder(MMSeg, areas(t, classes, drawn...))["mIoU"])
	}
	if diff := cmp.Diff(slow, fast[1:]); diff != "" {
		t.Errorf("resamples differ (-matrices +areas):\n%s", diff)
	}
	slices.Sort(slow)
	if lo != quantile(slow, 0.05) || math.Abs(hi-quantile(slow, 0.95)) > 1e-15 || !(lo < hi) {
		t.Errorf("interval %v..%v", lo, hi)
	}
	if lo2, hi2, _ := interval(records, classes, 200, 11, 0.9, MMSeg.MIoU); lo2 != lo || hi2 != hi {
		t.Error("the same seed gave another interval")
	}
	if lo2, _, _ := interval(records, classes, 200, 12, 0.9, MMSeg.MIoU); lo2 == lo {
		t.Error("another seed gave the same interval")
	}
}

// interval is the interval of a pooled score; ok is false where there is none.
func interval(records []Sparse, classes, b int, seed uint64, level float64, score func(Areas) (float64, bool)) (lo,
	hi float64, ok bool) {
	reduced := make([]AreaRecord, len(records))
	for i, r := range records {
		var err error
		if reduced[i], err = r.Areas(classes); err != nil {
			return 0, 0, false
		}
	}
	stat, err := areasStatistic(reduced, classes, score)
	if err != nil {
		return 0, 0, false
	}
	iv, err := Resample(len(records), b, seed, level, stat)
	return iv.Low, iv.High, err == nil
}

func TestResampleUndefined(t *testing.T) {
	one := []Sparse{{{0, 0, 1}}}
	for name, got := range map[string]func() (float64, float64, bool){
		"no images":    func() (float64, float64, bool) { return interval(nil, 2, 10, 1, 0.95, MMSeg.MIoU) },
		"no pixels":    func() (float64, float64, bool) { return interval([]Sparse{nil, nil}, 2, 10, 1, 0.95, MMSeg.MIoU) },
		"no resamples": func() (float64, float64, bool) { return interval(one, 2, 0, 1, 0.95, MMSeg.MIoU) },
		"level 1":      func() (float64, float64, bool) { return interval(one, 2, 10, 1, 1, MMSeg.MIoU) },
		"level NaN":    func() (float64, float64, bool) { return interval(one, 2, 10, 1, math.NaN(), MMSeg.MIoU) },
		"bad record": func() (float64, float64,
			bool) {
			return interval([]Sparse{{{5, 0, 1}}}, 2, 10, 1, 0.95, MMSeg.MIoU)
		},
		"no classes": func() (float64, float64, bool) { return interval(one, 0, 10, 1, 0.95, MMSeg.MIoU) },
	} {
		if lo, hi, ok := got(); ok {
			t.Errorf("%s: %v..%v", name, lo, hi)
		}
	}
}

// drawMaps draws label maps of n pixels in runs of the given mean length, one in classes void.
func drawMaps(n, classes, run int, seed uint64) (truth, pred []uint16) {
	r := rand.New(rand.NewPCG(seed, 1))
	for len(truth) < n {
		v := uint16(r.IntN(classes + 1))
		q := v
		if int(v) == classes {
			v = 65535
		}
		if r.IntN(4) == 0 || v == 65535 {
			q = uint16(r.IntN(classes))
		}
		for range min(n-len(truth), 1+r.IntN(2*run-1)) {
			truth, pred = append(truth, v), append(pred, q)
		}
	}
	return truth, pred
}

func randomRecords(t testing.TB, images, classes, seen int) []Sparse {
	t.Helper()
	records := make([]Sparse, images)
	for i := range records {
		truth, pred := drawMaps(400, seen, 10, uint64(i))
		for k := range truth { // every image has classes of its own
			if truth[k] != 65535 {
				truth[k] = (truth[k] + uint16(i)) % uint16(classes)
			}
			pred[k] = (pred[k] + uint16(i)) % uint16(classes)
		}
		var err error
		if records[i], err = Count(truth, pred, classes, 65535); err != nil {
			t.Fatal(err)
		}
	}
	return records
}

func BenchmarkCount(b *testing.B) {
	for _, c := range []struct{ n, classes, run int }{
		{2048 * 1024, 19, 40}, {2048 * 1024, 19, 1}, {500 * 375, 21, 40}, {640 * 480, 171, 40}, {500 * 375, 919, 40},
	} {
		truth, pred := drawMaps(c.n, c.classes, c.run, 1)
		b.Run(fmt.Sprintf("pixels=%d/classes=%d/run=%d", c.n, c.classes, c.run), func(b *testing.B) {
			for b.Loop() {
				if _, err := Count(truth, pred, c.classes, 65535); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResample is an interval for VOC21 val: 10,000 resamples of 1449 images.
func BenchmarkResample(b *testing.B) {
	for _, seen := range []int{5, 21} {
		records := randomRecords(b, 1449, 21, seen)
		b.Run(fmt.Sprintf("classes-per-image=%d", seen), func(b *testing.B) {
			for b.Loop() {
				if _, _, ok := interval(records, 21, 10000, 1, 0.95, MMSeg.MIoU); !ok {
					b.Fatal("undefined")
				}
			}
		})
	}
}

// Predictions that are one off are told from bad ones, and from two classes that are mistaken for each other.
func TestShift(t *testing.T) {
	for _, c := range []struct {
		classes int
		pred    func(truth uint16) uint16
		want    int
	}{
		{5, func(v uint16) uint16 { return v }, 0},
		{5, func(v uint16) uint16 { return v + 1 }, 1}, // the last class is out of range
		{5, func(v uint16) uint16 { return v - 1 }, -1},
		{5, func(v uint16) uint16 { return 4 - v }, 0},
		{5, func(uint16) uint16 { return 3 }, 0},
		{2, func(v uint16) uint16 { return 1 - v }, 0},
		{2, func(v uint16) uint16 { return v + 1 }, 1},
	} {
		truth, pred := make([]uint16, 100), make([]uint16, 100)
		for i := range truth {
			truth[i] = uint16(i % c.classes)
			if pred[i] = c.pred(truth[i]); i%10 == 0 {
				pred[i] = 0
			}
		}
		total, err := NewTotal(c.classes)
		if err != nil {
			t.Fatal(err)
		}
		cells, err := Count(truth, pred, c.classes, 255)
		if err == nil {
			err = total.Add(cells)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, share := total.Shift(); got != c.want || got != 0 && share < 0.7 {
			t.Errorf("%d classes: %d at %v, want %d", c.classes, got, share, c.want)
		}
	}
}
