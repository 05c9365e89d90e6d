package methods

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Worked by hand. Global token (0.2, 0.1): w = 2 softmax(0.4, 0.2) = 1 ± tanh(0.1). The patch has cosines 0.3 and 0.5.
func TestFeatureSurgeryByHand(t *testing.T) {
	th := math.Tanh(0.1)
	shared := ((1+th)*0.3 + (1-th)*0.5) / 2
	for form, want := range map[FeatureSurgery][]float64{
		Labels:    {(1+th)*0.3 - shared, (1-th)*0.5 - shared},
		Paper:     {0.3 - shared, 0.5 - shared},
		Empty:     {0.3 - 0.25, 0.5 - 0.25},
		NoSurgery: {0.3, 0.5},
	} {
		sim := []float32{0.2, 0.1, 0.3, 0.5}
		if err := form.Apply(sim[:2], sim[2:], 2, []float32{0.25}, Score{}); err != nil {
			t.Fatal(err)
		}
		for j, w := range want {
			if math.Abs(float64(sim[2+j])-w) > 1e-7 {
				t.Errorf("%s, text %d: %v, want %v", form, j, sim[2+j], w)
			}
		}
	}
	for _, c := range []struct {
		form               FeatureSurgery
		global, sim, empty []float32
	}{
		{"nobody", make([]float32, 2), make([]float32, 4), nil}, {Labels, make([]float32, 2), make([]float32, 5), nil},
		{Labels, nil, make([]float32, 4), nil}, {Empty, nil, make([]float32, 4), make([]float32, 3)},
	} {
		if err := c.form.Apply(c.global, c.sim, 2, c.empty, Score{}); err == nil {
			t.Errorf("%s of %d similarities and %d empty ones is accepted", c.form, len(c.sim), len(c.empty))
		}
	}
}

// The worked example was computed by an independent script in float64 from the formulas.
func TestFeatureSurgeryExample(t *testing.T) {
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(root, "golden", "feature_surgery_example.json"))
	if err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skip("no recordings: set OVBENCH_SHARED")
	}
	var e struct {
		Image     [][]float64 `json:"image_features_raw"`
		Redundant []float64   `json:"redundant_feature_raw"`
		Cosine    [][]float64
		Code      [][]float64 `json:"similarity_code_variant"`
		Paper     [][]float64 `json:"similarity_paper_variant"`
		Empty     [][]float64 `json:"similarity_explicit_redundant"`
		Points    points      `json:"points"`
		Uncapped  points      `json:"points_uncapped"`
		Odd       points      `json:"points_odd_grid"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	texts := len(e.Cosine[0])
	var empty []float32
	for _, row := range e.Image {
		empty = append(empty, float32(cosine(row, e.Redundant)))
	}
	for form, want := range map[FeatureSurgery][][]float64{Labels: e.Code, Paper: e.Paper, Empty: e.Empty} {
		var sim []float32
		for _, row := range e.Cosine {
			for _, v := range row {
				sim = append(sim, float32(v))
			}
		}
		if err := form.Apply(sim[:texts], sim, texts, empty, Score{}); err != nil {
			t.Fatal(err)
		}
		for i, row := range want {
			for j, w := range row {
				if math.Abs(float64(sim[i*texts+j])-w) > 2e-6 { // the example is rounded to six digits
					t.Errorf("%s[%d][%d]: %v, want %v", form, i, j, sim[i*texts+j], w)
				}
			}
		}
	}
	for i, p := range []points{e.Points, e.Uncapped, e.Odd} {
		var cells []float32
		if json.Unmarshal(p.Eight, &cells) != nil && p.Seven == nil && json.Unmarshal(e.Points.Eight, &cells) != nil {
			t.Fatal("the example has no tokens")
		}
		cells = append(cells, p.Seven...)
		side := int(math.Sqrt(float64(len(cells))))
		var xy [][2]int
		var labels []int
		for _, q := range Points(cells, side, side, p.Size[1], p.Size[0], PointOptions{Threshold: p.T, Shrink: p.Down}) {
			xy, labels = append(xy, [2]int{q.X, q.Y}), append(labels, q.Label)
		}
		if diff := cmp.Diff(p.XY, xy); diff != "" || !slices.Equal(p.Labels, labels) {
			t.Errorf("points %d of a %d x %d map: labels %v, want %v (-want +got)\n%s", i, side, side, labels, p.Labels, diff)
		}
	}
}

// points is a case of text-to-points.
type points struct {
	Eight  json.RawMessage `json:"tokens_8x8_row_major"` // numbers, or words for "as in points"
	Seven  []float32       `json:"tokens_7x7_row_major"`
	Size   [2]int          `json:"image_hw"`
	T      float32
	Down   int      `json:"down_sample"`
	XY     [][2]int `json:"points_xy"`
	Labels []int
}

func cosine(a, b []float64) float64 {
	dot, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		dot += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	return dot / math.Sqrt(aa*bb)
}

// What the paper's form removes is common to all texts, so that the best text of a patch stays the best.
func TestPaperFormKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.IntRange(2, 6).Draw(t, "texts")
		sim := rapid.SliceOfN(rapid.Float32Range(-1, 1), texts*4, texts*4).Draw(t, "sim")
		before := slices.Clone(sim)
		if err := Paper.Apply(sim[:texts], sim, texts, nil, Score{}); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			a, b := before[i*texts:(i+1)*texts], sim[i*texts:(i+1)*texts]
			for j := range texts {
				for k := range texts {
					if a[j] > a[k]+1e-5 && b[j] <= b[k] {
						t.Fatalf("token %d: %v became %v", i, a, b)
					}
				}
			}
		}
	})
}

func TestMinMax(t *testing.T) {
	x := []float32{2, 4, 3}
	if !MinMax(x) || !cmp.Equal(x, []float32{0, 1, 0.5}) {
		t.Errorf("%v", x)
	}
	for _, bad := range [][]float32{{1, 1}, {1, float32(math.NaN())}, {}} {
		if x := slices.Clone(bad); MinMax(x) || slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) {
			t.Errorf("%v became %v", bad, x)
		}
	}
}

// Worked by hand from the rules: 4x4 patches shrink to 2x2 means, 0.1 0.9 / 0.5 0.85 before stretching.
func TestPoints(t *testing.T) {
	cells := []float32{
		0.1, 0.1, 0.9, 0.9,
		0.1, 0.1, 0.9, 0.9,
		0.5, 0.5, 0.85, 0.85,
		0.5, 0.5, 0.85, 0.85,
	}
	want := []Point{{75, 75, 1}, {75, 25, 1}, {25, 25, 0}, {25, 75, 0}} // weakest positive first, then the lowest
	if diff := cmp.Diff(want, Points(cells, 4, 4, 100, 100, DefaultPoints)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := Points(make([]float32, 16), 4, 4, 10, 10, DefaultPoints); got != nil {
		t.Errorf("a constant map gives %v", got)
	}
}

func TestNew(t *testing.T) {
	m, err := New("clip_surgery", map[string]any{"depth": 3})
	if err != nil || !cmp.Equal(Params(m), map[string]any{"depth": 3, "resnet": Released}) {
		t.Errorf("%v, %v", m, err)
	}
	for _, c := range []struct {
		name   string
		params map[string]any
		want   string
	}{
		{"clip_surgey", nil, `method "clip_surgey" is not known; known are clip, clip_surgery, maskclip, `},
		{"clip_surgery", map[string]any{"deph": 3}, `unknown field "deph"; its parameters are depth (6), pool, resnet (released)`},
		{"naclip", map[string]any{"sigma": "wide"}, `sigma is "wide", want a number`},
		{"naclip", map[string]any{"attn": true}, "attn is true, want a word"},
		{"naclip", map[string]any{"sigma": []any{1}}, "sigma is [1], want a number"},
		{"clip_surgery", map[string]any{"depth": 2.5}, "depth is 2.5, want a whole number"},
		{"clip", map[string]any{"depth": 3}, "its parameters are pool"},
	} {
		if _, err := New(c.name, c.params); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %s", c.name, c.params, err, c.want)
		}
	}
}
