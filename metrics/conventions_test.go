package metrics

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// The goldens of testdata/conventions are what cityscapesScripts 2.3.0, boundary-iou-api 37d2558,
// cocostuffapi 675ff38, sceneparsing e202229, ImageNet-S b2312ba and torch 2.15.0's histc say of
// the label maps beside them; make.py there ran them. OVBENCH_CONVENTIONS names a folder with
// more cases from it.
func referenceCases[T any](t *testing.T, kind string) []T {
	t.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("OVBENCH_CONVENTIONS"), "testdata/conventions"), kind+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s: no cases", path)
	}
	return cases
}

// packed is a label map as base64 of zlib of little-endian uint16.
type packed []uint16

func (p *packed) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	z, err := zlib.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(s)))
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	*p = make(packed, len(raw)/2)
	return binary.Read(bytes.NewReader(raw), binary.LittleEndian, *p)
}

// toolTolerance is the agreement asked of other tools' floats.
var toolTolerance = cmpopts.EquateApprox(0, 1e-9)

type pair struct {
	Width, Height          int
	Truth, Pred, Instances packed
}

func TestReferencePlain(t *testing.T) {
	type want struct {
		Name      string
		Classes   int
		Images    []pair
		Scores    map[string]map[string]float64 // tool, score
		ImageMIoU *float64                      `json:"image_miou"`
	}
	same := map[string]string{"mmseg": "cityscapes", "detectron2": "cocostuff"} // other names for a tool's rule
	for _, w := range referenceCases[want](t, "plain") {
		var records []Sparse
		for _, p := range w.Images {
			s, err := Count(p.Truth, p.Pred, w.Classes, 65535)
			if err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
			records = append(records, s)
		}
		a := areas(t, w.Classes, records...)
		for tool, scores := range w.Scores {
			for _, v := range Conventions {
				if v.Name != tool && v.Name != same[tool] {
					continue
				}
				got := scoresUnder(v, a)
				for name := range got { // the tools have fewer
					if _, ok := scores[name]; !ok && len(scores) > 0 {
						delete(got, name)
					}
				}
				if diff := gocmp.Diff(scores, got, toolTolerance, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: %s against %s (-want +got):\n%s", w.Name, v.Name, tool, diff)
				}
			}
		}
		if got, ok := imageMIoU(t, records, w.Classes, MMSeg); ok != (w.ImageMIoU != nil) || ok &&
			math.Abs(got-*w.ImageMIoU) > 1e-9 {
			t.Errorf("%s: image mIoU %v, %v", w.Name, got, ok)
		}
	}
}

// The table of worked cases: one class predicted but absent, two images pooled, and two classes
// absent everywhere. By hand: IoU 2/3, 2/3, 0; 2/3, 1/2, 0; 2/3, 3/4 and two absent.
func TestConventionsDiffer(t *testing.T) {
	for _, test := range []struct {
		records []Sparse
		classes int
		want    map[string]float64
	}{
		{[]Sparse{{{0, 0, 2}, {0, 2, 1}, {1, 1, 2}, {1, 2, 1}}}, 3, map[string]float64{"mmseg": 4. / 9, "cityscapes": 4. / 9,
			"cocostuff": 2. / 3, "ade20k": 4. / 9, "imagenet_s": 4. / 9}},
		{[]Sparse{{{0, 0, 2}, {0, 2, 1}}, {{1, 1, 1}, {1, 2, 1}}}, 3, map[string]float64{"mmseg": 7. / 18,
			"cityscapes": 7. / 18, "cocostuff": 7. / 12, "ade20k": 7. / 18, "imagenet_s": 7. / 18}},
		{[]Sparse{{{0, 0, 2}, {0, 1, 1}, {1, 1, 3}}}, 4, map[string]float64{"mmseg": 17. / 24, "cityscapes": 17. / 24,
			"cocostuff": 17. / 24, "ade20k": 17. / 48, "imagenet_s": 17. / 48}},
	} {
		got := make(map[string]float64)
		for _, v := range Conventions {
			got[v.Name] = scoresUnder(v, areas(t, test.classes, test.records...))["mIoU"]
		}
		if diff := gocmp.Diff(test.want, got, toolTolerance); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.records, diff)
		}
	}
	// Two images, one right and one of two classes wrong: pooled 7/12, mean of the images 5/8.
	images := []Sparse{{{0, 0, 1}, {1, 1, 1}}, {{0, 0, 1}, {1, 0, 1}}}
	if got, ok := imageMIoU(t, images, 2, MMSeg); !ok || got != (1+.25)/2 {
		t.Errorf("image mIoU %v, %v, want 5/8", got, ok)
	}
	if _, ok := scoresUnder(ADE20K, areas(t, 3, Sparse{{0, 0, 2}, {0, 2, 1}, {1, 1, 3}}))["Final"]; !ok {
		t.Error("ade20k has no Final")
	}
}

// imageMIoU is the mean of the mIoU of single images.
func imageMIoU(t *testing.T, records []Sparse, classes int, v Convention) (float64, bool) {
	t.Helper()
	pool, err := NewAreaPool(classes, areaRecords(t, classes, records)...)
	if err != nil {
		t.Fatal(err)
	}
	values := pool.Alone(v.MIoU)
	return MeanStatistic(values).Once(len(values))
}

func TestReferenceBoundary(t *testing.T) {
	type want struct {
		Name    string
		Classes int
		Ratio   float64
		Images  []pair
		Areas   [3][]int64 // intersection, truth, prediction
		MBIoU   *float64   `json:"mbiou"`
	}
	for _, w := range referenceCases[want](t, "boundary") {
		var records []AreaRecord
		for _, p := range w.Images {
			r, err := CountBoundary(p.Truth, p.Pred, p.Width, p.Height, w.Classes, 65535, w.Ratio)
			if err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
			records = append(records, r.Boundaries())
		}
		pool, err := NewAreaPool(w.Classes, records...)
		if err != nil {
			t.Fatal(err)
		}
		sum := pool.Sum()
		for c, got := range MMSeg.PerClass(sum) {
			if got.Intersection != w.Areas[0][c] || got.Truth != w.Areas[1][c] || got.Pred != w.Areas[2][c] {
				t.Errorf("%s: class %d has %+v, want %d, %d, %d", w.Name, c, got, w.Areas[0][c], w.Areas[1][c], w.Areas[2][c])
			}
		}
		got, ok := MMSeg.MIoU(sum)
		if ok != (w.MBIoU != nil) || ok && math.Abs(got-*w.MBIoU) > 1e-9 {
			t.Errorf("%s: mBIoU %v, %v, want %v", w.Name, got, ok, w.MBIoU)
		}
	}
}

func TestReferenceCityscapes(t *testing.T) {
	type byLabel = map[string]float64
	type want struct {
		Name                string
		Images              []pair
		Scores              byLabel
		Classes, Categories struct{ IoU, IIoU byLabel }
	}
	split := func(groups []CityscapesScores) (iou, iiou byLabel) {
		iou, iiou = byLabel{}, byLabel{}
		for _, g := range groups {
			for _, s := range g.Scores {
				map[string]byLabel{"IoU": iou, "iIoU": iiou}[s.Name][g.Name] = s.Value
			}
		}
		return iou, iiou
	}
	for _, w := range referenceCases[want](t, "cityscapes") {
		var records []CityscapesRecord
		for _, p := range w.Images {
			r, err := CountCityscapes(p.Truth, p.Pred, p.Instances)
			if err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
			records = append(records, r)
		}
		classes, categories, _, err := CityscapesGroups(records)
		if err != nil {
			t.Fatal(err)
		}
		classIoU, classIIoU := split(classes)
		categoryIoU, categoryIIoU := split(categories)
		for _, part := range []struct {
			name      string
			want, got byLabel
		}{
			{"averages", w.Scores, ofCityscapes(t, records...)},
			{"class IoU", w.Classes.IoU, classIoU}, {"class iIoU", w.Classes.IIoU, classIIoU},
			{"category IoU", w.Categories.IoU, categoryIoU}, {"category iIoU", w.Categories.IIoU, categoryIIoU},
		} {
			if diff := gocmp.Diff(part.want, part.got, toolTolerance, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", w.Name, part.name, diff)
			}
		}
	}
}

// ofCityscapes are the averages.
func ofCityscapes(t testing.TB, records ...CityscapesRecord) map[string]float64 {
	t.Helper()
	return evaluate(t, len(records), func(score string) (Statistic, error) { return CityscapesStatistic(records, score) },
		"mIoU", "iIoU", "mIoU_category", "iIoU_category")
}

// The class IoU needs no more than the matrix of the 19 training classes.
func TestCityscapesOfTrainIDs(t *testing.T) {
	var train [len(CityscapesLabels)]uint16
	next := uint16(0)
	for id, label := range CityscapesLabels {
		train[id] = 255
		if !label.Ignored {
			train[id] = next
			next++
		}
	}
	if next != 19 {
		t.Fatalf("%d evaluated labels", next)
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.Uint16Range(0, 33), 0, 60)
		truth := ids.Draw(t, "truth")
		pred := rapid.SliceOfN(rapid.Uint16Range(0, 33), len(truth), len(truth)).Draw(t, "pred")
		r, err := CountCityscapes(truth, pred, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range truth {
			truth[i], pred[i] = train[truth[i]], train[pred[i]]
		}
		s, err := Count(truth, pred, 19, 255)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := CityscapesStatistic([]CityscapesRecord{r}, "mIoU")
		if err != nil {
			t.Fatal(err)
		}
		small, err := confusionOf([]Sparse{s}, 19)
		if err != nil {
			t.Fatal(err)
		}
		want, ok1 := stat.Once(1)
		got, ok2 := CityscapesIoU.MIoU(AreasOf(small))
		if want != got || ok1 != ok2 {
			t.Fatalf("mIoU %v, %v of 34 labels and %v, %v of 19", want, ok1, got, ok2)
		}
	})
}

// The tool crashes on a prediction that is no label id; here it is a miss, of the category too.
func TestCityscapesOutOfRange(t *testing.T) {
	r, err := CountCityscapes([]uint16{7, 7, 24}, []uint16{7, 255, 34}, []uint16{7, 7, 24001})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"mIoU": 0.25, "iIoU": 0, "mIoU_category": 0.25, "iIoU_category": 0}
	if diff := gocmp.Diff(want, ofCityscapes(t, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLooksLikeTrainIDs(t *testing.T) {
	for _, test := range []struct {
		truth, pred []uint16
		want        bool
	}{
		{nil, nil, false},
		{[]uint16{7, 8}, []uint16{7, 8}, false}, // both are possible
		{[]uint16{26, 7}, []uint16{13, 0}, true},
		{[]uint16{26, 7}, []uint16{255, 0}, true},
		{[]uint16{26, 7}, []uint16{13, 19}, false},
	} {
		r, err := CountCityscapes(test.truth, test.pred, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, got, err := CityscapesGroups([]CityscapesRecord{r}); got != test.want || err != nil {
			t.Errorf("%v as %v: %v", test.truth, test.pred, got)
		}
	}
}

// Without an instance map in every image there is no instance-weighted score, rather than a wrong one.
func TestCityscapesWithoutInstances(t *testing.T) {
	var records []CityscapesRecord
	for _, instances := range [][]uint16{{24001, 7}, nil} {
		r, err := CountCityscapes([]uint16{24, 7}, []uint16{24, 7}, instances)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
		_, ok := ofCityscapes(t, records...)["iIoU"]
		if ok != (instances != nil) {
			t.Errorf("iIoU is defined: %v after instances %v", ok, instances)
		}
	}
}

func TestCityscapesRefuses(t *testing.T) {
	for _, test := range []struct {
		truth, pred, instances []uint16
		want                   string
	}{
		{[]uint16{34}, []uint16{0}, nil, "label 34 at pixel 0"},
		{[]uint16{7}, []uint16{0, 1}, nil, "1 truth and 2 predicted"},
		{[]uint16{7}, []uint16{0}, []uint16{}, "1 truth and 0 instance"},
		{[]uint16{7, 7}, []uint16{0, 0}, []uint16{7, 7001}, "instance id 7001 at pixel 1 is of label 7"},
		{[]uint16{7}, []uint16{0}, []uint16{34000}, "instance id 34000"},
		{[]uint16{7}, []uint16{0}, []uint16{65535}, "instance id 65535"},
	} {
		if _, err := CountCityscapes(test.truth, test.pred, test.instances); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	for _, test := range []struct {
		bad  []CityscapesInstance
		want string
	}{
		{[]CityscapesInstance{{24001, 0, 0, 0}}, "among 0 pixels"},
		{[]CityscapesInstance{{24001, 5, 3, 2}}, "3 of the class and 2 of the category"},
		{[]CityscapesInstance{{24001, 5, 3, 6}}, "6 of the category among 5"},
		{[]CityscapesInstance{{24001, 5, -1, 6}}, "-1 of the class"},
		{[]CityscapesInstance{{24001, 1, 0, 0}, {24001, 1, 0, 0}}, "repeated"},
		{[]CityscapesInstance{{24, 1, 0, 0}}, "id 24 is of no"},
		{[]CityscapesInstance{{7001, 1, 0, 0}}, "id 7001 is of no"},
		{[]CityscapesInstance{{29001, 1, 0, 0}}, "id 29001 is of no"},
		{[]CityscapesInstance{{65535, 1, 0, 0}}, "id 65535 is of no"},
		{[]CityscapesInstance{{24001, math.MaxInt32, 0, 0}, {24002, 1, 0, 0}}, "instance 1"},
	} {
		r := CityscapesRecord{Pixels: Sparse{{24, 24, 9}}, Weighted: true, Instances: test.bad}
		if _, err := CityscapesStatistic([]CityscapesRecord{r}, "mIoU"); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %q", test.bad, err, test.want)
		}
	}
	if _, err := CityscapesStatistic([]CityscapesRecord{{Instances: []CityscapesInstance{{24001, 1, 1, 1}}}},
		"mIoU"); err == nil {
		t.Error("instances without Weighted were taken")
	}
}

func TestReferenceImageNetS(t *testing.T) {
	type want struct {
		Name    string
		Classes int
		Images  []pair
		Scores  map[string]float64
	}
	for _, w := range referenceCases[want](t, "imagenet_s") {
		var records []BoundaryRecord
		var plain []Sparse
		for _, p := range w.Images {
			r, err := CountBoundary(p.Truth, p.Pred, p.Width, p.Height, w.Classes, 1000, ImageNetSDilationRatio)
			if err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
			records, plain = append(records, r), append(plain, r.Plain())
		}
		got := evaluate(t, len(records), func(score string) (Statistic, error) {
			return ImageNetSStatistic(records, w.Classes, score)
		}, ImageNetSScores...)
		if diff := gocmp.Diff(w.Scores, got, toolTolerance); diff != "" {
			t.Errorf("%s (-want +got):\n%s", w.Name, diff)
		}
		if x, ok := ImageNetSIoU.MIoU(areas(t, w.Classes, plain...)); ok && math.Abs(x-got["mIoU"]) > 1e-15 {
			t.Errorf("%s: mIoU %v of the plain records, %v of all", w.Name, x, got["mIoU"])
		}
	}
}

func TestImageNetSRefuses(t *testing.T) {
	if _, err := ImageNetSStatistic(nil, 1, "mIoU"); err == nil {
		t.Error("no class but the background")
	}
	if _, err := ImageNetSStatistic([]BoundaryRecord{{{6, 0, 1}}}, 3, "mIoU"); err == nil {
		t.Error("a record of other classes was taken")
	}
	if _, err := ImageNetSStatistic(nil, 3, "iIoU"); err == nil {
		t.Error("a score of another evaluator")
	}
}

// halvesSlowly is the definition: a window of 2d+1 pixels with the same label, inside the image.
func halvesSlowly(labels []uint16, width, d, classes int) []uint16 {
	height := len(labels) / width
	out := make([]uint16, len(labels))
	for y := range height {
		for x := range width {
			v := labels[y*width+x]
			inside := true
			for b := y - d; b <= y+d; b++ {
				for a := x - d; a <= x+d; a++ {
					inside = inside && b >= 0 && b < height && a >= 0 && a < width && labels[b*width+a] == v
				}
			}
			switch {
			case int(v) >= classes:
				out[y*width+x] = uint16(2 * classes)
			case inside:
				out[y*width+x] = 2 * v
			default:
				out[y*width+x] = 2*v + 1
			}
		}
	}
	return out
}

func TestHalvesAgreeWithDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 14).Draw(t, "width"), rapid.IntRange(1, 14).Draw(t, "height")
		labels := make([]uint16, w*h)
		for range rapid.IntRange(0, 5).Draw(t, "rectangles") {
			v := rapid.SampledFrom([]uint16{0, 1, 2, 9, 65535}).Draw(t, "label")
			x0, y0 := rapid.IntRange(0, w-1).Draw(t, "x"), rapid.IntRange(0, h-1).Draw(t, "y")
			x1, y1 := rapid.IntRange(x0, w-1).Draw(t, "x1"), rapid.IntRange(y0, h-1).Draw(t, "y1")
			for y := y0; y <= y1; y++ {
				for x := x0; x <= x1; x++ {
					labels[y*w+x] = v
				}
			}
		}
		d := rapid.IntRange(1, 9).Draw(t, "d")
		if diff := gocmp.Diff(halvesSlowly(labels, w, d, 3), halves(labels, w, d, 3)); diff != "" {
			t.Fatalf("%dx%d, d %d, %v (-want +got):\n%s", w, h, d, labels, diff)
		}
	})
}

// FuzzHalves takes labels as bytes.
func FuzzHalves(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(3), uint8(1))
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 9, 9}, uint8(4), uint8(2))
	f.Fuzz(func(t *testing.T, raw []byte, width, d uint8) {
		w, r := int(width%32)+1, int(d%8)+1
		labels := make([]uint16, min(len(raw), 1000)/w*w)
		for i := range labels {
			labels[i] = uint16(raw[i])
		}
		if diff := gocmp.Diff(halvesSlowly(labels, w, r, 3), halves(labels, w, r, 3)); diff != "" {
			t.Fatalf("width %d, d %d, %v (-want +got):\n%s", w, r, labels, diff)
		}
	})
}

// The boundary record holds the plain one.
func TestBoundaryPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 9).Draw(t, "width"), rapid.IntRange(1, 9).Draw(t, "height")
		truth := rapid.SliceOfN(rapid.SampledFrom([]uint16{0, 1, 2, 255}), w*h, w*h).Draw(t, "truth")
		pred := rapid.SliceOfN(rapid.SampledFrom([]uint16{0, 1, 2, 3, 255, 40000}), w*h, w*h).Draw(t, "pred")
		ignore := rapid.SampledFrom([]uint16{255, 65535, 1}).Draw(t, "ignore")
		want, err1 := Count(truth, pred, 3, ignore)
		got, err2 := CountBoundary(truth, pred, w, h, 3, ignore, 0.02)
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("errors %v and %v", err1, err2)
		}
		if diff := gocmp.Diff(want, got.Plain()); err1 == nil && diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestBoundaryErrors(t *testing.T) {
	four := make([]uint16, 4)
	for _, test := range []struct {
		truth, pred            []uint16
		width, height, classes int
		ratio                  float64
		want                   string
	}{
		{four, four, 2, 2, 0, 0.02, "0 classes"},
		{four, four, 2, 2, MaxClasses/2 + 1, 0.02, "2049 classes"},
		{four, four, 3, 2, 1, 0.02, "of an image of 3x2"},
		{four, four, 0, 0, 1, 0.02, "0x0"},
		{four, four, 2, -2, 1, 0.02, "2x-2"},
		{four, four[:2], 2, 2, 1, 0.02, "4 truth and 2 predicted"},
		{four, four, 2, 2, 1, math.NaN(), "ratio NaN"},
		{four, four, 2, 2, 1, 1.5, "ratio 1.5"},
		{[]uint16{0, 7, 0, 0}, four, 2, 2, 1, 0.02, "label 7 at pixel 1"},
	} {
		if _, err := CountBoundary(test.truth, test.pred, test.width, test.height, test.classes, 255,
			test.ratio); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// python: int(round(0.02 * np.sqrt(h**2 + w**2))), numpy 2.4.6.
func TestBoundaryWidth(t *testing.T) {
	for _, test := range []struct{ w, h, want int }{
		{1, 1, 1}, {75, 100, 2}, {140, 105, 4}, {500, 375, 12}, {640, 480, 16}, {2048, 1024, 46},
	} {
		if got := boundaryWidth(test.w, test.h, DilationRatio); got != test.want {
			t.Errorf("%dx%d: %d pixels, want %d", test.w, test.h, got, test.want)
		}
	}
}

func BenchmarkCountBoundary(b *testing.B) {
	for _, c := range []struct{ w, h, classes int }{{500, 375, 21}, {2048, 1024, 19}} {
		truth, pred := drawMaps(c.w*c.h, c.classes, 40, 1)
		b.Run(fmt.Sprintf("%dx%d", c.w, c.h), func(b *testing.B) {
			for b.Loop() {
				if _, err := CountBoundary(truth, pred, c.w, c.h, c.classes, 65535, DilationRatio); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
