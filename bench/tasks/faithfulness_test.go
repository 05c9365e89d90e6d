package tasks

import (
	order "cmp"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
)

const probeSide = 32

// brightness is a model of two classes and a background: class 1 is the mean of the first channel of the upper left
// quarter, class 2 that of the lower right one, times a tenth.
func brightness(image []float32) []float32 {
	var sum [2]float32
	for y := range probeSide {
		for x := range probeSide {
			switch half := probeSide / 2; {
			case y < half && x < half:
				sum[0] += image[y*probeSide+x]
			case y >= half && x >= half:
				sum[1] += image[y*probeSide+x]
			}
		}
	}
	const n = probeSide * probeSide / 4 * 10
	return []float32{9, sum[0] / n, sum[1] / n} // the background would win
}

func probeTarget() *Target {
	return &Target{
		Info:  datasets.Info{Classes: []string{"background", "x", "y"}, Background: true},
		Texts: []string{"b", "x", "y"}, Rule: resample.Rule{Classes: []int{0, 1, 2}, Scale: 10},
	}
}

// The curves are those of the definition, spelled out: sort, change that many pixels, ask the model.
func TestFaithfulnessCurves(t *testing.T) {
	const pixels = probeSide * probeSide
	v := View{Target: probeTarget(), Index: 5, Pixels: make([]float32, 3*pixels), Height: probeSide, Width: probeSide}
	for i := range pixels / 2 { // the upper half is bright: class 1 is explained
		v.Pixels[i] = 2
	}
	asked, most := 0, 0
	v.Cosines = func(images [][]float32) ([][]float32, error) {
		asked, most = asked+len(images), max(most, len(images))
		var out [][]float32
		for _, image := range images {
			out = append(out, brightness(image))
		}
		return out, nil
	}
	// Four patches; the map of class 1 is highest at the upper left.
	sim := Similarity{Maps: runners.Maps{Rows: 2, Cols: 2, Global: []float32{9, 0, 0}, Patches: []float32{0, 1, 0, 0, 0.5,
		0, 0, 0.25, 0, 0, 0, 1}}}
	v.Methods = []Seen{{Name: "m", Form: methods.NoSurgery, Similarity: sim}}
	found, err := faithfulness{}.Measure(&v)
	if err != nil {
		t.Fatal(err)
	}
	got := found.Evidence[0].Faithfulness
	if got.Class != 1 || got.Constant || most > probeBatch {
		t.Errorf("class %d, constant %v, batches of up to %d", got.Class, got.Constant, most)
	}

	saliency := make([]float32, pixels)
	resample.Bilinear(saliency, probeSide, probeSide, []float32{1, 0.5, 0.25, 0}, 2, 2)
	ranks := make([]int, pixels)
	for i := range ranks {
		ranks[i] = pixels - 1 - i
	}
	slices.SortStableFunc(ranks, func(a, b int) int { return order.Compare(saliency[b], saliency[a]) })
	probability := func(changed int, from, to []float32) float64 {
		image := slices.Clone(from)
		for _, i := range ranks[:changed] {
			for c := range 3 {
				image[c*pixels+i] = to[c*pixels+i]
			}
		}
		cos := brightness(image)
		a, b := math.Exp(10*float64(cos[1])), math.Exp(10*float64(cos[2]))
		return a / (a + b)
	}
	blurred, err := metrics.BlurSubstrate(v.Pixels, probeSide, probeSide)
	if err != nil {
		t.Fatal(err)
	}
	var want records.Curves
	for _, k := range []int{0, 224, 448, 672, 896, 1024} {
		want.Deletion = append(want.Deletion, float32(probability(k, v.Pixels, make([]float32, 3*pixels))))
		want.Insertion = append(want.Insertion, float32(probability(k, blurred, v.Pixels)))
	}
	if diff := cmp.Diff(want, got.RISE, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Errorf("RISE (-want +got)\n%s", diff)
	}
	if n := len(got.GradECLIP.Deletion); n != 11 || len(got.GradECLIP.Insertion) != 11 {
		t.Errorf("Grad-ECLIP's curves have %d and %d points", n, len(got.GradECLIP.Insertion))
	}
	// Black is darker than the mean colour in both quarters alike: the first class wins the tie; the last point is the
	// image.
	if got.GradECLIP.Deletion[0] != 1 || got.GradECLIP.Insertion[10] != 1 {
		t.Errorf("the whole image is no hit: %v", got.GradECLIP)
	}
	if asked != 1+6+6+11+11 {
		t.Errorf("the model was asked %d times", asked)
	}
}

// Noise and black are colours that a picture can have.
func TestFaithfulnessSubstrates(t *testing.T) {
	const pixels = probeSide * probeSide
	v := View{Target: probeTarget(), Index: 5, Pixels: slices.Repeat([]float32{0.5}, 3*pixels), Height: probeSide,
		Width: probeSide}
	var seen [][]float32
	v.Cosines = func(images [][]float32) (out [][]float32, err error) {
		for _, image := range images {
			seen = append(seen, slices.Clone(image))
			out = append(out, []float32{0, 0, 0})
		}
		return out, nil
	}
	order := make([]int32, pixels)
	for i := range order {
		order[i] = int32(i)
	}
	if _, err := v.gradECLIP(1, order); err != nil {
		t.Fatal(err)
	}
	const changed = 100 * (pixels / 200) // half of the pixels, rounded down a step
	last, first := seen[10], seen[11]
	for c := range 3 {
		for i, x := range last[c*pixels : (c+1)*pixels] {
			if i < changed && (x != float32(uint8(x)) || x == 0.5) {
				t.Fatalf("channel %d, pixel %d of deletion is %v", c, i, x)
			}
			if i >= changed && x != 0.5 {
				t.Fatalf("pixel %d was deleted: more than half", i)
			}
		}
		if black := first[c*pixels+pixels-1]; black != 0 {
			t.Errorf("insertion starts from %v in channel %d", black, c)
		}
	}
}

// Scores are the areas of the mean curves, whichever are averaged first.
func TestFaithfulnessScores(t *testing.T) {
	run := two("m")
	var recs []records.Record
	for i, curve := range [][]float32{{1, 0.5, 0}, {0.5, 0.5, 0.25}} {
		c := records.Curves{Deletion: curve, Insertion: []float32{0, float32(i)}}
		recs = append(recs, records.Record{Dataset: "d", Index: i, ID: "ab"[i : i+1],
			Methods: map[string]records.Evidence{"m": {Faithfulness: &records.Faithfulness{RISE: c, GradECLIP: c,
				Constant: i == 1}}}})
	}
	cells, err := Score(run, &configs.Suite{Task: "faithfulness", Resamples: 100, Seed: 1}, recs)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, c := range cells {
		for _, s := range c.Scores {
			values[c.Convention+" "+s.Name] = s.Value
		}
		if c.Counts["constant_maps"] != 1 || c.Counts["maps"] != 2 {
			t.Errorf("counts %v", c.Counts)
		}
	}
	// By the trapezoid rule: (0.5 + 0.4375) / 2 and (0 + 0.5) / 2.
	want := map[string]float64{"rise deletion": 0.46875, "rise insertion": 0.25, "grad-eclip deletion": 0.46875,
		"grad-eclip insertion": 0.25}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	drawn := map[string][]float64{}
	for _, c := range cells[0].Curves {
		drawn[c.Name] = c.Y
	}
	if diff := cmp.Diff(map[string][]float64{"deletion": {0.75, 0.5, 0.125}, "insertion": {0, 0.5}}, drawn); diff != "" {
		t.Errorf("curves (-want +got)\n%s", diff)
	}
	recs[0].Methods["m"].Faithfulness.RISE.Deletion = []float32{1, 2, 3}
	if _, err := Score(run, &configs.Suite{Task: "faithfulness", Resamples: 100, Seed: 1}, recs); err == nil {
		t.Error("a curve above 1 is accepted")
	}
	recs[0].Methods["m"] = records.Evidence{}
	if _, err := Score(run, &configs.Suite{Task: "faithfulness", Resamples: 100, Seed: 1}, recs); err == nil {
		t.Error("a record without curves is accepted")
	}
}

// The probability of a class is that of its best query, among the queries of all classes but the background.
func TestBestClass(t *testing.T) {
	j := probeTarget()
	j.Rule.Classes = []int{0, 1, 1, 2}
	best, got := j.bestClass([]float32{9, 0.2, 0.1, 0.15})
	a, b, c := math.Exp(2.0), math.Exp(1.0), math.Exp(1.5)
	if diff := cmp.Diff([]float64{0, a / (a + b + c), c / (a + b + c)}, got, cmpopts.EquateApprox(0, 1e-6)); best != 1 ||
		diff != "" {
		t.Errorf("class %d (-want +got)\n%s", best, diff)
	}
}
