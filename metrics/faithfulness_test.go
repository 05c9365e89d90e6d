package metrics

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// rise is testdata/faithfulness/rise.json: what evaluation.py at d91ea00 of eclique/RISE says of one
// image of 13 x 9 pixels and a linear softmax model, run with torch 2.15.0, scipy 1.17.1, numpy
// 2.4.6. The saliencies differ, because numpy's sort is not stable.
type rise struct {
	Width, Height int
	Image         []float32
	Kernel, Blur  []float64
	KernelRow     []float64 `json:"kernel_row"`
	Saliency      []float32
	Weights       []float64 // [4, 3*height*width]
	Top           int
	Curves        []struct {
		Step     int
		Del, Ins []float64
		DelAUC   float64 `json:"del_auc"`
		InsAUC   float64 `json:"ins_auc"`
	}
	AUC []struct {
		Scores []float64
		Want   float64
	}
}

// score is the softmax probability of the top class.
func (g rise) score(images [][]float32) ([]float64, error) {
	var out []float64
	for _, img := range images {
		var e [4]float64
		sum := 0.0
		for k := range e {
			for i, v := range img {
				e[k] += float64(v) * g.Weights[k*len(img)+i]
			}
			e[k] = math.Exp(e[k])
			sum += e[k]
		}
		out = append(out, e[g.Top]/sum)
	}
	return out, nil
}

func TestCurvesAreRISEs(t *testing.T) {
	var g rise
	readJSON(t, "faithfulness/rise.json", &g)
	order, err := Order(g.Saliency)
	if err != nil {
		t.Fatal(err)
	}
	blur, err := BlurSubstrate(g.Image, g.Width, g.Height)
	if err != nil {
		t.Fatal(err)
	}
	zero := make([]float32, len(g.Image))
	for _, c := range g.Curves {
		schedule, err := RISESchedule(g.Width*g.Height, c.Step)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range []struct {
			name string
			p    Perturbation
			want []float64
			auc  float64
		}{
			{"deletion", Perturbation{g.Image, zero, order, schedule}, c.Del, c.DelAUC},
			{"insertion", Perturbation{blur, g.Image, order, schedule}, c.Ins, c.InsAUC},
		} {
			for _, batch := range []int{1, 4, 1000} {
				got, err := run.p.Curve(batch, g.score)
				if err != nil {
					t.Fatal(err)
				}
				// The model amplifies the float32 rounding of RISE's blur.
				if diff := cmp.Diff(run.want, got, cmpopts.EquateApprox(0, 2e-6)); diff != "" {
					t.Errorf("%s by %d, batches of %d (-want +got):\n%s", run.name, c.Step, batch, diff)
				}
				if auc, ok := AUC(got); !ok || math.Abs(auc-run.auc) > 2e-6 {
					t.Errorf("%s by %d: AUC %v, want %v", run.name, c.Step, auc, run.auc)
				}
			}
		}
	}
}

func TestBlurIsRISEs(t *testing.T) {
	var g rise
	readJSON(t, "faithfulness/rise.json", &g)
	for y := range riseKernel {
		for x := range riseKernel {
			got, want := float32(riseWeights[x]*riseWeights[y]), g.Kernel[y*riseKernel+x]
			if math.Abs(float64(got)-want) > 1e-9 {
				t.Errorf("kernel at %d, %d: %v, want %v", x, y, got, want)
			}
		}
		if math.Abs(riseWeights[y]-g.KernelRow[y]) > 1e-7 {
			t.Errorf("weight %d: %v, want %v", y, riseWeights[y], g.KernelRow[y])
		}
	}
	got, err := BlurSubstrate(g.Image, g.Width, g.Height)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if math.Abs(float64(v)-g.Blur[i]) > 1e-6 {
			t.Fatalf("value %d: %v, want %v", i, v, g.Blur[i])
		}
	}
	for _, bad := range [][3]int{{0, 1, 0}, {3, -1, 3}, {4, 4, 15}, {1, 1, 0}, {1 << 40, 1 << 40, 3}} {
		if _, err := BlurSubstrate(make([]float32, bad[2]), bad[0], bad[1]); err == nil {
			t.Errorf("%d values of %d x %d pixels were blurred", bad[2], bad[0], bad[1])
		}
	}
}

// The last two are RISE's own; the first by hand: 0.9/2 + 0.7 + 0.2 + 0.05/2 = 1.375, over 3.
func TestAUC(t *testing.T) {
	if got, ok := AUC([]float64{0.9, 0.7, 0.2, 0.05}); !ok || math.Abs(got-1.375/3) > 1e-15 {
		t.Errorf("%v, want 0.458333", got)
	}
	var g rise
	readJSON(t, "faithfulness/rise.json", &g)
	for _, c := range g.AUC {
		if got, ok := AUC(c.Scores); !ok || math.Abs(got-c.Want) > 1e-15 {
			t.Errorf("%v: %v, want %v", c.Scores, got, c.Want)
		}
	}
	for _, none := range [][]float64{nil, {1}} {
		if got, ok := AUC(none); ok {
			t.Errorf("%v: %v", none, got)
		}
	}
}

// Descending; among equal ones the later pixel first. -0 is 0.
func TestOrder(t *testing.T) {
	nzero, inf := float32(math.Copysign(0, -1)), float32(math.Inf(1))
	for _, test := range []struct {
		saliency []float32
		want     []int32
	}{
		{nil, []int32{}},
		{[]float32{1, 3, 2}, []int32{1, 2, 0}},
		{[]float32{1, 2, 1, 2, 1}, []int32{3, 1, 4, 2, 0}},
		{[]float32{0, nzero, 0}, []int32{2, 1, 0}},
		{[]float32{-1, -inf, inf, -2, 1e-40}, []int32{2, 4, 0, 3, 1}},
	} {
		if got, err := Order(test.saliency); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, %v; want %v", test.saliency, got, err, test.want)
		}
	}
	if _, err := Order([]float32{0, float32(math.NaN())}); err == nil ||
		!strings.Contains(err.Error(), "pixel 1 is not a number") {
		t.Error(err)
	}
}

func TestOrderIsStableSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		saliency := rapid.SliceOf(rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{0, 1, -1}))).Draw(t, "saliency")
		ascending := make([]int32, len(saliency))
		for i := range ascending {
			ascending[i] = int32(i)
		}
		slices.SortStableFunc(ascending, func(a, b int32) int {
			switch {
			case saliency[a] < saliency[b]:
				return -1
			case saliency[a] > saliency[b]:
				return 1
			}
			return 0
		})
		slices.Reverse(ascending)
		if got, err := Order(saliency); err != nil || !slices.Equal(got, ascending) {
			t.Fatalf("%v, %v; want %v", got, err, ascending)
		}
	})
}

// testdata/faithfulness/gradeclip.json: pixels changed in each image the loops of
// imagenet_eval_deletion.py and imagenet_eval_insertion.py at 5c1b5cc of Cyang-Zhao/Grad-Eclip make.
// The scripts add the unchanged image as the first point of deletion and as the last of insertion.
func TestGradECLIPSchedule(t *testing.T) {
	var g map[string][]struct {
		Width, Height int
		Changed       []int
	}
	readJSON(t, "faithfulness/gradeclip.json", &g)
	for _, c := range g["deletion"] {
		want := append([]int{0}, c.Changed...)
		if got, err := GradECLIPSchedule(c.Width*c.Height, false); err != nil || !slices.Equal(got, want) {
			t.Errorf("deletion %d x %d: %v, %v; want %v", c.Width, c.Height, got, err, want)
		}
	}
	for _, c := range g["insertion"] {
		want := append(slices.Clone(c.Changed), c.Width*c.Height)
		if got, err := GradECLIPSchedule(c.Width*c.Height, true); err != nil || !slices.Equal(got, want) {
			t.Errorf("insertion %d x %d: %v, %v; want %v", c.Width, c.Height, got, err, want)
		}
	}
}

func TestSchedules(t *testing.T) {
	// 225 and 29 points: ceil(224*224/step) + 1.
	for step, points := range map[int]int{224: 225, 8 * 224: 29} {
		got, err := RISESchedule(224*224, step)
		if err != nil || len(got) != points || got[0] != 0 || got[1] != step || got[points-1] != 224*224 {
			t.Errorf("by %d: %d points, %v", step, len(got), err)
		}
	}
	for _, pixels := range []int{0, -1, maxPixels + 1} {
		_, a := RISESchedule(pixels, 1)
		_, b := GradECLIPSchedule(pixels, true)
		if a == nil || b == nil {
			t.Errorf("schedules for %d pixels", pixels)
		}
	}
	if _, err := RISESchedule(10, 0); err == nil {
		t.Error("steps of 0 pixels")
	}
}

func TestCurveErrors(t *testing.T) {
	good := Perturbation{make([]float32, 6), make([]float32, 6), []int32{2, 0, 1}, []int{0, 3}}
	ones := func(images [][]float32) ([]float64, error) { return make([]float64, len(images)), nil }
	if _, err := good.Curve(2, ones); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Perturbation){
		"values with an order":  func(p *Perturbation) { p.Finish = p.Finish[:3] },
		"values with an":        func(p *Perturbation) { p.Order = nil },
		"names pixel 2 twice":   func(p *Perturbation) { p.Order = []int32{2, 2, 1} },
		"names pixel 3":         func(p *Perturbation) { p.Order = []int32{0, 1, 3} },
		"names pixel -1":        func(p *Perturbation) { p.Order = []int32{0, 1, -1} },
		"point 1 of the":        func(p *Perturbation) { p.Schedule = []int{2, 1} },
		"changes 4 of 3 pixels": func(p *Perturbation) { p.Schedule = []int{4} },
	} {
		bad := good
		spoil(&bad)
		if _, err := bad.Curve(2, ones); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := good.Curve(0, ones); err == nil {
		t.Error("batches of 0")
	}
	if _, err := good.Curve(1, func([][]float32) ([]float64, error) { return nil, nil }); err == nil {
		t.Error("no score")
	}
	sentinel := errors.New("no device")
	if _, err := good.Curve(1, func([][]float32) ([]float64, error) { return nil, sentinel }); !errors.Is(err, sentinel) {
		t.Error(err)
	}
}

// By hand: areas 0.5 and 0.25; the area of the mean curve is their mean.
func TestMeanCurve(t *testing.T) {
	curves := [][]float64{{1, 0.5, 0}, {1, 0, 0}}
	if err := CheckCurves(curves); err != nil {
		t.Fatal(err)
	}
	mean := MeanCurve(curves)
	if area, ok := AUC(mean); !ok || area != 0.375 || !slices.Equal(mean, []float64{1, 0.25, 0}) || MeanCurve(nil) != nil {
		t.Errorf("mean curve %v, area %v", mean, area)
	}
	for want, bad := range map[string][][]float64{
		"image 1 has 2 points": {{1, 0.5, 0}, {1, 0}}, "has 1 points": {{1}}, "not a probability": {{1, 1.5, 0}},
		"the value NaN, not": {{1, math.NaN()}},
	} {
		if err := CheckCurves(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func BenchmarkOrder(b *testing.B) {
	score, _ := smoothMap(224, 224, 1)
	for b.Loop() {
		if _, err := Order(score); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlurSubstrate(b *testing.B) {
	image := make([]float32, 3*224*224)
	for b.Loop() {
		if _, err := BlurSubstrate(image, 224, 224); err != nil {
			b.Fatal(err)
		}
	}
}
